// What a login interrupts is carried out after it, and nothing is lost: texts, likes, follows, the place in the feed, what is open.

import assert from "node:assert/strict";

import { active, answer, arrives, ask, by, closing, DESKTOP, enter, eventually, FILM, insecure, logOut, newUser, open, PHONE, plays, rests, shows, storedElsewhere } from "./page.mjs";

const PASSWORD = "a good password";

const likes = (page) => active(page).getByTestId("like-count").innerText();
const isLiked = async (page) => (await active(page).getByTestId("like").getAttribute("aria-pressed")) === "true";
const follow = (page) => active(page).getByTestId("follow-author");

/** Does something that needs a login, and logs in. */
async function loggingIn(page, user, action) {
  await action();
  await enter(page, user.name, PASSWORD, "login");
  await by(page, "username").waitFor({ state: "detached" });
}

/** A guest writes; the text is sent after the login, where it was written. */
export async function aGuestsCommentIsSentAfterTheLogin(browser, world) {
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

/** A guest likes, follows and wants to publish; each is done after the login, and the flags that are shown become those of who logged in. */
export async function aGuestsLikeAndFollowAreCarriedOutAfterTheLogin(browser, world) {
  const [gus, gia, gil] = await Promise.all(["Gus", "Gia", "Gil"].map(newUser));
  await ask("favorite/action", { video_id: String(world.videos[2]), action_type: "1" }, gil.token);
  const place = `/v/${world.videos[2]}`;
  const asGuest = async () => {
    const { page, close } = await open(browser, PHONE);
    await page.goto(place);
    await plays(page);
    return { page, close };
  };

  const liking = await asGuest();
  const before = Number(await likes(liking.page));
  await loggingIn(liking.page, gus, () => active(liking.page).getByTestId("like").click());
  await eventually("the like", () => isLiked(liking.page));
  await eventually("it is counted", async () => Number(await likes(liking.page)) === before + 1);
  await eventually("it is written", () => flagOf(gus, world.videos[2]));
  await liking.close();

  const following = await asGuest();
  await loggingIn(following.page, gia, () => follow(following.page).click());
  await follow(following.page).waitFor({ state: "detached" });
  await following.page.reload();
  await plays(following.page);
  assert.equal(await follow(following.page).count(), 0);
  await following.close();

  const others = await asGuest();
  assert(!(await isLiked(others.page)));
  await loggingIn(others.page, gil, () => by(others.page, "publish-open").click());
  await by(others.page, "publish-title").waitFor();
  await others.page.keyboard.press("Escape");
  await eventually("one's own flags without a reload", () => isLiked(others.page));
  await others.close();
}

/** Whether this user likes the video, as the API says. */
async function flagOf(user, videoId) {
  const { video_list } = await ask("favorite/list", { user_id: String(user.userId) }, user.token, false);
  return video_list.some((video) => video.id === videoId);
}

/** A login that ends while its page is open: what needs one asks for it and goes on after it. */
export async function aLoginThatEndsInTheMiddleLosesNothing(browser, world) {
  const ida = await newUser("Ida");
  const { page, seen, close } = await open(browser, DESKTOP, { session: ida });
  /** Ends the login that the page has: at once for what writes. */
  const end = async () => {
    const { token } = await page.evaluate(() => JSON.parse(localStorage.getItem("dousheng-session")));
    await ask("user/logout", {}, token);
  };
  await page.goto(`/v/${world.videos[1]}`);
  await plays(page);
  // The console shows each 401.
  seen.faultsExpected = true;

  const before = Number(await likes(page));
  await end();
  await loggingIn(page, ida, async () => {
    await active(page).getByTestId("like").click();
    await page.getByText("Your login has ended").first().waitFor();
  });
  await eventually("it is written", () => flagOf(ida, world.videos[1]));
  await page.reload();
  await plays(page);
  assert(await isLiked(page));
  assert.equal(Number(await likes(page)), before + 1);

  await end();
  await loggingIn(page, ida, () => follow(page).click());
  await follow(page).waitFor({ state: "detached" });
  await page.reload();
  await plays(page);
  assert.equal(await follow(page).count(), 0);

  await active(page).getByTestId("comment-open").click();
  await by(page, "comments-panel").waitFor();
  await by(page, "comment-input").fill("Kept while the login ended");
  await end();
  await by(page, "comment-send").click();
  await by(page, "username").waitFor();
  assert.equal(await by(page, "comment-input").inputValue(), "Kept while the login ended");
  await enter(page, ida.name, PASSWORD, "login");
  await by(page, "comment-item").filter({ hasText: "Kept while the login ended" }).waitFor();

  // What is read and nobody else's, too.
  const ended = (route) => route.fulfill(answer({ status_code: 10003, status_msg: "bad token" }));
  await page.route("**/douyin/user/block/list/*", ended, { times: 1 });
  await by(page, "menu-settings").click();
  await loggingIn(page, ida, () => by(page, "blocks").click());
  await page.getByText("You haven’t blocked anybody.").waitFor();
  await close();
}

/** A login that had ended before the page was opened. */
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
  assert(!(await isLiked(page)));
  await close();
}

