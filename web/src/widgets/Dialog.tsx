import { type KeyboardEvent, type ReactElement, type ReactNode, useLayoutEffect, useRef } from "react";
import { createPortal } from "react-dom";

import { useSay } from "../i18n";
import { Icon } from "./icons";

interface DialogProps {
  readonly title: string;
  readonly className?: string;
  readonly children: ReactNode;
  onClose(): void;
  /** Keys that the dialog itself does not take. */
  onKey?(event: KeyboardEvent): void;
}

/** A dialog over the page: the focus stays in it, Escape and a click beside it close it. */
export function Dialog({ title, className, children, onClose, onKey }: DialogProps): ReactElement {
  const say = useSay();
  const name = title.replace(/…$/, ""); // which a menu puts behind what asks for more
  const box = useRef<HTMLDialogElement>(null);
  // before it is taken from the page, so that closing it gives the keyboard back to what had it
  useLayoutEffect(() => {
    const dialog = box.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return createPortal(
    <dialog
      ref={box}
      className={`dialog ${className ?? ""}`}
      aria-label={name}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === box.current) onClose();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        onKey?.(event);
      }}
    >
      <div className="dialog-inside">
        <header>
          <h2>{name}</h2>
          <button type="button" aria-label={say("close")} className="dialog-close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>,
    document.body,
  );
}
