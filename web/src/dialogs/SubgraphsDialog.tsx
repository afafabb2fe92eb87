/** All subgraphs of the workflow: shown, renamed, and, where nobody uses them, deleted. */

import type { ReactElement } from "react";

import { useDocument } from "../canvas/hooks";
import { useSay } from "../i18n";
import { editor } from "../model/editor";
import { dropSubgraphs, renameSubgraph, unusedSubgraphs } from "../model/subgraphs";
import { Dialog } from "../widgets/Dialog";
import { NameField } from "./FaceDialog";

interface SubgraphsDialogProps {
  onClose(): void;
}

export function SubgraphsDialog({ onClose }: SubgraphsDialogProps): ReactElement {
  const say = useSay();
  const document = useDocument();
  const unused = unusedSubgraphs(document);
  const drop = (names: readonly string[]) =>
    editor.getState().editDocument("delete", (one) => dropSubgraphs(one, names));
  return (
    <Dialog title={say("allSubgraphs")} className="face" onClose={onClose}>
      <ul>
        {Object.entries(document.subgraphs ?? {}).map(([name, subgraph]) => (
          <li key={name}>
            <NameField
              label={say("subgraphName")}
              name={name}
              isFree={(one) => !document.subgraphs?.[one]}
              onChange={(one) => {
                editor.getState().leave(0);
                editor.getState().editDocument("rename", (whole) => renameSubgraph(whole, name, one));
              }}
            />
            <small>
              {say("nodeCount", { count: Object.keys(subgraph.nodes).length })}
              {unused.includes(name) && ` · ${say("unused")}`}
            </small>
            <button
              type="button"
              onClick={() => {
                editor.getState().enter(name);
                onClose();
              }}
            >
              {say("open")}
            </button>
            <button type="button" disabled={!unused.includes(name)} onClick={() => drop([name])}>
              {say("deleteChosen")}
            </button>
          </li>
        ))}
      </ul>
      <footer>
        <button type="button" disabled={!unused.length} onClick={() => drop(unused)}>
          {say("deleteUnused")}
        </button>
      </footer>
    </Dialog>
  );
}
