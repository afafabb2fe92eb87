/** Where one is: the workflow, and the way into its subgraphs. */

import type { ReactElement } from "react";

import { useSay } from "../i18n";
import { labelOf } from "../model/catalogue";
import { editor } from "../model/editor";
import { useDocument, useEditor } from "./hooks";

export function Breadcrumb(): ReactElement | null {
  const say = useSay();
  const path = useEditor((state) => state.path);
  const { name } = useDocument();
  if (!path.length) return null;
  const steps = [name || say("workflow"), ...path.map(labelOf)];
  return (
    <nav className="breadcrumb" aria-label={say("whereYouAre")}>
      <ol>
        {steps.map((step, depth) => (
          <li key={depth}>
            {depth < path.length ? (
              <button type="button" onClick={() => editor.getState().leave(depth)}>
                {step}
              </button>
            ) : (
              <strong aria-current="page">{step}</strong>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}
