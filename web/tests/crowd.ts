/** Workflows of many nodes that load no model until they run: for the benchmark, and for tests at its size. */

import type { DocNode, Document, NodeView } from "../src/model/document";

/** Names of what every hundredth node begins anew: a model with what goes with it. */
type Naming = (name: string) => string;

function shared(here: Naming): Record<string, DocNode> {
  return {
    [here("model")]: { type: "models.load", settings: { path: "emoji" } },
    [here("euler")]: { type: "samplers.euler" },
    [here("empty")]: { type: "latents.empty", inputs: { denoiser: `${here("model")}.denoiser` } },
    [here("picture")]: { type: "images.solid" },
    [here("mask")]: { type: "masks.solid" },
  };
}

/** A picture's whole making, and what is done with it after. */
function cell(here: Naming, around: Naming): Record<string, DocNode> {
  const encode = { type: "text.encode", inputs: { encoder: `${around("model")}.text_encoder` } };
  return {
    [here("prompt")]: { ...encode, settings: { text: "a red apple on a wooden table, soft light" } },
    [here("negative")]: { ...encode, settings: { text: "blurry" } },
    [here("guider")]: {
      type: "guiders.classifier_free",
      inputs: {
        denoiser: `${around("model")}.denoiser`,
        positive: `${here("prompt")}.conditioning`,
        negative: `${here("negative")}.conditioning`,
      },
    },
    [here("steps")]: { type: "schedules.karras", inputs: { denoiser: `${around("model")}.denoiser` } },
    [here("noise")]: { type: "noise.gaussian", settings: { seed: 7 } },
    [here("sample")]: {
      type: "sampling.sample",
      inputs: {
        guider: `${here("guider")}.guider`,
        sampler: `${around("euler")}.sampler`,
        schedule: `${here("steps")}.schedule`,
        noise: `${here("noise")}.noise`,
        latent: `${around("empty")}.latent`,
      },
    },
    [here("decode")]: {
      type: "autoencoder.decode",
      inputs: { autoencoder: `${around("model")}.autoencoder`, latent: `${here("sample")}.latent` },
    },
    [here("cut")]: {
      type: "editing.cut_out",
      inputs: { image: `${around("picture")}.image`, mask: `${around("mask")}.mask` },
    },
    [here("resize")]: { type: "images.resize", inputs: { image: `${here("cut")}.image` } },
    [here("save")]: { type: "images.save", inputs: { image: `${here("decode")}.image` } },
  };
}

const COLUMN = 300;
const ROW = 460;

/**
 * Make a workflow of about `count` nodes, in cells of ten: five sockets, some settings and one and a half wires each, laid out
 * in a square.
 */
export function crowd(count: number): Document {
  const nodes: Record<string, DocNode> = {};
  for (let number = 0; Object.keys(nodes).length < count; number += 1) {
    const around: Naming = (name) => `${name}_${Math.floor(number / 10)}`;
    if (number % 10 === 0) Object.assign(nodes, shared(around));
    Object.assign(
      nodes,
      cell((name) => `${name}_${number}`, around),
    );
  }
  const names = Object.keys(nodes).slice(0, count);
  const columns = Math.ceil(Math.sqrt(count) * 1.4);
  const place = (index: number): NodeView => ({
    x: (index % columns) * COLUMN,
    y: Math.floor(index / columns) * ROW,
  });
  return {
    graphgen: 1,
    name: `${count} nodes`,
    nodes: Object.fromEntries(names.map((name) => [name, nodes[name]!])),
    view: { nodes: Object.fromEntries(names.map((name, index) => [name, place(index)])) },
  };
}
