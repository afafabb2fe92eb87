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
      <h3>{spec.title}</h3>
      <p className="search-about-words">{spec.description}</p>
      {sides.map(
        ([side, sockets]) =>
          sockets.length > 0 && (
            <section key={side}>
              <h4>{say(side)}</h4>
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
