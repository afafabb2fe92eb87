import type { library as en } from "../en/library";

export const library: Readonly<Record<keyof typeof en, string>> = {
  library: "워크플로",
  examples: "예제",
  own: "내 워크플로",
  newWorkflow: "새 워크플로",
  untitled: "제목 없음",
  copied: "예제는 바뀌지 않습니다. 이제 내 사본입니다: {name}",
  copyOf: "{name} 사본",
};
