// The player: keys, sound, seeking, what can't play, what isn't ready, the end, no network, and what is loaded.

import assert from "node:assert/strict";

import { active, answer, arrives, by, DESKTOP, eventually, isAccessible, open, PHONE, picture, plays, STORE } from "./page.mjs";

const video = (page) => active(page).locator("video");
const of = (page, name) => video(page).evaluate((element, name) => element[name], name);

export async function theKeysDoWhatTheySay(browser, world) {
  const { page, close } = await open(browser, DESKTOP);
  await page.goto("/");
  await plays(page);
  // Four quick steps are four.
  for (const _ of [1, 2, 3, 4]) await page.keyboard.press("j");
  await arrives(page, world.videos[4]);
  await eventually("the focus follows", () => active(page).evaluate((card) => card.contains(document.activeElement)));
  await by(page, "previous").click();
  await arrives(page, world.videos[3]);
  await plays(page);
  await active(page).focus();
  await page.keyboard.press(" ");
  await eventually("a pause", () => of(page, "paused"));
  // The film is shorter than a step.
  await page.keyboard.press("ArrowLeft");
  await eventually("the beginning", async () => (await of(page, "currentTime")) === 0);
  await page.keyboard.press("ArrowRight");
  await eventually("the end", async () => (await of(page, "currentTime")) > 0.5 * (await of(page, "duration")));
  await page.keyboard.press(" ");
  await plays(page);
  await page.keyboard.press("c");
  await by(page, "comments-panel").waitFor();
  await page.keyboard.press("j");
  await arrives(page, world.videos[4]);
  await page.keyboard.press("Escape");
  await by(page, "comments-panel").waitFor({ state: "detached" });

  // Sound and speed; both stay, the sound over a reload.
  await page.keyboard.press("m");
  await eventually("sound", async () => !(await of(page, "muted")));
  await active(page).getByTestId("speed").selectOption("2");
  await eventually("twice as fast", async () => (await of(page, "playbackRate")) === 2);
  await active(page).getByTestId("full-screen").click();
  await eventually("the whole screen", () => page.evaluate(() => document.fullscreenElement !== null));
  await page.keyboard.press("f");
  await eventually("and not any more", () => page.evaluate(() => document.fullscreenElement === null));
  await page.reload();
  await page.keyboard.press("Shift");
  await eventually("sound again", async () => !(await of(page, "muted")));
  await close();
}

/** Where the time for a scroll is over while it is still on its way, the page jumps, and to no other video. */
export async function aSlowMachineComesToTheRightVideo(browser, world) {
  const { page, close } = await open(browser, PHONE);
  await page.clock.install();
  await page.goto("/");
  await plays(page);
  const scrolled = () => by(page, "feed").evaluate((feed) => feed.scrollTop);
  for (const id of world.videos.slice(1)) {
    const before = await scrolled();
    await page.keyboard.press("j");
    await eventually("a scroll", async () => (await scrolled()) > before);
    await page.clock.fastForward(1000);
    await arrives(page, id);
  }

  // Whoever leaves meanwhile comes back to where the key led.
  await page.keyboard.press("k");
  await page.getByRole("link", { name: "Following", exact: true }).click();
  await by(page, "feed").waitFor({ state: "detached" });
  await page.clock.fastForward(1000);
  await page.getByRole("link", { name: "For you", exact: true }).click();
  await arrives(page, world.videos.at(-2));
  await close();
}

export async function aFingerSeeksAndPauses(browser) {
  const { page, close } = await open(browser, PHONE);
  await page.goto("/");
  await plays(page);
  await by(page, "sound-on").tap();
  await eventually("sound", async () => !(await of(page, "muted")));
  await active(page).tap({ position: { x: 150, y: 300 } });
  await eventually("a pause", () => of(page, "paused"));
  const seek = active(page).getByTestId("seek");
  const box = await seek.boundingBox();
  await page.mouse.move(box.x + 10, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 4 });
  await active(page).locator(".seek-time").waitFor();
  await page.mouse.up();
  await eventually("where it was dragged to", async () => (await of(page, "currentTime")) > 0.3 * (await of(page, "duration")));
  // Two taps: a heart where the finger is, which asks a guest to log in.
  const heart = active(page).locator(".burst").waitFor();
  await active(page).dblclick({ position: { x: 150, y: 300 } });
  await heart;
  await by(page, "username").waitFor();
  await close();
}

