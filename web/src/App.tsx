/** The whole page: which of its views the address names. */

import { ReactFlowProvider } from "@xyflow/react";
import { type ReactElement, useEffect, useState } from "react";

import { Refusal } from "./api/client";
import { Canvas } from "./canvas/Canvas";
import { useDocument, useWorkspace } from "./canvas/hooks";
import { stage } from "./canvas/stage";
import { Dialogs } from "./dialogs/Dialogs";
import { RunNews } from "./panels/RunNews";
import { SidePanel } from "./panels/SidePanel";
import { AppView } from "./panels/AppView";
import { Broken } from "./panels/Broken";
import { DropZone } from "./panels/DropZone";
import { Library } from "./panels/Library";
import { LibraryDialogs } from "./panels/LibraryDialogs";
import { Notices } from "./panels/Notices";
import { TopBar } from "./panels/TopBar";
import { focusView } from "./commands/focus";
import { useSay } from "./i18n";
import { studio } from "./session/studio";
import { openWorkflow, stayOpen } from "./session/workspace";
import { returnToPlace } from "./session/place";
import { hashOf, routeOf } from "./session/route";

export function App(): ReactElement {
  const say = useSay();
  const [route, setRoute] = useState(() => routeOf(location.hash));
  const open = useWorkspace((state) => state.name);
  const opened = useWorkspace((state) => state.opened);
  const title = useDocument().name;
  const [failure, setFailure] = useState<{ readonly name: string; readonly error: unknown } | null>(null);
  useEffect(() => {
    const onHash = () => {
      stage.setState({ dialog: null, palette: null, menu: null }); // they are about the view that was left
      setRoute(routeOf(location.hash));
    };
    window.addEventListener("hashchange", onHash);
    return () => window.removeEventListener("hashchange", onHash);
  }, []);
  useEffect(() => {
    if (route.view === "library") return;
    if (route.name === open) {
      stayOpen();
      return;
    }
    let isCurrent = true;
    const info = studio.getState().workflows.find(({ name }) => name === route.name);
    const { name } = route;
    openWorkflow(name, info?.own ?? true).then(
      () => {
        setFailure(null);
        returnToPlace();
      },
      (error: unknown) => {
        if (!isCurrent) return; // one is elsewhere by now
        if (error instanceof Refusal && error.movedTo !== null) location.replace(hashOf(route.view, error.movedTo));
        else setFailure({ name, error });
      },
    );
    return () => void (isCurrent = false);
    // a copy takes a new name by itself; that is no reason to load anything
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [route]);
  return (
    <>
      <button type="button" className="skip-link" onClick={focusView}>
        {say("skipToView")}
      </button>
      <TopBar route={route} />
      <main tabIndex={-1}>
        {route.view === "library" ? (
          <Library />
        ) : failure?.name === route.name ? (
          <Broken {...failure} />
        ) : open === null ? null : route.view === "app" ? (
          <AppView />
        ) : (
          <ReactFlowProvider key={opened}>
            <h1 className="sr-only">{title || open}</h1>
            <Canvas />
            <SidePanel />
          </ReactFlowProvider>
        )}
      </main>
      <Dialogs />
      <LibraryDialogs />
      <DropZone />
      <RunNews />
      <Notices />
    </>
  );
}
