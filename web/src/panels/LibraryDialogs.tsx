import type { ReactElement } from "react";
import { useStore } from "zustand";

import { library } from "../session/library";
import { DetailsDialog } from "./DetailsDialog";
import { HistoryDialog } from "./HistoryDialog";

/** The dialog about a workflow's file that is open, if one is. */
export function LibraryDialogs(): ReactElement | null {
  const asked = useStore(library, (state) => state.asked);
  if (!asked) return null;
  const onClose = () => library.setState({ asked: null });
  return asked.kind === "details" ? (
    <DetailsDialog name={asked.name} onClose={onClose} />
  ) : (
    <HistoryDialog name={asked.name} onClose={onClose} />
  );
}
