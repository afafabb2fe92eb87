import type { ReactElement } from "react";

import { useStage } from "../canvas/hooks";
import { stage, type StageDialog } from "../canvas/stage";
import { CommandPalette } from "./CommandPalette";
import { ConnectDialog } from "./ConnectDialog";
import { FaceDialog } from "./FaceDialog";
import { RenameDialog } from "./RenameDialog";
import { Shortcuts } from "./Shortcuts";
import { SubgraphsDialog } from "./SubgraphsDialog";

const DIALOGS: Readonly<Record<StageDialog, (props: { onClose(): void }) => ReactElement | null>> = {
  commands: CommandPalette,
  connect: ConnectDialog,
  shortcuts: Shortcuts,
  rename: RenameDialog,
  face: FaceDialog,
  subgraphs: SubgraphsDialog,
};

/** The dialog of a command that is open above the page, if one is. */
export function Dialogs(): ReactElement | null {
  const dialog = useStage((state) => state.dialog);
  if (!dialog) return null;
  const Content = DIALOGS[dialog];
  return <Content onClose={() => stage.setState({ dialog: null })} />;
}
