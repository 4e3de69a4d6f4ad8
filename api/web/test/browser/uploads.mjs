// Uploads go on whatever one does; what was chosen and written stays; leaving asks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { active, ask, by, closing, DESKTOP, drop, enter, eventually, FILM, hold, insecure, newUser, open, PHONE, picture, plays, rests, shows } from "./page.mjs";

export async function anUploadGoesOnBesideTheSheet(browser) {
  const hal = await newUser("Hal");
  const { page, close } = await open(browser, PHONE, { session: hal, setUp: insecure });
  await page.goto("/");
  await plays(page);
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles([FILM, FILM]);
  await by(page, "publish-title").fill("Two lines\nin a title 😀");
  // A tap beside the sheet closes it, and loses nothing.
  await page.mouse.click(200, 40);
  await by(page, "publish-title").waitFor({ state: "detached" });
  await by(page, "publish-open").click();
  assert.equal(await by(page, "publish-title").inputValue(), "Two lines\nin a title 😀");
  await by(page, "publish-info").filter({ hasText: /film\.mp4.*KB · 0:01/s }).waitFor();
  await page.locator(".preview figure img").waitFor();
  // What is counted is characters: of this one 100 fit, and of 101 one is told.
  await by(page, "publish-title").fill("😀".repeat(100));
  await page.getByText("100/100").waitFor();
  for (const long of ["x".repeat(101), "😀".repeat(101)]) {
    await by(page, "publish-title").fill("");
    await by(page, "publish-title").fill(long);
    await page.getByText("The title is too long.").waitFor();
    assert.equal(await by(page, "publish-title").inputValue(), long, "nothing is cut off");
  }
  await by(page, "publish-title").fill("Two lines\nin a title 😀");

  // The upload is held up, so that it is on its way for a while.
  const release = await hold(page, "**/douyin/publish/action/");
  await by(page, "publish-submit").click();
  // The next file of the queue, with a title of its own.
  await by(page, "publish-title").fill("The second of two");
  await by(page, "publish-submit").click();
  await by(page, "publish-title").waitFor({ state: "detached" });
  await by(page, "publish-progress").getByText("2", { exact: true }).waitFor();
  // The sheet can be opened and left while they are on their way.
  await by(page, "publish-progress").click();
  await by(page, "upload").nth(1).waitFor();
  await page.mouse.click(200, 40);
  await by(page, "upload").first().waitFor({ state: "detached" });
  await by(page, "publish-progress").waitFor();
  const asks = page.waitForEvent("dialog").then(async (dialog) => {
    assert.equal(dialog.type(), "beforeunload");
    await dialog.dismiss();
  });
  await page.evaluate(() => setTimeout(() => location.reload(), 0));
  await asks;
  release();
  await shows(page, "Published");
  // Who leaves earlier breaks the second one off.
  await by(page, "publish-progress").waitFor({ state: "detached" });
  await eventually("both are there", async () => {
    await page.goto(`/u/${hal.userId}`);
    await by(page, "grid-item").first().waitFor();
    return (await by(page, "grid-item").count()) === 2;
  });
  const { video_list } = await ask("publish/list", { user_id: String(hal.userId) }, hal.token, false);
  assert.deepEqual(
    video_list.map((video) => video.title),
    ["The second of two", "Two lines\nin a title 😀"],
  );

  // A file that is dropped anywhere is chosen; a title that isn't sent outlives the page.
  // What nobody takes, the browser opens in place of the page.
  assert.deepEqual(await drop(page, "dropped.mp4"), [false, false]);
  await by(page, "publish-info").filter({ hasText: "dropped.mp4" }).waitFor();
  assert.equal(await by(page, "publish-title").inputValue(), "dropped");
  // Files that are dropped on the form take the place of those in it, and are counted anew.
  await by(page, "publish-file").setInputFiles([FILM, FILM]);
  await page.getByText("Video 1 of 2").waitFor();
  await drop(page, "dropped.mp4");
  await by(page, "publish-info").filter({ hasText: "dropped.mp4" }).waitFor();
  assert.equal(await page.getByText(/^Video \d of/).count(), 0);
  // Another file in its place.
  await by(page, "publish-file").setInputFiles({ name: "another.mp4", mimeType: "video/mp4", buffer: readFileSync(FILM) });
  await by(page, "publish-info").filter({ hasText: "another.mp4" }).waitFor();
  assert.equal(await by(page, "publish-title").inputValue(), "another");
  await by(page, "publish-title").fill("Written before a crash");
  await eventually("a draft", () =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open("dousheng");
          opening.onsuccess = () => {
            const asking = opening.result.transaction("drafts").objectStore("drafts").get("publish");
            asking.onsuccess = () => resolve(asking.result?.title === "Written before a crash");
          };
        }),
    ),
  );
  await page.reload();
  await eventually("the title is back", async () => (await by(page, "publish-title").inputValue()) === "Written before a crash");
  await page.getByText("Your title from last time is back").waitFor();
  assert.equal(await active(page).count(), 0);
  await close();
}

