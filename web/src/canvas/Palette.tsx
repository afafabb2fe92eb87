/** The search palette: find a node and put it down, wired to the loose end it was asked for. */

import { type ReactElement, useId, useMemo, useState } from "react";

import { show } from "../commands/walk";
import { useListKeys } from "../dialogs/useListKeys";
import { useSay } from "../i18n";
import { freePlace, rounded } from "../model/arrange";
import { subgraphSpecs } from "../model/catalogue";
import { INPUTS, type Point, subgraphName } from "../model/document";
import { addNode } from "../model/edits";
import { documentOf, editor, scopeOf, shownGraph } from "../model/editor";
import { freeName } from "../model/names";
import { type Found, type LooseEnd, search, socketFor } from "../model/search";
import { replaceType } from "../model/strays";
import { holds } from "../model/subgraphs";
import { givenAt, takenAt, wire } from "../model/wiring";
import { studio } from "../session/studio";
import { allRects } from "./chosen";
import { useDocument, useEditor, useStudio } from "./hooks";
import { HEADER, layOut, SOCKET, WIDTH } from "./layout";
import { focusCanvas, type PaletteRequest } from "./stage";

interface PaletteProps {
  readonly request: PaletteRequest;
  onClose(): void;
}

const MOST = 60;
/** Between a new node and what is there. */
const GAP = 24;

export function Palette({ request, onClose }: PaletteProps): ReactElement {
  const say = useSay();
  const list = useId();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const scope = useEditor(scopeOf);
  const [text, setText] = useState("");
  const end = useMemo(() => looseEnd(request), [request]);
  const found = useMemo(() => {
    const specs = [...Object.values(subgraphSpecs(catalogue, document)), ...Object.values(catalogue.nodes)];
    return search(catalogue, specs, text, end).slice(0, MOST);
  }, [catalogue, document, text, end]);
  // a subgraph cannot hold itself; it is shown all the same, with the reason
  const isRefused = ({ spec: { id } }: Found): boolean => {
    const inner = subgraphName(id);
    return scope !== null && inner !== null && holds(document, inner, scope);
  };

  const take = (one: Found) => {
    if (isRefused(one)) return;
    put(request, one);
    onClose();
    focusCanvas();
  };
  const close = () => {
    onClose();
    focusCanvas();
  };
  const { at, setAt, chosen, onKeyDown } = useListKeys(found, take, close);
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
        onKeyDown={(event) => {
          if (event.key !== "Tab") return onKeyDown(event);
          event.preventDefault(); // the canvas has the keyboard again, not what follows it
          close();
        }}
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
            aria-disabled={isRefused(one)}
            onPointerDown={(event) => {
              event.preventDefault();
              take(one);
            }}
          >
            <em>{catalogue.categories[one.spec.category]}</em>
            <strong>{one.spec.title}</strong> <small>{one.spec.id}</small>
            <span>{isRefused(one) ? say("wouldHoldItself") : one.spec.description.split("\n")[0]}</span>
          </li>
        ))}
      </ul>
      {!found.length && <p role="status">{say("nothingFound", { text })}</p>}
      <p className="palette-keys">{say("paletteKeys")}</p>
    </div>
  );
}

function looseEnd({ wire: loose }: PaletteRequest): LooseEnd | null {
  if (!loose) return null;
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const [document, graph] = [documentOf(state), shownGraph(state)];
  const type =
    loose.side === "out"
      ? givenAt(catalogue, document, graph, loose)
      : (takenAt(catalogue, document, graph, loose)?.type ?? null);
  return type === null ? null : { side: loose.side, type };
}

/** Put the first socket of a node where the wire was let go. */
function beside({ x, y }: Point, loose: PaletteRequest["wire"]): Point {
  if (!loose) return { x, y };
  return { x: loose.side === "in" ? x - WIDTH : x, y: y - HEADER - SOCKET / 2 };
}

function put(request: PaletteRequest, { spec }: Found): void {
  const { place, wire: loose } = request;
  const state = editor.getState();
  const { replaces } = request;
  if (replaces !== null) {
    const version = subgraphName(spec.id) === null ? spec.version : null;
    state.edit("replace", (graph) => replaceType(graph, replaces, spec, version));
    return;
  }
  const { catalogue } = studio.getState();
  const name = freeName(spec.id.split(".").at(-1)!, { ...shownGraph(state).nodes, [INPUTS]: true });
  const end = looseEnd(request);
  const socket = end && socketFor(catalogue, spec, end);
  const many = loose && takenAt(catalogue, documentOf(state), shownGraph(state), loose)?.many;
  const version = subgraphName(spec.id) === null ? { version: spec.version } : {};
  const node = { type: spec.id, ...version };
  const at = loose
    ? beside(place, loose)
    : freePlace(
        Object.values(allRects()),
        { ...place, width: WIDTH, height: layOut(node, spec, undefined).height },
        GAP,
      );
  state.edit("add", (one) => {
    const added = addNode(one, name, node, rounded(at));
    if (!loose || !socket) return added;
    const there = { node: name, socket: socket.name };
    return loose.side === "out" ? wire(added, loose, there, socket.many) : wire(added, there, loose, many ?? false);
  });
  state.select([name]);
  window.setTimeout(() => show(name)); // the canvas has it with the next drawing
}
