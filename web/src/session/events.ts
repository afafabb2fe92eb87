/** What the server tells, handed on to whoever listens: a bundle of events at a time, so that many cost one drawing. */

import { listen, type ServerEvent } from "../api/socket";

type Hearer = (events: readonly ServerEvent[]) => void;

const PAUSE = 40;
const hearers = new Set<Hearer>();
let bundle: ServerEvent[] = [];
let timer = 0;

/** Be told of all events from now on; returns what ends it. */
export function hear(hearer: Hearer): () => void {
  hearers.add(hearer);
  return () => hearers.delete(hearer);
}

/** Listen to the server; returns what ends it. */
export function listenToServer(onConnection: (connected: boolean) => void): () => void {
  return listen({ onEvent: take, onConnection });
}

function take(event: ServerEvent): void {
  bundle.push(event);
  if (!timer) timer = window.setTimeout(hand, PAUSE);
}

function hand(): void {
  const events = bundle;
  bundle = [];
  timer = 0;
  for (const hearer of hearers) hearer(events);
}
