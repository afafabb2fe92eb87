/** Names of saved workflows: a file's, with the folders it lies in before it, as the server has them (server/names.py). */

const PART = /^[\p{L}\p{N}][\p{L}\p{N}_ .,()+-]{0,99}$/u;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const LONGEST = 200;
const DEEPEST = 8;

/** Tell whether a workflow can be saved under a name. */
export function isFileName(name: string): boolean {
  const parts = name.split("/");
  const isPart = (part: string) => PART.test(part) && !RESERVED.test(part) && !/[ .]$/.test(part);
  const folders = parts.slice(0, -1);
  return (
    name.length <= LONGEST &&
    parts.length <= DEEPEST &&
    parts.every(isPart) &&
    !folders.some((folder) => /\.json$/i.test(folder))
  );
}

/** Return the folder that a workflow lies in; empty where it lies in none. */
export function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

/** Return a workflow's name without its folder. */
export function baseOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Return the name of a workflow in a folder. */
export function inFolder(folder: string, base: string): string {
  return folder ? `${folder}/${base}` : base;
}

/** Make a name, without folders, of any text; empty where nothing of it can be used. */
export function fileNameFrom(text: string): string {
  return text
    .normalize("NFC")
    .replaceAll(/[^\p{L}\p{N}_.,()+-]+/gu, " ")
    .replaceAll(/^[^\p{L}\p{N}]+|[ .]+$/gu, "")
    .slice(0, 90)
    .replace(/[ .]+$/, "");
}
