/** Wires as they are drawn with the pointer: begun, judged, put in place, led elsewhere, let go. */

import type { Connection, FinalConnectionState, HandleType, OnConnectStartParams } from "@xyflow/react";
import { type MouseEvent as ReactMouseEvent, useCallback, useRef } from "react";
import { flushSync } from "react-dom";

import { labelOf } from "../model/catalogue";
import { documentOf, editor, shownGraph } from "../model/editor";
import { closedTo, type End, givenAt, landing, NEW, takenAt, unwire, verdict, wireOpen } from "../model/wiring";
import { notify } from "../session/notices";
import { studio } from "../session/studio";
import { shownEdges, splitHandle, type WireEdge } from "./flow";
import { askForNode, stage } from "./stage";

/** Return the two ends of a wire that may be. */
export function endsOf(connection: {
  readonly source: string | null;
  readonly target: string | null;
  readonly sourceHandle?: string | null;
  readonly targetHandle?: string | null;
}): { readonly from: End; readonly into: End } {
  return {
    from: { node: connection.source ?? "", socket: splitHandle(connection.sourceHandle)[1] },
    into: { node: connection.target ?? "", socket: splitHandle(connection.targetHandle)[1] },
  };
}

/** Judge a wire of the shown graph. */
export function judgeEnds({ from, into }: { readonly from: End; readonly into: End }) {
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const [document, graph] = [documentOf(state), shownGraph(state)];
  return verdict(catalogue, document, graph, from, landing(catalogue, document, graph, from, into));
}

/** Wire two ends of the shown graph; `before` is the wire that is led elsewhere. */
function put(label: string, connection: Connection, before: WireEdge | null): void {
  const { from, into: over } = endsOf(connection);
  if (!judgeEnds({ from, into: over }).ok) return;
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const [document, shown] = [documentOf(state), shownGraph(state)];
  const into = landing(catalogue, document, shown, from, over);
  const taken = takenAt(catalogue, document, shown, into);
  if (!taken) return;
  state.edit(label, (graph) => wireOpen(before?.data ? unwire(graph, [before.data.wire]) : graph, from, into, taken));
}

/** What React Flow tells of wires that are being drawn, and what becomes of them. */
export function useWires() {
  /** The wire whose end is being led elsewhere. */
  const led = useRef<WireEdge | null>(null);

  const onConnect = useCallback((connection: Connection) => put("connect", connection, null), []);

  const isValidConnection = useCallback((connection: Connection | WireEdge) => judgeEnds(endsOf(connection)).ok, []);

  const onConnectStart = useCallback((_event: unknown, { nodeId, handleId }: OnConnectStartParams) => {
    if (nodeId) begin(nodeId, handleId);
  }, []);

  const onConnectEnd = useCallback((event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
    stage.setState({ drawn: null });
    if (led.current || state.isValid || !state.fromHandle || !state.fromNode) return;
    if (state.toHandle) {
      refuse(state);
      return;
    }
    const [side, socket] = splitHandle(state.fromHandle.id);
    if (socket !== NEW) askForNode(pointOf(event), { node: state.fromNode.id, side, socket });
  }, []);

  const onReconnectStart = useCallback((_event: unknown, edge: WireEdge) => {
    led.current = edge;
    stage.setState({ led: edge.id });
  }, []);

  const onReconnect = useCallback((edge: WireEdge, connection: Connection) => put("reconnect", connection, edge), []);

  const onReconnectEnd = useCallback(
    (_event: unknown, edge: WireEdge, _side: HandleType, state: FinalConnectionState) => {
      led.current = null;
      stage.setState({ led: null });
      const { data } = edge;
      if (state.isValid || !data) return;
      if (state.toHandle) refuse(state);
      else editor.getState().edit("disconnect", (graph) => unwire(graph, [data.wire]));
    },
    [],
  );

  return { onConnect, isValidConnection, onConnectStart, onConnectEnd, onReconnectStart, onReconnect, onReconnectEnd };
}

/**
 * Take the wire that goes into a socket by its end, where the socket takes no other: it is led elsewhere, or off, and no
 * new one is drawn from there.
 */
export function pickUpWire(event: ReactMouseEvent): void {
  const socket = (event.target as Element).closest<HTMLElement>(".react-flow__handle.target");
  if (!socket || event.button !== 0) return;
  const { nodeid, handleid } = socket.dataset;
  const wire = shownEdges().find(({ target, targetHandle }) => target === nodeid && targetHandle === handleid);
  if (!wire || wire.data?.wire.many) return;
  flushSync(() => stage.setState({ led: wire.id })); // it may have been painted only
  const edge = document.querySelector(`.react-flow__edge[data-id="${CSS.escape(wire.id)}"]`);
  const end = edge?.querySelector(".react-flow__edgeupdater-target");
  if (!end) {
    stage.setState({ led: null });
    return;
  }
  event.stopPropagation();
  const { clientX, clientY } = event;
  end.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true, button: 0, clientX, clientY }));
}

/** Tell the sockets what is being drawn, so that those fade that cannot take it. */
function begin(node: string, handle: string | null): void {
  const state = editor.getState();
  const graph = shownGraph(state);
  const { catalogue } = studio.getState();
  const [side, socket] = splitHandle(handle);
  const end = { node, socket };
  const type =
    side === "out"
      ? givenAt(catalogue, documentOf(state), graph, end)
      : takenAt(catalogue, documentOf(state), graph, end)?.type;
  if (type) stage.setState({ drawn: { ...end, side, type, circle: closedTo(graph, node, side) } });
}

/** Say why a wire that was let go over a socket cannot be. */
function refuse({ fromNode, fromHandle, toNode, toHandle }: FinalConnectionState): void {
  if (!fromNode || !fromHandle || !toNode || !toHandle) return;
  const one = { node: fromNode.id, socket: splitHandle(fromHandle.id)[1] };
  const other = { node: toNode.id, socket: splitHandle(toHandle.id)[1] };
  if (fromHandle.type === toHandle.type) {
    notify("warning", fromHandle.type === "source" ? "twoOutputs" : "twoInputs");
    return;
  }
  const judged = judgeEnds(fromHandle.type === "source" ? { from: one, into: other } : { from: other, into: one });
  if (judged.ok || judged.reason === "gone") return;
  notify("warning", judged.reason, { from: labelOf(judged.from), into: labelOf(judged.into) });
}

function pointOf(event: MouseEvent | TouchEvent) {
  const { clientX: x, clientY: y } = "changedTouches" in event ? event.changedTouches[0]! : event;
  return { x, y };
}
