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
  { id: "newWorkflow", label: "newWorkflow", group: "file", reach: "page", run: () => void beginWorkflow() },
  {
    id: "openLibrary",
    label: "allWorkflows",
    group: "file",
    reach: "page",
    keys: ["Mod+o"],
    run: () => (location.hash = "#/"),
  },
  {
    id: "save",
    label: "saveNow",
    group: "file",
    reach: "workflow",
    keys: ["Mod+s"],
    whileTyping: true,
    run: () => void saveOnPurpose(),
  },
  {
    id: "details",
    label: "details",
    group: "file",
    reach: "workflow",
    isEnabled: isOpen,
    run: withFile((name) => library.setState({ asked: { kind: "details", name } })),
  },
  {
    id: "history",
    label: "earlierVersions",
    group: "file",
    reach: "workflow",
    isEnabled: isOwn,
    run: withFile((name) => library.setState({ asked: { kind: "history", name } })),
  },
  {
    id: "duplicateWorkflow",
    label: "duplicateWorkflow",
    group: "file",
    reach: "workflow",
    isEnabled: isOpen,
    run: withFile((name) => void duplicateWorkflow(name)),
  },
  {
    id: "export",
    label: "exportFile",
    group: "file",
    reach: "workflow",
    keys: ["Mod+Shift+s"],
    isEnabled: isOpen,
    run: withFile((name) => void exportWorkflow(name)),
  },
  {
    id: "exportBundle",
    label: "exportBundle",
    group: "file",
    reach: "workflow",
    isEnabled: isOpen,
    run: withFile((name) => void exportBundle(name)),
  },
  { id: "import", label: "importFile", group: "file", reach: "page", run: chooseFiles },
  {
    id: "deleteWorkflow",
    label: "deleteWorkflow",
    group: "file",
    reach: "workflow",
    isEnabled: isOwn,
    run: withFile((name) => void removeWorkflow(name)),
  },
];
