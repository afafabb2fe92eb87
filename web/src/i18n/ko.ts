/** 편집기의 한국어 문구. */

import type { MessageKey } from "./en";
import { build } from "./ko/build";
import { history } from "./ko/history";
import { library } from "./ko/library";
import { run } from "./ko/run";
import { settings } from "./ko/settings";
import { shell } from "./ko/shell";

export const ko: Readonly<Record<MessageKey, string>> = {
  ...shell,
  ...build,
  ...settings,
  ...run,
  ...library,
  ...history,
};
