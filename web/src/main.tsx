import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "@xyflow/react/dist/style.css";
import "./styles/theme.css";
import "./styles/page.css";
import "./styles/canvas.css";
import "./styles/panels.css";
import "./styles/library.css";
import "./styles/widgets.css";
import "./styles/app.css";
import "./styles/run.css";
import "./styles/build.css";

import { App } from "./App";
import { listenForKeys } from "./commands";
import { keepFocus } from "./commands/focus";
import { language, say } from "./i18n";
import { freeName } from "./model/names";
import { drawAttention } from "./session/attention";
import { applyTheme } from "./session/preferences";
import { keepPlace } from "./session/place";
import { hashOf, routeOf } from "./session/route";
import "./session/checking";
import { startStudio, studio } from "./session/studio";
import { saveChanges, workspace } from "./session/workspace";

const root = createRoot(document.getElementById("root")!);
const code = language.getState().code;
document.documentElement.lang = code;
applyTheme();

saveChanges({
  file(name) {
    const taken = Object.fromEntries(studio.getState().workflows.map((one) => [one.name, true]));
    return freeName(say(code, "copyOf", { name }), taken);
  },
  title: (name) => say(language.getState().code, "copyOf", { name }),
});
keepPlace();
workspace.subscribe(({ name, opened }, before) => {
  // a copy of an example goes on under its own address; another workflow comes by an address of its own
  if (name === null || name === before.name || opened !== before.opened) return;
  const route = routeOf(location.hash);
  if (route.view !== "library" && route.name === before.name) {
    history.replaceState(null, "", hashOf(route.view, name));
  }
});

listenForKeys();
keepFocus(document.body);
drawAttention();
startStudio().then(
  () =>
    root.render(
      <StrictMode>
        <App />
      </StrictMode>,
    ),
  (error: unknown) =>
    root.render(<p className="page-error">{String(error instanceof Error ? error.message : error)}</p>),
);
