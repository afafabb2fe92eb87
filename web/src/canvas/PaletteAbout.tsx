/** All about the node at hand in the palette: what it does, takes and gives. */

import type { CSSProperties, ReactElement } from "react";

import { useSay } from "../i18n";
import type { NodeSpec } from "../model/catalogue";
import { colorOf } from "./colors";

export function PaletteAbout({ spec }: { readonly spec: NodeSpec }): ReactElement {
  const say = useSay();
  const sides = [
    ["inputs", spec.inputs],
    ["outputs", spec.outputs],
  ] as const;
  return (
    <>
      <p>
        <strong>{spec.title}</strong>
      </p>
      <p className="search-about-words">{spec.description}</p>
      {sides.map(
        ([side, sockets]) =>
          sockets.length > 0 && (
            <section key={side}>
              <p className="search-about-side">{say(side)}</p>
              <ul>
                {sockets.map((socket) => (
                  <li key={socket.name} style={{ "--socket": colorOf(socket.type) } as CSSProperties}>
                    {socket.title}
                    {"required" in socket && socket.required && <span aria-hidden="true"> *</span>}{" "}
                    <code>{socket.type}</code>
                  </li>
                ))}
              </ul>
            </section>
          ),
      )}
    </>
  );
}
