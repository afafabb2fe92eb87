/**
 * Socket types and what fits what: the rules of `graphgen/types.py`, with the table the server sends.
 *
 * A type is written `image`, `list[image]`, `latent<flux|sd3>` or `mask?` (may be nothing).
 */

export interface SocketType {
  readonly name: string;
  readonly item: SocketType | null;
  readonly optional: boolean;
  readonly families: readonly string[];
}

export interface Conversion {
  readonly from: string;
  readonly to: string;
  readonly node: string;
  readonly cost: number;
  readonly lossy: string;
}

export interface TypeTable {
  readonly ancestors: Readonly<Record<string, readonly string[]>>;
  readonly conversions: readonly Conversion[];
}

const FORM = /^([A-Za-z_]\w*)(?:\[(.+)\])?(?:<([^<>]+)>)?(\?)?$/;
const parsed = new Map<string, SocketType>();

/** Read a type. A text that is none becomes a type that fits only itself. */
export function parseType(text: string): SocketType {
  const known = parsed.get(text);
  if (known) return known;
  const found = FORM.exec(text);
  const type: SocketType = found
    ? {
        name: found[1]!,
        item: found[2] ? parseType(found[2]) : null,
        optional: found[4] === "?",
        families: found[3]?.split("|") ?? [],
      }
    : { name: text, item: null, optional: false, families: [] };
  parsed.set(text, type);
  return type;
}

/** Tell whether a value of type `out` may be wired into a socket of type `into` as it is. */
export function fits(out: SocketType, into: SocketType, table: TypeTable): boolean {
  if (into.name === "any") return into.optional || !out.optional;
  if (out.optional && !into.optional) return false;
  if (out.name === "any") return true;
  if (out.families.length && into.families.length && !out.families.some((name) => into.families.includes(name))) {
    return false;
  }
  if (out.item || into.item) return !!out.item && !!into.item && fits(out.item, into.item, table);
  if (out.name === into.name || (out.name === "int" && into.name === "float")) return true;
  return table.ancestors[out.name]?.includes(into.name) ?? false;
}

/** Return the conversion that a wire whose ends do not fit goes through: one, never a chain. */
export function conversionOf(out: SocketType, into: SocketType, table: TypeTable): Conversion | null {
  for (const rule of table.conversions) {
    if (fits(out, parseType(rule.from), table) && fits(parseType(rule.to), into, table)) return rule;
  }
  if (!out.item || !into.item || out.item.item || (out.optional && !into.optional)) return null;
  return conversionOf(out.item, into.item, table);
}

/** Whether, and how, a wire can be: `conversion` is what it goes through. */
export type Fit = { readonly ok: true; readonly conversion: Conversion | null } | { readonly ok: false };

/** Judge a wire by the types of its ends. */
export function judge(out: string, into: string, table: TypeTable): Fit {
  const [from, to] = [parseType(out), parseType(into)];
  if (fits(from, to, table)) return { ok: true, conversion: null };
  const conversion = conversionOf(from, to, table);
  return conversion ? { ok: true, conversion } : { ok: false };
}

/** Return the name by which a type is coloured: that of what is in a list, of a type's oldest ancestor. */
export function colorName(text: string): string {
  const type = parseType(text);
  return type.item ? colorName(type.item.name) : type.name;
}
