/** Addresses within the page: `#/` is the library, `#/w/NAME` a workflow's graph, `#/app/NAME` its parameters alone. */

export type Route = { readonly view: "library" } | { readonly view: "graph" | "app"; readonly name: string };

const FORM = /^#\/(w|app)\/(.+)$/;

/** Read an address's hash. */
export function routeOf(hash: string): Route {
  const found = FORM.exec(hash);
  if (!found) return { view: "library" };
  return { view: found[1] === "w" ? "graph" : "app", name: decodeURIComponent(found[2]!) };
}

/** Return the hash of a workflow's graph, or of its parameters. */
export function hashOf(view: "graph" | "app", name: string): string {
  return `#/${view === "graph" ? "w" : "app"}/${encodeURIComponent(name)}`;
}
