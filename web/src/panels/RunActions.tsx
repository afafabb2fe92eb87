/** What runs the workflow: the button, what it will take, the other ways to run, and what stops it. */

import type { ReactElement } from "react";

import { useAllProblems, useDocument, useStopping, useStudio } from "../canvas/hooks";
import type { Problem } from "../api/client";
import { show } from "../commands/walk";
import { commandNamed, commandsHere, isEnabled, perform } from "../commands";
import type { Command } from "../commands/command";
import { useSay } from "../i18n";
import { placeOf } from "../model/cards";
import { splitReference } from "../model/document";
import { documentOf, editor, scopeOf } from "../model/editor";
import { isOpen } from "../model/runs";
import { Icon } from "../widgets/icons";
import { Menu, type MenuItem } from "../widgets/Menu";
import { useDuration } from "./duration";
import { RunLeft } from "./RunLeft";
import { SweepDialog } from "./SweepDialog";

const WAYS = ["runHere", "runAgainHere", "runFront", "runAllAgain", "live", "sweep"] as const;

export function RunActions(): ReactElement {
  const say = useSay();
  const open = useStudio((state) => isOpen(state.run));
  const stopping = useStopping();
  const live = useStudio((state) => state.live);
  const item = (command: Command): MenuItem => ({
    id: command.id,
    label: say(command.label),
    chord: command.keys?.[0],
    disabled: !isEnabled(command),
    ...(command.id === "live" ? { checked: live } : {}),
    run: () => perform(command),
  });
  const ways = () => WAYS.map(commandNamed).filter((one) => commandsHere().includes(one));
  return (
    <>
      {live && (
        <button type="button" className="run-live" aria-pressed="true" onClick={() => perform(commandNamed("live"))}>
          {say("live")}
        </button>
      )}
      <Estimate />
      <Problems />
      {open && (
        <button
          type="button"
          className="run-stop"
          aria-disabled={stopping}
          onClick={() => perform(commandNamed("stop"))}
        >
          <Icon name="stop" filled />
          <span>{say(stopping ? "stopping" : "stop")}</span>
        </button>
      )}
      <div className="run-split">
        <button
          type="button"
          className="primary"
          aria-label={say("run")}
          aria-describedby="run-estimate"
          onClick={() => perform(commandNamed("run"))}
        >
          <Icon name="play" filled />
          <span>{say("run")}</span>
        </button>
        <Menu label={say("waysToRun")} className="run-ways" sections={() => [{ id: "ways", items: ways().map(item) }]}>
          <Icon name="down" />
        </Menu>
      </div>
      <SweepDialog />
    </>
  );
}

/** What keeps the workflow from running, of the workflow as a whole too; a choice leads to the node. */
function Problems(): ReactElement | null {
  const say = useSay();
  const problems = useAllProblems();
  if (!problems.length) return null;
  const label = say(problems.length === 1 ? "oneProblem" : "problems", { count: problems.length });
  const item = ({ place, message }: Problem, index: number): MenuItem => ({
    id: `${index}`,
    label: place ? `${place}: ${message}` : message,
    run: () => leadTo(place),
  });
  return (
    <Menu label={label} className="run-problems" sections={() => [{ id: "problems", items: problems.map(item) }]}>
      <Icon name="trouble" />
      <span>{label}</span>
    </Menu>
  );
}

function leadTo(place: string): void {
  const state = editor.getState();
  const found = placeOf(documentOf(state), scopeOf(state), splitReference(place)[0]);
  if (!found) return;
  state.select([found.card]);
  show(found.card);
}

/** How much a run would do: as many nodes, about as long; while one is at work, what is left of it. */
function Estimate(): ReactElement {
  const open = useStudio((state) => isOpen(state.run));
  return open ? (
    <span id="run-estimate" className="run-estimate">
      <RunLeft />
    </span>
  ) : (
    <Planned />
  );
}

function Planned(): ReactElement {
  const say = useSay();
  const durationOf = useDuration();
  const plan = useStudio((state) => state.plan);
  const isEmpty = !Object.keys(useDocument().nodes).length;
  let words = isEmpty ? say("nothingYet") : "";
  if (plan && !plan.problems.length) {
    const known = plan.seconds >= 1 ? say("about", { time: durationOf(plan.seconds) }) : "";
    const count = plan.to_run
      ? say(plan.to_run === 1 ? "oneToRun" : "manyToRun", { count: plan.to_run })
      : say("allCached");
    words = [count, plan.to_run ? known : ""].filter(Boolean).join(" · ");
  }
  return (
    <span id="run-estimate" className="run-estimate" title={plan?.unknown.length ? say("unknownTimes") : undefined}>
      {words}
      {words && plan?.to_run && plan.unknown.length && plan.seconds >= 1 ? "+" : ""}
    </span>
  );
}
