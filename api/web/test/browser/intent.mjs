// What a login interrupts is carried out after it, and nothing is lost: texts, the place in the feed, what is open.

import assert from "node:assert/strict";

import { active, arrives, by, DESKTOP, enter, logOut, open, PHONE, plays, shows } from "./page.mjs";

const PASSWORD = "a good password";

/** A guest writes, likes and follows; each asks for a login, and is done. */
export async function aGuestIsTakenAtTheirWord(browser, world) {
  // As a telephone sees the page over plain HTTP: without what only secure pages have.
  const insecure = () => {
    Object.defineProperty(crypto, "randomUUID", { value: undefined });
    Object.defineProperty(navigator, "clipboard", { value: undefined });
  };
  const { page, close } = await open(browser, PHONE, { setUp: insecure });
  await page.goto("/");
  await plays(page);
  await active(page).press("j");
  await active(page).press("j");
  await arrives(page, world.videos[2]);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").fill("Written before the login");
  await by(page, "comment-send").click();
  await enter(page, world.ann.name, PASSWORD, "login");
  await by(page, "comment-item").filter({ hasText: "Written before the login" }).waitFor();
  await by(page, "username").waitFor({ state: "detached" });
  await arrives(page, world.videos[2]);
  await page.keyboard.press("Escape");

  // The link of a video is copied, by the old command where there is no other.
  await active(page).getByTestId("share").click();
  await shows(page, "Link copied");
  await close();
}

/** A login that has ended in the middle of something. */
export async function anEndedLoginLosesNothing(browser, world) {
  const { page, close } = await open(browser, DESKTOP, { session: { ...world.ann, token: "not.a.token" } });
  await page.goto(`/v/${world.videos[1]}`);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comments-panel").waitFor();
  await by(page, "comment-input").fill("Kept over a login that has ended");
  // Reading goes on as a guest, and says why; writing asks.
  await by(page, "comment-send").click();
  await by(page, "username").waitFor();
  assert.equal(await by(page, "comment-input").inputValue(), "Kept over a login that has ended");
  await enter(page, world.ann.name, PASSWORD, "login");
  await by(page, "comment-item").filter({ hasText: "Kept over a login that has ended" }).waitFor();

  // Who doesn't want to log in after all has lost nothing, either.
  await logOut(page);
  await page.reload();
  await active(page).getByTestId("like").click();
  await by(page, "username").waitFor();
  await page.keyboard.press("Escape");
  await by(page, "username").waitFor({ state: "detached" });
  assert.equal(await active(page).getByTestId("like").getAttribute("aria-pressed"), "false");
  await close();
}
