/** Who has the keyboard: the view when nobody else has it, so that no key is ever pressed into nothing. */

/** Give the keyboard to what is shown: the dialog in front, else the canvas or what is in its place. */
export function focusView(): void {
  const dialog = [...document.querySelectorAll<HTMLElement>("dialog[open]")].at(-1);
  const inside = dialog?.querySelector<HTMLElement>(":is(button, input, select, textarea, a[href]):not(:disabled)");
  const view = document.querySelector<HTMLElement>(".canvas") ?? document.querySelector<HTMLElement>("main");
  (inside ?? view)?.focus({ preventScroll: true });
}

/** From now on, give the keyboard to the view whenever what has it goes away or cannot have it any more. */
export function keepFocus(root: Element): void {
  let last: Element | null = null;
  document.addEventListener("focusin", ({ target }) => {
    last = target instanceof Element ? target : null;
  });
  const onChange = () => {
    const held = document.activeElement;
    const isLost = held === document.body && last !== null && !last.isConnected;
    if (!isLost && !held?.matches(":disabled")) return; // whoever clicks beside everything has let it go themselves
    last = null;
    focusView();
  };
  const watched = { childList: true, subtree: true, attributeFilter: ["disabled"] };
  new MutationObserver(onChange).observe(root, watched);
}
