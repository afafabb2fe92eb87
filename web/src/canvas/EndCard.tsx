/** An end of the graph: what comes into a subgraph, or what the graph gives. Its last socket is empty and makes a new one. */

import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import { useSay } from "../i18n";
import { labelOf } from "../model/catalogue";
import { NEW } from "../model/wiring";
import { Icon } from "../widgets/icons";
import { colorOf } from "./colors";
import { type EndNode, inHandle, outHandle } from "./flow";
import { SOCKET } from "./layout";
import { stage } from "./stage";

export const EndCard = memo(function EndCard({ data, selected }: NodeProps<EndNode>): ReactElement {
  const say = useSay();
  const { side, sockets } = data;
  const title = say(side === "inputs" ? "inputsEnd" : "outputsEnd");
  const type = side === "inputs" ? "source" : "target";
  const handle = (name: string, color: string, extra = "") => (
    <Handle
      id={side === "inputs" ? outHandle(name) : inHandle(name)}
      type={type}
      position={side === "inputs" ? Position.Right : Position.Left}
      className={`socket ${extra}`}
      style={{ "--socket": color } as React.CSSProperties}
    />
  );
  return (
    <section className={`node end end-${side}${selected ? " node-selected" : ""}`} aria-label={title}>
      <header className="node-header">
        <span className="node-title">{title}</span>
        <button
          type="button"
          className="end-edit nodrag"
          title={say("editFace")}
          aria-label={say("editFace")}
          onClick={() => stage.setState({ dialog: "face" })}
        >
          <Icon name="more" />
        </button>
      </header>
      {sockets.map((socket) => (
        <div key={socket.name} className="row end-row" style={{ height: SOCKET }} title={socket.type}>
          {handle(socket.name, colorOf(socket.type))}
          <span className="socket-label">{labelOf(socket.name)}</span>
        </div>
      ))}
      <div className="row end-row end-new" style={{ height: SOCKET }}>
        {handle(NEW, "transparent", "socket-new")}
        <span className="socket-label">{say("newSocket")}</span>
      </div>
    </section>
  );
});
