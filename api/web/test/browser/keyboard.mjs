// Without a mouse and without eyes: tabs by the arrows, covers by Tab, and what goes wrong is read out.

import assert from "node:assert/strict";

import { answer, by, DESKTOP, enter, eventually, open, PHONE, plays, STORE } from "./page.mjs";

const path = (page) => new URL(page.url()).pathname;
/** The tab that is chosen, if it has the focus and is the only one in the order of Tab. */
const chosen = (page) =>
  page.evaluate(() => {
    const tab = document.activeElement;
    const isAlone = tab.closest("[role=tablist]")?.querySelectorAll("[tabindex='0']").length === 1;
    return tab.role === "tab" && tab.ariaSelected === "true" && isAlone ? tab.textContent : "";
  });

export async function tabsGoByTheArrows(browser, world) {
  const { page, close } = await open(browser, DESKTOP);
  await page.goto("/");
  await plays(page);
  await by(page, "login-open").click();
  await by(page, "username").waitFor();
  const tabs = page.getByRole("dialog").getByRole("tab");
  await tabs.first().focus();
  for (const [key, name] of [["ArrowRight", "Sign up"], ["ArrowRight", "Log in"], ["End", "Sign up"], ["ArrowLeft", "Log in"]]) {
    await page.keyboard.press(key);
    await eventually(`${key}: ${name}`, async () => (await chosen(page)) === name);
  }
  assert.equal(await page.getByRole("tabpanel").getByTestId("login-submit").count(), 1);
  await page.keyboard.press("Escape");

  const profile = `/u/${world.bob.userId}`;
  await page.goto(profile);
  await by(page, "grid-item").first().waitFor();
  await by(page, "tab-works").focus();
  await page.keyboard.press("ArrowRight");
  await eventually("the likes", async () => path(page) === `${profile}/likes` && /^Likes/.test(await chosen(page)));
  await page.keyboard.press("ArrowLeft");
  await eventually("the videos", async () => path(page) === profile && /^Videos/.test(await chosen(page)));
  await by(page, "grid-item").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "grid-item", "behind the tabs are the covers");
  await page.keyboard.press("Enter");
  await plays(page);
  assert.match(path(page), /^\/v\/\d+$/);
  await close();
}

export async function whatGoesWrongIsReadOut(browser, world) {
  const { page, seen, close } = await open(browser, PHONE);
  const alert = (text) => page.getByRole("alert").filter({ hasText: text }).first().waitFor();
  seen.faultsExpected = true;
  await page.route("**/douyin/feed/*", (route) => route.fulfill(answer({ status_code: 20001, status_msg: "internal error" }, 500)));
  await page.goto("/");
  await alert("on our side");
  await page.unroute("**/douyin/feed/*");
  await page.route(`${STORE}/**/*.mp4*`, (route) => route.fulfill({ status: 500 }));
  await page.goto(`/v/${world.videos[3]}`);
  await alert("can’t be played");
  await page.unroute(`${STORE}/**/*.mp4*`);
  await page.goto("/");
  await by(page, "login-open").click();
  await by(page, "register-tab").click();
  await enter(page, "x".repeat(40), "no", "register");
  await alert("32 characters at most");
  await alert("5 characters or more");
  await enter(page, world.ann.name, "a good password", "register");
  await page.getByRole("alert").and(by(page, "toast")).waitFor();
  await close();
}
