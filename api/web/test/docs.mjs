// The page of the API's document as a reader uses it, in headless Chromium. Started by api/tests/e2e/docs.rs with the address of a
// running system; run it by hand with PAGE=http://127.0.0.1:8080 FILM=film.mp4 PICTURES=directory node test/docs.mjs.
//
// Also runs what the quick start shows: the curl commands, the program for Node.js, and the Go program where Go is installed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { isAccessible } from "./browser/page.mjs";
import { launch } from "./chromium.mjs";

const { PAGE, FILM, PICTURES } = process.env;
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const run = promisify(execFile);

const browser = await launch();

/** A window of its own, at a part of the page, with all that goes wrong in it. */
async function open(viewport, locale, hash = "", options = {}) {
  const context = await browser.newContext({ viewport, locale, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const seen = { hosts: new Set(), errors: [] };
  page.on("request", (request) => seen.hosts.add(new URL(request.url()).origin));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.goto(`${PAGE}/docs${hash}`);
  await page.locator("body[data-ready=yes]").waitFor();
  const close = async () => {
    assert.deepEqual(seen.errors, []);
    assert.deepEqual([...seen.hosts], [PAGE]);
    await context.close();
  };
  return { page, close };
}

const picture = (page, name) => page.screenshot({ path: `${PICTURES}/docs-${name}.png` });
const route = (page, id) => page.locator(`details#${id}`);

/** Fills in a route's open form, sends it, gives back what the page says of the reply. */
async function send(page, id, fields) {
  const at = route(page, id);
  for (const [name, text] of Object.entries(fields)) await at.locator(`input[name=${name}]`).fill(text);
  const answered = page.waitForResponse((response) => response.url().includes("/douyin/"));
  await at.locator("button.send").click();
  const size = (await (await answered).body()).length;
  await at.locator("output .outcome strong").waitFor();
  const [status, time, shown, body] = await Promise.all(
    ["strong", ".time", ".size", "pre"].map((part) => at.locator(`output ${part}`).innerText()));
  assert.equal(status, "200");
  assert.match(time, /^\d+ (ms|毫秒)$/);
  assert.equal(shown, size < 1000 ? `${size} B` : `${(size / 1000).toFixed(1)} kB`);
  return JSON.parse(body);
}

/** Nothing reaches beyond the window's right edge. */
async function fits(page) {
  const { wide, window } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }));
  assert(wide <= window, `${wide} pixels in a window of ${window}`);
}

/** What belongs into the header lies in it. */
async function headerHolds(page) {
  const outside = await page.evaluate(() => {
    const header = document.querySelector("header");
    const box = header.getBoundingClientRect();
    const lies = (one) => one.top >= box.top && one.bottom <= box.bottom && one.right <= box.right;
    return [...header.children].filter((one) => !lies(one.getBoundingClientRect())).map((one) => one.outerHTML);
  });
  assert.deepEqual(outside, []);
}

/** What lies at the middle of the header is the header, whatever was scrolled below it, and its ground lets nothing through. */
async function headerCovers(page) {
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight / 2));
  const header = await page.evaluate(() => {
    const box = document.querySelector("header").getBoundingClientRect();
    const points = [0.1, 0.5, 0.9].map((part) => document.elementFromPoint(box.width * part, box.height - 2));
    const { backgroundColor, opacity } = getComputedStyle(document.querySelector("header"));
    return { top: box.top, covered: points.every((one) => one?.closest("header")), backgroundColor, opacity };
  });
  assert.deepEqual([header.top, header.covered, header.opacity], [0, true, "1"]);
  assert.match(header.backgroundColor, /^rgb\(/);
}

/** The text of the quick start's three programs, as shown. */
async function programs(page) {
  const texts = {};
  for (const name of ["curl", "JavaScript", "Go"]) {
    await page.getByRole("tab", { name, exact: true }).click();
    const panel = page.getByRole("tabpanel");
    assert.equal(await panel.count(), 1, "one program at a time");
    const text = await panel.locator("code").innerText();
    await panel.getByRole("button").click();
    await panel.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    texts[name] = text;
  }
  return texts;
}

