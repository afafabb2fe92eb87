import { useSay } from "../i18n";
import type { MessageKey } from "../i18n/en";
import { en } from "../i18n/en";
import { labelOf } from "../model/catalogue";
import type { Reason } from "../model/cards";

/** Say why a node would run, in the person's language; kinds that are not known yet in the server's words. */
export function useReasons(because: readonly Reason[]): readonly string[] {
  const say = useSay();
  return because.map(({ kind, words, about }) => {
    const key = `because_${kind}`;
    if (!(key in en)) return words;
    return say(key as MessageKey, { about: kind === "setting" && about ? labelOf(about) : (about ?? "") });
  });
}
