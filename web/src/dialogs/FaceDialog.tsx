/** The face of the subgraph that is shown: its inputs, parameters and outputs can be renamed, ordered and removed. */

import { type ReactElement, useId, useState } from "react";

import { useDocument, useEditor } from "../canvas/hooks";
import { useSay } from "../i18n";
import { subgraphSpecs } from "../model/catalogue";
import { editor, scopeOf } from "../model/editor";
import { isName } from "../model/names";
import { moveFace, removeFace, renameFace, renameSubgraph, type Side } from "../model/subgraphs";
import { studio } from "../session/studio";
import { Dialog } from "../widgets/Dialog";

interface FaceDialogProps {
  onClose(): void;
}

export function FaceDialog({ onClose }: FaceDialogProps): ReactElement | null {
  const say = useSay();
  const document = useDocument();
  const scope = useEditor(scopeOf);
  const subgraph = scope === null ? undefined : document.subgraphs?.[scope];
  if (scope === null || !subgraph) return null;
  const spec = subgraphSpecs(studio.getState().catalogue, document)[scope];
  const typeOf = (name: string) => spec?.outputs.find((one) => one.name === name)?.type ?? "";
  const sides: readonly (readonly [Side, readonly (readonly [string, string])[]])[] = [
    ["inputs", Object.entries(subgraph.inputs ?? {}).map(([name, { type }]) => [name, type])],
    ["parameters", Object.entries(subgraph.parameters ?? {}).map(([name, { sets }]) => [name, sets.join(", ")])],
    ["outputs", Object.keys(subgraph.outputs ?? {}).map((name) => [name, typeOf(name)])],
  ];
  return (
    <Dialog title={say("editFace")} className="face" onClose={onClose}>
      <NameField
        label={say("subgraphName")}
        name={scope}
        isFree={(name) => !document.subgraphs?.[name]}
        onChange={(name) => {
          const { path } = editor.getState();
          editor.getState().editDocument("rename", (one) => renameSubgraph(one, scope, name));
          editor.getState().leave(path.length - 1);
          editor.getState().enter(name);
        }}
      />
      {sides.map(([side, sockets]) => (
        <section key={side}>
          <h3>{say(`side_${side}`)}</h3>
          {!sockets.length && <p className="face-none">{say("noSockets")}</p>}
          <ul>
            {sockets.map(([name, about], index) => (
              <li key={index}>
                <NameField
                  label={say("socketName")}
                  name={name}
                  isFree={(one) => isFaceFree(subgraph, side, one)}
                  onChange={(one) =>
                    editor.getState().editDocument("rename", (whole) => renameFace(whole, scope, side, name, one))
                  }
                />
                <small>{about}</small>
                <FaceButtons
                  scope={scope}
                  side={side}
                  name={name}
                  isFirst={index === 0}
                  isLast={index === sockets.length - 1}
                />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </Dialog>
  );
}

function isFaceFree(
  { inputs, parameters, outputs }: { inputs?: object; parameters?: object; outputs?: object },
  side: Side,
  name: string,
): boolean {
  return !(name in (side === "outputs" ? (outputs ?? {}) : { ...inputs, ...parameters }));
}

interface FaceButtonsProps {
  readonly scope: string;
  readonly side: Side;
  readonly name: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

function FaceButtons({ scope, side, name, isFirst, isLast }: FaceButtonsProps): ReactElement {
  const say = useSay();
  const shift = (by: -1 | 1) =>
    editor.getState().editDocument("order", (whole) => moveFace(whole, scope, side, name, by));
  return (
    <>
      <button
        type="button"
        disabled={isFirst}
        aria-label={say("socketUp", { name })}
        title={say("socketUp", { name })}
        onClick={() => shift(-1)}
      >
        ↑
      </button>
      <button
        type="button"
        disabled={isLast}
        aria-label={say("socketDown", { name })}
        title={say("socketDown", { name })}
        onClick={() => shift(1)}
      >
        ↓
      </button>
      <button
        type="button"
        aria-label={say("removeSocket", { name })}
        title={say("removeSocket", { name })}
        onClick={() => editor.getState().editDocument("remove", (whole) => removeFace(whole, scope, side, name))}
      >
        ×
      </button>
    </>
  );
}

interface NameFieldProps {
  readonly label: string;
  readonly name: string;
  isFree(name: string): boolean;
  onChange(name: string): void;
}

/** A name that counts when it is left or Enter is pressed, if it is one and free; if not, it stays, and is told why. */
export function NameField({ label, name, isFree, onChange }: NameFieldProps): ReactElement {
  const say = useSay();
  const about = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const isNew = typed !== null && typed !== name;
  const trouble = !isNew ? null : !isName(typed) ? say("nameForm") : isFree(typed) ? null : say("nameTaken");
  const commit = () => {
    if (trouble !== null) return;
    if (isNew) onChange(typed);
    setTyped(null);
  };
  return (
    <span className="name-box">
      <input
        className="name-field"
        aria-label={label}
        aria-invalid={trouble !== null}
        aria-describedby={about}
        spellCheck={false}
        value={typed ?? name}
        onChange={({ target }) => setTyped(target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key !== "Escape" || typed === null) return;
          setTyped(null);
          event.preventDefault(); // the dialog stays
        }}
      />
      <span id={about} className="name-trouble" role="status">
        {trouble}
      </span>
    </span>
  );
}
