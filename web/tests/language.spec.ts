import type { Page } from "@playwright/test";

import { card, expect, type Studio, test } from "./studio";

/** A node whose settings are of every kind that has words: a name, values to choose from, a description. */
const RESIZED = {
  graphgen: 1,
  name: "Resized",
  parameters: { width: { sets: ["resize.width"] }, colour: { sets: ["solid.color"] } },
  nodes: {
    solid: { type: "images.solid", settings: { width: 64, height: 64 } },
    resize: { type: "images.resize", inputs: { image: "solid.image" } },
  },
  view: { nodes: { solid: { x: 0, y: 0 }, resize: { x: 320, y: 0 } } },
};

async function speak(page: Page, menu: string, language: string): Promise<void> {
  await page.getByRole("button", { name: menu, exact: true }).click();
  await page.getByRole("menuitemradio", { name: language }).click();
}

const saved = async (studio: Studio, name: string) =>
  (await (await studio.api(`/api/workflows/${name}`)).json()) as typeof RESIZED;

test("nodes are told in the language that is chosen, and the file stays as it is", async ({ page, studio }) => {
  await studio.open(page, "resized", RESIZED);
  const resize = card(page, "resize");
  await expect(resize).toContainText("Resize picture");
  await speak(page, "Menu", "한국어");
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await expect(resize).toContainText("이미지 크기 조절");
  await resize.getByLabel("모드", { exact: true }).selectOption({ label: "맞추기" });
  await resize.locator(".node-header").click();
  const side = page.getByRole("tabpanel");
  await expect(side).toContainText("이미지를 키우거나 줄입니다.");
  await expect(side.getByRole("button", { name: /너비/ })).toBeVisible();
  await expect.poll(async () => (await saved(studio, "resized")).nodes.resize).toHaveProperty("settings.mode", "fit");
  await page.getByRole("tab", { name: "개요" }).click();
  await expect(side).toContainText("이미지 크기 조절");
  await page.keyboard.press("Alt+g");
  for (const text of ["이미지 저장", "이미지저장", "save picture", "images.save"]) {
    await page.keyboard.press("Tab");
    await page.getByRole("combobox", { name: "노드 검색" }).fill(text);
    await expect(page.locator(".palette li").first(), text).toContainText("이미지 저장");
    await page.keyboard.press("Escape");
  }
  await page.goto(`${studio.url}/#/app/resized`);
  await expect(page.getByLabel("너비", { exact: true })).toBeVisible();
  await expect(page.getByLabel("Colour", { exact: true })).toBeVisible();
  await speak(page, "메뉴", "English");
  await expect(page.getByLabel("Width", { exact: true })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
});
