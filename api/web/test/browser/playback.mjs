// What is loaded of the videos, what one sees until it is there, and what can't play.

import assert from "node:assert/strict";

import { active, answer, arrives, by, DESKTOP, eventually, hold, isAccessible, open, PHONE, picture, plays, STORE } from "./page.mjs";

const FILMS = `${STORE}/**/*.mp4*`;

/** All of the next film is there. */
const hasTheNext = (page) =>
  eventually("all of the next film", () =>
    page.evaluate(() => {
      const video = document.querySelector(".card.active + .card video");
      return video?.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA && video.buffered.end(0) > 0.9 * video.duration;
    }),
  );

export async function whatIsWaitedForSaysSo(browser) {
  const { page, close } = await open(browser, PHONE);
  const [releaseFeed, releaseFilms] = [await hold(page, "**/douyin/feed/*"), await hold(page, FILMS)];
  await page.goto("/");
  const skeleton = page.locator(".skeleton-card");
  await skeleton.waitFor();
  const [box, feed] = [await skeleton.boundingBox(), await by(page, "feed").boundingBox()];
  assert.deepEqual(box, feed, "it stands where the video will");
  await isAccessible(page, "a feed that is loaded");
  releaseFeed();
  const spinner = active(page).locator(".spinner");
  await spinner.waitFor();
  assert.equal(await skeleton.count(), 0);
  releaseFilms();
  await plays(page);
  await spinner.waitFor({ state: "detached" });
  await close();
}

export async function whatCannotPlaySaysSo(browser, world) {
  const { page, seen, close } = await open(browser, DESKTOP);
  seen.faultsExpected = true;
  // A play URL that has ended is renewed, and nobody is told.
  let refused = 0;
  await page.route(FILMS, (route) => {
    refused += 1;
    return refused === 1 ? route.fulfill({ status: 403 }) : route.fallback();
  });
  await page.goto("/");
  await plays(page);
  assert(refused >= 2, "the film was asked for again");
  assert.equal(await by(page, "toast").count(), 0);
  // One that never comes is told, and can be tried again.
  await page.unroute(FILMS);
  await page.route(FILMS, (route) => route.fulfill({ status: 500 }));
  await page.goto(`/v/${world.videos[1]}`);
  await by(page, "cant-play").waitFor();
  await isAccessible(page, "a video that can't be played");
  await picture(page, "cant-play-desktop-dark-en");
  await page.unroute(FILMS);
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

/** One's own video that is processed, and deleted in another tab meanwhile. */
export async function aVideoThatIsGoneIsAskedForNoMore(browser, world) {
  const { page, close } = await open(browser, PHONE, { session: world.ann });
  await page.clock.install();
  let asked = 0;
  await page.route("**/douyin/video/*", async (route) => {
    asked += 1;
    if (asked > 1) return route.fulfill(answer({ status_code: 10007, status_msg: "no such video" }));
    const reply = await (await route.fetch()).json();
    await route.fulfill(answer({ ...reply, video: { ...reply.video, state: "processing", progress: 40 } }));
  });
  await page.goto(`/v/${world.videos[2]}`);
  await by(page, "unready").waitFor();
  await eventually("another question", () => asked === 2);
  for (const _ of [1, 2, 3]) {
    await page.clock.fastForward(20_000);
    // What the page has asked for before this is known once this has come.
    await page.evaluate(() => fetch("/icon.svg").then((response) => response.text()));
  }
  assert.equal(asked, 2);
  await close();
}

export async function withoutANetworkNothingIsLost(browser, world) {
  const { context, page, seen, close } = await open(browser, PHONE);
  // Without its code, which comes after the first film, a profile can't say what it lacks.
  const code = page.waitForResponse((response) => /\/profile[^/]*\.js$/.test(response.url()));
  await page.goto("/");
  await plays(page);
  await (await code).finished();
  await hasTheNext(page);
  seen.faultsExpected = true;
  await context.setOffline(true);
  await by(page, "offline").waitFor();
  await page.keyboard.press("j");
  // As far as it is there.
  await arrives(page, world.videos[1]);
  await plays(page);
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

/** What is hidden doesn't play; of what isn't seen yet only the next one is loaded, and no cover is larger than it is shown. */
export async function onlyWhatIsNearIsLoaded(browser, world) {
  const { page, close } = await open(browser, PHONE);
  const films = new Set();
  const covers = new Set();
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith(".mp4")) films.add(pathname);
    if (pathname.includes("/covers/")) covers.add(pathname);
  });
  await page.goto("/");
  for (const [at, id] of world.videos.slice(0, 3).entries()) {
    await arrives(page, id);
    await plays(page);
    await hasTheNext(page);
    assert.equal(films.size, at + 2, "this film and the next one");
    assert(covers.size >= at + 1 && covers.size <= at + 2, `${covers.size} covers`);
    await page.keyboard.press("j");
  }
  await arrives(page, world.videos[3]);
  await plays(page);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await eventually("a pause of what is hidden", () => active(page).locator("video").evaluate((video) => video.paused));
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, value: false });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await plays(page);

  await page.goto(`/u/${world.ann.userId}`);
  const first = by(page, "grid-item").first().locator("img");
  await eventually("a cover", () => first.evaluate((image) => image.complete && image.naturalWidth > 0));
  for (const cover of covers) assert.match(cover, /\.small\.jpg$/);
  await close();
}
