import { beforeEach, expect, test, vi } from "vitest";

import { dismissErrors, notices, notify } from "./notices";

beforeEach(() => {
  vi.stubGlobal("window", { setTimeout: () => 0 });
  notices.setState({ list: [] });
});

test("an equal notice takes the former one's place, and errors go together", () => {
  notify("error", "failed", { why: "no room" });
  notify("error", "failed", { why: "no way" });
  notify("info", "merged");
  notify("error", "failed", { why: "no room" });
  expect(notices.getState().list.map(({ key, values }) => values.why ?? key)).toEqual(["no way", "merged", "no room"]);
  dismissErrors();
  expect(notices.getState().list.map(({ key }) => key)).toEqual(["merged"]);
});
