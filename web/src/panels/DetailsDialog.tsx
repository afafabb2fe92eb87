/** What a workflow is called, what it is for, and the name of its file. */

import { type FormEvent, type ReactElement, useState } from "react";

import { useDocument, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { changeDetails } from "../session/library";
import { Dialog } from "../widgets/Dialog";

/** As the server has it (graphgen/server/library.py). */
const FILE = /^[\p{L}\p{N}][\p{L}\p{N}_ .,()+-]{0,99}$/u;

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
  const isTaken = file !== name && workflows.some((one) => one.name.toLowerCase() === file.toLowerCase());
  const trouble = isTaken ? say("fileNameTaken") : FILE.test(file) ? null : say("fileNameForm");
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (trouble) return;
    if (await changeDetails(name, { title: title.trim() || file, description: description.trim(), file })) onClose();
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
        {isOwn && (
          <label>
            {say("fileName")}
            <input
              value={file}
              aria-invalid={trouble !== null}
              aria-describedby="file-name-note"
              onChange={({ target }) => setFile(target.value)}
            />
            <small id="file-name-note" className={trouble ? "form-trouble" : ""}>
              {trouble ?? (file === name ? "" : say("fileNameMoves"))}
            </small>
          </label>
        )}
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
