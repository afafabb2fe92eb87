/**
 * Events as they come. The socket opens itself again when it was lost and goes on after the last event seen, so that a
 * restart of the server is bridged.
 */

import { language, say } from "../i18n";
import { Refusal } from "./client";

/** An event of a run, or about a saved workflow. Those that are written down have an `id`. */
export interface ServerEvent {
  readonly event: string;
  readonly id?: number;
  readonly run?: string;
  readonly time?: number;
  readonly node?: string;
  readonly [key: string]: unknown;
}

export interface Listener {
  onEvent(event: ServerEvent): void;
  /** Whether the server can be reached; told when it changes. */
  onConnection(connected: boolean): void;
}

const FIRST_WAIT = 300;
const LONGEST_WAIT = 5000;

/** Listen to all runs; returns what ends it. */
export function listen({ onEvent, onConnection }: Listener): () => void {
  let seen = -1;
  let wait = FIRST_WAIT;
  let socket: WebSocket | null = null;
  let timer = 0;
  let ended = false;

  function open(): void {
    const address = new URL("/api/socket", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (seen >= 0) address.searchParams.set("after", String(seen));
    socket = new WebSocket(address);
    socket.onopen = () => {
      wait = FIRST_WAIT;
      onConnection(true);
    };
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as ServerEvent;
      if (event.id !== undefined) seen = Math.max(seen, event.id);
      onEvent(event);
    };
    socket.onclose = () => {
      if (ended) return;
      onConnection(false);
      timer = window.setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    };
  }

  open();
  return () => {
    ended = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}

/** Say in words what went wrong; in the person's language that the server is not there, else as the server says it. */
export function wordsOf(error: unknown): string {
  if (error instanceof Refusal && error.status === 0) return say(language.getState().code, "unreachable");
  return error instanceof Refusal || error instanceof Error ? error.message : String(error);
}
