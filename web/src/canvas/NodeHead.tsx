/** A node's head: its title and name, whether it is left out, passed by or pinned, and how often it runs. */

import type { ReactElement } from "react";

import { useSay } from "../i18n";
import { type DocNode, type LoopClause, type MapClause, subgraphName } from "../model/document";
import { editor } from "../model/editor";
import { Icon } from "../widgets/icons";
import { tint } from "./colors";
import type { GraphNode } from "./flow";

interface NodeHeadProps {
  readonly id: string;
  readonly title: string;
  readonly data: GraphNode["data"];
}

export function NodeHead({ id, title, data: { node, view } }: NodeHeadProps): ReactElement {
  const say = useSay();
  const subgraph = subgraphName(node.type);
  return (
    <header className={view?.color ? "node-header tinted" : "node-header"} style={tint(view?.color)}>
      <span className="node-title" title={title}>
        {title}
      </span>
      <Marks node={node} />
      <span className="node-name" title={id}>
        {id}
      </span>
      {subgraph !== null && (
        <button
          type="button"
          className="node-enter nodrag"
          title={say("enterSubgraph")}
          aria-label={say("enterSubgraph")}
          onClick={() => editor.getState().enter(subgraph)}
        >
          <Icon name="enter" />
        </button>
      )}
    </header>
  );
}

function Marks({ node }: { readonly node: DocNode }): ReactElement {
  const say = useSay();
  const words = { mute: say("isMuted"), bypass: say("isBypassed"), pin: say("isPinned") };
  return (
    <>
      {node.mode && <span className={`mark mark-${node.mode}`}>{words[node.mode]}</span>}
      {node.map && (
        <span className="mark mark-zone" title={say("isMap", { over: mapWords(node.map) })}>
          ⟳ {mapWords(node.map)}
        </span>
      )}
      {node.loop && (
        <span className="mark mark-zone" title={say("isLoop", { turns: loopWords(node.loop) })}>
          ↻ {loopWords(node.loop)}
        </span>
      )}
    </>
  );
}

const mapWords = ({ over, how }: MapClause): string => over.join(how === "product" ? " × " : ", ");

function loopWords({ times, over, while: goOn }: LoopClause): string {
  if (times !== undefined) return `×${times}`;
  return over?.length ? over.join(", ") : (goOn ?? "");
}
