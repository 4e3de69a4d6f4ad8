// What the server fails: it is said in words for people, what was written stays, and the same can be tried again.

import assert from "node:assert/strict";

import { active, answer, ask, by, DESKTOP, enter, eventually, FILM, newUser, open, PHONE, seenAgain, shows } from "./page.mjs";

const OURS = /on our side/;
const PUBLISH = "**/douyin/publish/action/";
const TOO_MANY = "too many requests, please wait a little";

/** Publishes so many films. */
async function send(page, count = 1) {
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles(Array(count).fill(FILM));
  for (let at = 0; at < count; at += 1) await by(page, "publish-submit").click();
  // A sheet that leaves takes no file.
  await by(page, "publish-submit").waitFor({ state: "detached" });
}

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
  const answers = [
    answer({ status_code: 10012, status_msg: TOO_MANY }, 429),
    answer({ status_code: 0, status_msg: "" }),
    answer({ status_code: 10012, status_msg: `${TOO_MANY}: 20 of your videos are not ready yet or have failed: wait, or delete some` }, 429),
    answer({ status_code: 10001, status_msg: "bad parameter: body: came too slowly" }, 408),
    { ...answer({ status_code: 10012, status_msg: TOO_MANY }, 429), headers: { "Retry-After": "3600" } },
  ];
  const keys = [];
  await page.route(PUBLISH, async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    await route.fulfill(answers[keys.length - 1]);
  });
  await page.goto("/");
  await send(page);
  await shows(page, "Published");
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  for (const words of [/^20 of your videos are not ready yet/, /took too long/, /can’t upload any more/]) {
    await send(page);
    await shows(page, words);
  }
  assert.equal(keys.length, answers.length);
  await close();
}

/** However often the network fails an upload, or it stands still on the way: it is sent again. One that waits holds up nothing once it is cancelled. */
export async function anUploadOutlastsTheNetwork(browser) {
  const sam = await newUser("Sam");
  const { page, seen, close } = await open(browser, PHONE, { session: sam });
  seen.faultsExpected = true;
  await page.clock.install();
  const done = answer({ status_code: 0, status_msg: "" });
  const stalled = answer({ status_code: 10001, status_msg: "bad parameter: body: came too slowly" }, 408);
  const busy = { ...answer({ status_code: 10012, status_msg: TOO_MANY }, 429), headers: { "Retry-After": "60" } };
  // Null: no answer comes.
  const answers = [...Array(7).fill(null), done, stalled, done, busy, done];
  const keys = [];
  await page.route(PUBLISH, async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    const reply = answers[keys.length - 1];
    if (reply === stalled) await page.clock.fastForward(20_000);
    await (reply ? route.fulfill(reply) : route.abort());
  });
  const arrived = (count) =>
    eventually(`${count} requests, and no upload that is left`, async () => {
      await seenAgain(page);
      return keys.length === count && (await by(page, "publish-progress").count()) === 0;
    });
  await page.goto("/");
  await send(page);
  await arrived(8);
  assert.equal(new Set(keys).size, 1);
  await send(page);
  await arrived(10);
  assert.equal(keys[8], keys[9]);
  await send(page, 2);
  await by(page, "publish-progress").filter({ hasText: "Goes on in a moment" }).click();
  await page.getByLabel("Cancel upload").first().click();
  await by(page, "upload").first().waitFor({ state: "detached" });
  assert.equal(keys.length, 12);
  assert.notEqual(keys[10], keys[11]);
  await close();
}

/** A like that the server doesn't get waits for it; one is told so once, and not that one is offline. */
export async function aLikeWaitsForTheServer(browser, world) {
  const recorded = () => {
    window.said = [];
    new MutationObserver((all) => {
      const added = all.flatMap((one) => [...one.addedNodes]);
      window.said.push(...added.filter((node) => node.dataset?.testid === "toast").map((node) => node.textContent));
    }).observe(document, { subtree: true, childList: true });
  };
  const tia = await newUser("Tia");
  const { page, seen, close } = await open(browser, PHONE, { session: tia, setUp: recorded });
  seen.faultsExpected = true;
  let refused = 0;
  await page.route("**/douyin/favorite/action/", (route) => {
    refused += 1;
    return refused > 3 ? route.continue() : route.abort();
  });
  await page.goto(`/v/${world.videos[5]}`);
  await active(page).getByTestId("like").click();
  await eventually("the like", async () => {
    await seenAgain(page);
    const { video_list } = await ask("favorite/list", { user_id: String(tia.userId) }, tia.token, false);
    return video_list.length === 1;
  });
  assert.deepEqual(await page.evaluate(() => window.said), ["No connection to the server. It is sent as soon as there is one."]);
  await close();
}
