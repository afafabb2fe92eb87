/** What can be done with a file that a run wrote: keep it on this device, or hand it to another program. */

import { type ReactElement, useState } from "react";

import { wordsOf } from "../api/socket";
import { useSay } from "../i18n";
import { notify } from "../session/notices";
import { Icon } from "./icons";

interface FileActionsProps {
  readonly url: string;
  readonly name: string;
}

export function FileActions({ url, name }: FileActionsProps): ReactElement {
  const say = useSay();
  const [sharing, setSharing] = useState(false);
  const share = async () => {
    setSharing(true);
    try {
      await shareFile(url, name);
    } catch (error) {
      // whoever closes the list of programs has changed their mind
      if (!(error instanceof DOMException && error.name === "AbortError")) {
        notify("error", "failed", { why: wordsOf(error) });
      }
    } finally {
      setSharing(false);
    }
  };
  return (
    <span className="file-actions">
      <a className="button with-icon" href={url} download={name.split("/").at(-1)}>
        <Icon name="import" />
        {say("download")}
      </a>
      {CAN_SHARE && (
        <button type="button" className="with-icon" disabled={sharing} onClick={() => void share()}>
          <Icon name="share" />
          {say("share")}
        </button>
      )}
    </span>
  );
}

/** Browsers share from pages that are safe alone: this machine's, or those that come over TLS. */
const CAN_SHARE = "share" in navigator && "canShare" in navigator;

async function shareFile(url: string, name: string): Promise<void> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${name}: ${answer.statusText || answer.status}`);
  const data = await answer.blob();
  await navigator.share({ files: [new File([data], name.split("/").at(-1)!, { type: data.type })] });
}
