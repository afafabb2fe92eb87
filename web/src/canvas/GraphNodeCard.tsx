/** A node on the canvas: its head, its sockets and settings, what it shows, and what is wrong with it. */

import type { NodeProps } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import { labelOf, settingType } from "../model/catalogue";
import { changeNodeView } from "../model/edits";
import { editor } from "../model/editor";
import { useSay } from "../i18n";
import { NodeSetting } from "../widgets/NodeSetting";
import { useIsFar } from "./far";
import { FarCard } from "./FarCard";
import { type GraphNode, titleOf } from "./flow";
import { useNodeRun, useProblems } from "./hooks";
import type { Row } from "./layout";
import { NodeHead } from "./NodeHead";
import { CollapsedSockets, InSocket, OutSocket, Socket } from "./Sockets";
import { WidthHandle } from "./WidthHandle";
import { NodeOutcome } from "./NodeOutcome";

export const GraphNodeCard = memo(function GraphNodeCard(props: NodeProps<GraphNode>): ReactElement {
  const { id, data, selected, height } = props;
  const isFar = useIsFar();
  const { node, spec, layout } = data;
  const run = useNodeRun(id);
  const problems = useProblems(id);
  const say = useSay();
  const title = titleOf(data);
  const state = run?.status ?? "idle";
  const classes = [
    "node",
    `node-${state}`,
    node.mode && `mode-${node.mode}`,
    problems.length && "node-wrong",
    selected && "node-selected",
  ];
  const [name, label] = [classes.filter(Boolean).join(" "), `${title} (${id})`];
  if (isFar) return <FarCard title={title} label={label} classes={name} data={data} height={height} />;
  return (
    <section className={name} aria-label={label}>
      <NodeHead id={id} title={title} data={data} />
      {selected && <WidthHandle id={id} />}
      {!layout.rows.length && <CollapsedSockets data={data} />}
      {layout.rows.map((row) => (
        <NodeRow key={rowKey(row)} id={id} data={data} row={row} problems={problems} />
      ))}
      {!spec && <p className="node-message">{`${node.type}: ${say("notInstalled")}`}</p>}
      <NodeOutcome id={id} title={title} data={data} />
      {problems
        .filter(({ place }) => place === id)
        .map(({ message, cure }) => (
          <p key={message} className="node-message">
            {message}
            {cure && <small>{cure}</small>}
          </p>
        ))}
    </section>
  );
});

function rowKey(row: Row): string {
  if (row.kind === "setting") return row.name;
  return row.kind === "sockets" ? `${row.input?.name}/${row.output?.name}` : row.kind;
}

interface RowProps {
  readonly id: string;
  readonly data: GraphNode["data"];
  readonly row: Row;
  readonly problems: readonly { readonly place: string; readonly message: string }[];
}

function NodeRow({ id, data, row, problems }: RowProps): ReactElement {
  const say = useSay();
  const problemOf = (name: string) => problems.find(({ place }) => place.startsWith(`${id}.${name}`))?.message;
  const style = { height: row.height };
  if (row.kind === "sockets") {
    return (
      <div className="row row-sockets" style={style}>
        {row.input && <InSocket input={row.input} problem={problemOf(row.input.name)} />}
        {row.output && <OutSocket output={row.output} />}
      </div>
    );
  }
  if (row.kind === "more") {
    const expanded = row.count === 0;
    return (
      <button
        type="button"
        className="row row-more nodrag"
        style={style}
        onClick={() =>
          editor
            .getState()
            .edit("expand", (graph) => changeNodeView(graph, id, { expanded: !expanded }), `expand ${id}`)
        }
      >
        {expanded ? say("fewerSettings") : say("moreSettings", { count: row.count })}
      </button>
    );
  }
  const { name, schema } = row;
  const problem = problemOf(name);
  return (
    <div className={`row row-setting${problem ? " row-wrong" : ""}`} style={style} title={problem}>
      {row.wireable && <Socket side="in" name={name} type={settingType(schema)} small />}
      {row.wired ? (
        <span className="socket-label">{schema.title ?? labelOf(name)}</span>
      ) : (
        <NodeSetting
          place=""
          node={id}
          name={name}
          schema={schema}
          doc={data.node}
          view={data.view}
          problem={problem}
        />
      )}
    </div>
  );
}
