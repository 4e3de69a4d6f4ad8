// What the server fails: it is said in words for people, what was written stays, and the same can be tried again.

import assert from "node:assert/strict";

import { active, answer, ask, by, DESKTOP, enter, eventually, FILM, newUser, open, PHONE, shows } from "./page.mjs";

const OURS = /on our side/;

/** A window in which requests fail whose URL holds `path`, until they are let through. */
async function failing(browser, device, path, options) {
  const opened = await open(browser, device, options);
  const isMeant = (url) => url.pathname.startsWith(path);
  opened.seen.faultsExpected = true;
  await opened.page.route(isMeant, (route) => route.fulfill(answer({ status_code: 20001, status_msg: "internal error: data: bad" }, 500)));
  return { ...opened, letThrough: () => opened.page.unroute(isMeant) };
}

export async function aCommentThatFailsKeepsItsText(browser, world) {
  const jan = await newUser("Jan");
  const { page, letThrough, close } = await failing(browser, PHONE, "/douyin/comment/action/", { session: jan });
  await page.goto(`/v/${world.videos[4]}`);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").fill("Kept over a failure");
  await by(page, "comment-send").click();
  await shows(page, OURS);
  assert.equal(await by(page, "comment-input").inputValue(), "Kept over a failure");
  const comment = by(page, "comment-item").filter({ hasText: "Kept over a failure" });
  assert.equal(await comment.count(), 0);
  await letThrough();
  await by(page, "comment-send").click();
  await comment.waitFor();
  assert.equal(await by(page, "comment-input").inputValue(), "");
  await close();
}

export async function aMessageThatFailsKeepsItsText(browser) {
  const [kai, lea] = [await newUser("Kai"), await newUser("Lea")];
  const { page, letThrough, close } = await failing(browser, PHONE, "/douyin/message/action/", { session: kai });
  await page.goto(`/messages/${lea.userId}`);
  await by(page, "message-input").fill("Kept over a failure");
  await by(page, "message-send").click();
  await shows(page, OURS);
  const again = page.getByRole("button", { name: "Not sent. Tap to try again." });
  await again.waitFor();
  await page.locator(".bubble.pending").filter({ hasText: "Kept over a failure" }).waitFor();
  await letThrough();
  await again.click();
  await by(page, "message").filter({ hasText: "Kept over a failure" }).waitFor();
  await eventually("it is there once", async () => (await page.getByText("Kept over a failure").count()) === 1);
  const { message_list } = await ask("message/chat", { to_user_id: String(lea.userId) }, kai.token, false);
  assert.deepEqual(message_list.map((one) => one.content), ["Kept over a failure"]);
  await close();
}

export async function aProfileThatFailsIsAskedAgain(browser) {
  // Without videos, which would tell who it is.
  const nia = await newUser("Nia");
  const { page, letThrough, close } = await failing(browser, DESKTOP, "/douyin/user/");
  await page.goto(`/u/${nia.userId}`);
  await by(page, "failure").filter({ hasText: OURS }).waitFor();
  await letThrough();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Nia" }).waitFor();
  await close();
}

export async function aSignUpThatFailsKeepsWhatWasEntered(browser) {
  const { page, letThrough, close } = await failing(browser, PHONE, "/douyin/user/register/");
  await page.goto("/");
  await by(page, "login-open").click();
  await by(page, "register-tab").click();
  await enter(page, "Mia", "a good password", "register");
  await shows(page, OURS);
  assert.equal(await by(page, "username").inputValue(), "Mia");
  assert.equal(await by(page, "password").inputValue(), "a good password");
  await letThrough();
  await by(page, "register-submit").click();
  await by(page, "profile").waitFor();
  await close();
}

/** An upload that is one too many waits and is sent again, as the same publish; one for which waiting is of no use says why. */
export async function anUploadThatIsOneTooManyIsSentAgain(browser) {
  const rae = await newUser("Rae");
  const { page, seen, close } = await open(browser, PHONE, { session: rae });
  seen.faultsExpected = true;
  const tooMany = "too many requests, please wait a little";
  const answers = [
    answer({ status_code: 10012, status_msg: tooMany }, 429),
    answer({ status_code: 0, status_msg: "" }),
    answer({ status_code: 10012, status_msg: `${tooMany}: 20 of your videos are not ready yet or have failed: wait, or delete some` }, 429),
    answer({ status_code: 10001, status_msg: "bad parameter: body: came too slowly" }, 408),
    { ...answer({ status_code: 10012, status_msg: tooMany }, 429), headers: { "Retry-After": "3600" } },
  ];
  const keys = [];
  await page.route("**/douyin/publish/action/", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    await route.fulfill(answers[keys.length - 1]);
  });
  const send = async () => {
    await by(page, "publish-open").click();
    await by(page, "publish-file").setInputFiles(FILM);
    await by(page, "publish-submit").click();
    // A sheet that leaves takes no file.
    await by(page, "publish-submit").waitFor({ state: "detached" });
  };
  await page.goto("/");
  await send();
  await shows(page, "Published");
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  for (const words of [/^20 of your videos are not ready yet/, /took too long/, /can’t upload any more/]) {
    await send();
    await shows(page, words);
  }
  assert.equal(keys.length, answers.length);
  await close();
}
