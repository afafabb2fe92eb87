import type { ReactElement } from "react";

import { useSay } from "../i18n";
import type { SeedPolicy } from "../model/seeds";
import { randomSeed, SEED_POLICIES } from "../model/seeds";
import { Icon, type IconName } from "./icons";
import { NumberInput } from "./NumberField";
import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

interface SeedFieldProps extends FieldProps<number | null> {
  /** What happens to the seed before each run; absent where a seed cannot change by itself. */
  readonly policy?: SeedPolicy | undefined;
  onPolicy?: ((policy: SeedPolicy) => void) | undefined;
}

const SIGNS: Readonly<Record<SeedPolicy, IconName>> = { fixed: "lock", increment: "next", random: "shuffle" };

/** Edit a seed: type it, throw the dice, and say whether it stays, counts on or is thrown anew before each run. */
export function SeedField({
  id,
  label,
  schema,
  value,
  invalid,
  onChange,
  policy,
  onPolicy,
}: SeedFieldProps): ReactElement {
  const say = useSay();
  const next = policy && SEED_POLICIES[(SEED_POLICIES.indexOf(policy) + 1) % SEED_POLICIES.length]!;
  return (
    <div className="field field-seed" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <NumberInput id={id} schema={schema} value={value} invalid={invalid} onChange={onChange} />
      <button
        type="button"
        className="nodrag field-button"
        aria-label={say("throwDice")}
        title={say("throwDice")}
        onClick={() => onChange(randomSeed(schema))}
      >
        <Icon name="dice" />
      </button>
      {policy && next && (
        <button
          type="button"
          className={`nodrag field-button seed-${policy}`}
          aria-label={`${say("seedBeforeRun")}: ${say(`seed_${policy}`)}`}
          title={`${say("seedBeforeRun")}: ${say(`seed_${policy}`)}`}
          onClick={() => onPolicy?.(next)}
        >
          <Icon name={SIGNS[policy]} />
        </button>
      )}
    </div>
  );
}
