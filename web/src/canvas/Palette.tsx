/** The search palette: find a node and put it down, wired to the loose end it was asked for. */

import { type KeyboardEvent, type ReactElement, useEffect, useId, useMemo, useRef, useState } from "react";

import { useSay } from "../i18n";
import { outputsOf, specOf, subgraphSpecs } from "../model/catalogue";
import type { Point } from "../model/document";
import { addNode, connect } from "../model/edits";
import { documentOf, editor, shownGraph } from "../model/editor";
import { freeName } from "../model/names";
import { type Found, type LooseEnd, search, socketFor } from "../model/search";
import { studio } from "../session/studio";
import { takes } from "./flow";
import { useDocument, useStudio } from "./hooks";

export interface PaletteRequest {
  /** Where on the screen. */
  readonly at: Point;
  /** Where on the canvas. */
  readonly place: Point;
  readonly wire: { readonly node: string; readonly side: "in" | "out"; readonly socket: string } | null;
}

interface PaletteProps {
  readonly request: PaletteRequest;
  onClose(): void;
}

const MOST = 60;

export function Palette({ request, onClose }: PaletteProps): ReactElement {
  const say = useSay();
  const list = useId();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const chosen = useRef<HTMLLIElement>(null);
  const end = useMemo(() => looseEnd(request), [request]);
  const found = useMemo(() => {
    const specs = [...Object.values(subgraphSpecs(catalogue, document)), ...Object.values(catalogue.nodes)];
    return search(catalogue, specs, text, end).slice(0, MOST);
  }, [catalogue, document, text, end]);
  useEffect(() => chosen.current?.scrollIntoView({ block: "nearest" }), [at]);

  const take = (one: Found | undefined) => {
    if (!one) return;
    put(request, one);
    onClose();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
    else if (event.key === "Enter") take(found[at]);
    else if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const left = Math.min(request.at.x, window.innerWidth - 380);
  const top = Math.min(request.at.y, window.innerHeight - 420);
  return (
    <div
      className="palette"
      role="dialog"
      aria-label={say("addNode")}
      style={{ left: Math.max(8, left), top: Math.max(8, top) }}
    >
      <input
        autoFocus
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found[at] ? `${list}-${at}` : undefined}
        aria-label={say("searchNodes")}
        placeholder={say("searchNodes")}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setAt(0);
        }}
        onKeyDown={onKey}
        onBlur={onClose}
      />
      <ul id={list} role="listbox" aria-label={say("addNode")}>
        {found.map((one, index) => (
          <li
            key={one.spec.id}
            id={`${list}-${index}`}
            ref={index === at ? chosen : null}
            role="option"
            aria-selected={index === at}
            onPointerDown={(event) => {
              event.preventDefault();
              take(one);
            }}
          >
            <strong>{one.spec.title}</strong> <small>{one.spec.id}</small>
            <span>{one.spec.description.split("\n")[0]}</span>
          </li>
        ))}
      </ul>
      {!found.length && <p role="status">{say("nothingFound", { text })}</p>}
    </div>
  );
}

function looseEnd({ wire }: PaletteRequest): LooseEnd | null {
  if (!wire) return null;
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const node = shownGraph(state).nodes[wire.node];
  if (!node) return null;
  const spec = specOf(catalogue, documentOf(state), node.type);
  const type =
    wire.side === "out"
      ? outputsOf(node, spec).find(({ name }) => name === wire.socket)?.type
      : takes(node, spec, wire.socket)?.type;
  return type === undefined ? null : { side: wire.side, type };
}

function put({ place, wire }: PaletteRequest, { spec }: Found): void {
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const graph = shownGraph(state);
  const name = freeName(spec.id.split(".").at(-1)!, { ...graph.nodes, inputs: 1 });
  const end = wire && looseEnd({ at: place, place, wire });
  const socket = end && socketFor(catalogue, spec, end);
  state.edit("add", (one) => {
    const added = addNode(
      one,
      name,
      { type: spec.id, version: spec.version },
      { x: Math.round(place.x), y: Math.round(place.y) },
    );
    if (!wire || !socket) return added;
    if (wire.side === "out") return connect(added, `${wire.node}.${wire.socket}`, name, socket.name, socket.many);
    const target = one.nodes[wire.node]!;
    const many = takes(target, specOf(catalogue, documentOf(state), target.type), wire.socket)?.many ?? false;
    return connect(added, `${name}.${socket.name}`, wire.node, wire.socket, many);
  });
  state.select([name]);
}
