/** Choose one or two parameters and their values; then the grid of what comes out. */

import { type ReactElement, useState } from "react";
import { useStore } from "zustand";

import { useDocument, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { type Field, fields, parameterTitle } from "../model/parameters";
import { MOST_VARIATIONS, parseValues } from "../model/sweep";
import { closeSweep, startSweep, sweeping } from "../session/sweeping";
import { Dialog } from "../widgets/Dialog";
import { SweepGrid } from "./SweepGrid";

export function SweepDialog(): ReactElement | null {
  const say = useSay();
  const { open, shown } = useStore(sweeping);
  if (!open) return null;
  return (
    <Dialog title={say("sweepTitle")} className={shown ? "sweep sweep-wide" : "sweep"} onClose={closeSweep}>
      {shown ? <SweepGrid shown={shown} /> : <SweepForm />}
    </Dialog>
  );
}

function SweepForm(): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const list = fields(catalogue, document, document);
  const [across, setAcross] = useState({ name: list[0]?.name ?? "", text: "" });
  const [down, setDown] = useState({ name: "", text: "" });
  if (!list.length) return <p className="side-empty">{say("sweepNeedsParameters")}</p>;
  const read = ({ name, text }: { name: string; text: string }) => {
    const field = list.find((one) => one.name === name);
    return field ? parseValues(text, field.schema) : null;
  };
  const [columns, rows] = [read(across), read(down)];
  const count = (columns?.ok ? columns.values.length : 0) * (rows ? (rows.ok ? rows.values.length : 0) : 1);
  const can = count > 0 && count <= MOST_VARIATIONS;
  return (
    <form
      className="sweep-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!can || !columns?.ok) return;
        const second = rows?.ok ? { parameter: down.name, values: rows.values } : null;
        void startSweep({ parameter: across.name, values: columns.values }, second);
      }}
    >
      <p className="side-empty">{say("sweepAbout")}</p>
      <AxisFields
        label={say("sweepAcross")}
        list={list.filter(({ name }) => name !== down.name)}
        axis={across}
        wrong={columns?.ok === false && across.text !== ""}
        onChange={setAcross}
      />
      <AxisFields
        label={say("sweepDown")}
        list={list.filter(({ name }) => name !== across.name)}
        axis={down}
        wrong={rows?.ok === false && down.text !== ""}
        optional
        onChange={setDown}
      />
      <div className="sweep-start">
        <span role="status">
          {count > MOST_VARIATIONS ? say("sweepTooMany", { most: MOST_VARIATIONS }) : say("sweepCount", { count })}
        </span>
        <button type="submit" className="primary" disabled={!can}>
          {say("run")}
        </button>
      </div>
    </form>
  );
}

interface AxisFieldsProps {
  readonly label: string;
  readonly list: readonly Field[];
  readonly axis: { readonly name: string; readonly text: string };
  readonly wrong: boolean;
  readonly optional?: boolean;
  onChange(axis: { name: string; text: string }): void;
}

function AxisFields({ label, list, axis, wrong, optional, onChange }: AxisFieldsProps): ReactElement {
  const say = useSay();
  const field = list.find(({ name }) => name === axis.name);
  return (
    <fieldset className="sweep-axis">
      <legend>{label}</legend>
      <label>
        {say("parameter")}
        <select value={axis.name} onChange={({ target }) => onChange({ name: target.value, text: "" })}>
          {optional && <option value="">{say("sweepNone")}</option>}
          {list.map((one) => (
            <option key={one.name} value={one.name}>
              {parameterTitle(one)}
            </option>
          ))}
        </select>
      </label>
      {field && (
        <label>
          {say("sweepValues")}
          <textarea
            rows={2}
            value={axis.text}
            aria-invalid={wrong}
            placeholder={hintOf(field)}
            onChange={({ target }) => onChange({ ...axis, text: target.value })}
          />
          {wrong && <small className="sweep-wrong">{say("sweepWrong", { example: hintOf(field) })}</small>}
        </label>
      )}
    </fieldset>
  );
}

function hintOf({ schema }: Field): string {
  if (schema.enum) return schema.enum.slice(0, 3).join(", ");
  if (schema.type === "integer") return "1..4, 8";
  if (schema.type === "number") return "0.2..1:0.2";
  return schema.type === "boolean" ? "true, false" : "a red fox, a blue fox";
}
