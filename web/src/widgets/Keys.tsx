import type { ReactElement } from "react";

import { chordParts, IS_MAC } from "../commands/command";

/** Show a chord as keys. */
export function Keys({ chord }: { readonly chord: string }): ReactElement {
  return (
    <span className="keys">
      {chordParts(chord, IS_MAC).map((part, index) => (
        <kbd key={index}>{part}</kbd>
      ))}
    </span>
  );
}
