// What is said under a video: names, tags and times in it. And a video is passed on.

import assert from "node:assert/strict";

import { active, arrives, ask, by, DESKTOP, eventually, newUser, open, PAGE, PHONE, plays, rests, shows } from "./page.mjs";

const HOUR = 3_600_000;
const path = (page) => new URL(page.url()).pathname;
const mention = (page, text) => page.locator(".mention").filter({ hasText: text });

export async function namesAndTagsAreShownAndNamesLead(browser, world) {
  const hana = await newUser("Hana");
  const { page, close } = await open(browser, DESKTOP, { session: hana });
  await page.goto("/");
  await plays(page);
  const title = active(page).getByTestId("video-title");
  assert.deepEqual(await title.locator(".mention").allInnerTexts(), ["#sunny"]);
  assert.equal(await title.locator("a").count(), 0, "a tag leads nowhere");
  for (const _ of [1, 2]) await page.keyboard.press("j");
  await arrives(page, world.videos[2]);
  // A name with a space in it, and no more than the name.
  assert.deepEqual(await title.locator("a").allInnerTexts(), ["@Bob 小波"]);
  assert.equal(await title.locator("a").getAttribute("href"), `/u/${world.bob.userId}`);

  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").fill("@Ann walks there, and @Nobody else #oldtown");
  await by(page, "comment-send").click();
  const comment = by(page, "comment-item").filter({ hasText: "#oldtown" });
  await comment.waitFor();
  assert.deepEqual(await comment.locator(".mention").allInnerTexts(), ["@Ann", "@Nobody", "#oldtown"]);
  assert.deepEqual(await comment.locator("a.mention").allInnerTexts(), ["@Ann"]);
  await mention(page, "@Ann").click();
  await eventually("the profile of who is named", async () => path(page) === `/u/${world.ann.userId}`);
  await page.goBack();
  await comment.getByRole("link", { name: "Hana", exact: true }).click();
  await eventually("the profile of who wrote it", async () => path(page) === `/u/${hana.userId}`);
  await close();
}

export async function aCommentSaysHowOldItIs(browser, world) {
  const ines = await newUser("Ines");
  const about = { video_id: String(world.videos[3]) };
  const { comment } = await ask("comment/action", { ...about, action_type: "1", comment_text: "How old am I?" }, ines.token);
  const ages = { "en-US": [[5_000, "just now"], [2 * HOUR, "2 hr. ago"]], "zh-CN": [[5_000, "刚刚"], [2 * HOUR, "2小时前"]] };
  for (const [locale, all] of Object.entries(ages)) {
    const { page, close } = await open(browser, PHONE, { locale });
    await page.goto(`/v/${world.videos[3]}`);
    await active(page).getByTestId("comment-open").click();
    for (const [age, words] of all) {
      await page.clock.setFixedTime(comment.create_time + age);
      await page.reload();
      await by(page, "comment-item").filter({ hasText: "How old am I?" }).getByText(words, { exact: true }).waitFor();
    }
    await close();
  }
}

/** By the telephone's own way where it has one, which nobody has to be told of; else as a link that can be pasted. */
export async function aVideoIsPassedOn(browser, world) {
  const link = `${PAGE}/v/${world.videos[0]}`;
  const recorded = () => {
    window.passedOn = [];
    navigator.share = async (what) => void window.passedOn.push(what);
  };
  const phone = await open(browser, PHONE, { setUp: recorded });
  await phone.page.goto("/");
  await plays(phone.page);
  await active(phone.page).getByTestId("share").click();
  await eventually("it is passed on", async () => (await phone.page.evaluate(() => window.passedOn.length)) === 1);
  assert.deepEqual(await phone.page.evaluate(() => window.passedOn), [{ title: "<b>Bold</b> & #sunny", url: link }]);
  assert.equal(await by(phone.page, "toast").count(), 0);
  await phone.close();

  const { context, page, close } = await open(browser, DESKTOP);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/");
  await plays(page);
  const pasted = () => page.evaluate(() => navigator.clipboard.readText());
  const copies = [
    () => active(page).getByTestId("share").click(),
    async () => {
      await active(page).getByTestId("more").click();
      await page.getByRole("button", { name: "Copy link" }).click();
    },
  ];
  for (const copy of copies) {
    await page.evaluate(() => navigator.clipboard.writeText("nothing yet"));
    await rests(page);
    await copy();
    await shows(page, "Link copied");
    await eventually("the link is copied", async () => (await pasted()) === link);
  }
  await close();
}
