/** The line: what runs, with its progress and the time left, and what waits, in order, to be moved or cancelled. */

import { type DragEvent, type KeyboardEvent, type ReactElement, useEffect, useState } from "react";
import { useStore } from "zustand";

import type { Run } from "../api/client";
import { useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { progressOf, queued, secondsLeft } from "../model/runs";
import { cancelAll, line, moveBefore, refreshLine } from "../session/queue";
import { CLIENT } from "../session/running";
import { showSweep } from "../session/sweeping";
import { Dialog } from "../widgets/Dialog";
import { Icon } from "../widgets/icons";
import { useDuration } from "./duration";
import { useNow } from "./now";

export function QueuePanel(): ReactElement {
  const say = useSay();
  const { running, waiting } = useStore(line);
  useEffect(refreshLine, []);
  const [asking, setAsking] = useState(false);
  const all = [...running, ...waiting];
  return (
    <section className="queue" aria-label={say("queue")}>
      <header className="panel-head">
        <h2>{say("queue")}</h2>
        {all.length > 1 && (
          <button type="button" onClick={() => setAsking(true)}>
            {say("cancelAll")}…
          </button>
        )}
      </header>
      {asking && <CancelDialog runs={all} onClose={() => setAsking(false)} />}
      {!all.length && <p className="side-empty">{say("queueEmpty")}</p>}
      {running.length > 0 && (
        <ul className="queue-list" aria-label={say("running")}>
          {running.map((run) => (
            <AtWork key={run.id} run={run} />
          ))}
        </ul>
      )}
      {waiting.length > 0 && (
        <>
          <h3>{say("inLineCount", { count: waiting.length })}</h3>
          <ol className="queue-list" aria-label={say("inLine")}>
            {waiting.map((run, index) => (
              <InLine key={run.id} run={run} index={index} waiting={waiting} />
            ))}
          </ol>
          <p className="queue-hint">{say("queueHint")}</p>
        </>
      )}
    </section>
  );
}

interface CancelDialogProps {
  readonly runs: readonly Run[];
  onClose(): void;
}

/** Ask before many runs are cancelled, and say how many of them are other programs'. */
function CancelDialog({ runs, onClose }: CancelDialogProps): ReactElement {
  const say = useSay();
  const mine = runs.filter(({ client }) => client === CLIENT);
  const others = runs.filter(({ client }) => client !== CLIENT);
  const whose = [...new Set(others.map(({ client }) => client || say("anotherProgram")))].join(", ");
  const cancel = (chosen: readonly Run[]) => {
    void cancelAll(chosen.map(({ id }) => id));
    onClose();
  };
  return (
    <Dialog title={say("cancelRuns")} className="cancel-dialog" onClose={onClose}>
      <p>{say("cancelCount", { count: runs.length })}</p>
      {others.length > 0 && <p>{say("cancelOthers", { count: others.length, whose })}</p>}
      <footer className="queue-ways">
        <button type="button" onClick={onClose}>
          {say("keepRuns")}
        </button>
        {others.length > 0 && mine.length > 0 && (
          <button type="button" onClick={() => cancel(mine)}>
            {say("cancelMine", { count: mine.length })}
          </button>
        )}
        <button type="button" className="primary" onClick={() => cancel(runs)}>
          {say("cancelEvery", { count: runs.length })}
        </button>
      </footer>
    </Dialog>
  );
}

/** How many runs are at work or wait. */
export function QueueBadge(): ReactElement | null {
  const say = useSay();
  const count = useStore(line, ({ running, waiting }) => running.length + waiting.length);
  useEffect(refreshLine, []);
  return count ? (
    <span className="tab-badge" aria-label={say("runsInLine", { count })}>
      {count}
    </span>
  ) : null;
}

function Title({ run }: { readonly run: Run }): ReactElement {
  const say = useSay();
  const open = useWorkspace((state) => state.name);
  const whose = run.client === CLIENT ? "" : run.client || say("anotherProgram");
  return (
    <span className="queue-title">
      <strong>{run.identity || run.name || run.id}</strong>
      <small>
        {[
          `#${run.number}`,
          run.identity === open && open !== null ? say("thisWorkflow") : "",
          run.sweep ? say("sweepWord") : "",
          whose,
        ]
          .filter(Boolean)
          .join(" · ")}
      </small>
    </span>
  );
}

function AtWork({ run }: { readonly run: Run }): ReactElement {
  const say = useSay();
  const durationOf = useDuration();
  const state = useStore(line, ({ states }) => states[run.id]) ?? queued(run.id);
  const now = useNow();
  const { share, at, over, total } = progressOf(state);
  const left = secondsLeft(state, now);
  const words = [
    at || `${over}/${total}`,
    left === null ? "" : say("timeLeft", { time: durationOf(Math.max(1, left), true) }),
  ];
  return (
    <li className="queue-run">
      <Title run={run} />
      <ShowSweep run={run} />
      <Cancel run={run} />
      <progress max={1} value={share} aria-label={say("progressOf", { name: run.identity || run.name })} />
      <small className="queue-at">{words.filter(Boolean).join(" · ")}</small>
    </li>
  );
}

interface InLineProps {
  readonly run: Run;
  readonly index: number;
  readonly waiting: readonly Run[];
}

function InLine({ run, index, waiting }: InLineProps): ReactElement {
  const say = useSay();
  const [over, setOver] = useState(false);
  const up = () => void moveBefore(run.id, waiting[index - 1]?.id ?? null);
  const down = () => void moveBefore(run.id, waiting[index + 2]?.id ?? null);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "ArrowUp" && index > 0) up();
    if (event.key === "ArrowDown" && index < waiting.length - 1) down();
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const id = event.dataTransfer.getData(DRAGGED);
    const from = waiting.findIndex((one) => one.id === id);
    if (from >= 0) void moveBefore(id, from < index ? (waiting[index + 1]?.id ?? null) : run.id);
  };
  return (
    <li
      className={over ? "queue-run queue-over" : "queue-run"}
      draggable
      onDragStart={({ dataTransfer }) => dataTransfer.setData(DRAGGED, run.id)}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes(DRAGGED)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
      onKeyDown={onKeyDown}
    >
      <Icon name="grip" />
      <Title run={run} />
      <ShowSweep run={run} />
      <button type="button" className="plain" aria-label={say("moveUp")} disabled={index === 0} onClick={up}>
        <Icon name="up" />
      </button>
      <button
        type="button"
        className="plain"
        aria-label={say("moveDown")}
        disabled={index === waiting.length - 1}
        onClick={down}
      >
        <Icon name="down" />
      </button>
      <Cancel run={run} />
    </li>
  );
}

const DRAGGED = "application/x-graphgen-run";

/** The way to the pictures of a sweep, as far as they are made. */
function ShowSweep({ run }: { readonly run: Run }): ReactElement | null {
  const say = useSay();
  if (!run.sweep) return null;
  const label = say("showSweep", { name: `${run.identity || run.name} #${run.number}` });
  return (
    <button type="button" className="plain" aria-label={label} title={label} onClick={() => void showSweep(run)}>
      <Icon name="grid" />
    </button>
  );
}

function Cancel({ run }: { readonly run: Run }): ReactElement {
  const say = useSay();
  return (
    <button
      type="button"
      className="plain"
      aria-label={say("cancelRun", { name: `${run.identity || run.name} #${run.number}` })}
      title={say("cancel")}
      onClick={() => void cancelAll([run.id])}
    >
      <Icon name="close" />
    </button>
  );
}