async function asAReader() {
  const { page, close } = await open(DESKTOP, "en-US", "", { permissions: ["clipboard-read", "clipboard-write"] });
  await picture(page, "desktop");
  await isAccessible(page, "/docs on a desktop");

  // Quick start first, then the rules, then every route of the document, each in the side navigation.
  assert.equal(await page.locator("main > :first-child").getAttribute("id"), "start");
  const contract = await (await fetch(`${PAGE}/openapi.json`)).json();
  const operations = Object.values(contract.paths).flatMap((item) => Object.entries(item));
  for (const [verb, operation] of operations) {
    const at = route(page, operation.operationId);
    assert.equal(await at.locator("summary .method").first().innerText(), verb.toUpperCase());
    const needs = !operation.security ? 0 : operation.security.some((way) => !Object.keys(way).length) ? "a token is optional" : "needs a token";
    const locks = at.locator("summary .lock");
    assert.equal(await locks.count(), needs ? 1 : 0, operation.operationId);
    if (needs) assert.equal(await locks.getAttribute("aria-label"), needs);
    assert.equal(await page.locator(`nav a[href="#${operation.operationId}"]`).count(), 1, operation.operationId);
  }
  const colour = (verb) => page.locator(`main .method.${verb}`).first().evaluate((one) => getComputedStyle(one).color);
  assert.notEqual(await colour("get"), await colour("post"));
  await headerCovers(page);
  await headerHolds(page);
  await fits(page);

  // The side navigation leads to a route, which opens, and says where one is.
  await page.locator('nav a[href="#user_register"]').click();
  await route(page, "user_register").locator("form").waitFor();
  assert.equal(new URL(page.url()).hash, "#user_register");
  assert.equal(await page.locator("nav a[aria-current]").getAttribute("href"), "#user_register");
  const top = await route(page, "user_register").evaluate((one) => one.getBoundingClientRect().top);
  const below = await page.locator("header").evaluate((one) => one.getBoundingClientRect().bottom);
  assert(top >= below, `the header at ${below} covers the route at ${top}`);

  const username = `visitor-${Date.now()}`;
  const registered = await send(page, "user_register", { username, password: "correct horse" });
  assert.equal(registered.status_code, 0);
  assert.equal(await page.locator("#token").inputValue(), registered.token);
  await picture(page, "desktop-reply");
  await isAccessible(page, "an open route and its reply");
  // What is opened by hand can be linked to, too.
  await route(page, "favorite_action").locator("summary").first().click();
  await page.waitForFunction(() => location.hash === "#favorite_action");
  assert.match((await send(page, "favorite_action", { video_id: "x", action_type: "1" })).status_msg, /video_id: is not a number/);

  // The same request for a terminal.
  const asCurl = route(page, "favorite_action").locator(".as-curl button");
  await asCurl.click();
  await asCurl.filter({ hasText: "Copied" }).waitFor();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  const { stdout } = await run("bash", ["-c", line]);
  assert.match(stdout, /video_id: is not a number/);

  // The token stays for the tab, not for another.
  await page.reload();
  await page.locator("body[data-ready=yes]").waitFor();
  assert.equal(await page.locator("#token").inputValue(), registered.token);
  await page.evaluate(() => document.querySelector("#user").setAttribute("open", ""));
  assert.equal((await send(page, "user", {})).user.name, username);
  const another = await page.context().newPage();
  await another.goto(`${PAGE}/docs`);
  await another.locator("body[data-ready=yes]").waitFor();
  assert.equal(await another.locator("#token").inputValue(), "");
  await another.close();

  // Protobuf is named, with the file of its messages.
  const start = await page.locator("#start").innerText();
  assert.match(start, /application\/x-protobuf/);
  assert.equal(await page.locator('#start a[href="/proto/douyin.proto"]').count(), 1);
  const texts = await programs(page);
  await close();
  return texts;
}

