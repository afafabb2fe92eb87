/** The ways out where a file names what is not there: what can be removed, and a node that can be replaced. */

import type { ReactElement } from "react";

import { useDocument, useGraph, useScope, useStudio } from "../canvas/hooks";
import { askToReplace } from "../canvas/stage";
import { useSay } from "../i18n";
import { specOf } from "../model/catalogue";
import { disconnect, removeNodes } from "../model/edits";
import { editor } from "../model/editor";
import { forgetNode, missingNodes, removeSetting, straysOf } from "../model/strays";

/** What of a node fits nothing, each with a button that removes it. */
export function Strays({ name }: { readonly name: string }): ReactElement | null {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const [document, graph, scope] = [useDocument(), useGraph(), useScope()];
  const found = straysOf(graph, name, (type) => specOf(catalogue, document, type), scope);
  const lines = [
    ...found.settings.map((setting) => ({
      key: setting,
      text: `${setting} = ${JSON.stringify(graph.nodes[name]!.settings?.[setting])}`,
      remove: () => editor.getState().edit("remove", (one) => removeSetting(one, name, setting)),
    })),
    ...found.wires.map((wire) => ({
      key: `${wire.input} ${wire.index}`,
      text: `${wire.input} ← ${wire.from}`,
      remove: () => editor.getState().edit("remove", (one) => disconnect(one, [wire])),
    })),
  ];
  if (!lines.length) return null;
  return (
    <section className="strays" aria-label={say("fitsNothing")}>
      <h3>{say("fitsNothing")}</h3>
      <ul>
        {lines.map(({ key, text, remove }) => (
          <li key={key}>
            <code>{text}</code>
            <button type="button" aria-label={say("removeThis", { what: text })} onClick={remove}>
              {say("remove")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The ways out for a node whose type is not installed. */
export function UnknownNode({ name }: { readonly name: string }): ReactElement {
  const say = useSay();
  return (
    <section className="strays">
      <p>{say("unknownType")}</p>
      <div className="strays-ways">
        <button
          type="button"
          onClick={({ currentTarget }) => {
            const { x, bottom } = currentTarget.getBoundingClientRect();
            askToReplace({ x, y: bottom }, name);
          }}
        >
          {say("replaceNode")}
        </button>
        <button type="button" onClick={() => editor.getState().edit("delete", (graph) => removeNodes(graph, [name]))}>
          {say("deleteChosen")}
        </button>
      </div>
    </section>
  );
}

/** Nodes that are named and not there, each with a button that removes what names it. */
export function MissingNodes(): ReactElement | null {
  const say = useSay();
  const [graph, scope] = [useGraph(), useScope()];
  const missing = missingNodes(graph, scope);
  if (!missing.length) return null;
  return (
    <ul className="strays">
      {missing.map((name) => (
        <li key={name}>
          <code>{name}</code>
          <button type="button" onClick={() => editor.getState().edit("remove", (one) => forgetNode(one, name))}>
            {say("removeNaming", { name })}
          </button>
        </li>
      ))}
    </ul>
  );
}
