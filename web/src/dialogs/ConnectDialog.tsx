/** Wire the chosen node without a pointer: all wires that it could be given, found by a few letters. */

import { type ReactElement, useMemo, useState } from "react";

import { chosenNode } from "../canvas/chosen";
import { useDocument, useGraph, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { specOf, titleOf } from "../model/catalogue";
import { editor } from "../model/editor";
import { type Join, joinsOf } from "../model/joining";
import { type End, INPUTS_END, wireOpen } from "../model/wiring";
import { Dialog } from "../widgets/Dialog";
import { SearchList } from "../widgets/SearchList";

interface ConnectDialogProps {
  onClose(): void;
}

const MOST = 100;

export function ConnectDialog({ onClose }: ConnectDialogProps): ReactElement {
  const say = useSay();
  const [text, setText] = useState("");
  const [name] = useState(chosenNode);
  const lines = useLines(name);
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return lines.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word))).slice(0, MOST);
  }, [lines, text]);
  return (
    <Dialog title={say("connectNode", { name: name ?? "" })} className="command-palette" onClose={onClose}>
      <SearchList<Line>
        label={say("searchWires")}
        text={text}
        sections={[{ options: found }]}
        empty={say("nothingFits")}
        keyOf={({ label }) => label}
        show={({ label, join }) => (
          <>
            <span>{label}</span>
            <small>{join.type}</small>
          </>
        )}
        onText={setText}
        onTake={({ join: { from, into, taken } }) => {
          editor.getState().edit("connect", (graph) => wireOpen(graph, from, into, taken));
          onClose();
        }}
        onClose={onClose}
      />
    </Dialog>
  );
}

interface Line {
  readonly join: Join;
  readonly label: string;
}

/** Say in words what wires a node could be given. */
function useLines(name: string | null): readonly Line[] {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const graph = useGraph();
  return useMemo(() => {
    const nodeTitle = (node: string): string => {
      if (node === INPUTS_END) return say("inputsEnd");
      const { type } = graph.nodes[node]!;
      return `${graph.view?.nodes?.[node]?.title ?? specOf(catalogue, document, type)?.title ?? type} (${node})`;
    };
    const nameOf = ({ node, socket }: End): string => {
      const type = graph.nodes[node]?.type;
      return titleOf(type === undefined ? undefined : specOf(catalogue, document, type), socket);
    };
    if (name === null || !graph.nodes[name]) return [];
    return joinsOf(catalogue, document, graph, name).map((join) => {
      const [output, input] = [nameOf(join.from), nameOf(join.into)];
      const label =
        join.into.node === name
          ? say("wireFrom", { input, output, title: nodeTitle(join.from.node) })
          : say("wireInto", { input, output, title: nodeTitle(join.into.node) });
      return { join, label };
    });
  }, [name, catalogue, document, graph, say]);
}
