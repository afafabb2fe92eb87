import { beforeEach, expect, test, vi } from "vitest";

import type { Document } from "../model/document";

interface Saved {
  document: Document;
  etag: string;
  own: boolean;
}

/** The server's part of saving: files with etags, which can be out of reach. */
class Files {
  readonly saved = new Map<string, Saved>();
  readonly moved = new Map<string, string>();
  reachable = true;
  /** Held requests, let go by a test. */
  gate: Promise<void> = Promise.resolve();
  private count = 0;

  put(name: string, document: Document, own = true): string {
    const etag = `v${(this.count += 1)}`;
    this.saved.set(name, { document, etag, own });
    return etag;
  }

  async answer(request: Request): Promise<Response> {
    if (!this.reachable) throw new TypeError("no route");
    const { pathname, searchParams } = new URL(request.url);
    const [, , , part = "", deed] = pathname.split("/");
    const name = decodeURIComponent(part);
    const sent = request.method === "PUT" || deed === "move" ? await request.json() : null;
    await this.gate;
    if (!this.reachable) throw new TypeError("no route");
    if (!name) {
      const wanted = searchParams.get("name");
      const listed = [...this.saved].filter(([one]) => wanted === null || one === wanted);
      return Response.json({ workflows: listed.map(([one, { etag, own }]) => ({ name: one, etag, own })) });
    }
    const there = this.saved.get(name);
    const seen = request.headers.get("If-Match")?.replaceAll('"', "") ?? null;
    if (request.method === "GET") {
      return there
        ? Response.json(there.document, { headers: { ETag: `"${there.etag}"` } })
        : refused(404, this.moved.get(name));
    }
    if (seen !== null && seen !== there?.etag) return refused(412, there ? undefined : this.moved.get(name));
    if (seen === null && there?.own) return refused(428);
    if (deed === "move") return this.move(name, (sent as { to: string }).to);
    if (sent === null) this.saved.delete(name);
    return sent === null
      ? new Response(null, { status: 204 })
      : Response.json({ name, etag: this.put(name, sent as Document) });
  }

  move(name: string, to: string): Response {
    if (this.saved.has(to)) return refused(409);
    const there = this.saved.get(name)!;
    this.saved.delete(name);
    this.saved.set(to, there);
    this.moved.set(name, to);
    return Response.json({ name: to, etag: there.etag });
  }
}

const refused = (status: number, moved_to?: string): Response =>
  Response.json({ detail: `refused with ${status}`, ...(moved_to ? { moved_to } : {}) }, { status });

function store(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (index: number) => [...kept.keys()][index] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

let files: Files;
let living: string[];

beforeEach(() => {
  files = new Files();
  living = [];
  vi.resetModules();
  vi.useFakeTimers();
  const target = new EventTarget();
  const held = () => Promise.resolve({ held: living.map((name) => ({ name })) });
  vi.stubGlobal("location", new URL("http://studio/"));
  vi.stubGlobal("localStorage", store());
  vi.stubGlobal("navigator", { language: "en", locks: { request: () => new Promise(() => {}), query: held } });
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("window", Object.assign(target, { setTimeout, clearTimeout }));
  vi.stubGlobal("fetch", (request: Request) => files.answer(request));
});

/** Start the page anew, as a tab does; the browser's store and the server stay. */
async function tab() {
  vi.resetModules();
  const [space, { editor }, { notices }, { TAB }] = await Promise.all([
    import("./workspace"),
    import("../model/editor"),
    import("./notices"),
    import("../api/client"),
  ]);
  space.saveChanges({ file: (name) => `${name} copy`, title: (title) => `${title} copy` });
  const set = (node: string, value: number) =>
    editor.getState().edit("set", (graph) => ({
      ...graph,
      nodes: { ...graph.nodes, [node]: { ...graph.nodes[node]!, settings: { value } } },
    }));
  const value = (node: string) => editor.getState().history.present.nodes[node]?.settings?.value;
  const told = () => notices.getState().list.map(({ key }) => key);
  return { ...space, editor, notices, set, value, told, state: () => space.workspace.getState(), TAB };
}

function pair(one: number, two: number): Document {
  const node = (value: number) => ({ type: "values.int", settings: { value } });
  return { graphgen: 1, nodes: { one: node(one), two: node(two) } };
}

const pause = () => vi.advanceTimersByTimeAsync(700);
const onServer = (name: string, node: string) => files.saved.get(name)?.document.nodes[node]?.settings?.value;

test("a change is on the server within a second, and the browser forgets its draft", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  page.set("one", 2);
  expect(page.state().saving).toBe("changed");
  expect(localStorage.length).toBe(1);
  await pause();
  expect([onServer("a", "one"), page.state().saving, localStorage.length]).toEqual([2, "saved", 0]);
});

