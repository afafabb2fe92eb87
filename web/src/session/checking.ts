/** What is wrong with the workflow, and what a run would do: asked a moment after each change, never out of order. */

import { checkWorkflow, planWorkflow, Refusal } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Document } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { hear } from "./events";
import { dismissErrors, dismissOf, notify } from "./notices";
import { studio } from "./studio";
import { latestIdentity, workspace } from "./workspace";

const PAUSE = 250;
let asking = new AbortController();
let timer = 0;

/** Ask anew, a moment after the last change; an older answer never overtakes a newer one. */
export function recheck(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void ask(documentOf(editor.getState())), PAUSE);
}

async function ask(document: Document): Promise<void> {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  await Promise.all([check(document, signal), plan(document, signal)]);
}

async function check(document: Document, signal: AbortSignal): Promise<void> {
  if (!Object.keys(document.nodes).length) {
    studio.setState({ checked: null }); // to have begun nothing yet is no mistake
    return;
  }
  try {
    const checked = await checkWorkflow(document, signal);
    if (signal.aborted) return;
    studio.setState({ checked });
    if (checked.ok) dismissOf("runRefused");
  } catch (error) {
    tell(error, signal);
  }
}

async function plan(document: Document, signal: AbortSignal): Promise<void> {
  if (!Object.keys(document.nodes).length) {
    studio.setState({ plan: null, planned: null });
    return;
  }
  try {
    const found = await planWorkflow({ workflow: document, identity: latestIdentity() }, signal);
    if (!signal.aborted) studio.setState({ plan: found, planned: document });
  } catch (error) {
    if (signal.aborted) return;
    studio.setState({ plan: null, planned: null });
    if (!(error instanceof Refusal && error.status === 422)) tell(error, signal); // nothing is in order: /check says it
  }
}

function tell(error: unknown, signal: AbortSignal): void {
  const lost = error instanceof Refusal && error.status === 0; // the bar says that the server is not there
  if (!signal.aborted && !lost) notify("error", "failed", { why: wordsOf(error) });
}

editor.subscribe((state, before) => {
  if (state.history.present !== before.history.present) recheck();
});

// what was asked meanwhile got no answer, and the server may hold other values than before
studio.subscribe((now, before) => {
  if (!now.connected || before.connected) return;
  dismissErrors();
  recheck();
});

workspace.subscribe(({ opened }, before) => {
  if (opened !== before.opened) dismissErrors();
});

// what is cached is different after any run
hear((events) => {
  if (events.some(({ event }) => event === "run_finished")) recheck();
});
