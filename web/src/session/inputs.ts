/** Addresses of what lies in the inputs folder, by the name that a setting is given. */

/** Return where a file of the inputs can be seen whole. */
export function inputUrl(name: string): string {
  return `/api/inputs/file?name=${encodeURIComponent(name)}`;
}

/** Return where a picture of the inputs can be seen small. */
export function inputThumbnail(name: string, size = 64): string {
  return `/api/inputs/thumbnail?name=${encodeURIComponent(name)}&size=${size}`;
}
