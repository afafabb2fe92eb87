import type { ReactElement } from "react";

import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { EMPTY } from "../model/document";
import { freeName } from "../model/names";
import { hashOf } from "../session/route";
import { studio } from "../session/studio";
import { newWorkflow } from "../session/workspace";

/** All workflows: the person's own, and the examples. */
export function Library(): ReactElement {
  const say = useSay();
  const workflows = useStudio((state) => state.workflows);
  const create = async () => {
    const taken = Object.fromEntries(studio.getState().workflows.map((one) => [one.name, true]));
    const name = freeName(say("untitled"), taken);
    await newWorkflow(name, { ...EMPTY, name });
    location.hash = hashOf("graph", name);
  };
  const shelf = (own: boolean) => (
    <ul className="shelf">
      {workflows
        .filter((one) => one.own === own)
        .map(({ name, title, description }) => (
          <li key={name}>
            <a href={hashOf("graph", name)}>
              <strong>{title}</strong>
              <span>{description}</span>
            </a>
          </li>
        ))}
    </ul>
  );
  return (
    <div className="library">
      <h1>{say("library")}</h1>
      <button type="button" onClick={() => void create()}>
        {say("newWorkflow")}
      </button>
      <h2>{say("own")}</h2>
      {shelf(true)}
      <h2>{say("examples")}</h2>
      {shelf(false)}
    </div>
  );
}
