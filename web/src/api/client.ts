/**
 * The server, call by call. Types come from its own description (schema.d.ts).
 *
 * Every call gives its answer or throws a `Refusal`, which says in words what is wrong.
 */

import createClient from "openapi-fetch";

import type { Catalogue } from "../model/catalogue";
import type { Document, Json } from "../model/document";
import type { components, paths } from "./schema";
import type { ServerEvent } from "./socket";

type Schemas = components["schemas"];
export type Problem = Schemas["ProblemView"];
export type Run = Schemas["RunView"];
export type File_ = Schemas["FileView"];
export type Checked = Schemas["Checked"];
export type ParameterInfo = Schemas["ParameterView"];
export type Submission = Schemas["Submission"];
export type WorkflowInfo = Schemas["WorkflowView"];
export type Upload = Schemas["UploadView"];
export type Model = Schemas["ModelView"];
export type System = Schemas["System"];
export type Version = Schemas["VersionView"];
export type DeletedWorkflow = Schemas["DeletedView"];
export type Plan = Schemas["Planned"];
export type Value = Schemas["ValueView"];
export type Queue = Schemas["QueueView"];

/**
 * Which of a person's tabs this is; the server tells it with what the tab saved. (`randomUUID` is not there for pages
 * that come without TLS from another machine.)
 */
export const TAB = [...crypto.getRandomValues(new Uint32Array(2))].map((part) => part.toString(36)).join("");

/** An answer that is not the one asked for. `status` is 0 where the server cannot be reached. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly problems: readonly Problem[] = [],
    /** What the workflow is called now that was asked for by a name it had. */
    readonly movedTo: string | null = null,
  ) {
    super(message);
  }
}

const client = createClient<paths>({
  baseUrl: location.origin,
  headers: { "X-Graphgen-Client": TAB },
  fetch: async (request: Request) => {
    try {
      return await fetch(request);
    } catch {
      throw new Refusal(0, "the server cannot be reached");
    }
  },
});

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Return what was asked for. */
function given<T>({ data, error, response }: Answer<T>): T {
  if (response.ok) return data as T;
  const told = (error ?? {}) as Partial<Schemas["ProblemDocument"]>;
  const words = told.detail ?? (response.statusText || `HTTP ${response.status}`);
  throw new Refusal(response.status, words, told.problems, told.moved_to ?? null);
}

const etagOf = (response: Response): string => (response.headers.get("ETag") ?? "").replaceAll('"', "");

export const fetchCatalogue = async (language: string): Promise<Catalogue> =>
  given(await client.GET("/api/nodes", { params: { query: { language } } })) as unknown as Catalogue;

export const fetchSystem = async (): Promise<System> => given(await client.GET("/api/system"));

export const fetchModels = async (): Promise<readonly Model[]> => given(await client.GET("/api/models")).models;

export type InputFile = Schemas["InputView"];

/** List pictures of the inputs folder, the latest first. */
export const listInputs = async (query: { kinds?: string; find?: string; offset?: string }) =>
  given(await client.GET("/api/inputs", { params: { query: { order: "changed", limit: "60", ...query } } }));

/** List all workflows, or the one of a name. */
export const listWorkflows = async (name?: string): Promise<readonly WorkflowInfo[]> =>
  given(await client.GET("/api/workflows", { params: { query: name === undefined ? {} : { name } } })).workflows;

export async function readWorkflow(name: string): Promise<{ document: Document; etag: string }> {
  const answer = await client.GET("/api/workflows/{name}", { params: { path: { name } } });
  return { document: given(answer) as unknown as Document, etag: etagOf(answer.response) };
}

/** Read a workflow's file as it is, whatever is in it. */
export async function readFile(name: string): Promise<{ text: string; etag: string }> {
  const answer = await client.GET("/api/workflows/{name}", { params: { path: { name } }, parseAs: "text" });
  return { text: given(answer), etag: etagOf(answer.response) };
}

/**
 * Save over the version `seen` (null: there is none yet); returns the new version's etag. Versions saved by the editor
 * itself (`automatic`) become fewer with time.
 */
export async function saveWorkflow(
  name: string,
  document: Document,
  seen: string | null,
  { automatic = false, ...how }: { keepalive?: boolean; automatic?: boolean } = {},
): Promise<string> {
  const answer = await client.PUT("/api/workflows/{name}", {
    ...how,
    params: {
      path: { name },
      query: automatic ? { automatic: "true" } : {},
      header: seen === null ? {} : { "If-Match": `"${seen}"` },
    },
    body: document as unknown as Record<string, unknown>,
  });
  return given(answer).etag;
}

export async function deleteWorkflow(name: string, seen: string): Promise<void> {
  given(
    await client.DELETE("/api/workflows/{name}", { params: { path: { name }, header: { "If-Match": `"${seen}"` } } }),
  );
}

/** Give a workflow another name, with its versions and runs; returns its etag. */
export async function moveWorkflow(name: string, to: string, seen: string): Promise<string> {
  const params = { path: { name }, header: { "If-Match": `"${seen}"` } };
  return given(await client.POST("/api/workflows/{name}/move", { params, body: { to } })).etag;
}

export const listDeleted = async (): Promise<readonly DeletedWorkflow[]> =>
  given(await client.GET("/api/deleted-workflows")).workflows;

