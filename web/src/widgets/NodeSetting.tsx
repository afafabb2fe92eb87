import type { ReactElement } from "react";
import { useMemo } from "react";

import { labelOf, type SettingSchema } from "../model/catalogue";
import type { DocNode, NodeView } from "../model/document";
import { setSetting } from "../model/edits";
import { editor } from "../model/editor";
import { setPolicy } from "../model/seeds";
import { OwnerContext } from "./owner";
import { Setting } from "./Setting";

interface NodeSettingProps {
  /** What sets this field apart from another of the same setting, as in the panel at the side. */
  readonly place: string;
  readonly node: string;
  readonly name: string;
  readonly schema: SettingSchema;
  readonly doc: DocNode;
  readonly view: NodeView | undefined;
  readonly problem?: string | undefined;
}

/** Edit a setting of a node of the shown graph. What is typed or dragged in one go is one step of undo. */
export function NodeSetting({ place, node, name, schema, doc, view, problem }: NodeSettingProps): ReactElement {
  const owner = useMemo(() => ({ node, setting: name }), [node, name]);
  const seeds = {
    policy: view?.seeds?.[name] ?? ("fixed" as const),
    onPolicy: (policy: "fixed" | "increment" | "random") =>
      editor.getState().edit("seed", (graph) => setPolicy(graph, node, name, policy)),
  };
  return (
    <OwnerContext value={owner}>
      <Setting
        id={`${place}${node}.${name}`}
        label={schema.title ?? labelOf(name)}
        schema={schema}
        value={doc.settings?.[name]}
        problem={problem}
        seeds={schema.widget?.kind === "seed" ? seeds : undefined}
        onChange={(value) =>
          editor.getState().edit(`set ${name}`, (graph) => setSetting(graph, node, name, value), `set ${node}.${name}`)
        }
      />
    </OwnerContext>
  );
}
