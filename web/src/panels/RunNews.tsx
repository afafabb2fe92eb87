import type { ReactElement } from "react";

import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { NodeRun } from "../model/runs";

/** Tell those who do not see the canvas when a run begins and how it ends. */
export function RunNews(): ReactElement {
  const say = useSay();
  const status = useStudio((state) => state.run?.status);
  const failed = useStudio(({ run }) => Object.keys(run?.nodes ?? {}).find((name) => isFailed(run?.nodes[name])));
  const why = useStudio(({ run }) => (failed === undefined ? "" : (run?.nodes[failed]?.message ?? "")));
  const words = () => {
    if (status === "failed" && failed !== undefined) return say("newsFailedAt", { node: failed, why });
    return status ? say(`news_${status}`) : "";
  };
  return (
    <p className="sr-only" role="status">
      {words()}
    </p>
  );
}

function isFailed(node: NodeRun | undefined): boolean {
  return node?.status === "failed";
}