test("edits of different nodes meet; of the same setting, one's own stays and that is told", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  page.set("one", 2);
  await page.meet("a", files.put("a", pair(1, 5)));
  expect([page.value("one"), page.value("two"), page.told()]).toEqual([2, 5, ["merged"]]);
  expect(page.notices.getState().list.at(-1)!.values).toEqual({ places: "two.value" });
  await pause();
  expect([onServer("a", "one"), onServer("a", "two")]).toEqual([2, 5]);
  page.set("one", 3);
  await page.meet("a", files.put("a", pair(9, 5)));
  expect([page.value("one"), page.told().at(-1)]).toEqual([3, "mergedWithConflicts"]);
  await pause();
  expect(onServer("a", "one")).toBe(3);
});

test("what was written here and saved, and is replaced from elsewhere, is told as replaced", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  page.set("one", 2);
  await pause();
  await page.meet("a", files.put("a", pair(9, 1)));
  expect([page.value("one"), page.told()]).toEqual([9, ["mergedOver"]]);
  expect(page.notices.getState().list.at(-1)!.values).toEqual({ places: "one.value", lost: "one.value" });
  await page.meet("a", files.put("a", pair(9, 7)));
  expect(page.told().at(-1)).toBe("merged");
});

test("a save in flight, another's save and what is typed meanwhile all arrive, and nothing is told twice", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  let letGo = (): void => undefined;
  files.gate = new Promise((go) => (letGo = go));
  page.set("one", 2);
  await pause(); // the request is under way, with the version that is about to be old
  const theirs = files.put("a", pair(1, 5));
  const met = page.meet("a", theirs);
  page.set("one", 3);
  letGo();
  await met;
  await pause();
  expect([onServer("a", "one"), onServer("a", "two"), page.state().saving]).toEqual([3, 5, "saved"]);
  expect(page.told()).toEqual(["merged"]);
});

test("without a server, changes stay in the browser; they are saved when it is back", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  files.reachable = false;
  page.set("one", 2);
  await pause();
  expect(page.state().saving).toBe("offline");
  page.set("one", 3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(page.state().saving).toBe("offline");
  files.reachable = true;
  files.put("a", pair(1, 5)); // by a program, while the connection was lost
  await page.reconnect();
  await pause();
  expect([onServer("a", "one"), onServer("a", "two"), page.state().saving]).toEqual([3, 5, "saved"]);
});

test("a connection that is lost in the middle of meeting another's save costs nothing", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  files.put("a", pair(1, 5));
  page.set("one", 2);
  const answer = files.answer.bind(files);
  files.answer = async (request) => {
    const given = await answer(request);
    files.reachable = false; // right after the refusal
    return given;
  };
  await pause();
  expect(page.state().saving).toBe("offline");
  files.answer = answer;
  files.reachable = true;
  await page.reconnect();
  await pause();
  expect([onServer("a", "one"), onServer("a", "two"), page.told()]).toEqual([2, 5, ["merged"]]);
});

test("a reloaded page takes its draft up; a living tab's is left to it", async () => {
  files.put("a", pair(1, 1));
  const first = await tab();
  await first.openWorkflow("a", true);
  files.reachable = false;
  first.set("one", 2);
  files.reachable = true;
  living = [`graphgen-tab:${first.TAB}`];
  const second = await tab();
  await second.openWorkflow("a", true);
  expect(second.value("one")).toBe(1);
  living = [];
  const third = await tab();
  await third.openWorkflow("a", true);
  expect([third.value("one"), third.told()]).toEqual([2, ["draftRestored"]]);
  expect(localStorage.length).toBe(1); // its own, until it is saved
  await pause();
  expect([onServer("a", "one"), localStorage.length]).toEqual([2, 0]);
});

test("drafts of two tabs that died are both taken up", async () => {
  files.put("a", pair(1, 1));
  const pages = [await tab(), await tab()];
  for (const page of pages) await page.openWorkflow("a", true);
  files.reachable = false;
  pages[0]!.set("one", 2);
  pages[1]!.set("two", 3);
  expect(localStorage.length).toBe(2);
  files.reachable = true;
  const next = await tab();
  await next.openWorkflow("a", true);
  expect([next.value("one"), next.value("two")]).toEqual([2, 3]);
});

test("an example is copied with the first change; a name that is taken meanwhile is left alone", async () => {
  files.put("a", pair(1, 1), false);
  files.put("a copy", pair(7, 7));
  const page = await tab();
  await page.openWorkflow("a", false);
  page.set("one", 2);
  expect([page.state().name, page.latestIdentity()]).toEqual(["a copy", "a"]);
  await pause();
  await pause();
  expect([onServer("a", "one"), onServer("a copy", "one")]).toEqual([1, 7]);
  expect([page.state().name, onServer("a copy_2", "one")]).toEqual(["a copy_2", 2]);
});

