/** Names of nodes, parameters and subgraphs. */

const FORM = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** Tell whether a text can be a name in a workflow file. */
export function isName(text: string): boolean {
  return FORM.test(text);
}

/** Make a name of any text; `fallback` where nothing of it can be used. */
export function nameFrom(text: string, fallback: string): string {
  const name = text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "_")
    .replaceAll(/^[^a-z]+|_+$/g, "");
  return isName(name) ? name : fallback;
}

/** Return a name like the wanted one that is not taken: `sample`, `sample_2`, `sample_3`. */
export function freeName(wanted: string, taken: Readonly<Record<string, unknown>>): string {
  if (!(wanted in taken)) return wanted;
  const stem = wanted.replace(/_\d+$/, "");
  let number = 2;
  while (`${stem}_${number}` in taken) number += 1;
  return `${stem}_${number}`;
}
