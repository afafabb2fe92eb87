/** The colour of each socket type: chosen for the common ones, from the name for all others. */

import type { CSSProperties } from "react";

import { colorName } from "../model/types";

const CHOSEN: Readonly<Record<string, number>> = {
  image: 210,
  latent: 320,
  conditioning: 28,
  denoiser: 265,
  text_encoder: 48,
  autoencoder: 350,
  mask: 150,
  sampler: 185,
  schedule: 95,
  noise: 230,
  guider: 12,
  files: 80,
  upscaler: 290,
  control_net: 165,
  int: 120,
  float: 135,
  str: 60,
  bool: 0,
};

/** Return the hue of a type, 0..359; null for what may be anything. */
export function hueOf(type: string): number | null {
  const name = colorName(type);
  if (name === "any") return null;
  const chosen = CHOSEN[name];
  if (chosen !== undefined) return chosen;
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 360;
  return hash;
}

/** Return a type's colour; its lightness is that of the theme. */
export function colorOf(type: string): string {
  const hue = hueOf(type);
  return hue === null ? "var(--socket-any)" : `hsl(${hue} var(--socket-saturation) var(--socket-lightness))`;
}

/** The hues that a person may give to nodes and groups. */
export const HUES = [0, 30, 55, 130, 185, 215, 265, 320] as const;

/** Return the style that tints a node's head or a group, given its hue as it stands in the file. */
export function tint(color: string | undefined): CSSProperties | undefined {
  return color === undefined ? undefined : ({ "--hue": color } as CSSProperties);
}
