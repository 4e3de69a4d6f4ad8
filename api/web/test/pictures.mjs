// Takes the four pictures of the README of a running, seeded system: make run-all seed && node api/web/test/pictures.mjs (PAGE: where it runs).
// Needs ffmpeg, which makes small WebP files of them.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launch } from "./chromium.mjs";

const { PAGE = "http://127.0.0.1:8080" } = process.env;
/** One of the users of scripts/seed.sh. */
const SHOWN = { username: "林小满", password: "dousheng-seed" };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PICTURES = new URL("../pictures/", import.meta.url).pathname;

const browser = await launch();
const raw = mkdtempSync(join(tmpdir(), "pictures-"));

async function open(device, session) {
  const context = await browser.newContext({ ...device, baseURL: PAGE, locale: "zh-CN", colorScheme: "dark" });
  if (session) await context.addInitScript((session) => localStorage.setItem("dousheng-session", session), JSON.stringify(session));
  return context.newPage();
}

async function take(page, name) {
  // A sheet that is still coming in is half transparent.
  await page.waitForFunction(() => {
    const ends = (animation) => animation.effect?.getTiming().iterations !== Infinity;
    return !document.getAnimations().some((animation) => animation.playState === "running" && ends(animation));
  });
  await page.screenshot({ path: join(raw, `${name}.png`) });
  execFileSync("ffmpeg", ["-loglevel", "error", "-y", "-i", join(raw, `${name}.png`), "-quality", "75", join(PICTURES, `${name}.webp`)]);
  await page.context().close();
}

/** Until the film that one sees has played for a moment. */
const playing = (page) => page.waitForFunction(() => document.querySelector(".card.active video")?.currentTime > 1);

const phone = await open(PHONE);
await phone.goto("/");
await playing(phone);
await take(phone, "feed-phone");

const desktop = await open(DESKTOP);
await desktop.goto("/");
await playing(desktop);
await desktop.locator(".card.active").getByTestId("comment-open").click();
await desktop.getByTestId("comment-item").first().waitFor();
await take(desktop, "feed-desktop");

const comments = await open(PHONE);
await comments.goto("/");
await playing(comments);
await comments.locator(".card.active").getByTestId("comment-open").click();
await comments.getByTestId("comment-item").nth(4).waitFor();
await take(comments, "comments");

const login = await fetch(`${PAGE}/douyin/user/login/`, { method: "POST", body: new URLSearchParams(SHOWN) });
const { user_id, token } = await login.json();
const profile = await open(PHONE, { userId: user_id, name: SHOWN.username, token });
await profile.goto(`/u/${user_id}/likes`);
await profile.getByTestId("grid-item").nth(8).waitFor();
await profile.waitForLoadState("networkidle");
await take(profile, "profile");

await browser.close();
rmSync(raw, { recursive: true });
