import type { ReactElement } from "react";

import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";

/** Tell those who do not see the canvas when a run begins and how it ends. */
export function RunNews(): ReactElement {
  const say = useSay();
  const status = useStudio((state) => state.run?.status);
  const failed = useStudio((state) =>
    Object.entries(state.run?.nodes ?? {}).find(([, { status }]) => status === "failed"),
  );
  const words = () => {
    if (status === "failed" && failed) return say("newsFailedAt", { node: failed[0], why: failed[1].message ?? "" });
    return status ? say(`news_${status}`) : "";
  };
  return (
    <p className="sr-only" role="status">
      {words()}
    </p>
  );
}
