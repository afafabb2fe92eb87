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
import { allows, clamp, moveBy } from "../model/numbers";
import { beside, NumberTold, type Told } from "./NumberTold";
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

/**
 * The box of a number. What is typed counts at once where it may be; what may not be is put right when the box is left
 * or Enter is pressed, and told. Escape brings the old value back.
 */
export function NumberInput({ id, schema, value, invalid, label, onChange }: NumberInputProps): ReactElement {
  const [typed, setTyped] = useState<string | null>(null);
  const box = useRef<HTMLInputElement>(null);
  /** The value before it was typed over. */
  const before = useRef(value);
  const [told, setTold] = useState<Told | null>(null);
  const wrong = typed !== null && evaluate(typed) === null;
  const type = (text: string) => {
    if (typed === null) before.current = value;
    setTyped(text);
    setTold(null);
    const number = evaluate(text);
    if (number !== null && number !== value && allows(schema, number)) onChange(number);
  };
  const restore = () => {
    const old = before.current;
    if (old !== null && old !== value) onChange(old);
    setTyped(null);
  };
  const tell = (text: string, became: number | null) => setTold({ typed: text, became, at: beside(box.current!) });
  const commit = () => {
    if (typed === null) return;
    const number = evaluate(typed);
    if (number === null) {
      if (typed.trim()) tell(typed, null);
      restore();
      return;
    }
    const became = clamp(number, schema);
    if (became !== number) tell(typed, became);
    if (became !== value) onChange(became);
    setTyped(null);
  };
  const move = (steps: number, scale: number) => {
    const from = (typed === null ? value : evaluate(typed)) ?? schema.minimum ?? 0;
    setTyped(null);
    setTold(null);
    onChange(moveBy(from, steps, schema, scale));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const scale = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
    if (event.key === "Enter") commit();
    else if (event.key === "Escape" && typed !== null) restore();
    else if (event.key === "ArrowUp") move(1, scale);
    else if (event.key === "ArrowDown") move(-1, scale);
    else return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.altKey)) return; // runs, with what was typed
    event.preventDefault();
    event.stopPropagation();
  };
  useWheel(box, (steps) => move(steps, 1));
  return (
    <>
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
        onChange={({ target }) => type(target.value)}
        onFocus={({ target }) => target.select()}
        onBlur={commit}
        onKeyDown={onKeyDown}
      />
      {told && <NumberTold told={told} schema={schema} onClose={() => setTold(null)} />}
    </>
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
