/** Wire the chosen node without a pointer: all wires that it could be given, found by a few letters. */

import { type ReactElement, useEffect, useId, useMemo, useRef, useState } from "react";

import { chosenNode } from "../canvas/chosen";
import { useDocument, useGraph, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { specOf, titleOf } from "../model/catalogue";
import { editor } from "../model/editor";
import { type Join, joinsOf } from "../model/joining";
import { type End, INPUTS_END, wireOpen } from "../model/wiring";
import { Dialog } from "../widgets/Dialog";
import { useListKeys } from "./useListKeys";

interface ConnectDialogProps {
  onClose(): void;
}

const MOST = 100;

export function ConnectDialog({ onClose }: ConnectDialogProps): ReactElement {
  const say = useSay();
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const [text, setText] = useState("");
  const [name] = useState(chosenNode);
  const lines = useLines(name);
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return lines.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word))).slice(0, MOST);
  }, [lines, text]);
  const take = ({ join: { from, into, taken } }: Line) => {
    editor.getState().edit("connect", (graph) => wireOpen(graph, from, into, taken));
    onClose();
  };
  const { at, setAt, chosen, onKeyDown } = useListKeys(found, take, onClose);
  return (
    <Dialog title={say("connectNode", { name: name ?? "" })} className="command-palette" onClose={onClose}>
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found[at] ? `${list}-${at}` : undefined}
        aria-label={say("searchWires")}
        placeholder={say("searchWires")}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul id={list} role="listbox" aria-label={say("searchWires")}>
        {found.map((line, index) => (
          <li
            key={line.label}
            id={`${list}-${index}`}
            ref={index === at ? chosen : null}
            role="option"
            aria-selected={index === at}
            onClick={() => take(line)}
          >
            <span>{line.label}</span>
            <small>{line.join.type}</small>
          </li>
        ))}
      </ul>
      {!found.length && <p role="status">{text ? say("nothingFound", { text }) : say("nothingFits")}</p>}
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
