import { useSay } from "../i18n";
import type { MessageKey } from "../i18n/en";
import { en } from "../i18n/en";
import { type NodeSpec, titleOf } from "../model/catalogue";
import type { Reason } from "../model/cards";

/** Say why a node would run, in the person's language; kinds that are not known yet in the server's words. */
export function useReasons(because: readonly Reason[], spec: NodeSpec | undefined): readonly string[] {
  const say = useSay();
  return because.map(({ kind, words, about }) => {
    const key = `because_${kind}`;
    if (!(key in en)) return words;
    return say(key as MessageKey, { about: kind === "setting" && about ? titleOf(spec, about) : (about ?? "") });
  });
}
