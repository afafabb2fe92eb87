/**
 * A field with a list below it, as one (a combobox): what is typed narrows the list, which is walked with the arrow keys
 * while the field keeps the keyboard. The owner says what fits the text, in sections if it likes.
 */

import {
  type FocusEvent,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";

import { useSay } from "../i18n";

/** Options that belong together; a title stands above them. */
export interface Section<T> {
  readonly title?: string;
  readonly options: readonly T[];
}

/** How an option was taken: with Shift, it may mean more. */
export interface Taken {
  readonly shift: boolean;
}

interface SearchListProps<T> {
  readonly label: string;
  /** What the list holds, where that is something else than the field says. */
  readonly listLabel?: string;
  readonly text: string;
  readonly sections: readonly Section<T>[];
  /** What is said where nothing fits the text, or nothing is there. */
  readonly empty?: string;
  keyOf(option: T): string;
  isRefused?(option: T): boolean;
  show(option: T): ReactNode;
  /** Tell all about the option at hand, beside the list. */
  about?(option: T): ReactNode;
  onText(text: string): void;
  onTake(option: T, how: Taken): void;
  onClose(): void;
  /** What becomes of Tab, if it is not to lead on in the page. */
  onTab?(): void;
  /** The keyboard went elsewhere. */
  onLeave?(): void;
}

/** Options that PageUp and PageDown pass. */
const PAGE = 8;

export function SearchList<T>(props: SearchListProps<T>): ReactElement {
  const { label, text, sections, about, onText } = props;
  const say = useSay();
  const id = useId();
  const [wanted, setAt] = useState(0);
  const options = sections.flatMap((section) => section.options);
  const at = Math.min(wanted, options.length - 1);
  const current = options[at];
  useEffect(() => {
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [id, at, text]);
  const told = about && current !== undefined ? about(current) : null;
  const { field, side, onKeyDown, onSideKey, leave } = useKeyboard(props, keysOf(props, options, at, setAt));
  return (
    <>
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={current === undefined ? undefined : `${id}-${at}`}
        aria-autocomplete="list"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={({ target }) => {
          onText(target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        onBlur={leave}
      />
      <div className="search-list">
        {/* a press in the list leaves the keyboard with the field */}
        <ul
          id={id}
          role="listbox"
          aria-label={props.listLabel ?? label}
          onMouseDown={(event) => event.preventDefault()}
        >
          {sections.map((section, number) => {
            const start = sections.slice(0, number).reduce((sum, one) => sum + one.options.length, 0);
            const how = { props, id, start, at, isTold: told !== null, setAt };
            return <Options key={section.title ?? ""} section={section} {...how} />;
          })}
        </ul>
        {told && (
          <div
            ref={side}
            className="search-about"
            role="group"
            aria-label={say("aboutOption")}
            tabIndex={0}
            onKeyDown={onSideKey}
            onBlur={leave}
          >
            <div id={`${id}-about`}>{told}</div>
          </div>
        )}
      </div>
      {!options.length && <p role="status">{text ? say("nothingFound", { text }) : props.empty}</p>}
    </>
  );
}

/** Lead the keyboard between the field and what is told beside the list, and say when it leaves both. */
function useKeyboard<T>(props: SearchListProps<T>, onListKey: (event: KeyboardEvent) => void) {
  const field = useRef<HTMLInputElement>(null);
  const side = useRef<HTMLDivElement>(null);
  useEffect(() => field.current?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    // Tab leads to what has to be scrolled to be read
    const more = side.current && side.current.scrollHeight > side.current.clientHeight ? side.current : null;
    if (event.key !== "Tab" || event.shiftKey || !more) return onListKey(event);
    event.preventDefault();
    more.focus();
  };
  const onSideKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key !== "Escape" && event.key !== "Tab") return;
    event.preventDefault();
    field.current?.focus();
  };
  const leave = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget !== field.current && relatedTarget !== side.current) props.onLeave?.();
  };
  return { field, side, onKeyDown, onSideKey, leave };
}

interface OptionsProps<T> {
  readonly props: SearchListProps<T>;
  readonly section: Section<T>;
  readonly id: string;
  /** How many options stand above. */
  readonly start: number;
  /** Which option is at hand, and whether all about it is told. */
  readonly at: number;
  readonly isTold: boolean;
  setAt(at: number): void;
}

function Options<T>({ props, section, id, start, at, isTold, setAt }: OptionsProps<T>): ReactElement {
  const items = section.options.map((option, index) => {
    const place = start + index;
    return (
      <li
        key={props.keyOf(option)}
        id={`${id}-${place}`}
        role="option"
        aria-selected={place === at}
        aria-disabled={props.isRefused?.(option)}
        aria-describedby={place === at && isTold ? `${id}-about` : undefined}
        onPointerMove={props.about && (() => setAt(place))}
        onClick={({ shiftKey }) => take(props, option, shiftKey)}
      >
        {props.show(option)}
      </li>
    );
  });
  if (section.title === undefined) return <>{items}</>;
  const title = `${id}-from-${start}`;
  return (
    <li role="none">
      <ul role="group" aria-labelledby={title}>
        <li role="presentation" id={title} className="search-section">
          {section.title}
        </li>
        {items}
      </ul>
    </li>
  );
}

function take<T>({ isRefused, onTake }: SearchListProps<T>, option: T, shift: boolean): void {
  if (!isRefused?.(option)) onTake(option, { shift });
}

function keysOf<T>(props: SearchListProps<T>, options: readonly T[], at: number, setAt: (at: number) => void) {
  const last = options.length - 1;
  const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };
  return (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (step !== undefined) setAt(Math.max(0, Math.min(at + step, last)));
    else if (event.key === "Escape") props.onClose();
    else if (event.key === "Enter") {
      if (event.nativeEvent.isComposing) return;
      if (options[at] !== undefined) take(props, options[at], event.shiftKey);
    } else if (event.key === "Tab" && props.onTab) props.onTab();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}
