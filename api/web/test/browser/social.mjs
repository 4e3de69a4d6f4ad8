// Follows, friends, messages, one's own profile and account.

import assert from "node:assert/strict";

import { active, by, DESKTOP, enter, eventually, hold, isAccessible, newUser, open, PHONE, picture, plays, shows, storedElsewhere } from "./page.mjs";

export async function friendsFollowAndWrite(browser, world) {
  const [eve, fay] = [await newUser("Eve"), await newUser("Fay 小飞")];
  const one = await open(browser, PHONE, { session: eve });
  const other = await open(browser, DESKTOP, { session: fay, locale: "zh-CN" });

  await one.page.goto(`/u/${fay.userId}`);
  const followed = (page) => page.waitForResponse((response) => response.url().includes("/relation/action/"));
  let answered = followed(one.page);
  await by(one.page, "follow").click();
  await eventually("a follow", async () => (await by(one.page, "follow").getAttribute("aria-pressed")) === "true");
  await by(one.page, "open-followers").filter({ hasText: "1" }).waitFor();
  await answered;
  await other.page.goto(`/u/${eve.userId}`);
  answered = followed(other.page);
  await by(other.page, "follow").click();
  await answered;

  // Friends: each in the other's list; what one writes the other sees without doing anything.
  await other.page.goto("/messages");
  await by(other.page, "friend").filter({ hasText: "Eve" }).click();
  await one.page.goto(`/messages/${fay.userId}`);
  await by(one.page, "message-input").fill("Hello, #friend");
  await by(one.page, "message-send").click();
  await by(other.page, "message").filter({ hasText: "Hello" }).waitFor();
  await by(other.page, "message-input").fill("你好！");
  await by(other.page, "message-send").click();
  await by(one.page, "message").filter({ hasText: "你好！" }).waitFor();
  assert.equal(await by(one.page, "message").count(), 2);
  await isAccessible(one.page, "a chat");
  await picture(one.page, "chat-of-two-phone-dark-en");
  await picture(other.page, "chat-of-two-desktop-dark-zh");

  // The feed of those whom one follows.
  await one.page.goto("/following");
  await by(one.page, "empty").waitFor();
  await one.page.goto(`/v/${world.videos[0]}`);
  answered = followed(one.page);
  await active(one.page).getByTestId("follow-author").click();
  await active(one.page).getByTestId("follow-author").waitFor({ state: "detached" });
  // It is shown before it is answered, and who leaves the page earlier breaks it off.
  await answered;
  await one.page.goto("/");
  await plays(one.page);
  await one.page.getByRole("link", { name: "Following", exact: true }).click();
  await plays(one.page);
  await one.close();
  await other.close();
}

export async function aProfileAndAnAccountAreOnesOwn(browser) {
  const gita = await newUser("Gita");
  const { page, close } = await open(browser, PHONE, { session: gita });
  await page.goto(`/u/${gita.userId}`);
  const pictures = [page.locator(".profile-head .avatar img"), page.locator(".profile-top img")];
  const urls = () => Promise.all(pictures.map((one) => one.getAttribute("src")));
  const before = await urls();
  await by(page, "edit-profile").click();
  const jpeg = { name: "me.jpg", mimeType: "image/jpeg", buffer: await page.screenshot({ type: "jpeg" }) };
  await by(page, "profile-avatar").setInputFiles(jpeg);
  await by(page, "profile-background").setInputFiles(jpeg);
  await by(page, "profile-signature").fill("Hi, I am Gita. #me");
  await isAccessible(page, "editing a profile");
  await picture(page, "edit-profile-phone-dark-en");
  await by(page, "profile-save").click();
  await page.getByText("Hi, I am Gita.").waitFor();
  const after = await urls();
  assert(before.every((url, at) => url !== after[at]), `other pictures: ${after}`);
  await eventually("they are loaded", async () => {
    const widths = await Promise.all(pictures.map((one) => one.evaluate((img) => img.complete && img.naturalWidth)));
    return widths.every((width) => width > 0);
  });

  // The language is switched in place, and stays.
  await by(page, "settings").click();
  await isAccessible(page, "settings");
  await picture(page, "settings-phone-dark-en");
  await page.getByRole("radio", { name: "中文" }).check();
  await page.getByRole("heading", { name: "设置" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await by(page, "password").click();
  // What is entered is hidden until one wants to see it.
  const old = page.getByLabel("当前密码");
  await old.fill("a good password");
  assert.equal(await old.getAttribute("type"), "password");
  await page.getByRole("button", { name: "显示密码" }).first().click();
  assert.equal(await old.getAttribute("type"), "text");
  assert.equal(await old.inputValue(), "a good password");
  await page.getByRole("button", { name: "隐藏密码" }).click();
  assert.equal(await old.getAttribute("type"), "password");
  await page.getByLabel("新密码", { exact: true }).fill("a better password");
  // Before the answer comes, another tab notices that the token has ended, and drops the login. The new token is good all the same.
  const release = await hold(page, "**/douyin/user/password/");
  const asked = page.waitForRequest("**/douyin/user/password/");
  await page.locator("form").getByRole("button", { name: "修改密码" }).click();
  await asked;
  await storedElsewhere(page, null);
  await by(page, "delete-account").waitFor({ state: "detached" });
  release();
  await shows(page, "密码已修改");
  await by(page, "delete-account").click();
  await page.locator("dialog").last().getByLabel("密码", { exact: true }).fill("a better password");
  await by(page, "delete-account-confirm").click();
  await shows(page, "账号已注销");
  await by(page, "login-open").click();
  await enter(page, "Gita", "a better password", "login");
  await shows(page, "用户名或密码错误");
  await close();
}

/** One's own film is deleted after one was asked, and nobody else's is offered. */
export async function aFilmOfOnesOwnIsDeleted(browser, world) {
  const { page, close } = await open(browser, DESKTOP, { session: world.cleo, theme: "light" });
  await page.goto(`/v/${world.extra}`);
  await active(page).getByTestId("more").click();
  await isAccessible(page, "more");
  await by(page, "delete-video").click();
  await isAccessible(page, "delete");
  await picture(page, "delete-desktop-light-en");
  await by(page, "delete-confirm").click();
  await shows(page, "Video deleted");
  await page.goto(`/u/${world.cleo.userId}`);
  await page.getByText("No videos yet").waitFor();
  await page.goto(`/v/${world.videos[0]}`);
  await active(page).getByTestId("more").click();
  await page.getByRole("button", { name: "Copy link" }).waitFor();
  assert.equal(await by(page, "delete-video").count(), 0, "somebody else's video");
  await close();
}
