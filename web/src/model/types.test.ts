import { expect, test } from "vitest";

import { judge, type TypeTable } from "./types";

const table: TypeTable = {
  ancestors: { euler: ["sampler"], classifier_free_guidance: ["guider"] },
  conversions: [{ from: "mask", to: "image", node: "masks.to_image", cost: 1, lossy: "" }],
};

test.each([
  ["image", "image", true],
  ["int", "float", true],
  ["bool", "int", false],
  ["float", "int", false],
  ["euler", "sampler", true],
  ["sampler", "euler", false],
  ["image?", "image", false],
  ["image", "image?", true],
  ["any", "latent", true],
  ["latent", "any", true],
  ["any?", "any", false],
  ["list[euler]", "list[sampler]", true],
  ["list[image]", "image", false],
  ["latent<flux>", "latent<sd3|flux>", true],
  ["latent<sdxl>", "latent<sd3|flux>", false],
  ["latent", "latent<flux>", true],
])("%s into %s: %s", (out, into, ok) => {
  expect(judge(out, into, table).ok).toBe(ok);
});

test("what does not fit is converted, in lists item by item", () => {
  expect(judge("mask", "image", table)).toMatchObject({ ok: true, conversion: { node: "masks.to_image" } });
  expect(judge("list[mask]", "list[image]", table)).toMatchObject({ ok: true, conversion: { node: "masks.to_image" } });
  expect(judge("mask?", "image", table).ok).toBe(false);
});
