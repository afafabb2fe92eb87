/** The parameters of the shown graph: their values, names, descriptions and order. */

import { type ReactElement, useState } from "react";

import { useDocument, useGraph, useScope, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { labelOf } from "../model/catalogue";
import { putParameter } from "../model/edits";
import { editor } from "../model/editor";
import { type Field, fields, moveParameter, renameParameter, setParameter } from "../model/parameters";
import { hashOf } from "../session/route";
import { Icon } from "../widgets/icons";
import { ParameterField } from "../widgets/ParameterField";

export function Parameters(): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const graph = useGraph();
  const scope = useScope();
  const name = useWorkspace((state) => state.name);
  const list = fields(catalogue, document, graph);
  return (
    <section className="parameters">
      <h2>{say("parameters")}</h2>
      {!list.length && <p className="side-empty">{say("noParameters")}</p>}
      {list.map((field, index) => (
        <ParameterCard key={field.name} field={field} first={index === 0} last={index === list.length - 1} />
      ))}
      {scope === null && name !== null && list.length > 0 && (
        <a className="button" href={hashOf("app", name)}>
          {say("showAsApp")}
        </a>
      )}
    </section>
  );
}

interface ParameterCardProps {
  readonly field: Field;
  readonly first: boolean;
  readonly last: boolean;
}

function ParameterCard({ field, first, last }: ParameterCardProps): ReactElement {
  const say = useSay();
  const [editing, setEditing] = useState(false);
  const { name } = field;
  const edit = editor.getState().edit;
  return (
    <div className="parameter">
      <ParameterField
        field={field}
        place="parameter."
        onChange={(value) => edit(`set ${name}`, (graph) => setParameter(graph, field, value), `parameter ${name}`)}
      />
      <div className="parameter-tools">
        <small>{field.sets.join(", ")}</small>
        <button
          type="button"
          aria-label={say("moveUp")}
          disabled={first}
          onClick={() => edit("order", (graph) => moveParameter(graph, name, -1))}
        >
          <Icon name="up" />
        </button>
        <button
          type="button"
          aria-label={say("moveDown")}
          disabled={last}
          onClick={() => edit("order", (graph) => moveParameter(graph, name, 1))}
        >
          <Icon name="down" />
        </button>
        <button type="button" aria-expanded={editing} onClick={() => setEditing(!editing)}>
          {say("edit")}
        </button>
        <button type="button" onClick={() => edit("parameter", (graph) => putParameter(graph, name, null))}>
          {say("remove")}
        </button>
      </div>
      {editing && <ParameterForm field={field} onDone={() => setEditing(false)} />}
    </div>
  );
}

function ParameterForm({ field, onDone }: { readonly field: Field; onDone(): void }): ReactElement {
  const say = useSay();
  const [name, setName] = useState(field.name);
  const [description, setDescription] = useState(useGraph().parameters?.[field.name]?.description ?? "");
  const finish = () => {
    editor.getState().edit("parameter", (graph) => {
      const described = putParameter(graph, field.name, { sets: field.sets, ...(description ? { description } : {}) });
      return renameParameter(described, field.name, name.trim());
    });
    onDone();
  };
  return (
    <form
      className="parameter-form"
      onSubmit={(event) => {
        event.preventDefault();
        finish();
      }}
    >
      <label>
        {say("parameterName")}
        <input
          required
          pattern="[A-Za-z][A-Za-z0-9_\-]*"
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <label>
        {say("description")}
        <textarea
          rows={2}
          value={description}
          placeholder={field.schema.description}
          onChange={({ target }) => setDescription(target.value)}
        />
      </label>
      <button type="submit">{say("done")}</button>
      <small>{labelOf(name)}</small>
    </form>
  );
}
