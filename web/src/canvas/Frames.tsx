/** What stands around and between nodes: frames that take along what lies in them, and notes. */

import { type NodeProps, NodeResizer } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import { useSay } from "../i18n";
import { putGroup, putNote } from "../model/edits";
import { editor } from "../model/editor";
import { tint } from "./colors";
import type { GroupNode, NoteNode } from "./flow";

const box = ({ x, y, width, height }: { x: number; y: number; width: number; height: number }) => ({
  x: Math.round(x),
  y: Math.round(y),
  width: Math.round(width),
  height: Math.round(height),
});

export const GroupFrame = memo(function GroupFrame({ data, selected }: NodeProps<GroupNode>): ReactElement {
  const say = useSay();
  const { group } = data;
  return (
    <section
      className={selected ? "group-frame group-selected" : "group-frame"}
      style={tint(group.color)}
      aria-label={`${say("groupOf")} ${group.title}`}
    >
      <NodeResizer
        isVisible={!!selected}
        minWidth={120}
        minHeight={80}
        onResizeEnd={(_event, size) =>
          editor.getState().edit("resize", (graph) => putGroup(graph, group.id, { ...group, ...box(size) }))
        }
      />
      <header className="group-title">
        <input
          type="text"
          className="nodrag"
          aria-label={say("groupTitle")}
          placeholder={say("groupOf")}
          value={group.title}
          onChange={({ target }) =>
            editor
              .getState()
              .edit("rename", (graph) => putGroup(graph, group.id, { ...group, title: target.value }), group.id)
          }
        />
      </header>
    </section>
  );
});

export const NoteCard = memo(function NoteCard({ data, selected }: NodeProps<NoteNode>): ReactElement {
  const say = useSay();
  const { note } = data;
  return (
    <section className={selected ? "note note-selected" : "note"} aria-label={say("note")}>
      <NodeResizer
        isVisible={!!selected}
        minWidth={120}
        minHeight={64}
        onResizeEnd={(_event, size) =>
          editor.getState().edit("resize", (graph) => putNote(graph, note.id, { ...note, ...box(size) }))
        }
      />
      <div className="note-grip" aria-hidden="true" />
      <textarea
        className="nodrag nowheel nopan"
        aria-label={say("noteText")}
        placeholder={say("noteText")}
        value={note.text}
        onChange={({ target }) =>
          editor.getState().edit("note", (graph) => putNote(graph, note.id, { ...note, text: target.value }), note.id)
        }
      />
    </section>
  );
});
