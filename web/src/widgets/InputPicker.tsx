import { type ReactElement, useEffect, useState } from "react";

import { type InputFile, listInputs } from "../api/client";
import { wordsOf } from "../api/socket";
import { useSay } from "../i18n";
import { uploadFile } from "../session/files";
import { notify } from "../session/notices";
import { Dialog } from "./Dialog";

interface InputPickerProps {
  /** Endings of names, as in `.png`. */
  readonly kinds: readonly string[];
  readonly value: string;
  onChoose(name: string): void;
  onClose(): void;
}

/** Choose a file of the inputs folder by its looks, or bring one from this computer. */
export function InputPicker({ kinds, value, onChoose, onClose }: InputPickerProps): ReactElement {
  const say = useSay();
  const [text, setText] = useState("");
  const [found, setFound] = useState<readonly InputFile[] | null>(null);
  const [next, setNext] = useState<number | null>(null);
  const asked = kinds.join(",");
  useEffect(() => {
    let left = false;
    const timer = window.setTimeout(() => {
      listInputs({ kinds: asked, find: text }).then(
        (page) => {
          if (left) return;
          setFound(page.files);
          setNext(page.next);
        },
        (error: unknown) => notify("error", "failed", { why: wordsOf(error) }),
      );
    }, 150);
    return () => {
      left = true;
      window.clearTimeout(timer);
    };
  }, [asked, text]);
  const more = async () => {
    const page = await listInputs({ kinds: asked, find: text, offset: String(next) });
    setFound([...(found ?? []), ...page.files]);
    setNext(page.next);
  };
  const choose = (name: string) => {
    onChoose(name);
    onClose();
  };
  const bring = async (file: File | undefined) => {
    const taken = file && (await uploadFile(file, file.name));
    if (taken) choose(taken.name);
  };
  return (
    <Dialog title={say("chooseFile")} className="input-picker" onClose={onClose}>
      <div className="model-head">
        <input
          type="search"
          autoFocus
          aria-label={say("searchFiles")}
          placeholder={say("searchFiles")}
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
        <label className="button-like">
          {say("fromComputer")}
          <input type="file" accept={asked} onChange={({ target }) => void bring(target.files?.[0])} />
        </label>
      </div>
      <ul className="input-grid">
        {found?.map((file) => (
          <li key={file.name}>
            <button type="button" aria-current={file.name === value} onClick={() => choose(file.name)}>
              {file.thumbnail ? <img src={file.thumbnail} alt="" loading="lazy" /> : <span className="input-blank" />}
              <span>{file.name}</span>
            </button>
          </li>
        ))}
      </ul>
      {found && !found.length && <p>{say("noFiles")}</p>}
      {next !== null && (
        <button type="button" onClick={() => void more()}>
          {say("showMore")}
        </button>
      )}
    </Dialog>
  );
}
