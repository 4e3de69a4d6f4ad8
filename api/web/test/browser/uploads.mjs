// Uploads go on whatever one does; what was chosen and written stays; leaving asks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { active, by, eventually, FILM, newUser, open, PHONE, plays, shows } from "./page.mjs";

export async function anUploadGoesOnBesideTheSheet(browser) {
  const hal = await newUser("Hal");
  const { page, close } = await open(browser, PHONE, { session: hal });
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
  await by(page, "publish-info").filter({ hasText: "film.mp4" }).waitFor();
  // What is counted is characters: of this one 100 fit, and of 101 one is told.
  await by(page, "publish-title").fill("😀".repeat(100));
  await page.getByText("100/100").waitFor();
  await by(page, "publish-title").fill("x".repeat(101));
  await page.getByText("The title is too long.").waitFor();
  await by(page, "publish-title").fill("Two lines\nin a title 😀");

  // The upload is held up, so that it is on its way for a while.
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/douyin/publish/action/", async (route) => {
    await held;
    await route.continue();
  });
  await by(page, "publish-submit").click();
  // The next file of the queue, with a title of its own.
  await by(page, "publish-title").fill("The second of two");
  await by(page, "publish-submit").click();
  await by(page, "publish-progress").waitFor();
  await by(page, "publish-progress").getByText("2").waitFor();
  await page.mouse.click(195, 300);
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

  // A file that is dropped anywhere is chosen; a title that isn't sent outlives the page.
  const film = readFileSync(FILM).toString("base64");
  await page.evaluate((film) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(film), (one) => one.charCodeAt(0))], "dropped.mp4", { type: "video/mp4" }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
  }, film);
  await by(page, "publish-info").filter({ hasText: "dropped.mp4" }).waitFor();
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
  assert.equal(await active(page).count(), 0);
  await close();
}
