/** The inputs and outputs of a node: what they take and give, what is wired, and what is known of it before a run. */

import type { ReactElement } from "react";

import { useStudio } from "../canvas/hooks";
import { colorOf } from "../canvas/colors";
import { show } from "../commands/walk";
import { useSay } from "../i18n";
import { inputsOf, labelOf, type NodeSpec, outputsOf } from "../model/catalogue";
import { type DocNode, splitReference, wiresOf } from "../model/document";
import { editor } from "../model/editor";
import { type Facts, factsOf } from "../model/facts";

interface NodeSocketsProps {
  readonly name: string;
  readonly node: DocNode;
  readonly spec: NodeSpec | undefined;
}

export function NodeSockets({ name, node, spec }: NodeSocketsProps): ReactElement | null {
  const say = useSay();
  const known = useStudio((state) => (state.checked?.facts ?? null) as Facts | null);
  const [inputs, outputs] = [inputsOf(node, spec), outputsOf(node, spec)];
  if (!inputs.length && !outputs.length) return null;
  return (
    <section className="sockets">
      {inputs.length > 0 && <h3>{say("inputs")}</h3>}
      <dl>
        {inputs.map((input) => (
          <Socket key={input.name} {...input}>
            {wiresOf(node.inputs?.[input.name]).map((from, index) => (
              <Source key={index} from={from} facts={factsOf(known, from)} />
            ))}
          </Socket>
        ))}
      </dl>
      {outputs.length > 0 && <h3>{say("outputs")}</h3>}
      <dl>
        {outputs.map((output) => (
          <Socket key={output.name} {...output}>
            <FactList facts={factsOf(known, `${name}.${output.name}`)} />
          </Socket>
        ))}
      </dl>
    </section>
  );
}

interface SocketProps {
  readonly title: string;
  readonly type: string;
  readonly description: string;
  readonly children: React.ReactNode;
}

function Socket({ title, type, description, children }: SocketProps): ReactElement {
  return (
    <div className="socket-about">
      <dt>
        <span className="socket-dot" style={{ background: colorOf(type) }} />
        {title} <code>{type}</code>
      </dt>
      <dd>
        {description}
        {children}
      </dd>
    </div>
  );
}

function Source({ from, facts }: { readonly from: string; readonly facts: Facts }): ReactElement {
  const say = useSay();
  const [source] = splitReference(from);
  return (
    <>
      <button
        type="button"
        className="socket-from"
        onClick={() => {
          editor.getState().select([source]);
          show(source);
        }}
      >
        {say("fromSource", { from })}
      </button>
      <FactList facts={facts} />
    </>
  );
}

function FactList({ facts }: { readonly facts: Facts }): ReactElement | null {
  const known = Object.entries(facts).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  if (!known.length) return null;
  return (
    <small className="socket-facts">
      {known.map(([key, value]) => `${labelOf(key)}: ${String(value)}`).join(" · ")}
    </small>
  );
}
