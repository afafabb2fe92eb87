import type { shell as en } from "../en/shell";

export const shell: Readonly<Record<keyof typeof en, string>> = {
  undo: "실행 취소",
  redo: "다시 실행",
  saved: "저장됨",
  changed: "변경됨",
  saving: "저장 중…",
  offline: "저장되지 않음: 서버에 연결할 수 없습니다. 다시 시도합니다.",
  saveFailed: "저장되지 않음: {why}",
  disconnected: "서버와의 연결이 끊겼습니다. 다시 시도하는 중…",
  draftRestored: "저장되지 않았던 변경 사항을 복원했습니다.",
  draftTooLarge: "브라우저 저장 공간이 가득 찼습니다. 변경 사항은 서버에만 보관됩니다.",
  merged: "다른 탭의 변경 사항을 반영했습니다.",
  mergedWithConflicts: "다른 탭의 변경 사항을 반영했습니다. 양쪽에서 바꾼 {places}은(는) 이쪽 값을 유지했습니다.",
  failed: "실패했습니다: {why}",
  inspector: "노드",
  nothingSelected: "노드를 선택하면 자세한 내용이 여기에 표시됩니다.",
  close: "닫기",
};