export async function whatCannotPlaySaysSo(browser, world) {
  const { page, seen, close } = await open(browser, DESKTOP);
  seen.faultsExpected = true;
  // A play URL that has ended is renewed, and nobody is told.
  let refused = 0;
  await page.route(`${STORE}/**/*.mp4*`, (route) => {
    refused += 1;
    return refused === 1 ? route.fulfill({ status: 403 }) : route.fallback();
  });
  await page.goto("/");
  await plays(page);
  assert(refused >= 2, "the film was asked for again");
  assert.equal(await by(page, "toast").count(), 0);
  // One that never comes is told, and can be tried again.
  await page.unroute(`${STORE}/**/*.mp4*`);
  await page.route(`${STORE}/**/*.mp4*`, (route) => route.fulfill({ status: 500 }));
  await page.goto(`/v/${world.videos[1]}`);
  await by(page, "cant-play").waitFor();
  await isAccessible(page, "a video that can't be played");
  await picture(page, "cant-play-desktop-dark-en");
  await page.unroute(`${STORE}/**/*.mp4*`);
  await by(page, "cant-play").getByRole("button").click();
  await plays(page);

  // One's own that isn't ready: how far it is, then why it failed, then it plays.
  const states = [
    { state: "processing", progress: 40, reason: "" },
    { state: "failed", progress: 60, reason: "It is longer than 60 s." },
    { state: "ready", progress: 100, reason: "" },
  ];
  let at = 0;
  await page.route("**/douyin/video/*", async (route) => {
    const response = await route.fetch();
    const reply = await response.json();
    await route.fulfill(answer({ ...reply, video: { ...reply.video, ...states[at] } }));
  });
  await page.goto(`/v/${world.videos[2]}`);
  await by(page, "unready").filter({ hasText: "40%" }).waitFor();
  await picture(page, "processing-desktop-dark-en");
  at = 1;
  await by(page, "unready").filter({ hasText: "longer than 60 s" }).waitFor();
  at = 2;
  await page.reload();
  await plays(page);
  await close();
}

export async function withoutANetworkNothingIsLost(browser, world) {
  const { context, page, seen, close } = await open(browser, PHONE);
  // Without its code, which comes after the first film, a profile can't say what it lacks.
  const code = page.waitForResponse((response) => /\/profile[^/]*\.js$/.test(response.url()));
  await page.goto("/");
  await plays(page);
  await (await code).finished();
  seen.faultsExpected = true;
  await context.setOffline(true);
  await by(page, "offline").waitFor();
  await page.keyboard.press("j");
  // As far as it is there.
  await arrives(page, world.videos[1]);
  await active(page).getByTestId("author").click();
  await by(page, "failure").first().waitFor();
  await context.setOffline(false);
  await by(page, "grid-item").first().waitFor();
  await page.goBack();
  await arrives(page, world.videos[1]);
  await plays(page);
  await close();
}

/** A server that fails says so in words for people, and is asked again by a button. */
export async function aFeedThatFailsIsAskedAgain(browser) {
  const { page, seen, close } = await open(browser, PHONE);
  seen.faultsExpected = true;
  await page.route("**/douyin/feed/*", (route) => route.fulfill(answer({ status_code: 20002, status_msg: "temporarily unavailable" }, 503)));
  await page.goto("/");
  await by(page, "failure").filter({ hasText: "on our side" }).waitFor();
  await isAccessible(page, "a feed that fails");
  await page.unroute("**/douyin/feed/*");
  await page.getByRole("button", { name: "Try again" }).click();
  await plays(page);
  await close();
}

export async function theEndSaysSoAndStillPeopleStart(browser, world) {
  const { page, close } = await open(browser, PHONE);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await active(page).locator("video").waitFor();
  await active(page).getByRole("button", { name: "Play", exact: true }).first().waitFor();
  assert(await of(page, "paused"), "nothing plays by itself");
  // What comes after the last one is known a moment later than the last one.
  await eventually("the end", async () => {
    await page.keyboard.press("End");
    return active(page).getByTestId("seen-all").isVisible();
  });
  await isAccessible(page, "the end");
  await picture(page, "end-phone-dark-en");
  await by(page, "seen-all").getByRole("button").click();
  await arrives(page, world.videos[0]);
  await close();
}

/** What is hidden doesn't play; of what isn't seen yet only the next one is loaded. */
export async function onlyWhatIsNearIsLoaded(browser) {
  const { page, close } = await open(browser, PHONE);
  const films = new Set();
  const covers = new Set();
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith(".mp4")) films.add(pathname);
    if (pathname.includes("/covers/")) covers.add(pathname);
  });
  await page.goto("/");
  await plays(page);
  await eventually("the next one", () => films.size === 2);
  assert(covers.size <= 2, `${covers.size} covers`);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await eventually("a pause of what is hidden", () => of(page, "paused"));
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, value: false });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await plays(page);
  await close();
}
