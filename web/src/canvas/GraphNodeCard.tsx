/** A node on the canvas: its head, its sockets and settings, what it shows, and what is wrong with it. */

import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import { labelOf, type InputSpec, type OutputSpec, settingType } from "../model/catalogue";
import { changeNodeView } from "../model/edits";
import { editor } from "../model/editor";
import { useSay } from "../i18n";
import { NodeSetting } from "../widgets/NodeSetting";
import { colorOf } from "./colors";
import { type GraphNode, inHandle, outHandle } from "./flow";
import { useNodeRun, useProblems } from "./hooks";
import type { Row } from "./layout";
import { NodeOutcome } from "./NodeOutcome";

export const GraphNodeCard = memo(function GraphNodeCard({ id, data, selected }: NodeProps<GraphNode>): ReactElement {
  const { node, spec, view, layout } = data;
  const run = useNodeRun(id);
  const problems = useProblems(id);
  const say = useSay();
  const title = view?.title ?? spec?.title ?? node.type;
  const state = run?.status ?? "idle";
  const classes = [
    "node",
    `node-${state}`,
    node.mode && `mode-${node.mode}`,
    problems.length && "node-wrong",
    selected && "node-selected",
  ];
  return (
    <section className={classes.filter(Boolean).join(" ")} aria-label={`${title} (${id})`}>
      <header className="node-header" style={view?.color ? { background: view.color } : undefined}>
        <span className="node-title">{title}</span>
        <span className="node-name">{id}</span>
      </header>
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
        <span className="socket-label">{labelOf(name)}</span>
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

function InSocket({
  input,
  problem,
}: {
  readonly input: InputSpec;
  readonly problem: string | undefined;
}): ReactElement {
  return (
    <span className={`socket-in${problem ? " socket-wrong" : ""}`} title={problem ?? describe(input)}>
      <Socket side="in" name={input.name} type={input.type} many={input.many} />
      <span className="socket-label">
        {labelOf(input.name)}
        {input.required && <span aria-hidden="true"> *</span>}
      </span>
    </span>
  );
}

function OutSocket({ output }: { readonly output: OutputSpec }): ReactElement {
  return (
    <span className="socket-out" title={describe(output)}>
      <span className="socket-label">{labelOf(output.name)}</span>
      <Socket side="out" name={output.name} type={output.type} />
    </span>
  );
}

function describe({ type, description }: { readonly type: string; readonly description: string }): string {
  return description ? `${type}: ${description}` : type;
}

interface SocketProps {
  readonly side: "in" | "out";
  readonly name: string;
  readonly type: string;
  readonly many?: boolean;
  readonly small?: boolean;
}

function Socket({ side, name, type, many, small }: SocketProps): ReactElement {
  const shape = [many && "socket-many", type.startsWith("list[") && "socket-list", small && "socket-small"];
  return (
    <Handle
      id={side === "in" ? inHandle(name) : outHandle(name)}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      className={["socket", ...shape.filter(Boolean)].join(" ")}
      style={{ "--socket": colorOf(type) } as React.CSSProperties}
    />
  );
}

function CollapsedSockets({ data }: { readonly data: GraphNode["data"] }): ReactElement {
  return (
    <>
      {Object.keys(data.node.inputs ?? {}).map((name) => (
        <Socket key={name} side="in" name={name} type="any" small />
      ))}
      {data.spec?.outputs.map(({ name, type }) => (
        <Socket key={name} side="out" name={name} type={type} small />
      ))}
    </>
  );
}
