import { type ReactElement, useState } from "react";

import { useSay } from "../i18n";
import { evaluate } from "../model/arithmetic";
import type { Json } from "../model/document";
import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Edit a list of texts or numbers: a line for each. */
export function ListField({ id, label, schema, value, invalid, onChange }: FieldProps<readonly Json[]>): ReactElement {
  const say = useSay();
  const [typed, setTyped] = useState<string | null>(null);
  const numeric = schema.items?.type === "integer" || schema.items?.type === "number";
  const parse = (text: string): Json[] | null => {
    const lines = text.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
    if (!numeric) return lines;
    const numbers = lines.filter((line) => line.trim()).map(evaluate);
    return numbers.every((number) => number !== null) ? numbers : null;
  };
  const wrong = typed !== null && parse(typed) === null;
  return (
    <div className="field field-area" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <textarea
        id={id}
        className="nodrag nowheel"
        spellCheck={false}
        rows={2}
        placeholder={say("oneEachLine")}
        aria-invalid={invalid || wrong}
        value={typed ?? value.map(String).join("\n")}
        onChange={({ target }) => {
          setTyped(target.value);
          const list = parse(target.value);
          if (list) onChange(list);
        }}
        onBlur={() => setTyped(null)}
      />
    </div>
  );
}