test("what was deleted elsewhere is saved again, never mixed with the example that shows then", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  files.put("a", pair(50, 60), false);
  page.set("one", 2);
  await pause();
  await pause();
  expect([onServer("a", "one"), onServer("a", "two"), page.state().saving]).toEqual([2, 1, "saved"]);
});

test("a renamed workflow goes on under its new name, with what is typed meanwhile", async () => {
  files.put("a", pair(1, 1));
  files.put("b", pair(7, 7));
  const page = await tab();
  await page.openWorkflow("a", true);
  await expect(page.renameWorkflow("b")).rejects.toThrow("409");
  expect([page.state().name, onServer("b", "one")]).toEqual(["a", 7]);
  const done = page.renameWorkflow("c");
  page.set("one", 2);
  await done;
  await pause();
  expect([files.saved.has("a"), onServer("c", "one"), page.state().name]).toEqual([false, 2, "c"]);
  expect(localStorage.length).toBe(0);
});

test("a workflow that is renamed elsewhere goes on under its new name, also where that is learnt late", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  files.move("a", "folder/b");
  await page.follow("a", "folder/b");
  expect(page.state().name).toBe("folder/b");
  page.set("one", 2);
  files.move("folder/b", "c"); // of which nobody tells
  await pause();
  expect([page.state().name, onServer("c", "one")]).toEqual(["c", 2]);
  files.put("c", pair(2, 3));
  files.move("c", "d");
  await page.reconnect();
  expect([page.state().name, page.value("two"), page.state().saving]).toEqual(["d", 3, "saved"]);
  expect([[...files.saved.keys()], localStorage.length]).toEqual([["d"], 0]);
});

test("of two workflows opened at once the later shows, and what was typed before is saved", async () => {
  for (const name of ["a", "b", "c"]) files.put(name, pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  page.set("one", 2);
  await Promise.all([page.openWorkflow("b", true), page.openWorkflow("c", true)]);
  expect([page.state().name, page.value("one"), onServer("a", "one")]).toEqual(["c", 1, 2]);
  await pause();
  expect([onServer("b", "one"), onServer("c", "one")]).toEqual([1, 1]);
});

test("what was about to be opened is not shown any more once one stays, also where it is not there", async () => {
  for (const name of ["a", "b"]) files.put(name, pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  const both = [page.openWorkflow("b", true), page.openWorkflow("nothing", true)];
  page.stayOpen();
  const [there, gone] = await Promise.allSettled(both);
  expect([there?.status, gone?.status, page.state().name]).toEqual(["fulfilled", "rejected", "a"]);
});

test("going back to what is saved is saved", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  page.set("one", 2);
  page.editor.getState().undo();
  expect([page.state().saving, localStorage.length]).toEqual(["saved", 0]);
  await pause();
  expect(onServer("a", "one")).toBe(1);
});

test("a document of a newer format is neither shown nor written over", async () => {
  files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  const newer = { ...pair(1, 1), graphgen: 99 };
  await page.meet("a", files.put("a", newer));
  expect(page.state().saving).toBe("failed");
  page.set("one", 2);
  await pause();
  expect([files.saved.get("a")!.document, page.state().saving]).toEqual([newer, "failed"]);
  await expect(page.openWorkflow("a", true)).rejects.toBeInstanceOf(page.Unreadable);
  expect(page.state().name).toBe(null);
});

test("what a file leaves open is added without an edit, and saved with the next one", async () => {
  const etag = files.put("a", pair(1, 1));
  const page = await tab();
  await page.openWorkflow("a", true);
  const placed = (one: Document): Document => ({ ...one, view: { nodes: { one: { x: 5, y: 5 } } } });
  page.complete(placed);
  await pause();
  expect([page.state().saving, files.saved.get("a")!.etag, localStorage.length]).toEqual(["saved", etag, 0]);
  expect(page.editor.getState().history.past).toEqual([]);
  page.set("two", 2);
  await pause();
  expect(files.saved.get("a")!.document).toEqual(placed(pair(1, 2)));
  page.editor.getState().undo();
  await pause();
  expect(files.saved.get("a")!.document).toEqual(placed(pair(1, 1)));
});

test("adding to an example what it leaves open makes no copy of it", async () => {
  files.put("example", pair(1, 1), false);
  const page = await tab();
  await page.openWorkflow("example", false);
  page.complete((one) => ({ ...one, view: { nodes: { one: { x: 5, y: 5 } } } }));
  await pause();
  expect([page.state().name, page.state().own, [...files.saved.keys()]]).toEqual(["example", false, ["example"]]);
  page.set("two", 2);
  await pause();
  expect([page.state().name, onServer("example copy", "two")]).toEqual(["example copy", 2]);
});
