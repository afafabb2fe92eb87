import { type KeyboardEvent, type ReactElement, useLayoutEffect, useRef } from "react";

import { weigh } from "../model/promptweights";
import { FieldLabel, LineInput } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Edit a text in one line. */
export function TextField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  return (
    <div className="field field-text" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <LineInput id={id} value={value} invalid={invalid} onChange={onChange} />
    </div>
  );
}

/** How much a key press weighs a word more or less. */
const STEP = 0.1;

/** Edit a long text. Ctrl and the arrows up and down weigh the selected words: `(word:1.1)`. */
export function AreaField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const box = useRef<HTMLTextAreaElement>(null);
  const selection = useRef<readonly [number, number] | null>(null);
  useLayoutEffect(() => {
    if (!selection.current) return;
    box.current?.setSelectionRange(...selection.current);
    selection.current = null;
  });
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const direction = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (!direction || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = event.currentTarget;
    const edited = weigh(value, selectionStart, selectionEnd, direction * STEP);
    if (edited.text === value) return;
    selection.current = [edited.start, edited.end];
    onChange(edited.text);
  };
  return (
    <div className="field field-area" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <textarea
        ref={box}
        id={id}
        className="nodrag nowheel"
        spellCheck={false}
        aria-invalid={invalid}
        rows={Number(schema.widget?.lines ?? 3)}
        value={value}
        onChange={({ target }) => onChange(target.value)}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}
