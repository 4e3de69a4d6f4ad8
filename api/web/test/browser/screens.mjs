// Every screen, in both sizes, themes and languages: axe finds nothing on it, nothing is wider than the window, and a picture of it is kept.

import assert from "node:assert/strict";

import { active, by, closing, cutOff, DESKTOP, isAccessible, logOut, open, PHONE, picture, plays } from "./page.mjs";

const SIZES = { phone: PHONE, desktop: DESKTOP };

/** Each of the two values of each of the three with each of the others at least once. */
export const VARIANTS = [
  ["phone", "dark", "zh-CN"],
  ["phone", "light", "en-US"],
  ["desktop", "light", "zh-CN"],
  ["desktop", "dark", "en-US"],
];
/** All of them, for who wants to look at them. */
export const ALL = Object.keys(SIZES).flatMap((size) => ["dark", "light"].flatMap((theme) => ["zh-CN", "en-US"].map((locale) => [size, theme, locale])));

/** Axe finds nothing on what is to be seen now, nothing is wider than the window, and a picture of it is kept. */
export async function look(page, name) {
  await isAccessible(page, name);
  assert.deepEqual(await cutOff(page), [], `${name}: wider than the window`);
  await picture(page, name);
}

export async function everyScreen(browser, world, [size, theme, locale]) {
  const { page, close } = await open(browser, SIZES[size], { theme, locale, session: world.ann });
  const suffix = `${size}-${theme}-${locale.slice(0, 2)}`;
  const looks = (name) => look(page, `${name}-${suffix}`);
  await page.goto("/");
  await plays(page);
  await looks("feed");
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-item").first().waitFor();
  await looks("comments");
  await page.keyboard.press("Escape");
  await active(page).getByTestId("more").click();
  await closing(page).waitFor();
  await looks("more");
  await closing(page).click();
  await by(page, "publish-open").click();
  await by(page, "publish-submit").waitFor();
  await looks("publish");
  await closing(page).click();
  await page.goto(`/u/${world.ann.userId}`);
  await by(page, "grid-item").first().waitFor();
  await looks("profile");
  await by(page, "open-followers").click();
  await by(page, "person").first().waitFor();
  await looks("followers");
  await closing(page).click();
  await page.goto(`/u/${world.bob.userId}/likes`);
  await by(page, "grid-item").first().waitFor();
  await looks("likes");
  await page.goto("/messages");
  await by(page, "friend").first().waitFor();
  await looks("messages");
  await page.goto(`/messages/${world.bob.userId}`);
  await by(page, "message").first().waitFor();
  await looks("chat");
  await page.goto("/following");
  await plays(page);
  await looks("following");
  await logOut(page);
  await page.goto("/following");
  await by(page, "login-open").click();
  await by(page, "username").waitFor();
  await looks("login");
  await close();
}

/** A window of 320 × 256: the desktop at 400 %. */
export async function largeLetters(browser, world) {
  const { page, close } = await open(browser, { viewport: { width: 320, height: 256 } }, { locale: "zh-CN", theme: "light" });
  for (const place of ["/", `/u/${world.ann.userId}`, `/v/${world.videos[0]}`]) {
    await page.goto(place);
    await page.locator("[data-testid=grid-item], .card.active video").first().waitFor();
    await isAccessible(page, `400 % ${place}`);
    assert.deepEqual(await cutOff(page), [], `400 % ${place}: wider than the window`);
  }
  await active(page).getByTestId("comment-open").click();
  // The field is reached by scrolling, and can be written in there.
  await by(page, "comment-item").first().waitFor();
  await by(page, "comment-input").scrollIntoViewIfNeeded();
  await by(page, "comment-input").fill("放大四倍也能写");
  await by(page, "comment-send").scrollIntoViewIfNeeded();
  await look(page, "zoom-400");
  await close();
}
