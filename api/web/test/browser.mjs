// The page as people use it, in headless Chromium. Started by api/tests/e2e/browser.rs with the addresses of a running system.
//
// Prints what the first load costs, keeps pictures of the screens, and fails with the first thing that isn't as it should be. The rooms of
// browser/ run at the same time, each in windows of its own, once there are a few users and films. ALL_SCREENS=1 takes every picture;
// ROOMS=login,playback runs only the rooms whose names hold one of these words.

import { theFirstLoadIsSmall } from "./browser/budgets.mjs";
import * as chat from "./browser/chat.mjs";
import * as comments from "./browser/comments.mjs";
import { aDesktopAt200PercentHasAll, aFilmOnItsSideIsSeenWhole, anUprightFilmFillsATelephoneAndStandsOnADesktop, wordsOnAWhiteFilmCanBeRead } from "./browser/desktop.mjs";
import * as failing from "./browser/failures.mjs";
import { moreFilms } from "./browser/films.mjs";
import * as intent from "./browser/intent.mjs";
import * as keyboard from "./browser/keyboard.mjs";
import * as lists from "./browser/lists.mjs";
import * as looks from "./browser/looks.mjs";
import { ask, newUser, PICTURES, publish } from "./browser/page.mjs";
import { aPersonBegins } from "./browser/person.mjs";
import { wordsAreForPeople } from "./browser/people.mjs";
import { aVideoOfAProfileCloses, backLeadsWhereOneWas, linksWorkForGuestsAndWrongOnesSaySo } from "./browser/routes.mjs";
import * as playback from "./browser/playback.mjs";
import {
  aFingerSeeksAndPauses,
  aLongFilmIsSoughtThrough,
  aSlowMachineComesToTheRightVideo,
  theEndSaysSoAndStillPeopleStart,
  theKeysDoWhatTheySay,
  theSoundIsAsOneLeftIt,
} from "./browser/player.mjs";
import * as rules from "./browser/rules.mjs";
import { ALL, everyScreen, largeLetters, VARIANTS } from "./browser/screens.mjs";
import * as scale from "./browser/scale.mjs";
import * as sheets from "./browser/sheets.mjs";
import { aFilmOfOnesOwnIsDeleted, aProfileAndAnAccountAreOnesOwn, friendsFollowAndWrite } from "./browser/social.mjs";
import { anUploadGoesOnBesideTheSheet, whatFloatsCoversNothing, whatWasBegunBeforeALogoutIsNobodyElses } from "./browser/uploads.mjs";
import { launch } from "./chromium.mjs";

/** Titles of the films, the newest first. */
const TITLES = ["<b>Bold</b> & #sunny", "清晨的海边，风很大 #旅行", "A walk with @Bob 小波 through the old town", "第一次自己做拉面", "Night ride", "今天的云"];
/** Windows that are open at the same time. */
const AT_ONCE = 2;

/** Users who know each other, and their films. */
async function aWorld() {
  const [ann, bob, cleo] = await Promise.all(["Ann", "Bob 小波", "Cleo"].map(newUser));
  // The oldest, so that what is told of the feed holds with and without it.
  const extra = await publish(cleo, "To be deleted");
  const videos = [];
  for (const [at, title] of [...TITLES].reverse().entries()) videos.unshift(await publish(at % 2 ? ann : bob, title));
  const follow = (from, to) => ask("relation/action", { to_user_id: String(to.userId), action_type: "1" }, from.token);
  await Promise.all([follow(ann, bob), follow(bob, ann), follow(cleo, ann)]);
  for (const text of ["太美了！", "Where is that? #curious"]) {
    await ask("comment/action", { video_id: String(videos[0]), action_type: "1", comment_text: text }, bob.token);
  }
  await ask("comment/action", { video_id: String(videos[1]), action_type: "1", comment_text: "Lovely" }, ann.token);
  for (const id of [videos[0], videos[1], extra]) await ask("favorite/action", { video_id: String(id), action_type: "1" }, bob.token);
  for (const [from, to, content] of [[ann, bob, "你好！"], [bob, ann, "Hello, shall we go out?"], [ann, bob, "Gladly!"]]) {
    await ask("message/action", { to_user_id: String(to.userId), action_type: "1", content }, from.token);
  }
  return { ann, bob, cleo, videos, extra };
}

const WORDS = (process.env.ROOMS ?? "").toLowerCase().split(",");
const isWanted = (room) => WORDS.some((word) => room.name.toLowerCase().includes(word));

const browser = await launch();
const failures = [];
let ran = 0;

/** Runs a room; what fails is told with a picture of each of its windows, and the others go on. */
async function run(room, ...given) {
  if (!isWanted(room)) return;
  ran += 1;
  const windows = [];
  const own = {
    newContext: async (options) => {
      const context = await browser.newContext(options);
      windows.push(context);
      await context.addInitScript(wordsAreForPeople);
      return context;
    },
  };
  try {
    await room(own, ...given);
  } catch (error) {
    failures.push(room.name);
    console.log(`${room.name}: ${error.stack}`);
    const pages = windows.flatMap((context) => context.pages());
    await Promise.all(pages.map((page, at) => page.screenshot({ path: `${PICTURES}/failure-${room.name}-${at}.png` }).catch(() => {})));
  } finally {
    await Promise.all(windows.map((context) => context.close().catch(() => {})));
  }
}

async function atOnce(rooms, world) {
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let room = rooms.shift(); room; room = rooms.shift()) await run(room, world);
    }),
  );
}

await run(aPersonBegins);
if (!failures.length) {
  const world = await aWorld();
  await run(aFilmOfOnesOwnIsDeleted, world);
  const screens = (process.env.ALL_SCREENS ? ALL : VARIANTS).map((variant) => {
    const room = (...given) => everyScreen(...given, variant);
    return Object.defineProperty(room, "name", { value: `everyScreen-${variant.join("-")}` });
  });
  await atOnce(
    [
      ...screens,
      ...Object.values(playback),
      theKeysDoWhatTheySay,
      theSoundIsAsOneLeftIt,
      aFingerSeeksAndPauses,
      aSlowMachineComesToTheRightVideo,
      theEndSaysSoAndStillPeopleStart,
      anUprightFilmFillsATelephoneAndStandsOnADesktop,
      aDesktopAt200PercentHasAll,
      backLeadsWhereOneWas,
      aVideoOfAProfileCloses,
      linksWorkForGuestsAndWrongOnesSaySo,
      friendsFollowAndWrite,
      aProfileAndAnAccountAreOnesOwn,
      largeLetters,
      ...[chat, comments, failing, keyboard, lists, looks, rules, scale, sheets].flatMap(Object.values),
    ],
    world,
  );
  // These change what the others look at.
  await atOnce([...Object.values(intent), whatFloatsCoversNothing], world);
  await atOnce([anUploadGoesOnBesideTheSheet, whatWasBegunBeforeALogoutIsNobodyElses], world);
  // Other films are the newest from here on.
  const films = await moreFilms();
  await run(theFirstLoadIsSmall, films.long, false);
  await run(theFirstLoadIsSmall, films.long, true);
  await atOnce([aLongFilmIsSoughtThrough, aFilmOnItsSideIsSeenWhole, wordsOnAWhiteFilmCanBeRead], films);
}
await browser.close();
if (!ran) failures.push(`no room's name holds any of ${WORDS}`);
if (failures.length) {
  console.log(`failed: ${failures.join(", ")}`);
  process.exit(1);
}
