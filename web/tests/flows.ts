/** A workflow of cheap nodes that runs for as long as a test needs it; another height is another result. */
export const slow = (height: number) => ({
  graphgen: 1,
  name: "Slow",
  nodes: {
    solid: { type: "images.solid", settings: { width: 16, height } },
    again: {
      type: "subgraph.bend",
      loop: { times: 9000, carry: { image: "image" } },
      inputs: { image: "solid.image" },
    },
    save: { type: "images.save", inputs: { image: "again.image" } },
  },
  subgraphs: {
    bend: {
      inputs: { image: { type: "image" } },
      outputs: { image: { from: "bent.image" } },
      nodes: {
        bent: {
          type: "images.curves",
          inputs: { image: "inputs.image" },
          settings: {
            curve: [
              [0, 0.001],
              [1, 1],
            ],
          },
        },
      },
    },
  },
});

/** A picture of one colour, with parameters. */
export const plain = (color: string, width: number) => ({
  graphgen: 1,
  name: "Plain colours",
  parameters: { color: { sets: ["solid.color"] }, width: { sets: ["solid.width"] } },
  nodes: {
    solid: { type: "images.solid", settings: { width, height: 40, color } },
    save: { type: "images.save", inputs: { image: "solid.image" } },
  },
  view: { nodes: { solid: { x: 0, y: 0 }, save: { x: 320, y: 0 } } },
});
