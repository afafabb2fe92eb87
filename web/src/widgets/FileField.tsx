import { type DragEvent, type ReactElement, useContext, useRef, useState } from "react";
import { useStore } from "zustand";

import { useSay } from "../i18n";
import { files, uploadFile } from "../session/files";
import { Icon } from "./icons";
import { ModelPicker } from "./ModelPicker";
import { OwnerContext } from "./owner";
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
      <label htmlFor={id} className="field-label">
        {label}
      </label>
      <input
        id={id}
        type="text"
        className="nodrag"
        spellCheck={false}
        aria-invalid={invalid}
        value={value}
        onChange={({ target }) => onChange(target.value)}
      />
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
  const chooser = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const uploaded = useStore(files, ({ uploads }) => uploads[value]);
  const kinds = Array.isArray(schema.widget?.kinds) ? schema.widget.kinds.map(String) : [];
  const take = async (file: File | undefined) => {
    const taken = file && (await uploadFile(file, file.name));
    if (taken) onChange(taken.name);
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  return (
    <div
      className={over ? "field field-file field-over" : "field field-file"}
      title={schema.description}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <label htmlFor={id} className="field-label">
        {label}
      </label>
      {uploaded?.thumbnail && <img className="field-thumb" src={uploaded.thumbnail} alt="" />}
      <input
        id={id}
        type="text"
        className="nodrag"
        spellCheck={false}
        aria-invalid={invalid}
        placeholder={say("dropFile")}
        value={value}
        onChange={({ target }) => onChange(target.value)}
      />
      <input
        ref={chooser}
        type="file"
        hidden
        accept={kinds.join(",")}
        aria-label={say("chooseFile")}
        onChange={({ target }) => void take(target.files?.[0])}
      />
      <button
        type="button"
        className="nodrag field-button"
        aria-label={say("chooseFile")}
        title={say("chooseFile")}
        onClick={() => chooser.current?.click()}
      >
        <Icon name="folder" />
      </button>
    </div>
  );
}
