/** A button with a menu under it: sections of what can be done or chosen, walked by the arrow keys. */

import {
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";

import { Keys } from "./Keys";

export interface MenuItem {
  readonly id: string;
  readonly label: string;
  readonly chord?: string | undefined;
  readonly disabled?: boolean;
  /** Of a choice: whether it is the one chosen. */
  readonly checked?: boolean;
  run(): void;
}

export interface MenuSection {
  readonly id: string;
  readonly title?: string;
  readonly items: readonly MenuItem[];
}

interface MenuProps {
  readonly label: string;
  readonly className?: string;
  readonly children: ReactNode;
  /** What is in it, asked for when it opens. */
  sections(): readonly MenuSection[];
}

export function Menu({ label, className, children, sections }: MenuProps): ReactElement {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const onPointer = ({ target }: PointerEvent) => {
      if (!root.current?.contains(target as Node)) setOpen(false);
    };
    window.addEventListener("pointerdown", onPointer);
    return () => window.removeEventListener("pointerdown", onPointer);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div className={`menu ${className ?? ""}`} ref={root}>
      <button
        ref={button}
        type="button"
        className="plain"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {children}
      </button>
      {open && <MenuList label={label} sections={sections()} onClose={close} />}
    </div>
  );
}

/** How near a menu comes to the edge of the page. */
const EDGE = 4;

interface MenuListProps {
  readonly label: string;
  readonly sections: readonly MenuSection[];
  onClose(): void;
}

function MenuList({ label, sections, onClose }: MenuListProps): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const titles = useId();
  useLayoutEffect(() => {
    const list = box.current!;
    const { left, right, bottom } = list.getBoundingClientRect();
    const [x, y] = [Math.max(EDGE - left, 0) || Math.min(innerWidth - EDGE - right, 0), innerHeight - EDGE - bottom];
    list.style.translate = `${x}px ${Math.min(y, 0)}px`;
    list.querySelector<HTMLElement>("button:not(:disabled)")?.focus();
  }, []);
  const onKey = (event: KeyboardEvent) => {
    const items = [...box.current!.querySelectorAll<HTMLElement>("button:not(:disabled)")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const step = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") onClose();
    else if (step === undefined) return;
    else items[step % items.length]?.focus();
    event.preventDefault();
  };
  return (
    <div className="menu-list" role="menu" aria-label={label} ref={box} onKeyDown={onKey}>
      {sections.map(({ id, title, items }) => (
        <div key={id} role="group" {...(title ? { "aria-labelledby": `${titles}${id}` } : {})}>
          {title && (
            <div className="menu-title" id={`${titles}${id}`} role="presentation">
              {title}
            </div>
          )}
          {items.map((item) => (
            <button
              key={item.id}
              type="button"
              tabIndex={-1}
              disabled={item.disabled ?? false}
              {...(item.checked === undefined
                ? { role: "menuitem" }
                : { role: "menuitemradio", "aria-checked": item.checked })}
              onClick={() => {
                onClose();
                item.run();
              }}
            >
              <span>{item.label}</span>
              {item.chord && <Keys chord={item.chord} />}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
