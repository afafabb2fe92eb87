import { chooseFiles } from "../session/dropping";
import { exportBundle, exportWorkflow } from "../session/exchange";
import { beginWorkflow, duplicateWorkflow, library, removeWorkflow } from "../session/library";
import { saveOnPurpose, workspace } from "../session/workspace";
import type { Command } from "./command";

const openName = (): string | null => workspace.getState().name;
const isOpen = (): boolean => openName() !== null;
const isOwn = (): boolean => isOpen() && workspace.getState().own;

/** Do something with the open workflow's file. */
const withFile = (act: (name: string) => unknown) => (): void => {
  const name = openName();
  if (name !== null) act(name);
};

export const fileCommands: readonly Command[] = [
  { id: "newWorkflow", label: "newWorkflow", group: "file", run: () => void beginWorkflow() },
  { id: "openLibrary", label: "allWorkflows", group: "file", keys: ["Mod+o"], run: () => (location.hash = "#/") },
  { id: "save", label: "saveNow", group: "file", keys: ["Mod+s"], whileTyping: true, run: () => void saveOnPurpose() },
  {
    id: "details",
    label: "details",
    group: "file",
    isEnabled: isOpen,
    run: withFile((name) => library.setState({ asked: { kind: "details", name } })),
  },
  {
    id: "history",
    label: "earlierVersions",
    group: "file",
    isEnabled: isOwn,
    run: withFile((name) => library.setState({ asked: { kind: "history", name } })),
  },
  {
    id: "duplicateWorkflow",
    label: "duplicateWorkflow",
    group: "file",
    isEnabled: isOpen,
    run: withFile((name) => void duplicateWorkflow(name)),
  },
  {
    id: "export",
    label: "exportFile",
    group: "file",
    keys: ["Mod+Shift+s"],
    isEnabled: isOpen,
    run: withFile((name) => void exportWorkflow(name)),
  },
  {
    id: "exportBundle",
    label: "exportBundle",
    group: "file",
    isEnabled: isOpen,
    run: withFile((name) => void exportBundle(name)),
  },
  { id: "import", label: "importFile", group: "file", run: chooseFiles },
  {
    id: "deleteWorkflow",
    label: "deleteWorkflow",
    group: "file",
    isEnabled: isOwn,
    run: withFile((name) => void removeWorkflow(name)),
  },
];
