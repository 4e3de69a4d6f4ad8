// Windows of the tests: what goes wrong in them, what they ask for, how they look.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const { PAGE, STORE, FILM, TEXT, PICTURES } = process.env;
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
/** For one thing to happen, on a busy machine. */
const LIMIT = 30_000;

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Makes a window one of plain HTTP, as a telephone sees the page in a local network: without what only secure pages have. */
export function insecure() {
  Object.defineProperty(crypto, "randomUUID", { value: undefined });
  Object.defineProperty(navigator, "clipboard", { value: undefined });
}

/** A window of its own, with all that goes wrong in it. */
export async function open(browser, device, { locale = "en-US", theme = "dark", session, setUp } = {}) {
  const context = await browser.newContext({ ...device, baseURL: PAGE, locale, colorScheme: theme, deviceScaleFactor: 1 });
  const stored = JSON.stringify(session ?? null);
  if (session) await context.addInitScript(`localStorage.getItem("dousheng-session") ?? localStorage.setItem("dousheng-session", ${JSON.stringify(stored)})`);
  if (setUp) await context.addInitScript(setUp);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  const seen = { hosts: new Set(), errors: [], faultsExpected: false };
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http")) seen.hosts.add(url.origin);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !seen.faultsExpected) seen.errors.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.errors.push(`${page.url()}: ${error}`));
  return { context, page, seen, close: () => closed(context, seen) };
}

async function closed(context, seen) {
  assert.deepEqual(seen.errors, [], "errors in the console");
  for (const host of seen.hosts) assert([PAGE, STORE].includes(host), `a third host is asked: ${host}`);
  await context.close();
}

export const by = (page, id) => page.getByTestId(id);
/** The video that one sees. */
export const active = (page) => page.locator(".card.active");
/** Until it is this video that one sees, and the feed stands still. */
export const arrives = (page, id) =>
  eventually(`video ${id}`, () =>
    page.evaluate((id) => {
      const card = document.querySelector(".card.active");
      const feed = document.querySelector(".feed");
      return card?.dataset.videoId === id && Math.abs(card.getBoundingClientRect().top - feed.getBoundingClientRect().top) < 1;
    }, String(id)),
  );
/** The button that closes what is open; a sheet that was closed stays for a moment, to leave. */
export const closing = (page) => page.locator("dialog[open]").getByTestId("sheet-close");
export const activeId = (page) => active(page).getAttribute("data-video-id");
export const shows = (page, text) => by(page, "toast").filter({ hasText: text }).first().waitFor();
export const picture = (page, name) => page.screenshot({ path: `${PICTURES}/${name}.png` });

export async function eventually(what, probe) {
  const end = Date.now() + LIMIT;
  while (!(await probe())) {
    assert(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether the video that one sees plays: its time goes on. */
export async function plays(page) {
  const time = () =>
    active(page)
      .locator("video")
      .evaluate((video) => (video.paused ? -1 : video.currentTime))
      .catch(() => -1);
  const first = await time();
  await eventually("a film that plays", async () => {
    const now = await time();
    return now >= 0 && now !== first;
  });
}

export async function enter(page, name, password, how) {
  await by(page, "username").fill(name);
  await by(page, "password").fill(password);
  await by(page, `${how}-submit`).click();
}

/** The next page that is loaded is a guest's: what is there isn't set again. */
export const logOut = (page) => page.evaluate(() => localStorage.setItem("dousheng-session", "null"));

/** What the page is told when another tab of the browser stores a login, or none. */
export const storedElsewhere = (page, session) =>
  page.evaluate((stored) => {
    const key = "dousheng-session";
    localStorage.setItem(key, stored);
    dispatchEvent(new StorageEvent("storage", { key }));
  }, JSON.stringify(session));

/** What it does when one comes back to its tab. */
export const seenAgain = (page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

/**
 * Until nothing goes elsewhere any more, as what stands on a video does for a toast. Playwright scrolls to a button that still moves, which on
 * a feed is the next video.
 */
export const rests = (page) =>
  eventually("nothing moves", () =>
    page.evaluate(() => document.getAnimations().every((one) => one.playState !== "running" || one.effect?.getTiming().iterations === Infinity)),
  );

/** Words and controls that reach beyond the window. The page itself never scrolls, so that it has no width that would tell. */
export const cutOff = (page) =>
  page.evaluate(() => {
    const hasWords = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return [...document.querySelectorAll("body *")]
      .filter((element) => (element.matches("a, button, input, select, textarea") || hasWords(element)) && element.checkVisibility())
      .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 1 && (left < -1 || right > innerWidth + 1);
      })
      .map((element) => element.outerHTML.slice(0, 120));
  });

/** What is asked for at these addresses waits until what this returns is called. */
export async function hold(page, addresses) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route(addresses, async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

/** Drops a film on the page, from outside of the browser. Returns of each event whether the browser would handle it itself. */
export const drop = (page, name) =>
  page.evaluate(
    ([film, name]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(film), (one) => one.charCodeAt(0))], name, { type: "video/mp4" }));
      return ["dragover", "drop"].map((type) =>
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data })),
      );
    },
    [readFileSync(FILM).toString("base64"), name],
  );

/** What axe finds on what is to be seen now, once nothing moves any more. */
export async function isAccessible(page, what) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getTiming().iterations === 1).map((one) => one.finished.catch(() => {}))));
  const isThere = await page.evaluate(() => "axe" in window);
  if (!isThere) await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`));
  });
  assert.deepEqual(found, [], `axe: ${what}`);
}

/** Asks the API as a program does. */
export async function ask(path, values, token, isPost = true) {
  const url = new URL(`/douyin/${path}/`, PAGE);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const body = values instanceof FormData ? values : new URLSearchParams(values);
  if (!isPost) url.search = String(body);
  const response = await fetch(url, isPost ? { method: "POST", headers, body } : { headers });
  const reply = await response.json();
  assert.equal(reply.status_code, 0, `${path}: ${reply.status_msg}`);
  return reply;
}

export async function newUser(name) {
  const { user_id, token } = await ask("user/register", { username: name, password: "a good password" });
  // A user's pictures are drawn once the user is shown. A page that loads one earlier gets 404, and the console shows that as an error.
  const { user } = await ask("user", { user_id: String(user_id) }, token, false);
  for (const url of [user.avatar, user.background_image]) await eventually("a drawn picture", async () => (await fetch(url)).ok);
  return { userId: user_id, name, token };
}

export async function publish(session, title) {
  const form = new FormData();
  form.append("title", title);
  form.append("data", new Blob([readFileSync(FILM)]), "film.mp4");
  await ask("publish/action", form, session.token);
  const { video_list } = await ask("publish/list", { user_id: String(session.userId) }, session.token, false);
  return video_list[0].id;
}

export const answer = (body, status = 200) => ({ status, contentType: "application/json", body: JSON.stringify(body) });
