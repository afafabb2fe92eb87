/** Beside the pointer while a wire is drawn over a socket: why it cannot be, or what converts it. */

import { useConnection } from "@xyflow/react";
import type { ReactElement } from "react";

import { useSay } from "../i18n";
import { splitHandle } from "./flow";
import { judgeEnds } from "./useWires";

export function WireHint(): ReactElement | null {
  const say = useSay();
  const { fromHandle, toHandle, pointer } = useConnection((connection) => ({
    fromHandle: connection.fromHandle,
    toHandle: connection.toHandle,
    pointer: connection.toHandle ? connection.pointer : null,
  }));
  if (!fromHandle || !toHandle || !pointer) return null;
  if (fromHandle.nodeId === toHandle.nodeId && fromHandle.id === toHandle.id) return null;
  const one = { node: fromHandle.nodeId, socket: splitHandle(fromHandle.id)[1] };
  const other = { node: toHandle.nodeId, socket: splitHandle(toHandle.id)[1] };
  let text: string;
  let isRefused = true;
  if (fromHandle.type === toHandle.type) text = say(fromHandle.type === "source" ? "twoOutputs" : "twoInputs");
  else {
    const judged = judgeEnds(fromHandle.type === "source" ? { from: one, into: other } : { from: other, into: one });
    isRefused = !judged.ok;
    if (judged.ok) {
      if (!judged.through) return null;
      text = say("converts", { node: judged.through });
    } else if (judged.reason === "gone") return null;
    else text = say(judged.reason, { from: judged.from, into: judged.into });
  }
  return (
    <p
      className={isRefused ? "wire-hint wire-hint-refused" : "wire-hint"}
      role="status"
      style={{ left: pointer.x + 16, top: pointer.y + 14 }}
    >
      {text}
    </p>
  );
}
