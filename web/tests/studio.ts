/**
 * A real server with folders of its own for each test file, and a page that is let in.
 *
 * Tests import `test` and `expect` from here. `studio.restart()` ends the server as a crash does and starts it again.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { test as base, type Page } from "@playwright/test";

const TOKEN = "token-of-the-browser-tests";
/** How many times slower than it is the page's processor shall seem: `SLOWDOWN=4 make test-browser`. */
const SLOWDOWN = Number(process.env.SLOWDOWN ?? 1);
/** A pack of the Python tests, whose nodes wait and fail as they are told. */
const PACK = resolve("../tests/packs/toy");
const PYTHON = process.env.PYTHON ?? resolve("../.venv/bin/python");

export interface Submitted {
  readonly id: string;
  readonly number: number;
}

export class Studio {
  readonly folder = mkdtempSync(join(tmpdir(), "graphgen-browser-"));
  private process: ChildProcess | null = null;
  url = "";
  private port = 0;

  /** Start the server; the port stays the same over restarts, so that an open page finds it again. */
  async start(): Promise<void> {
    const roots = ["data", "outputs", "cache", "inputs"].map((root) => [
      `GRAPHGEN_${root.toUpperCase()}_DIR`,
      join(this.folder, root),
    ]);
    const process_ = spawn(PYTHON, ["-m", "graphgen", "serve", "--no-browser", "--port", String(this.port)], {
      cwd: this.folder,
      env: {
        ...process.env,
        ...(Object.fromEntries(roots) as Record<string, string>),
        GRAPHGEN_TOKEN: TOKEN,
        PYTHONPATH: PACK,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.process = process_;
    this.url = await new Promise<string>((found, failed) => {
      let text = "";
      process_.stdout.on("data", (data: Buffer) => {
        text += data.toString();
        const address = /http:\/\/[^/\s]+/.exec(text);
        if (address) found(address[0]);
      });
      process_.on("exit", (code) => failed(new Error(`graphgen serve ended with ${code}: ${text}`)));
    });
    this.port = Number(new URL(this.url).port);
  }

  async kill(): Promise<void> {
    const { process: process_ } = this;
    this.process = null;
    if (!process_ || process_.exitCode !== null) return;
    const ended = new Promise((done) => process_.once("exit", done));
    process_.kill("SIGKILL");
    await ended;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ask the server as a program does. */
  async api(path: string, init: RequestInit & { json?: unknown } = {}): Promise<Response> {
    const { json, ...rest } = init;
    return fetch(this.url + path, {
      ...rest,
      ...(json === undefined ? {} : { body: JSON.stringify(json), method: rest.method ?? "POST" }),
      headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", ...rest.headers },
    });
  }

  /** Put a run in line as a program does. */
  async submit(asked: object): Promise<Submitted> {
    const answer = await this.api("/api/runs", { json: { client: "editor", ...asked } });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as Submitted;
  }

  /** Let a page in, and show an address of the editor: `#/w/text_to_image`. */
  async visit(page: Page, hash = "#/"): Promise<void> {
    await page.goto(`${this.url}/?token=${TOKEN}`);
    await page.goto(`${this.url}/${hash}`);
  }

  /** Save a workflow as a program does, over whatever another test left under its name. */
  async save(name: string, workflow: unknown): Promise<void> {
    const path = `/api/workflows/${encodeURIComponent(name)}`;
    const etag = (await this.api(path)).headers.get("ETag");
    const headers = etag ? { "If-Match": etag } : {};
    const saved = await this.api(path, { method: "PUT", json: workflow, headers });
    if (!saved.ok) throw new Error(await saved.text());
  }

  /** Delete what other tests of this worker have saved. */
  async empty(): Promise<void> {
    const { workflows } = (await (await this.api("/api/workflows")).json()) as {
      workflows: readonly { name: string; own: boolean; etag: string }[];
    };
    for (const { name, own, etag } of workflows) {
      const headers = { "If-Match": `"${etag}"` };
      if (own) await this.api(`/api/workflows/${encodeURIComponent(name)}`, { method: "DELETE", headers });
    }
  }

  /** Save a workflow, and show it. */
  async open(page: Page, name: string, workflow: unknown): Promise<void> {
    await this.save(name, workflow);
    await this.visit(page, `#/w/${encodeURIComponent(name)}`);
  }
}

export const test = base.extend<{ errors: string[] }, { studio: Studio }>({
  studio: [
    async ({}, use) => {
      const studio = new Studio();
      await studio.start();
      await use(studio);
      await studio.end();
    },
    { scope: "worker" },
  ],
  page: async ({ page }, hand) => {
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
    await hand(page);
  },
  // an error in the page fails the test, whatever else it looks at
  errors: [
    async ({ page }, use) => {
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await use(errors);
      if (errors.length) throw new Error(`the page failed: ${errors.join("; ")}`);
    },
    { auto: true },
  ],
});

export { expect } from "@playwright/test";

/** A node's card on the canvas. */
export const card = (page: Page, name: string) => page.locator(`.react-flow__node[data-id="${name}"]`);