/** Bring a version back, of a workflow that was deleted. */
export async function restoreVersion(name: string, version: number): Promise<void> {
  const path = { name, version: `${version}` };
  given(await client.POST("/api/workflows/{name}/versions/{version}/restore", { params: { path } }));
}

export const listVersions = async (name: string): Promise<readonly Version[]> =>
  given(await client.GET("/api/workflows/{name}/versions", { params: { path: { name } } })).versions;

/** Call a version something; an empty text takes its name away. */
export const labelVersion = async (name: string, version: number, label: string): Promise<Version> =>
  given(
    await client.PATCH("/api/workflows/{name}/versions/{version}", {
      params: { path: { name, version: `${version}` } },
      body: { label },
    }),
  );

export const readVersion = async (name: string, version: number): Promise<Document> =>
  given(
    await client.GET("/api/workflows/{name}/versions/{version}", { params: { path: { name, version: `${version}` } } }),
  ) as unknown as Document;

export const checkWorkflow = async (workflow: Document, signal: AbortSignal): Promise<Checked> =>
  given(
    await client.POST("/api/check", {
      body: { workflow: workflow as unknown as Record<string, unknown>, facts: true },
      signal,
    }),
  );

/** Say what a run would do. */
export const planWorkflow = async (
  { workflow, ...asked }: { workflow: Document; identity: string; targets?: string[] | null; force?: string[] | "all" },
  signal?: AbortSignal,
): Promise<Plan> =>
  given(
    await client.POST("/api/plan", {
      body: { workflow: workflow as unknown as Record<string, unknown>, ...asked },
      ...(signal ? { signal } : {}),
    }),
  );

/** Keep what a node gave, in a run or as the workflow stands, for as long as it is pinned to it. */
export const pinValues = async ({ workflow, ...asked }: { workflow: Document; node: string; run: string | null }) =>
  given(
    await client.POST("/api/pins", { body: { workflow: workflow as unknown as Record<string, unknown>, ...asked } }),
  );

export const submitRun = async (submission: Submission): Promise<Run> =>
  given(await client.POST("/api/runs", { body: submission }));

export interface RunsWanted {
  readonly limit?: string;
  readonly before?: string;
  readonly status?: string;
  readonly identity?: string;
  readonly find?: string;
}

export const listRuns = async (query: RunsWanted) => given(await client.GET("/api/runs", { params: { query } }));

export const readRun = async (run: string): Promise<Run> =>
  given(await client.GET("/api/runs/{run}", { params: { path: { run } } }));

const MOST_EVENTS = 10_000;

/** Read all that a run has told so far. */
export async function readRunEvents(run: string): Promise<readonly ServerEvent[]> {
  const found: ServerEvent[] = [];
  for (;;) {
    const query = { after: String(found.at(-1)?.id ?? 0), limit: String(MOST_EVENTS) };
    const answer = await client.GET("/api/runs/{run}/events", { params: { path: { run }, query } });
    const events = given(answer).events as unknown as ServerEvent[];
    found.push(...events);
    if (events.length < MOST_EVENTS) return found;
  }
}

export const readValue = async (digest: string): Promise<Value> =>
  given(await client.GET("/api/values/{digest}", { params: { path: { digest } } }));

export const readRunWorkflow = async (run: string): Promise<Document> =>
  given(await client.GET("/api/runs/{run}/workflow", { params: { path: { run } } })) as unknown as Document;

export async function cancelRun(run: string): Promise<void> {
  given(await client.DELETE("/api/runs/{run}", { params: { path: { run } } }));
}

export const runAgain = async (run: string): Promise<Run> =>
  given(await client.POST("/api/runs/{run}/again", { params: { path: { run } } }));

export async function moveRun(run: string, place: { priority?: number; before?: string }): Promise<void> {
  given(await client.PATCH("/api/runs/{run}", { params: { path: { run } }, body: place }));
}

export const readQueue = async () => given(await client.GET("/api/queue"));

/** Send a file as it is, and return the answer's JSON. */
async function send<T>(path: string, file: Blob): Promise<T> {
  const response = await fetch(path, {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream", "X-Graphgen-Client": TAB },
  });
  const body: unknown = await response.json();
  return response.ok ? given({ data: body as T, response }) : given<T>({ error: body, response });
}

export const upload = (file: Blob, name: string): Promise<Upload> =>
  send(`/api/uploads?name=${encodeURIComponent(name)}`, file);

/** Take in a workflow with the pictures it reads, which become inputs; it is not saved. */
export const takeBundle = (file: Blob): Promise<Schemas["BundleView"]> => send("/api/bundles", file);

/** Return a workflow with the pictures it reads, as a zip. */
export const fetchBundle = async (name: string): Promise<Blob> =>
  given(
    await client.GET("/api/workflows/{name}/bundle", { params: { path: { name } }, parseAs: "blob" }),
  ) as unknown as Blob;

/** Return the workflow that a picture made by graphgen carries, given the address of the picture. */
export async function carriedWorkflow(url: string): Promise<{ workflow: Document; parameters: Record<string, Json> }> {
  const response = await fetch(`${url}/workflow`);
  const body: unknown = await response.json();
  return given(response.ok ? { data: body, response } : { error: body, response }) as {
    workflow: Document;
    parameters: Record<string, Json>;
  };
}
