import type { ReactElement } from "react";

import type { WorkflowInfo } from "../api/client";
import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { exportBundle, exportWorkflow } from "../session/exchange";
import { duplicateWorkflow, library, removeWorkflow, sharedTitles } from "../session/library";
import { hashOf } from "../session/route";
import { Icon } from "../widgets/icons";
import { Menu, type MenuSection } from "../widgets/Menu";
import { useNarrow } from "./narrow";
import { useWhen } from "./times";

/** What a workflow that is dragged is known by, to what it is dropped on. */
export const WORKFLOW_TYPE = "application/x-graphgen-workflow";

interface WorkflowCardProps {
  readonly info: WorkflowInfo;
  /** Whether this browser has changes that the server may not have. */
  readonly drafted: boolean;
}

/** A workflow among others: what it gives, what it is, and what can be done with its file. */
export function WorkflowCard({ info, drafted }: WorkflowCardProps): ReactElement {
  const say = useSay();
  const when = useWhen();
  const { name, title, description, own, thumbnail, changed, damaged, missing, parameters } = info;
  const isShared = useStudio(({ workflows }) => sharedTitles(workflows).has(title));
  const isNarrow = useNarrow(); // a graph is of little use there
  const ask = (kind: "details" | "history") => library.setState({ asked: { kind, name } });
  const sections = (): readonly MenuSection[] => [
    {
      id: "use",
      items: [
        { id: "app", label: say("openAsApp"), run: () => (location.hash = hashOf("app", name)) },
        { id: "duplicate", label: say("duplicateWorkflow"), run: () => void duplicateWorkflow(name) },
        { id: "export", label: say("exportFile"), run: () => void exportWorkflow(name) },
        { id: "bundle", label: say("exportBundle"), run: () => void exportBundle(name) },
      ],
    },
    ...(own
      ? [
          {
            id: "file",
            items: [
              { id: "details", label: say("details"), run: () => ask("details") },
              { id: "history", label: say("earlierVersions"), run: () => ask("history") },
              { id: "delete", label: say("deleteWorkflow"), run: () => void removeWorkflow(name) },
            ],
          },
        ]
      : []),
  ];
  return (
    <li
      className="card"
      draggable={own}
      onDragStart={({ dataTransfer }) => {
        if (!own) return;
        dataTransfer.setData(WORKFLOW_TYPE, name);
        dataTransfer.effectAllowed = "move";
      }}
    >
      <a href={hashOf(isNarrow && parameters.length > 0 ? "app" : "graph", name)} draggable={false}>
        <span className="card-picture">
          {thumbnail ? <img src={thumbnail} alt="" loading="lazy" draggable={false} /> : <Icon name="graph" />}
        </span>
        <strong>{title}</strong>
        {isShared && <span className="card-file">{name}</span>}
        <span className="card-about">{description}</span>
        {(damaged || missing.length > 0) && (
          <span className="card-missing">
            <Icon name="trouble" />
            <span>
              {damaged ? say("damagedFile") : say("missingHere", { names: missing.map((one) => one.name).join(", ") })}
            </span>
          </span>
        )}
      </a>
      <div className="card-foot">
        <small>{drafted ? say("onlyHere") : own ? when(changed) : ""}</small>
        <Menu label={say("moreAbout", { name: title })} sections={sections}>
          <Icon name="more" />
        </Menu>
      </div>
    </li>
  );
}
