// Lists of videos and of people: all of their pages, what isn't ready, and the paths of what they lead to.

import assert from "node:assert/strict";

import { active, answer, arrives, by, DESKTOP, eventually, FILM, open, PHONE, plays, shows } from "./page.mjs";

const path = (page) => new URL(page.url()).pathname;
const WORKS = "**/douyin/publish/list/*";
const FEED = "**/douyin/feed/*";
const ids = (page) => by(page, "video-card").evaluateAll((cards) => cards.map((card) => card.dataset.videoId));

/** What is read from now on comes the other way round. */
async function turnRound(page, addresses) {
  await page.route(addresses, async (route) => {
    const reply = await (await route.fetch()).json();
    await route.fulfill(answer({ ...reply, video_list: reply.video_list.reverse() }));
  });
}

export async function aProfileOfSeveralPagesShowsAll(browser, world) {
  const { page, close } = await open(browser, PHONE);
  const all = [];
  const asked = [];
  // The first page is cut to one video; the next is the server's own answer to what the page asks for.
  await page.route(WORKS, async (route) => {
    const before = new URL(route.request().url()).searchParams.get("before");
    asked.push(before);
    if (before) return route.continue();
    const reply = await (await route.fetch()).json();
    all.push(...reply.video_list);
    await route.fulfill(answer({ ...reply, video_list: all.slice(0, 1), has_more: true, next_before: all[0].id }));
  });
  await page.goto(`/u/${world.ann.userId}`);
  await eventually("all videos", async () => (await by(page, "grid-item").count()) === 3);
  const links = await by(page, "grid-item").evaluateAll((items) => items.map((item) => item.getAttribute("href")));
  assert.deepEqual(links, all.map((video) => `/v/${video.id}`));
  assert.deepEqual(asked, [null, String(all[0].id)]);
  await close();
}

export async function onesOwnGridSaysWhatIsNotReady(browser, world) {
  const says = { "en-US": ["Processing… 40%", ", processing: 40%", ", failed: It is"], "zh-CN": ["处理中……40%", "，处理中：40%", "，处理失败：It is"] };
  for (const [locale, [words, processing, failed]] of Object.entries(says)) {
    const { page, close } = await open(browser, PHONE, { session: world.ann, locale });
    await page.route(WORKS, async (route) => {
      const reply = await (await route.fetch()).json();
      const [first, second, ...others] = reply.video_list;
      const changed = [
        { ...first, state: "processing", progress: 40 },
        { ...second, state: "failed", reason: "It is longer than 60 s." },
      ];
      await route.fulfill(answer({ ...reply, video_list: [...changed, ...others] }));
    });
    await page.goto(`/u/${world.ann.userId}`);
    await page.locator(".cell.processing").getByText(words).waitFor();
    await page.locator(".cell.failed").getByText("It is longer than 60 s.").waitFor();
    const label = (state) => page.locator(`.cell.${state}`).getAttribute("aria-label");
    assert((await label("processing")).endsWith(processing), await label("processing"));
    assert((await label("failed")).includes(failed), await label("failed"));
    await close();
  }
}

export async function tabsAndListsLeadToTheirPlaces(browser, world) {
  const { page, close } = await open(browser, PHONE, { session: world.ann });
  const isAt = (where) => eventually(where, async () => path(page) === where);
  await page.goto(`/u/${world.bob.userId}`);
  await by(page, "open-following").click();
  await by(page, "person").filter({ hasText: "Ann" }).waitFor();
  await page.keyboard.press("Escape");
  await by(page, "person").first().waitFor({ state: "detached" });
  await by(page, "tab-likes").click();
  await isAt(`/u/${world.bob.userId}/likes`);
  await page.getByRole("tab", { name: /Likes/, selected: true }).waitFor();
  await by(page, "messages").click();
  await by(page, "friend").filter({ hasText: world.bob.name }).click();
  await isAt(`/messages/${world.bob.userId}`);
  await by(page, "home").click();
  await isAt("/");
  await page.getByRole("link", { name: "Following", exact: true }).click();
  await isAt("/following");
  await plays(page);
  await close();

  const wide = await open(browser, DESKTOP, { session: world.ann });
  await wide.page.goto("/");
  await wide.page.getByRole("link", { name: "Following", exact: true }).click();
  await eventually("the feed of those one follows", async () => path(wide.page) === "/following");
  await wide.close();
}

export async function aFeedThatCouldNotBeginAnewDoesSoAtTheNextTry(browser) {
  const { page, seen, close } = await open(browser, PHONE);
  await page.goto("/");
  await plays(page);
  const [first] = await ids(page);
  seen.faultsExpected = true;
  await page.route(FEED, (route) => route.fulfill(answer({ status_code: 20001, status_msg: "internal error" }, 500)));
  await by(page, "home").click();
  const again = page.getByRole("button", { name: "Try again" });
  await again.waitFor();
  await page.unroute(FEED);
  await turnRound(page, FEED);
  // It stands behind the last video.
  await again.dispatchEvent("click");
  await eventually("the feed from its beginning", async () => (await ids(page))[0] !== first);
  await close();
}

/** What one has published comes into the list in which one watches something else, which stays as it is. */
export async function aListThatIsReadAnewStaysAtItsVideo(browser, world) {
  const { page, close } = await open(browser, PHONE, { session: world.ann });
  // Her newest video is there only once it was published.
  let isPublished = false;
  await page.route(WORKS, async (route) => {
    const reply = await (await route.fetch()).json();
    await route.fulfill(answer({ ...reply, video_list: reply.video_list.slice(isPublished ? 0 : 1) }));
  });
  await page.route("**/douyin/publish/action/", (route) => {
    isPublished = true;
    return route.fulfill(answer({ status_code: 0, status_msg: "" }));
  });
  await page.goto(`/u/${world.ann.userId}`);
  await by(page, "grid-item").first().click();
  await plays(page);
  const before = await ids(page);
  await page.keyboard.press(" ");
  const video = active(page).locator("video");
  await eventually("a pause", () => video.evaluate((one) => one.paused && !one.seeking));
  await video.evaluate((one) => {
    window.seeks = 0;
    one.addEventListener("seeking", () => (window.seeks += 1));
  });
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles(FILM);
  await by(page, "publish-submit").click();
  await eventually("the list anew", async () => (await ids(page)).length === before.length + 1);
  await shows(page, "Published");
  await arrives(page, before[0]);
  assert.equal(await page.evaluate(() => window.seeks), 0, "it starts over");
  assert(await video.evaluate((one) => one.paused), "it goes on by itself");
  await close();
}
