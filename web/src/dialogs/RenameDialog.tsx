/** The name, title and colour of a node, or the title and colour of a group. */

import { type FormEvent, type ReactElement, useEffect, useRef, useState } from "react";

import { HUES, tint } from "../canvas/colors";
import { useDocument, useEditor, useGraph, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { specOf } from "../model/catalogue";
import { INPUTS } from "../model/document";
import { changeNodeView, putGroup, renameNode } from "../model/edits";
import { editor, scopeOf } from "../model/editor";
import { isName } from "../model/names";
import { Dialog } from "../widgets/Dialog";

interface RenameDialogProps {
  onClose(): void;
}

export function RenameDialog({ onClose }: RenameDialogProps): ReactElement | null {
  const say = useSay();
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const [id] = useEditor(({ selected }) => selected);
  const graph = useGraph();
  const document = useDocument();
  const catalogue = useStudio((state) => state.catalogue);
  const scope = useEditor(scopeOf);
  const node = id === undefined ? undefined : graph.nodes[id];
  const group = graph.view?.groups?.find((one) => one.id === id);
  const view = id === undefined ? undefined : graph.view?.nodes?.[id];
  const [name, setName] = useState(id ?? "");
  const [title, setTitle] = useState(group?.title ?? view?.title ?? "");
  const [color, setColor] = useState(group?.color ?? view?.color);
  if (id === undefined || (!node && !group)) return null;

  const isTaken = name !== id && (name in graph.nodes || (scope !== null && name === INPUTS));
  const trouble = group ? null : isTaken ? say("nameTaken") : isName(name) ? null : say("nameForm");
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (trouble) return;
    const state = editor.getState();
    if (group) {
      const { color: _, ...rest } = group;
      state.edit("rename", (one) => putGroup(one, id, { ...rest, title, ...(color ? { color } : {}) }));
    } else {
      state.edit("rename", (one) => {
        const looks = { title: title || undefined, color } as Parameters<typeof changeNodeView>[2];
        return renameNode(changeNodeView(one, id, looks), id, name);
      });
      state.select([name]);
    }
    onClose();
  };
  return (
    <Dialog title={say("rename")} className="rename" onClose={onClose}>
      <form onSubmit={save}>
        {node && (
          <label>
            <span>{say("nodeName")}</span>
            <input
              ref={first}
              value={name}
              aria-invalid={trouble !== null}
              aria-describedby="rename-trouble"
              spellCheck={false}
              onChange={({ target }) => setName(target.value)}
              onFocus={({ target }) => target.select()}
            />
          </label>
        )}
        <p id="rename-trouble" className="rename-trouble" role="status">
          {trouble ?? ""}
        </p>
        <label>
          <span>{say("nodeTitle")}</span>
          <input
            ref={node ? null : first}
            value={title}
            placeholder={node ? specOf(catalogue, document, node.type)?.title : ""}
            onChange={({ target }) => setTitle(target.value)}
          />
        </label>
        <fieldset className="swatches">
          <legend>{say("color")}</legend>
          {[undefined, ...HUES.map(String)].map((hue) => (
            <label key={hue ?? "none"} className={hue ? "swatch" : "swatch swatch-none"} style={tint(hue)}>
              <input
                type="radio"
                name="color"
                checked={color === hue}
                aria-label={hue ? say("hue", { hue }) : say("noColor")}
                onChange={() => setColor(hue)}
              />
            </label>
          ))}
        </fieldset>
        <footer>
          <button type="button" onClick={onClose}>
            {say("cancel")}
          </button>
          <button type="submit" className="primary" disabled={trouble !== null}>
            {say("apply")}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
