import { type ReactElement, useContext, useState } from "react";

import { useSay } from "../i18n";
import { uploadFile } from "../session/files";
import { backdropFor } from "../session/backdrop";
import { inputUrl } from "../session/inputs";
import { MaskPainter } from "./MaskPainter";
import { OwnerContext } from "./owner";
import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Paint a mask over the picture that is wired into the node. What is painted is kept as a picture in the inputs. */
export function MaskField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const say = useSay();
  const owner = useContext(OwnerContext);
  const [open, setOpen] = useState(false);
  const finish = async (mask: Blob) => {
    const taken = await uploadFile(mask, "mask.png");
    if (!taken) return;
    onChange(taken.name);
    setOpen(false);
  };
  return (
    <div className="field field-mask" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <input
        id={id}
        type="text"
        className="nodrag"
        readOnly
        aria-invalid={invalid}
        value={value}
        placeholder={say("nothingPainted")}
      />
      <button type="button" className="nodrag" onClick={() => setOpen(true)}>
        {say("paint")}
      </button>
      {open && (
        <MaskPainter
          backdrop={backdropFor(owner, String(schema.widget?.over ?? "image"))}
          painted={value ? inputUrl(value) : null}
          onDone={(mask) => void finish(mask)}
          onClose={() => setOpen(false)}
        />
      )}
    </div>
  );
}
