/** What a workflow is called, what it is for, and the name and folder of its file. */

import { type FormEvent, type ReactElement, useId, useState } from "react";

import { useDocument, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { baseOf, folderOf, inFolder, isFileName } from "../model/filenames";
import { changeDetails } from "../session/library";
import { Dialog } from "../widgets/Dialog";

interface DetailsDialogProps {
  readonly name: string;
  onClose(): void;
}

export function DetailsDialog({ name, onClose }: DetailsDialogProps): ReactElement {
  const say = useSay();
  const workflows = useStudio((state) => state.workflows);
  const info = workflows.find((one) => one.name === name);
  const isOpen = useWorkspace((state) => state.name === name);
  const isOwn = useWorkspace((state) => state.own) || !isOpen;
  const document = useDocument();
  const [title, setTitle] = useState((isOpen ? document.name : info?.title) ?? "");
  const [description, setDescription] = useState((isOpen ? document.description : info?.description) ?? "");
  const [file, setFile] = useState(name);
  const isTaken = file !== name && workflows.some((one) => one.name !== name && isAlike(one.name, file));
  const trouble = isTaken ? say("fileNameTaken") : isFileName(file) ? null : say("fileNameForm");
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (trouble) return;
    const details = { title: title.trim() || baseOf(file), description: description.trim(), file };
    if (await changeDetails(name, details)) onClose();
  };
  return (
    <Dialog title={say("detailsTitle")} className="details-dialog" onClose={onClose}>
      <form onSubmit={(event) => void save(event)}>
        <label>
          {say("title")}
          <input autoFocus value={title} onChange={({ target }) => setTitle(target.value)} />
        </label>
        <label>
          {say("description")}
          <textarea rows={4} value={description} onChange={({ target }) => setDescription(target.value)} />
        </label>
        {isOwn && <FilePlace file={file} trouble={trouble} isMoved={file !== name} onChange={setFile} />}
        <footer>
          <button type="button" onClick={onClose}>
            {say("cancel")}
          </button>
          <button type="submit" className="primary" disabled={trouble !== null}>
            {say("done")}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

const isAlike = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

interface FilePlaceProps {
  readonly file: string;
  readonly trouble: string | null;
  readonly isMoved: boolean;
  onChange(file: string): void;
}

/** The folder of a workflow's file, which may be a new one, and its name in there. */
function FilePlace({ file, trouble, isMoved, onChange }: FilePlaceProps): ReactElement {
  const say = useSay();
  const id = useId();
  const names = useStudio((state) => state.workflows);
  const folders = [...new Set(names.flatMap((one) => (one.own ? [folderOf(one.name)] : [])))].filter(Boolean).sort();
  return (
    <div className="details-place">
      <label>
        {say("folder")}
        <input
          value={folderOf(file)}
          placeholder={say("noFolder")}
          list={`${id}-folders`}
          aria-describedby={`${id}-note`}
          onChange={({ target }) => onChange(inFolder(target.value, baseOf(file)))}
        />
        <datalist id={`${id}-folders`}>
          {folders.map((folder) => (
            <option key={folder} value={folder} />
          ))}
        </datalist>
      </label>
      <label>
        {say("fileName")}
        <input
          value={baseOf(file)}
          aria-invalid={trouble !== null}
          aria-describedby={`${id}-note`}
          onChange={({ target }) => onChange(inFolder(folderOf(file), target.value))}
        />
      </label>
      <small id={`${id}-note`} role="status" className={trouble ? "form-trouble" : ""}>
        {trouble ?? (isMoved ? say("fileNameMoves") : "")}
      </small>
    </div>
  );
}
