import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactElement,
  type RefObject,
  useEffect,
  useRef,
  useState,
} from "react";

import { useSay } from "../i18n";
import { evaluate } from "../model/arithmetic";
import type { SettingSchema } from "../model/catalogue";
import { clamp, moveBy } from "../model/numbers";
import type { FieldProps } from "./Setting";

/** Edit a number: type it or a sum, drag its name sideways, or press the arrows (Shift: ten times, Alt: a tenth). */
export function NumberField({ id, label, schema, value, invalid, onChange }: FieldProps<number | null>): ReactElement {
  const say = useSay();
  const scrub = useScrub(schema, value, onChange);
  return (
    <div className="field field-number" title={schema.description}>
      <label htmlFor={id} className="field-label scrub nodrag" title={say("scrubHint")} {...scrub}>
        {label}
      </label>
      <NumberInput id={id} schema={schema} value={value} invalid={invalid} onChange={onChange} />
    </div>
  );
}

interface NumberInputProps {
  readonly id: string;
  readonly schema: SettingSchema;
  readonly value: number | null;
  readonly invalid: boolean;
  readonly label?: string;
  onChange(value: number): void;
}

/** The box of a number. What is typed counts when it is left or Enter is pressed; Escape brings the old value back. */
export function NumberInput({ id, schema, value, invalid, label, onChange }: NumberInputProps): ReactElement {
  const [typed, setTyped] = useState<string | null>(null);
  const box = useRef<HTMLInputElement>(null);
  const wrong = typed !== null && evaluate(typed) === null;
  const commit = () => {
    const number = typed === null ? null : evaluate(typed);
    if (number !== null) onChange(clamp(number, schema));
    setTyped(null);
  };
  const move = (steps: number, scale: number) => {
    const from = (typed === null ? value : evaluate(typed)) ?? schema.minimum ?? 0;
    setTyped(null);
    onChange(moveBy(from, steps, schema, scale));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const scale = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
    if (event.key === "Enter") commit();
    else if (event.key === "Escape" && typed !== null) setTyped(null);
    else if (event.key === "ArrowUp") move(1, scale);
    else if (event.key === "ArrowDown") move(-1, scale);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  useWheel(box, (steps) => move(steps, 1));
  return (
    <input
      ref={box}
      id={id}
      type="text"
      inputMode="decimal"
      autoComplete="off"
      className="nodrag nowheel"
      aria-label={label}
      aria-invalid={invalid || wrong}
      value={typed ?? (value === null ? "" : String(value))}
      onChange={({ target }) => setTyped(target.value)}
      onFocus={({ target }) => target.select()}
      onBlur={commit}
      onKeyDown={onKeyDown}
    />
  );
}

/** Let the wheel change a number, but only while its box has the focus, so that scrolling never does. */
function useWheel(box: RefObject<HTMLInputElement | null>, move: (steps: number) => void): void {
  const latest = useRef(move);
  useEffect(() => {
    latest.current = move;
  });
  useEffect(() => {
    const element = box.current;
    const onWheel = (event: WheelEvent) => {
      if (document.activeElement !== element) return;
      event.preventDefault();
      latest.current(event.deltaY < 0 ? 1 : -1);
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [box]);
}

/** Pixels of a drag that make one step. */
const PIXELS = 6;

function useScrub(schema: SettingSchema, value: number | null, onChange: (value: number) => void) {
  const start = useRef<{ x: number; value: number; moved: boolean } | null>(null);
  return {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      start.current = { x: event.clientX, value: value ?? schema.minimum ?? 0, moved: false };
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      const from = start.current;
      if (!from) return;
      const steps = Math.trunc((event.clientX - from.x) / PIXELS);
      if (steps === 0 && !from.moved) return;
      from.moved = true;
      onChange(moveBy(from.value, steps, schema, event.shiftKey ? 10 : event.altKey ? 0.1 : 1));
    },
    onPointerUp: () => {
      start.current = null;
    },
    onPointerCancel: () => {
      start.current = null;
    },
  };
}
