// What lies above the page and what few people see, with axe and with pictures.

import assert from "node:assert/strict";

import { active, answer, ask, by, closing, DESKTOP, eventually, FILM, hold, logOut, newUser, open, PHONE, plays, publish, rests, shows, TEXT } from "./page.mjs";
import { look } from "./screens.mjs";

/** What asks before it is done, one's own lists, and what isn't there. */
export async function whatIsAskedLooksRight(browser, world) {
  const [noa, ole, pia] = await Promise.all(["Noa 小诺", "Ole", "Pia"].map(newUser));
  await ask("relation/action", { to_user_id: String(pia.userId), action_type: "1" }, noa.token);
  await ask("user/block", { to_user_id: String(ole.userId), action_type: "1" }, noa.token);
  const { page, seen, close } = await open(browser, PHONE, { theme: "light", locale: "zh-CN", session: noa });
  const suffix = "phone-light-zh";
  const own = `/u/${noa.userId}`;
  async function sheet(name, isThere, ...clicks) {
    for (const id of clicks) await by(page, id).click();
    await isThere.waitFor();
    await look(page, `${name}-${suffix}`);
    await closing(page).last().click();
    await isThere.waitFor({ state: "detached" });
  }
  await page.goto(own);
  await sheet("following-list", by(page, "person").first(), "open-following");
  await sheet("log-out", by(page, "logout-confirm"), "logout");
  await by(page, "settings").click();
  await sheet("blocks", page.getByText("Ole", { exact: true }), "blocks");
  await sheet("delete-account", by(page, "delete-account-confirm"), "delete-account");
  await by(page, "password").click();
  await page.getByLabel("新密码", { exact: true }).fill("no");
  await page.locator("form").getByRole("button", { name: "修改密码" }).click();
  await sheet("change-password", page.getByText("密码至少 5 个字符。"));
  await closing(page).click();

  await page.goto(`/u/${world.ann.userId}`);
  await by(page, "grid-item").first().waitFor();
  await look(page, `works-of-another-${suffix}`);
  await sheet("user-more", page.getByRole("button", { name: "拉黑 Ann" }), "user-more");
  seen.faultsExpected = true;
  await page.goto("/u/999999");
  await by(page, "not-found").waitFor();
  await look(page, `unknown-user-${suffix}`);
  seen.faultsExpected = false;
  await page.goto("/");
  for (const [place, name] of [["/messages", "guest-messages"], ["/following", "guest-following"]]) {
    await logOut(page);
    await page.goto(place);
    await page.getByRole("main").getByRole("button", { name: "登录" }).waitFor();
    await look(page, `${name}-${suffix}`);
  }
  await close();
}

/** A film that is chosen, one that can't be shown, and the uploads that are on their way or have failed. */
export async function whatIsPublishedLooksRight(browser) {
  const per = await newUser("Per");
  const { page, seen, close } = await open(browser, DESKTOP, { session: per });
  const suffix = "desktop-dark-en";
  let answerNow;
  const held = new Promise((resolve) => (answerNow = resolve));
  await page.route("**/douyin/publish/action/", async (route) => {
    await held;
    await route.fulfill(answer({ status_code: 20001, status_msg: "internal error" }, 500));
  });
  await page.goto("/");
  await plays(page);
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles(TEXT);
  await by(page, "publish-warning").waitFor();
  await look(page, `publish-warning-${suffix}`);
  await by(page, "publish-file").setInputFiles(FILM);
  await by(page, "publish-info").filter({ hasText: "film.mp4" }).waitFor();
  await page.locator(".preview figure img").waitFor();
  await look(page, `publish-chosen-${suffix}`);
  await by(page, "publish-title").fill("On its way");
  await by(page, "publish-submit").click();
  await by(page, "publish-progress").waitFor();
  await look(page, `upload-pill-${suffix}`);
  await by(page, "publish-progress").click();
  await by(page, "upload").waitFor();
  await look(page, `queue-${suffix}`);
  seen.faultsExpected = true;
  answerNow();
  await by(page, "upload-retry").waitFor();
  await look(page, `queue-failed-${suffix}`);
  await close();
}

/** What is said for a moment, without a network too; and the question before a video is deleted. */
export async function whatIsSaidLooksRight(browser, world) {
  const { context, page, seen, close } = await open(browser, PHONE, { theme: "light", session: world.ann });
  const suffix = "phone-light-en";
  await page.goto(`/v/${world.videos[0]}`);
  await plays(page);
  // A toast stays for seconds: it counts if it is still there once axe has looked.
  await eventually("axe has seen a toast", async () => {
    await rests(page);
    await active(page).getByTestId("share").click();
    await shows(page, "Link copied");
    await look(page, `toast-${suffix}`);
    return by(page, "toast").isVisible();
  });
  await by(page, "toast").waitFor({ state: "detached" });
  await rests(page);
  await active(page).getByTestId("more").click();
  await by(page, "delete-video").click();
  await by(page, "delete-confirm").waitFor();
  await look(page, `delete-video-${suffix}`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await by(page, "delete-confirm").waitFor({ state: "detached" });
  seen.faultsExpected = true;
  await context.setOffline(true);
  await by(page, "offline").waitFor();
  await look(page, `offline-${suffix}`);
  await context.setOffline(false);
  await by(page, "offline").waitFor({ state: "detached" });
  await close();
}

/** The page is loaded anew while a profile is edited: what isn't touched stays as it was. */
export async function aProfileEditedAfterAReloadKeepsItsSignature(browser) {
  const quin = await newUser("Quin");
  const form = new FormData();
  form.append("signature", "Said before");
  await ask("user/profile", form, quin.token);
  const { page, close } = await open(browser, PHONE, { session: quin });
  await page.goto(`/u/${quin.userId}`);
  await by(page, "edit-profile").click();
  await by(page, "profile-signature").waitFor();
  // The sheet is there before it is known who one is.
  const release = await hold(page, /\/douyin\/user\/\?/);
  await page.reload();
  await page.locator("dialog[open]").waitFor();
  release();
  await eventually("the signature", async () => (await by(page, "profile-signature").inputValue()) === "Said before");
  const jpeg = { name: "me.jpg", mimeType: "image/jpeg", buffer: await page.screenshot({ type: "jpeg" }) };
  await by(page, "profile-avatar").setInputFiles(jpeg);
  await by(page, "profile-save").click();
  await shows(page, "Profile saved");
  const { user } = await ask("user", { user_id: String(quin.userId) }, quin.token, false);
  assert.equal(user.signature, "Said before");
  await close();
}

/** A text is selected with the mouse, which is let go beside the sheet. */
export async function aSelectionThatEndsBesideASheetLeavesItOpen(browser) {
  const counted = () => {
    window.backs = 0;
    const { back } = history;
    history.back = () => {
      window.backs += 1;
      back.call(history);
    };
  };
  const { page, close } = await open(browser, DESKTOP, { setUp: counted });
  const backs = () => page.evaluate(() => window.backs);
  await page.goto("/");
  await by(page, "login-open").click();
  await by(page, "username").fill("Somebody");
  await rests(page);
  const { x, y, width, height } = await by(page, "username").boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(5, 5, { steps: 5 });
  await page.mouse.up();
  assert.equal(await backs(), 0);
  await page.mouse.click(5, 5);
  await by(page, "username").waitFor({ state: "detached" });
  assert.equal(await backs(), 1);
  await close();
}
