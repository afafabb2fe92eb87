/** All about the selected node: what it is for, every setting, what is wrong with it, what it said. */

import type { ReactElement } from "react";

import { useDocument, useEditor, useGraph, useProblems, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { specOf } from "../model/catalogue";
import { NodeSetting } from "../widgets/NodeSetting";
import { SettingTools } from "../widgets/SettingTools";
import { NodeSockets } from "./NodeSockets";
import { NodeStory } from "./NodeStory";
import { Strays, UnknownNode } from "./Strays";

export function Inspector(): ReactElement {
  const say = useSay();
  const name = useEditor(({ selected }) => (selected.size === 1 ? [...selected][0]! : null));
  const graph = useGraph();
  if (name === null || !graph.nodes[name]) return <p className="side-empty">{say("nothingSelected")}</p>;
  return <NodeDetails key={name} name={name} />;
}

function NodeDetails({ name }: { readonly name: string }): ReactElement {
  const graph = useGraph();
  const node = graph.nodes[name]!;
  const view = graph.view?.nodes?.[name];
  const document = useDocument();
  const spec = specOf(
    useStudio((state) => state.catalogue),
    document,
    node.type,
  );
  const problems = useProblems(name);
  return (
    <section className="details">
      <h2>{spec?.title ?? node.type}</h2>
      <p className="details-type">
        {name} · {node.type}
      </p>
      {problems.map(({ place, message, cure }) => (
        <p key={place + message} className="details-problem">
          <strong>{place}</strong> {message}
          {cure && <small>{cure}</small>}
        </p>
      ))}
      {!spec && <UnknownNode name={name} />}
      <Strays name={name} />
      <NodeStory name={name} spec={spec} />
      {Object.entries(spec?.settings.properties ?? {})
        .filter(([setting]) => node.inputs?.[setting] === undefined)
        .map(([setting, schema]) => (
          <div key={setting} className="details-setting">
            <div className="details-field">
              <NodeSetting
                place="details."
                node={name}
                name={setting}
                schema={schema}
                doc={node}
                view={view}
                problem={problems.find(({ place }) => place.startsWith(`${name}.${setting}`))?.message}
              />
              <SettingTools node={name} name={setting} schema={schema} value={node.settings?.[setting]} />
            </div>
            <small>{schema.description}</small>
          </div>
        ))}
      <NodeSockets name={name} node={node} spec={spec} />
      <div className="details-text">{spec?.description}</div>
    </section>
  );
}
