/** What the editor says, in English. Every other language has the same keys. */

import { build } from "./en/build";
import { history } from "./en/history";
import { library } from "./en/library";
import { run } from "./en/run";
import { settings } from "./en/settings";
import { shell } from "./en/shell";

export const en = { ...shell, ...build, ...settings, ...run, ...library, ...history } as const;

export type MessageKey = keyof typeof en;