/** The login of one user ends in the middle, and another logs in. */
export async function whatOneUserHasBegunIsNotDoneAsAnother(browser, world) {
  const [uma, vera, wim] = await Promise.all(["Uma", "Vera", "Wim"].map(newUser));
  const uploading = await open(browser, PHONE, { session: uma });
  uploading.seen.faultsExpected = true;
  await uploading.page.goto(`/v/${world.videos[1]}`);
  await by(uploading.page, "publish-open").click();
  await by(uploading.page, "publish-file").setInputFiles([FILM, FILM]);
  await loggingIn(uploading.page, vera, async () => {
    await ask("user/logout", {}, uma.token);
    await by(uploading.page, "publish-submit").click();
  });
  // The first file isn't sent, and the second one is chosen no more.
  await by(uploading.page, "upload").waitFor({ state: "detached" });
  assert.equal(await by(uploading.page, "publish-title").inputValue(), "");
  assert(await by(uploading.page, "publish-submit").isDisabled());
  const { video_list } = await ask("publish/list", { user_id: String(vera.userId) }, vera.token, false);
  assert.deepEqual(video_list, []);
  await uploading.close();

  const liking = await open(browser, PHONE, { session: wim });
  liking.seen.faultsExpected = true;
  await liking.page.goto(`/v/${world.videos[1]}`);
  await plays(liking.page);
  await loggingIn(liking.page, vera, async () => {
    await ask("user/logout", {}, wim.token);
    await active(liking.page).getByTestId("like").click();
  });
  await eventually("no like of somebody else's", async () => !(await isLiked(liking.page)));
  assert(!(await flagOf(vera, world.videos[1])));
  await liking.close();
}

/** Two tabs of one browser: who logs in or out in one does so in both. */
export async function twoTabsShareTheirLogin(browser, world) {
  const [xenia, yan] = [await newUser("Xenia"), await newUser("Yan")];
  const { context, page, close } = await open(browser, PHONE, { session: xenia });
  const other = await context.newPage();
  await page.goto(`/u/${xenia.userId}`);
  await other.goto("/");
  await by(other, "profile").waitFor();
  await by(page, "logout").click();
  await by(page, "logout-confirm").click();
  // Who is asked to log in here and does so there is asked no more.
  await by(page, "login-open").click();
  await by(page, "username").waitFor();
  await loggingIn(other, yan, () => by(other, "login-open").click());
  await by(page, "username").waitFor({ state: "detached" });
  await page.locator(`[data-testid=profile][href="/u/${yan.userId}"]`).waitFor();

  // A token that has ended while another tab has a newer one: that goes on, and nobody is asked.
  await page.goto(`/v/${world.videos[1]}`);
  const before = await page.evaluate(() => JSON.parse(localStorage.getItem("dousheng-session")).token);
  // Two of one second are the same.
  let token;
  await eventually("another token", async () => {
    ({ token } = await ask("user/login", { username: "Yan", password: PASSWORD }));
    return token !== before;
  });
  const newer = JSON.stringify({ ...yan, token });
  let times = 0;
  await page.route("**/douyin/favorite/action/", async (route) => {
    times += 1;
    if (times > 1) return route.continue();
    await other.evaluate((newer) => localStorage.setItem("dousheng-session", newer), newer);
    // Between the processes of a browser it takes a moment.
    await page.waitForFunction((newer) => localStorage.getItem("dousheng-session") === newer, newer);
    await route.fulfill(answer({ status_code: 10003, status_msg: "bad token" }));
  });
  await active(page).getByTestId("like").click();
  await eventually("the like", () => flagOf(yan, world.videos[1]));
  assert.equal(await by(page, "username").count(), 0);
  assert.equal(await page.evaluate(() => JSON.parse(localStorage.getItem("dousheng-session")).token), token);

  // What one user has open and half written isn't there for the other, who logs in in the other tab.
  await rests(page);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").fill("Half a comment");
  await page.keyboard.press("Escape");
  await by(page, "profile").click();
  await by(page, "settings").click();
  await by(page, "delete-account").click();
  await page.getByText("The account “Yan” and its videos").waitFor();
  await page.locator("dialog").last().getByLabel("Password", { exact: true }).fill(PASSWORD);
  await by(other, "profile").click();
  await by(other, "logout").click();
  await by(other, "logout-confirm").click();
  await loggingIn(other, xenia, () => by(other, "login-open").click());
  await by(page, "delete-account-confirm").waitFor({ state: "detached" });
  await closing(page).click();
  await page.locator("dialog").first().waitFor({ state: "detached" });
  await page.goBack();
  await rests(page);
  await active(page).getByTestId("comment-open").click();
  assert.equal(await by(page, "comment-input").inputValue(), "");
  await page.keyboard.press("Escape");
  await by(page, "profile").click();
  await by(page, "edit-profile").click();
  await by(page, "profile-signature").waitFor();
  await storedElsewhere(page, yan);
  await by(page, "profile-signature").waitFor({ state: "detached" });
  await close();
}
