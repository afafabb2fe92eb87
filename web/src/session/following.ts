/** The past of a run, read so that nothing is missed of what it tells meanwhile. */

import { readRunEvents } from "../api/client";
import type { ServerEvent } from "../api/socket";
import { advance, queued, type RunState } from "../model/runs";
import { hear } from "./events";

/** Return how a run stands by all that it has told; whoever waits for it hears the next thing it tells. */
export async function pastOf(id: string): Promise<RunState> {
  const meanwhile: ServerEvent[] = [];
  const end = hear((events) => meanwhile.push(...events.filter(({ run }) => run === id)));
  try {
    const events = await readRunEvents(id);
    const last = events.at(-1)?.id ?? 0;
    return advance(queued(id), [...events, ...meanwhile.filter((event) => (event.id ?? 0) > last)]);
  } finally {
    end();
  }
}
