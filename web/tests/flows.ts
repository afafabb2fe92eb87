/** Runs until it is cancelled: its node waits for a file that never comes. No two numbers share what they compute. */
export const slow = (number: number) => ({
  graphgen: 1,
  name: "Slow",
  nodes: { waits: { type: "toy.gated", settings: { gate: `never there ${number}` } } },
  outputs: { value: { from: "waits.float" } },
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

/** Fails while it runs: a picture of no width. */
export const FAILING = {
  graphgen: 1,
  name: "Fails",
  nodes: {
    numbers: { type: "flow.numbers", settings: { count: 3 } },
    pick: { type: "flow.pick", inputs: { items: "numbers.numbers" } },
    solid: { type: "images.solid", inputs: { width: "pick.value" } },
    save: { type: "images.save", inputs: { image: "solid.image" } },
  },
  view: {
    nodes: { numbers: { x: 0, y: 0 }, pick: { x: 300, y: 0 }, solid: { x: 600, y: 0 }, save: { x: 900, y: 0 } },
  },
};
