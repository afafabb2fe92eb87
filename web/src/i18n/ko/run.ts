import type { run as en } from "../en/run";

export const run: Readonly<Record<keyof typeof en, string>> = {
  run: "실행",
  stop: "중지",
  running: "실행 중",
  runRefused: "아직 실행할 수 없습니다: {first}",
};
