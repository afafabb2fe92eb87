import type { build as en } from "../en/build";

export const build: Readonly<Record<keyof typeof en, string>> = {
  addNode: "노드 추가",
  searchNodes: "노드 검색",
  nothingFound: "“{text}”에 대한 결과가 없습니다",
  noFit: "{from}은(는) {into}에 맞지 않습니다",
  circle: "순환이 생깁니다",
  converts: "{node}을(를) 거쳐 변환",
  problems: "문제 {count}개",
  notInstalled: "설치되지 않음",
  emptyCanvas: "Tab을 누르거나 두 번 클릭하여 노드를 추가하세요",
  canvas: "워크플로 그래프",
};
