import type { history as en } from "../en/history";

export const history: Readonly<Record<keyof typeof en, string>> = {
  run_queued: "대기 중",
  run_running: "실행 중",
  run_done: "완료",
  run_failed: "실패",
  run_cancelled: "취소됨",
  howEnded: "실행이 끝난 방식",
  ended_all: "모든 실행",
  ended_done: "완료",
  ended_failed: "실패",
  ended_cancelled: "취소됨",
  neverBegan: "시작하기 전에 취소되었습니다.",
  cancelledAfter: "노드 {count}개가 끝난 뒤 중지되었습니다.",
  noReason: "남겨진 이유가 없습니다.",
  sweepOf: "{label} 스윕, 그림 {count}장",
  showSweep: "{name}의 그림 보기",
  outOfDate: "이전 실행의 결과",
  outOfDateSince: "이전 결과: {reason}",
  moreBefore: "그 전에 취소됨: {count}건.",
};
