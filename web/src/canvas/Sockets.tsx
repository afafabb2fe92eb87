/** Sockets of a node: coloured by type, and faded while a wire is drawn that they cannot take. */

import { Handle, Position, useNodeId } from "@xyflow/react";
import type { CSSProperties, ReactElement } from "react";

import { useSay } from "../i18n";
import type { InputSpec, OutputSpec } from "../model/catalogue";
import { judge } from "../model/types";
import { studio } from "../session/studio";
import { colorOf } from "./colors";
import { collapsedInputs, type GraphNode, inHandle, outHandle } from "./flow";
import { useStage } from "./hooks";

interface SocketProps {
  readonly side: "in" | "out";
  readonly name: string;
  readonly type: string;
  readonly many?: boolean;
  readonly small?: boolean;
}

/** Tell how a socket stands to the wire that is being drawn: it may take it, take it converted, or not. */
function useStand({ side, type }: SocketProps): "fits" | "converts" | "faded" | null {
  const node = useNodeId();
  return useStage(({ drawn }) => {
    if (!drawn || (drawn.node === node && drawn.side === side)) return null;
    if (drawn.side === side || node === null || drawn.circle.has(node)) return "faded";
    const { types } = studio.getState().catalogue;
    const fit = side === "in" ? judge(drawn.type, type, types) : judge(type, drawn.type, types);
    return fit.ok ? (fit.conversion ? "converts" : "fits") : "faded";
  });
}

export function Socket(props: SocketProps): ReactElement {
  const { side, name, type, many, small } = props;
  const stand = useStand(props);
  const classes = [
    "socket",
    many && "socket-many",
    type.startsWith("list[") && "socket-list",
    small && "socket-small",
    stand && `socket-${stand}`,
  ];
  return (
    <Handle
      id={side === "in" ? inHandle(name) : outHandle(name)}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      className={classes.filter(Boolean).join(" ")}
      style={{ "--socket": colorOf(type) } as CSSProperties}
    />
  );
}

interface InSocketProps {
  readonly input: InputSpec;
  readonly problem: string | undefined;
}

export function InSocket({ input, problem }: InSocketProps): ReactElement {
  return (
    <span className={`socket-in${problem ? " socket-wrong" : ""}`} title={problem ?? describe(input)}>
      <Socket side="in" name={input.name} type={input.type} many={input.many} />
      <span className="socket-label">
        {input.title}
        {input.required && <span aria-hidden="true"> *</span>}
      </span>
    </span>
  );
}

interface OutSocketProps {
  readonly output: OutputSpec;
}

export function OutSocket({ output }: OutSocketProps): ReactElement {
  return (
    <span className="socket-out" title={describe(output)}>
      <span className="socket-label">{output.title}</span>
      <Socket side="out" name={output.name} type={output.type} />
    </span>
  );
}

/** The sockets of a node of which only the head is shown lie one over the other. */
export function CollapsedSockets({ data }: { readonly data: GraphNode["data"] }): ReactElement {
  const say = useSay();
  return (
    <span title={say("collapse")}>
      {collapsedInputs(data.node, data.spec).map((name) => (
        <Socket key={name} side="in" name={name} type="any" small />
      ))}
      {data.spec?.outputs.map(({ name, type }) => (
        <Socket key={name} side="out" name={name} type={type} small />
      ))}
    </span>
  );
}

function describe({ type, description }: { readonly type: string; readonly description: string }): string {
  return description ? `${type}: ${description}` : type;
}