/**
 * Who logs out takes along what they have begun, and what is sent or deleted by then is done. What a guest begins goes on as whoever logs in;
 * nobody is asked to by what goes on by itself.
 */
export async function whatWasBegunBeforeALogoutIsNobodyElses(browser, world) {
  const [zoe, abe] = await Promise.all(["Zoe", "Abe"].map(newUser));
  const about = { video_id: String(world.videos[3]) };
  const { comment } = await ask("comment/action", { ...about, action_type: "1", comment_text: "Deleted before the logout" }, zoe.token);
  const { page, close } = await open(browser, PHONE, { session: zoe });
  await page.goto(`/v/${world.videos[3]}`);
  await plays(page);
  const release = await hold(page, "**/douyin/publish/action/");
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles([FILM, FILM, FILM]);
  for (const title of ["Sent before the logout", "Waiting at the logout"]) {
    await by(page, "publish-title").fill(title);
    await by(page, "publish-submit").click();
  }
  await by(page, "publish-title").fill("Half a title");
  await closing(page).click();
  await by(page, "publish-title").waitFor({ state: "detached" });
  await rests(page);
  await active(page).getByTestId("comment-open").click();
  await by(page, "comment-input").fill("Half a comment");
  const deleted = by(page, "comment-item").filter({ hasText: comment.content });
  await deleted.getByTestId("comment-delete").click();
  await page.keyboard.press("Escape");
  await by(page, "profile").click();
  // Within the seconds in which it could be taken back.
  await by(page, "logout").click();
  await page.getByText("A video that is being uploaded goes on.").waitFor();
  await by(page, "logout-confirm").click();
  await by(page, "login-open").waitFor();
  const { comment_list } = await ask("comment/list", about, undefined, false);
  assert(!comment_list.some((one) => one.content === comment.content), "it is deleted");

  await drop(page, "guests.mp4");
  await enter(page, abe.name, "a good password", "login");
  await by(page, "publish-info").filter({ hasText: "guests.mp4" }).waitFor();
  assert.equal(await by(page, "publish-title").inputValue(), "guests");
  assert.equal(await by(page, "upload").count(), 1, "one is being sent");
  release();
  await by(page, "upload").waitFor({ state: "detached" });
  const titles = async ({ userId, token }) =>
    (await ask("publish/list", { user_id: String(userId) }, token, false)).video_list.map((video) => video.title);
  assert.deepEqual(await titles(zoe), ["Sent before the logout"]);
  assert.deepEqual(await titles(abe), []);
  assert.equal(await by(page, "username").count(), 0);
  await closing(page).click();
  await by(page, "publish-title").waitFor({ state: "detached" });
  await page.goBack();
  await rests(page);
  await active(page).getByTestId("comment-open").click();
  assert.equal(await by(page, "comment-input").inputValue(), "");
  assert.equal(await deleted.count(), 0);
  await close();
}

/** What tells of an upload, and what is said for a moment, lie on nothing that one reads or presses. */
export async function whatFloatsCoversNothing(browser, world) {
  for (const [device, what] of [
    [PHONE, "phone"],
    [DESKTOP, "desktop"],
  ]) {
    const { page, close } = await open(browser, device, { session: world.bob });
    await page.route("**/douyin/publish/action/", () => {});
    await page.goto(`/v/${world.videos[0]}`);
    await plays(page);
    await by(page, "publish-open").click();
    await by(page, "publish-file").setInputFiles(FILM);
    await by(page, "publish-submit").click();
    await by(page, "publish-progress").waitFor();
    const parts = ".card.active :is(.about, .action, .seek, .controls), .menu-bar > *, .menu-foot > *, .feed-tabs *";
    await coversNone(page, "publish-progress", parts, what);
    await active(page).getByTestId("share").click();
    await by(page, "toast").waitFor();
    await rests(page);
    await coversNone(page, "toast", parts, what);
    await picture(page, `toast-${what}`);
    await active(page).getByTestId("comment-open").click();
    await by(page, "comment-input").waitFor();
    await rests(page);
    await coversNone(page, "publish-progress", ".write > *", what);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await close();
  }
}

/** That it is there, or covered by a sheet itself, and covers none of the parts. */
async function coversNone(page, id, parts, what) {
  const covered = await page.evaluate(
    ([id, parts]) => {
      const one = document.querySelector(`[data-testid="${id}"]`).getBoundingClientRect();
      const meets = (other) => other.width > 0 && one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
      return [...document.querySelectorAll(parts)].filter((part) => meets(part.getBoundingClientRect())).map((part) => part.className || part.outerHTML);
    },
    [id, parts],
  );
  assert.deepEqual(covered, [], `${id} on a ${what} covers these`);
}
