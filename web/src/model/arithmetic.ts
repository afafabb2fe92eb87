/**
 * Numbers as people type them: `1024/2+8`, `2^10`, `50%`, `1,5`.
 *
 * A small parser of its own: what is typed is never executed. Grammar: sums of products of powers of signed numbers and
 * brackets; `%` divides by a hundred.
 */

/** Return what a text comes to; null where it is no number and no sum. */
export function evaluate(text: string): number | null {
  const tokens = text.replaceAll(",", ".").match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[-+*/^()%]|\S/gi);
  if (!tokens) return null;
  let at = 0;
  const accept = (token: string): boolean => tokens[at] === token && ++at > 0;

  function sum(): number {
    let value = product();
    for (;;) {
      if (accept("+")) value += product();
      else if (accept("-")) value -= product();
      else return value;
    }
  }
  function product(): number {
    let value = signed();
    for (;;) {
      if (accept("*")) value *= signed();
      else if (accept("/")) value /= signed();
      else return value;
    }
  }
  function signed(): number {
    if (accept("-")) return -signed();
    if (accept("+")) return signed();
    const base = share();
    return accept("^") ? base ** signed() : base;
  }
  function share(): number {
    const value = atom();
    return accept("%") ? value / 100 : value;
  }
  function atom(): number {
    if (accept("(")) {
      const value = sum();
      return accept(")") ? value : NaN;
    }
    const token = tokens![at];
    at += 1;
    return token !== undefined && /^[\d.]/.test(token) ? Number(token) : NaN;
  }

  const value = sum();
  return at === tokens.length && Number.isFinite(value) ? value : null;
}
