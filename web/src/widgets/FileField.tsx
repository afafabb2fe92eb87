import { type DragEvent, type ReactElement, useContext, useState } from "react";

import { useSay } from "../i18n";
import { uploadFile } from "../session/files";
import { carried, carries, inputFor } from "../session/pictures";
import { inputThumbnail } from "../session/inputs";
import { Icon } from "./icons";
import { InputPicker } from "./InputPicker";
import { ModelPicker } from "./ModelPicker";
import { OwnerContext } from "./owner";
import { FieldLabel, LineInput } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Name a file: one of the models folder, picked from what is there, or a picture, dropped or chosen. */
export function FileField(props: FieldProps<string>): ReactElement {
  return props.schema.widget?.root === "models" ? <ModelField {...props} /> : <InputField {...props} />;
}

function ModelField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const say = useSay();
  const [open, setOpen] = useState(false);
  const owner = useContext(OwnerContext);
  return (
    <div className="field field-file" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <LineInput id={id} value={value} invalid={invalid} onChange={onChange} />
      <button
        type="button"
        className="nodrag field-button"
        aria-label={say("chooseModel")}
        onClick={() => setOpen(true)}
      >
        <Icon name="folder" />
      </button>
      {open && (
        <ModelPicker
          widget={schema.widget!}
          value={value}
          node={owner?.node ?? null}
          onChoose={onChange}
          onClose={() => setOpen(false)}
        />
      )}
    </div>
  );
}

function InputField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const say = useSay();
  const [open, setOpen] = useState(false);
  const [over, setOver] = useState(false);
  const kinds = Array.isArray(schema.widget?.kinds) ? schema.widget.kinds.map(String) : [];
  const onDrop = async (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    if (carries(event.dataTransfer)) {
      const name = await inputFor(carried(event.dataTransfer));
      if (name !== null) onChange(name);
      return;
    }
    const [file] = event.dataTransfer.files;
    const taken = file && (await uploadFile(file, file.name));
    if (taken) onChange(taken.name);
  };
  return (
    <div
      className={over ? "field field-file field-over" : "field field-file"}
      title={schema.description}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files") && !carries(event.dataTransfer)) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void onDrop(event)}
    >
      <FieldLabel id={id} label={label} />
      {value && <Thumbnail key={value} name={value} />}
      <LineInput id={id} value={value} invalid={invalid} placeholder={say("dropFile")} onChange={onChange} />
      <button
        type="button"
        className="nodrag field-button"
        aria-label={say("chooseFile")}
        title={say("chooseFile")}
        onClick={() => setOpen(true)}
      >
        <Icon name="folder" />
      </button>
      {open && <InputPicker kinds={kinds} value={value} onChoose={onChange} onClose={() => setOpen(false)} />}
    </div>
  );
}

/** A small look at a picture; nothing where there is none of that name, as while it is being typed. */
function Thumbnail({ name }: { readonly name: string }): ReactElement | null {
  const [there, setThere] = useState(true);
  return there ? (
    <img className="field-thumb" src={inputThumbnail(name)} alt="" onError={() => setThere(false)} />
  ) : null;
}
