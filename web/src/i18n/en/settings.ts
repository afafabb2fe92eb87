/** What is said about settings and parameters. */

export const settings = {
  moreSettings: "{count} more",
  fewerSettings: "fewer",
} as const;
