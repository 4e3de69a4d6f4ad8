// Each route has a URL; Back closes what is open and leads where one was; links work for guests, and wrong ones say so.

import assert from "node:assert/strict";

import { active, activeId, arrives, by, DESKTOP, eventually, isAccessible, open, PAGE, PHONE, picture, plays } from "./page.mjs";

const path = (page) => new URL(page.url()).pathname;

export async function backLeadsWhereOneWas(browser, world) {
  const { page, close } = await open(browser, PHONE);
  await page.goto("/");
  await plays(page);
  for (const _ of [1, 2, 3]) await page.keyboard.press("j");
  await arrives(page, world.videos[3]);
  await plays(page);

  // A sheet, a profile, a list of users: Back goes through them one by one.
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").waitFor();
  await page.goBack();
  await by(page, "comment-input").waitFor({ state: "detached" });
  assert.equal(path(page), "/");
  await active(page).getByTestId("author").click();
  await by(page, "grid-item").first().waitFor();
  await by(page, "open-followers").click();
  await by(page, "person").first().waitFor();
  await by(page, "person").first().getByRole("link").click();
  await eventually("another profile", async () => path(page) === `/u/${world.ann.userId}`);
  for (const _ of [1, 2, 3]) await page.goBack();
  await arrives(page, world.videos[3]);
  assert.equal(path(page), "/");
  await page.reload();
  await arrives(page, world.videos[3]);
  await close();
}

/** A video opened from a profile on a desktop is closed by its button, Escape and Back. */
export async function aVideoOfAProfileCloses(browser, world) {
  const { page, close } = await open(browser, DESKTOP, { locale: "zh-CN" });
  const profile = `/u/${world.ann.userId}`;
  await page.goto(profile);
  const leave = [() => by(page, "watch-close").click(), () => page.keyboard.press("Escape"), () => page.goBack()];
  for (const go of leave) {
    await by(page, "grid-item").first().click();
    await plays(page);
    assert.match(path(page), /^\/v\/\d+$/);
    await go();
    await eventually("the profile", async () => path(page) === profile);
  }
  await page.goto(`${profile}/likes`);
  await page.getByRole("tab", { name: /喜欢/, selected: true }).waitFor();
  await close();
}

export async function linksWorkForGuestsAndWrongOnesSaySo(browser, world) {
  const { page, seen, close } = await open(browser, PHONE);
  await page.goto(`/v/${world.videos[2]}`);
  await plays(page);
  assert.equal(await activeId(page), String(world.videos[2]));
  // A guest sees an author.
  await page.goto(`/u/${world.ann.userId}`);
  await by(page, "grid-item").first().waitFor();
  await page.goto("/following");
  await page.getByText("Log in to see the videos").waitFor();
  await page.goto(`/messages/${world.bob.userId}`);
  await page.getByText("Log in to chat").waitFor();
  // What isn't there has a page, which is told apart by its status.
  seen.faultsExpected = true;
  for (const [wrong, status] of [["/v/999999", 404], ["/u/999999", 200], ["/nowhere/at/all", 404]]) {
    const response = await page.goto(wrong);
    assert.equal(response.status(), status, wrong);
    assert.match(response.headers()["content-type"], /text\/html/);
    await by(page, "not-found").waitFor();
  }
  await isAccessible(page, "a wrong link");
  await picture(page, "not-found-phone-dark-en");
  seen.faultsExpected = false;
  await close();

  // What shows links gets the title and the cover, escaped; and of an unknown video nothing.
  const html = await (await fetch(`${PAGE}/v/${world.videos[0]}`, { headers: { Accept: "text/html" } })).text();
  assert.match(html, /<meta property="og:title" content="&lt;b&gt;Bold&lt;\/b&gt; &amp; #sunny" \/>/);
  assert.match(html, /<meta property="og:image" content="http[^"]+" \/>/);
  assert(!html.includes("<b>"), "a title is no code");
  const manifest = await (await fetch(`${PAGE}/manifest.webmanifest`)).json();
  for (const { src } of manifest.icons) assert.equal((await fetch(PAGE + src)).status, 200, src);
}
