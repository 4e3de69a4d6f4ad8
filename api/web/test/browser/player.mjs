// What moves and steers a video: keys, fingers, sound, seeking, the end.

import assert from "node:assert/strict";

import { active, arrives, by, DESKTOP, eventually, isAccessible, open, PHONE, picture, plays } from "./page.mjs";

const video = (page) => active(page).locator("video");
const of = (page, name) => video(page).evaluate((element, name) => element[name], name);
const isNear = (value, wanted, by) => Math.abs(value - wanted) <= by;

/** Until it stands still. */
async function pauses(page) {
  await active(page).focus();
  await page.keyboard.press(" ");
  await eventually("a pause", () => of(page, "paused"));
}

/** Drags the line of a video that stands still from its beginning to 60 %. */
async function dragsTo60(page, shown) {
  const seek = active(page).getByTestId("seek");
  const box = await seek.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + 10, y);
  await page.mouse.down();
  await eventually("near the beginning", async () => (await of(page, "currentTime")) < 0.2 * (await of(page, "duration")));
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  const time = active(page).locator(".seek-time");
  await time.filter({ hasText: shown }).waitFor();
  await page.mouse.up();
  await eventually("60 %", async () => isNear((await of(page, "currentTime")) / (await of(page, "duration")), 0.6, 0.1));
  await time.waitFor({ state: "detached" });
}

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
  await by(page, "next").click();
  await arrives(page, world.videos[4]);
  await by(page, "previous").click();
  await arrives(page, world.videos[3]);
  await plays(page);
  await pauses(page);
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

export async function theSoundIsAsOneLeftIt(browser) {
  const { page, close } = await open(browser, DESKTOP);
  const mute = active(page).getByTestId("mute");
  const comesBack = async () => {
    await page.reload();
    await plays(page);
  };
  await page.goto("/");
  await plays(page);
  await mute.hover();
  await active(page).getByTestId("volume").fill("0.5");
  await eventually("half as loud", async () => (await of(page, "volume")) === 0.5 && !(await of(page, "muted")));
  await comesBack();
  assert.equal(await of(page, "volume"), 0.5);
  // By itself it may not play with sound; once one has done something it does.
  await page.keyboard.press("Shift");
  await eventually("sound", async () => !(await of(page, "muted")));
  // A try to play with sound that the browser refuses late ends in silence once more; one that goes on was allowed.
  await plays(page);
  await active(page).getByRole("button", { name: "Sound off" }).click();
  await eventually("silence", () => of(page, "muted"));
  await comesBack();
  await page.keyboard.press("Shift");
  // Who chose silence isn't asked for sound, and gets none.
  await active(page).getByRole("button", { name: "Sound on" }).waitFor();
  assert.equal(await by(page, "sound-on").count(), 0);
  assert(await of(page, "muted"), "silence");
  await mute.click();
  await eventually("sound again", async () => !(await of(page, "muted")));
  assert.equal(await of(page, "volume"), 0.5);
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
  await dragsTo60(page, "0:00 / 0:01");
  // Two taps: a heart where the finger is as long as it is well seen, which goes, and asks a guest to log in.
  await page.evaluate(() => {
    new MutationObserver(() => {
      const burst = document.querySelector(".burst");
      if (!burst || window.hearts) return;
      const [animation] = burst.getAnimations();
      const { duration } = animation.effect.getComputedTiming();
      const parts = Array.from({ length: 20 }, (_, at) => at / 20);
      window.hearts = parts.map((part) => {
        animation.currentTime = part * duration;
        const { x, y, width, height } = burst.getBoundingClientRect();
        return { part, opacity: Number(getComputedStyle(burst).opacity), x: x + width / 2, y: y + height / 2 };
      });
      animation.currentTime = 0;
    }).observe(document.querySelector(".card.active"), { childList: true, subtree: true });
  });
  await active(page).dblclick({ position: { x: 150, y: 300 } });
  await by(page, "username").waitFor();
  const hearts = await page.evaluate(() => window.hearts);
  const seen = hearts.filter(({ opacity }) => opacity > 0.7);
  assert(seen.length > 5, "a heart that is seen");
  for (const { part, x, y } of seen) assert(Math.hypot(x - 150, y - 300) <= 12, `at ${part} the heart is at ${x}, ${y}`);
  await active(page).locator(".burst").waitFor({ state: "detached" });
  await close();
}

/** Who wants less motion starts a video, and once it has ended again. */
export async function theEndSaysSoAndStillPeopleStart(browser, world) {
  const { page, close } = await open(browser, PHONE);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await active(page).locator("video").waitFor();
  const start = (name) => active(page).getByRole("button", { name, exact: true }).first();
  await start("Play").waitFor();
  assert(await of(page, "paused"), "nothing plays by itself");
  await video(page).evaluate((element) => {
    window.ends = 0;
    element.addEventListener("ended", () => (window.ends += 1));
  });
  await start("Play").click();
  await start("Watch again").click();
  await eventually("a second end", () => page.evaluate(() => window.ends === 2));
  await start("Watch again").waitFor();
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

export async function aLongFilmIsSoughtThrough(browser, films) {
  const { page, close } = await open(browser, PHONE);
  await page.goto(`/v/${films.long}`);
  await plays(page);
  await pauses(page);
  const seek = active(page).getByTestId("seek");
  const arrivesAt = (seconds) => eventually(`${seconds} s`, async () => isNear(await of(page, "currentTime"), seconds, 0.3));
  await seek.fill("2");
  await arrivesAt(2);
  // On the line and beside it a key is one step.
  for (const place of [seek, active(page)]) {
    await place.focus();
    await page.keyboard.press("ArrowRight");
    await arrivesAt(7);
    await page.keyboard.press("ArrowLeft");
    await arrivesAt(2);
  }
  await dragsTo60(page, /0:0[89] \/ 0:15/);
  await close();
}
