// How the page looks and feels: sheets that are dragged, light and dark, the language, what is shown while something is loaded.

import assert from "node:assert/strict";

import { active, by, closing, DESKTOP, eventually, hold, isAccessible, open, PHONE, picture, plays } from "./page.mjs";

/** Down far enough closes a sheet; a little, and slowly, does not. */
export async function aSheetIsDraggedDown(browser) {
  const { page, close } = await open(browser, PHONE);
  await page.goto("/");
  await plays(page);
  await active(page).getByTestId("more").click();
  const sheet = page.locator("dialog[open]");
  await closing(page).waitFor();
  /** At the lower edge, where it stays. */
  const comes = () => eventually("it stands at the edge", () => sheet.evaluate((one) => Math.abs(one.getBoundingClientRect().bottom - innerHeight) < 1));
  await comes();
  async function drag(by) {
    const head = await sheet.locator(".sheet-head h2").boundingBox();
    const from = { x: Math.round(head.x + head.width / 2), y: Math.round(head.y + head.height / 2) };
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x, from.y + by, { steps: 3 });
    await eventually("it follows the finger", () => sheet.evaluate((one, by) => one.style.translate === `0px ${by}px`, by));
    // A quick flick closes it however short it is.
    const begun = await page.evaluate(() => performance.now());
    await page.waitForFunction((begun) => performance.now() > begun + 300, begun);
    await page.mouse.up();
  }
  await drag(30);
  await eventually("it is back", () => sheet.evaluate((one) => one.style.translate === ""));
  await comes();
  assert.equal(await sheet.count(), 1);
  await drag(150);
  await sheet.waitFor({ state: "detached" });
  await close();
}

export async function lightIsLightAndDarkIsDark(browser, world) {
  const { page, close } = await open(browser, DESKTOP, { session: world.ann });
  const lightness = (selector) =>
    page.locator(selector).first().evaluate((element) => {
      const [red, green, blue] = getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number);
      return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
    });
  await page.goto(`/messages/${world.bob.userId}`);
  await by(page, "message").first().waitFor();
  for (const [theme, fits] of [["light", (value) => value > 0.8], ["dark", (value) => value < 0.2]]) {
    await page.emulateMedia({ colorScheme: theme });
    for (const part of ["html", ".menu-bar", ".bubble:not(.mine)", ".bubble.mine", ".write"]) {
      const value = await lightness(part);
      assert(fits(value), `${part} in the ${theme}: ${value}`);
    }
  }
  await close();
}

/** The other language is offered to who can't read this one, and what was chosen stays. */
export async function theLanguageThatWasChosenStays(browser) {
  const { page, close } = await open(browser, PHONE);
  const language = () => page.evaluate(() => document.documentElement.lang);
  await page.goto("/");
  await plays(page);
  assert.equal(await language(), "en");
  await by(page, "login-open").click();
  await page.getByRole("dialog").getByRole("button", { name: "中文" }).click();
  await page.getByRole("heading", { name: "登录" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "登录" }).waitFor();
  assert.equal(await language(), "zh-CN");
  await page.getByRole("dialog").getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.equal(await language(), "en");
  await close();
}

/** A button's words stand on one line, also where there is little room. */
export async function theSendButtonIsOneLine(browser, world) {
  for (const locale of ["zh-CN", "en-US"]) {
    const narrow = { ...PHONE, viewport: { width: 320, height: 640 } };
    const { page, close } = await open(browser, narrow, { locale, session: world.ann });
    const lines = (id) =>
      by(page, id).evaluate((button) => {
        const range = document.createRange();
        range.selectNodeContents(button);
        return new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size;
      });
    await page.goto(`/messages/${world.bob.userId}`);
    await by(page, "message-input").fill("很长的一条消息，".repeat(20));
    assert.equal(await lines("message-send"), 1, `message-send ${locale}`);
    await page.goto(`/v/${world.videos[0]}`);
    await active(page).getByTestId("comment-open").click();
    await by(page, "comment-input").fill("很长的一条评论，".repeat(20));
    assert.equal(await lines("comment-send"), 1, `comment-send ${locale}`);
    await close();
  }
}

export async function shapesStandForWhatIsOnItsWay(browser, world) {
  const { page, close } = await open(browser, PHONE, { theme: "light" });
  const answerWorks = await hold(page, "**/douyin/publish/list/*");
  await page.goto(`/u/${world.ann.userId}`);
  await page.getByRole("heading", { name: world.ann.name }).waitFor();
  await page.locator("li.skeleton.cell").first().waitFor();
  await isAccessible(page, "a grid that is on its way");
  await picture(page, "grid-loading-phone-light-en");
  answerWorks();
  await by(page, "grid-item").first().waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });

  const answerComments = await hold(page, "**/douyin/comment/list/*");
  await page.goto(`/v/${world.videos[0]}`);
  await active(page).getByTestId("comment-open").click();
  await page.locator(".comments .skeleton").first().waitFor();
  await isAccessible(page, "comments that are on their way");
  await picture(page, "comments-loading-phone-light-en");
  answerComments();
  await by(page, "comment-item").first().waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
  await close();
}
