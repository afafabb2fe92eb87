import type { settings as en } from "../en/settings";

export const settings: Readonly<Record<keyof typeof en, string>> = {
  moreSettings: "{count}개 더 보기",
  fewerSettings: "접기",
};
