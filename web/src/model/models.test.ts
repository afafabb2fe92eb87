import { expect, test } from "vitest";

import { choices, type ModelFile, sizeOf } from "./models";

const model = (name: string, about: ModelFile["about"]): ModelFile => ({ name, size: 1, shipped: false, about });
const MODELS = [
  model("style.safetensors", { family: "sdxl", parts: ["lora"] }),
  model("broken.safetensors", { problem: "its header is cut short" }),
  model("flux.safetensors", { family: "flux", parts: ["transformer"] }),
  model("sdxl", { family: "sdxl", parts: ["unet", "vae"] }),
  model("unknown.safetensors", {}),
  model("notes.txt", {}),
];

test("what fits comes first, then the wrong family, the wrong part, what cannot be read", () => {
  const widget = { kind: "file", root: "models", kinds: [".safetensors"], parts: ["unet", "transformer"] };
  expect(choices(MODELS, widget, "sdxl").map(({ name, misfit }) => [name, misfit])).toEqual([
    ["sdxl", null],
    ["unknown.safetensors", null],
    ["flux.safetensors", "family"],
    ["style.safetensors", "parts"],
    ["broken.safetensors", "unreadable"],
  ]);
});

test("without a family nothing is held against another one", () => {
  const widget = { kind: "file", root: "models", parts: ["lora"] };
  expect(choices(MODELS, widget, null).filter(({ misfit }) => misfit === "family")).toEqual([]);
});

test("sizes are short", () => {
  expect([12, 1200, 22_864_333, 6.9e9].map(sizeOf)).toEqual(["12 B", "1.2 kB", "22.9 MB", "6.9 GB"]);
});
