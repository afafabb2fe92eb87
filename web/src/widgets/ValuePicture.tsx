/** A picture of what a node gave; of several one, and buttons to go through them. */

import { type ReactElement, useEffect, useState } from "react";

import type { Value } from "../api/client";
import { useSay } from "../i18n";
import { pictureUrl, valueOf } from "../session/values";
import { Icon } from "./icons";

interface ValuePictureProps {
  readonly digest: string;
  readonly label: string;
}

export function ValuePicture({ digest, label }: ValuePictureProps): ReactElement | null {
  const say = useSay();
  const value = useValue(digest);
  const [at, setAt] = useState(0);
  if (!value?.pictures) return null;
  const count = value.pictures;
  const index = Math.min(at, count - 1);
  const go = (by: number) => setAt((index + by + count) % count);
  return (
    <figure className="value-picture nodrag">
      <img src={pictureUrl(digest, index)} alt={say("pictureOf", { label })} draggable={false} loading="lazy" />
      {count > 1 && (
        <figcaption className="pager">
          <button type="button" aria-label={say("previousPicture")} onClick={() => go(-1)}>
            <Icon name="back" />
          </button>
          <span aria-live="polite">{`${index + 1} / ${count}`}</span>
          <button type="button" aria-label={say("nextPicture")} onClick={() => go(1)}>
            <Icon name="forth" />
          </button>
        </figcaption>
      )}
    </figure>
  );
}

/** Return what a value is, once that is known. */
function useValue(digest: string): Value | null {
  const [value, setValue] = useState<Value | null>(null);
  useEffect(() => {
    let wanted = true;
    void valueOf(digest).then((found) => wanted && setValue(found));
    return () => {
      wanted = false;
    };
  }, [digest]);
  return value; // the former picture stays until the new one is known, so that nothing jumps
}
