import { plain, slow } from "./flows";
import { expect, test } from "./studio";

/** A picture that is soon done, and a node that waits for as long as the test does. */
const partly = {
  ...plain("#226644", 45),
  nodes: { ...plain("#226644", 45).nodes, ...slow(40).nodes },
  outputs: slow(40).outputs,
};

test("what is left of a run is counted down, in the page's title and sign too", async ({ page, studio }) => {
  await studio.open(page, "long", { ...partly, name: "Partly" });
  await expect(page).toHaveTitle("Partly · graphgen");
  await expect(page.locator("#run-estimate")).toContainText("3 nodes to run");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.locator("#run-estimate")).toContainText("1 node left", { timeout: 60_000 });
  await expect(page).toHaveTitle(/^\d+ % · Partly · graphgen$/);
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", /^data:image\/svg/);
  await page.reload();
  await expect(page.locator("#run-estimate")).toContainText("1 node left");
  await expect(page).toHaveTitle(/^\d+ % · Partly · graphgen$/);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page).toHaveTitle("Partly · graphgen");
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", "/icon.svg");
  await expect(page.locator("#run-estimate")).toContainText("to run");
});

/** Lets a test look away from the page, and keeps what the desktop is told. */
function watch(): void {
  const told: (readonly [string, string | undefined])[] = [];
  const Shown = window.Notification;
  Object.assign(window, {
    told,
    away: false,
    Notification: class extends Shown {
      constructor(title: string, options?: NotificationOptions) {
        super(title, options);
        told.push([title, options?.body]);
      }
    },
  });
  Object.defineProperty(document, "hidden", { get: () => (window as unknown as { away: boolean }).away });
}

test("a long run that ends in a hidden tab is told of by the desktop, if that is wanted", async ({ page, studio }) => {
  await page.context().grantPermissions(["notifications"]);
  await page.addInitScript(watch);
  const told = () => page.evaluate(() => (window as unknown as { told: string[][] }).told);
  const look = (away: boolean) =>
    page.evaluate((now) => {
      Object.assign(window, { away: now });
      document.dispatchEvent(new Event("visibilitychange"));
    }, away);
  await studio.open(page, "told", plain("#336699", 70));
  for (const [wanted, width] of [
    [false, 71],
    [true, 72],
  ] as const) {
    const others = [
      await studio.submit({ workflow: slow(width) }),
      await studio.submit({ workflow: slow(width + 10) }),
    ];
    await page.getByLabel("Width", { exact: true }).fill(String(width));
    await page.getByLabel("Width", { exact: true }).press("Enter");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await expect(page).toHaveTitle("0 % · Plain colours · graphgen");
    await page.clock.setSystemTime(Date.now() + (width - 70) * 600_000);
    await look(true);
    for (const { id } of others) await studio.api(`/api/runs/${id}`, { method: "DELETE" });
    await expect(page).toHaveTitle("✓ Plain colours · graphgen", { timeout: 60_000 });
    expect(await told()).toEqual(wanted ? [["Plain colours", "The run is done."]] : []);
    await look(false);
    await expect(page).toHaveTitle("Plain colours · graphgen");
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("menuitemradio", { name: "Notify when a long run ends" }).click();
  }
});