async function inChineseOnAPhone() {
  const { page, close } = await open(PHONE, "zh-CN", "#comment_action", { hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  // A deep link opens its operation, below the header.
  const at = route(page, "comment_action");
  await at.locator("form").waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  assert.match(await at.innerText(), /评论视频/);
  await fits(page);
  await headerHolds(page);
  await picture(page, "phone-zh-route");
  await isAccessible(page, "an open route on a phone");
  await headerCovers(page);

  // All that is shown is Chinese, but for names: no sentence of English is left.
  const english = await page.evaluate(() => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const inside = walker.currentNode.parentElement;
      if (inside.closest("pre, code, table, a, .link")) continue;
      if (/[a-z]+ [a-z]+ [a-z]+/.test(walker.currentNode.data)) found.push(walker.currentNode.data);
    }
    return found;
  });
  assert.deepEqual(english, []);

  await page.locator("#menu").tap();
  await page.locator("nav").waitFor();
  await picture(page, "phone-zh-menu");
  await isAccessible(page, "the menu on a phone");
  await page.locator('nav a[href="#feed"]').tap();
  await page.locator("nav").waitFor({ state: "hidden" });
  const feed = await send(page, "feed", {});
  assert.equal(feed.status_msg, "成功");
  assert(Array.isArray(feed.video_list));
  await picture(page, "phone-zh-reply");

  // The language is chosen by hand, too, and kept.
  await page.locator("#language").selectOption("en");
  await page.getByRole("heading", { name: "Quick start" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  await page.reload();
  await page.getByRole("heading", { name: "Quick start" }).waitFor();
  await page.goto(`${PAGE}/docs`);
  await page.locator("body[data-ready=yes]").waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await headerHolds(page);
  await fits(page);
  await picture(page, "phone");
  await close();
}

/** And all that can be opened. */
async function inTheDark() {
  const { page, close } = await open(DESKTOP, "zh-CN", "#publish_action", { colorScheme: "dark" });
  await fits(page);
  await picture(page, "desktop-dark-zh");
  await isAccessible(page, "an open route in the dark");
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  await fits(page);
  await isAccessible(page, "all that can be opened, in the dark");
  await close();

  const light = await open(PHONE, "en-US", "", { hasTouch: true, isMobile: true });
  await isAccessible(light.page, "/docs on a phone");
  await light.close();
}

const hasGo = () => run("go", ["version"]).then(() => true, () => false);

/** What the page shows must run as it is shown. */
async function runAll(texts) {
  const directory = await mkdtemp(join(tmpdir(), "quickstart-"));
  const here = { cwd: directory, timeout: 300_000 };
  try {
    await copyFile(FILM, join(directory, "film.mp4"));
    await writeFile(join(directory, "quickstart.sh"), texts.curl);
    await writeFile(join(directory, "quickstart.mjs"), texts.JavaScript);
    await writeFile(join(directory, "quickstart.go"), texts.Go);
    const printed = [
      (await run("bash", ["-euo", "pipefail", "quickstart.sh"], here)).stdout,
      (await run("node", ["quickstart.mjs"], here)).stdout,
    ];
    if (await hasGo()) {
      await run("go", ["vet", "quickstart.go"], here);
      printed.push((await run("go", ["run", "quickstart.go"], here)).stdout);
    } else {
      console.log("the Go program isn't tested: that needs Go");
    }
    for (const text of printed) {
      assert.match(text, /My first film/);
      const url = text.match(/https?:\/\/[^\s"]+/)[0];
      assert.equal((await fetch(url)).status, 200, url);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}

try {
  const texts = await asAReader();
  await inChineseOnAPhone();
  await inTheDark();
  await runAll(texts);
} finally {
  await browser.close();
}
