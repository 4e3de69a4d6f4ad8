// A person's first minutes: an empty feed, an account, a film, a like, a comment, a profile, and things that fail.

import assert from "node:assert/strict";

import { active, activeId, answer, by, closing, enter, eventually, FILM, isAccessible, open, PHONE, picture, plays, rests, shows, TEXT } from "./page.mjs";

const NAME = "browser";
const PASSWORD = "a good password";

async function chooseFile(page, file, title) {
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles(file);
  await by(page, "publish-title").fill(title);
}

export async function aPersonBegins(browser) {
  const { context, page, seen, close } = await open(browser, PHONE);
  await page.goto("/");

  // An empty feed invites.
  await by(page, "empty").waitFor();
  await isAccessible(page, "an empty feed");
  await picture(page, "empty-phone-dark-en");
  await by(page, "login-open").click();
  await by(page, "register-tab").click();
  // The rules are told before, and what is wrong is told beside it.
  await page.getByText("5 to 32 characters").waitFor();
  assert.equal(await by(page, "password").getAttribute("autocomplete"), "new-password");
  await enter(page, "x".repeat(40), "no", "register");
  await page.getByText("32 characters at most").waitFor();
  assert.equal((await by(page, "username").inputValue()).length, 40, "nothing is cut off");
  await isAccessible(page, "a refused sign-up");
  await picture(page, "sign-up-phone-dark-en");
  await enter(page, NAME, PASSWORD, "register");
  await shows(page, NAME);

  // What is no video is refused with the server's reason, and before that one is warned.
  await chooseFile(page, TEXT, "No film");
  await by(page, "publish-warning").waitFor();
  await by(page, "publish-submit").click();
  await shows(page, /mp4, mov, webm or mkv/);
  await by(page, "publish-progress").click();
  await page.getByLabel("Dismiss").click();
  await closing(page).click();

  await chooseFile(page, FILM, "My first film #begin");
  await by(page, "publish-info").filter({ hasText: /film\.mp4.*KB/s }).waitFor();
  await picture(page, "publish-first-phone-dark-en");
  await by(page, "publish-submit").click();
  await active(page).and(page.locator("[data-video-id]")).waitFor();
  const id = await activeId(page);
  assert.match(id ?? "", /^\d+$/);
  await plays(page);

  const likes = () => by(page, "like-count").first().innerText();
  assert.equal(await likes(), "0");
  // A count is shown before its like is answered; what is loaded anew has it only then.
  const answered = (times) => page.waitForResponse((response) => response.url().includes("/favorite/action/") && --times === 0);
  const liked = answered(1);
  await by(page, "like").first().click();
  await eventually("a like", async () => (await likes()) === "1");
  await liked;
  await page.reload();
  await eventually("the like after a reload", async () => (await likes()) === "1");
  await plays(page);
  // Of an unlike and a like at once the last one counts.
  const settled = answered(2);
  await page.keyboard.press("l");
  await eventually("no like", async () => (await likes()) === "0");
  await active(page).dblclick({ position: { x: 150, y: 300 } });
  await eventually("a like by two taps", async () => (await likes()) === "1");
  await settled;
  await page.reload();
  await eventually("the like that came last", async () => (await likes()) === "1");

  // White space is no comment; what is deleted can be taken back.
  await by(page, "comment-open").first().click();
  await by(page, "comment-input").fill("   ");
  assert(await by(page, "comment-send").isDisabled());
  await by(page, "comment-input").fill("How nice!");
  await by(page, "comment-send").click();
  const comment = by(page, "comment-item").filter({ hasText: "How nice!" });
  await comment.waitFor();
  await page.getByRole("heading", { name: "Comments (1)" }).waitFor();
  await by(page, "comment-delete").first().click();
  await comment.waitFor({ state: "detached" });
  await by(page, "toast-action").click();
  await comment.waitFor();
  await by(page, "comment-delete").first().click();
  const deleted = page.waitForResponse((response) => response.url().includes("/comment/action/"));
  await deleted;
  await page.reload();
  await page.getByRole("heading", { name: "Comments (0)" }).waitFor();
  await page.getByText("No comments yet").waitFor();
  assert.equal(await comment.count(), 0, "what is deleted stays deleted");
  await page.keyboard.press("Escape");

  await by(page, "profile").click();
  await by(page, "grid-item").first().click();
  await plays(page);
  assert.equal(new URL(page.url()).pathname, `/v/${id}`);
  await by(page, "watch-close").click();
  await by(page, "logout").click();
  await by(page, "logout-confirm").click();
  await by(page, "login-open").click();
  await enter(page, NAME, "a wrong password", "login");
  await shows(page, /password/);
  await isAccessible(page, "a refused login");
  await by(page, "password").fill(PASSWORD);
  await by(page, "login-submit").click();
  await shows(page, NAME);
  await by(page, "profile").waitFor();

  // A like that doesn't come through is taken back, with a reason for people; without a network it is sent later.
  await by(page, "home").click();
  await plays(page);
  seen.faultsExpected = true;
  await page.route("**/douyin/favorite/action/", (route) => route.fulfill(answer({ status_code: 20001, status_msg: "internal error" }, 500)));
  await by(page, "like").first().click();
  await shows(page, /on our side/);
  await eventually("the like as it was", async () => (await likes()) === "1");
  await page.unroute("**/douyin/favorite/action/");
  await context.setOffline(true);
  await by(page, "offline").waitFor();
  await rests(page);
  await by(page, "like").first().click();
  await eventually("an unlike that is shown", async () => (await likes()) === "0");
  await shows(page, "You are offline. It is sent as soon as you are online again.");
  const sent = answered(1);
  await context.setOffline(false);
  await sent;
  seen.faultsExpected = false;
  await page.reload();
  await eventually("the unlike that was sent later", async () => (await likes()) === "0");
  await close();
}
