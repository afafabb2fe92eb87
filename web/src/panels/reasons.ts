import { useSay } from "../i18n";
import { en, type MessageKey } from "../i18n/en";
import { type NodeSpec, titleOf } from "../model/catalogue";
import type { Reason } from "../model/cards";
import type { Skip } from "../model/runs";

/** Say why a node would run, in the person's language; kinds that are not known yet in the server's words. */
export function useReasons(because: readonly Reason[], spec: NodeSpec | undefined): readonly string[] {
  const say = useSay();
  return because.map(({ kind, words, about, parts }) => {
    const key = `because_${kind}`;
    if (!(key in en)) return words;
    const values = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, String(value)]));
    return say(key as MessageKey, {
      ...values,
      about: kind === "setting" && about ? titleOf(spec, about) : (about ?? ""),
    });
  });
}

/** Return how to say what a setting was before and is now, `8 → 20`; empty for reasons of another kind. */
export function useChange(): (reason: Reason) => string {
  const say = useSay();
  const said = (value: unknown) => (typeof value === "string" ? value : say("wired"));
  return ({ kind, parts }) => (kind === "setting" ? `${said(parts.before)} → ${said(parts.after)}` : "");
}

/** Return how to say why a node was skipped, in the person's language. */
export function useSkip(): (because: Skip) => string {
  const say = useSay();
  return ({ kind, words, about }) => {
    const key = `skipped_${kind}`;
    return key in en ? say(key as MessageKey, { about, words }) : words;
  };
}
