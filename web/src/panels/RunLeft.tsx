/** How far the shown run is, counted down: nodes that are left, and about how long they take. */

import type { ReactElement } from "react";

import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { isOpen, nodesLeft, type RunState, secondsLeft } from "../model/runs";
import { useDuration } from "./duration";
import { useNow } from "./now";

/** What is left of the shown run; nothing where none is at work. */
export function RunLeft(): ReactElement | null {
  const run = useStudio((state) => state.run);
  return isOpen(run) ? <Left run={run!} /> : null;
}

function Left({ run }: { readonly run: RunState }): ReactElement {
  const say = useSay();
  const durationOf = useDuration();
  const now = useNow();
  if (run.status === "queued") return <>{say("inLine")}</>;
  const count = nodesLeft(run);
  const seconds = secondsLeft(run, now);
  const words = [
    count === null ? "" : say(count === 1 ? "oneLeft" : "manyLeft", { count }),
    seconds === null ? "" : say("timeLeft", { time: durationOf(Math.max(1, seconds), true) }),
  ];
  return <>{words.filter(Boolean).join(" · ")}</>;
}
