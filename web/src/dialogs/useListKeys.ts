/** A list that is walked with the arrow keys while one types above it. */

import { type KeyboardEvent, useEffect, useRef, useState } from "react";

export function useListKeys<T>(list: readonly T[], take: (one: T) => void, close: () => void) {
  const [at, setAt] = useState(0);
  const chosen = useRef<HTMLLIElement>(null);
  useEffect(() => {
    void chosen.current?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const onKeyDown = (event: KeyboardEvent) => {
    const last = list.length - 1;
    if (event.key === "Escape") close();
    else if (event.key === "Enter") {
      if (event.nativeEvent.isComposing) return;
      if (list[at] !== undefined) take(list[at]);
    } else if (event.key === "ArrowDown") setAt(Math.min(at + 1, last));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "PageDown") setAt(Math.min(at + 8, last));
    else if (event.key === "PageUp") setAt(Math.max(at - 8, 0));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return { at, setAt, chosen, onKeyDown };
}
