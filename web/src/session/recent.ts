/** The nodes that were added last, by their types; remembered in this browser. */

const KEY = "graphgen-recent-nodes";
const MOST = 6;

/** List them, the latest first. */
export function recentNodes(): readonly string[] {
  return (localStorage.getItem(KEY) ?? "").split(" ").filter(Boolean);
}

/** Remember that a node was added. */
export function rememberNode(type: string): void {
  const others = recentNodes().filter((one) => one !== type);
  localStorage.setItem(KEY, [type, ...others].slice(0, MOST).join(" "));
}
