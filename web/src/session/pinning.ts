/** Pinning what nodes gave: the server keeps the values, and one edit writes them into the document. */

import { pinValues } from "../api/client";
import { wordsOf } from "../api/socket";
import { graphOf, withGraph } from "../model/document";
import { pinNode } from "../model/edits";
import { documentOf, editor, scopeOf } from "../model/editor";
import { nameInRuns } from "../model/targets";
import { notify } from "./notices";
import { studio } from "./studio";
import { workspace } from "./workspace";

/**
 * Pin nodes of the shown graph to what their cards show: what the shown run gave, else what is kept of them as they
 * stand. Says of those that cannot be pinned why.
 */
export async function pinNodes(names: readonly string[]): Promise<void> {
  const state = editor.getState();
  const [document, scope] = [documentOf(state), scopeOf(state)];
  const { opened } = workspace.getState();
  const asked = names.map(async (name) => {
    const node = nameInRuns(document, scope, name) ?? name;
    const { run } = studio.getState();
    const shown = run?.nodes[node]?.digests ? run.id : null;
    return [name, (await pinValues({ workflow: document, node, run: shown })).pinned] as const;
  });
  const answers = await Promise.allSettled(asked);
  for (const answer of answers) {
    if (answer.status === "rejected") notify("warning", "notPinned", { why: wordsOf(answer.reason) });
  }
  const given = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  if (given.length && workspace.getState().opened === opened) {
    editor.getState().editDocument("pin", (one) => {
      const graph = given.reduce((part, [name, pinned]) => pinNode(part, name, pinned), graphOf(one, scope));
      return withGraph(one, scope, graph);
    });
  }
}
