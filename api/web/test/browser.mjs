// The page as a person uses it, in headless Chromium. Started by api/tests/e2e/browser.rs with the addresses of a running system.
//
// Prints what the first load costs, writes pictures, and fails with the first thing that isn't as it should be.

import assert from "node:assert/strict";

import { launch } from "./chromium.mjs";

const { PAGE, STORE, FILM, TEXT, PICTURES } = process.env;
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const NAME = "browser";
const PASSWORD = "a good password";

const browser = await launch();

/** A window of its own, with all that goes wrong in it. */
async function open(viewport, locale = "en-US") {
  const context = await browser.newContext({ viewport, locale, deviceScaleFactor: 1 });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const seen = { hosts: new Set(), errors: [], faultsExpected: false };
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http")) seen.hosts.add(url.origin);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !seen.faultsExpected) seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  return { context, page, seen };
}

const by = (page, id) => page.getByTestId(id);
const card = (page) => by(page, "video-card").first();
const shows = (page, text) => page.getByTestId("toast").filter({ hasText: text }).first().waitFor();
const picture = (page, name) => page.screenshot({ path: `${PICTURES}/${name}.png` });

async function eventually(what, probe) {
  const end = Date.now() + 20_000;
  while (!(await probe())) {
    assert(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether the first film plays: its time goes on. */
async function plays(page) {
  const time = () => card(page).locator("video").evaluate((video) => (video.paused ? -1 : video.currentTime));
  const first = await time();
  await eventually("a film that plays", async () => {
    const now = await time();
    return now >= 0 && now !== first;
  });
}

async function enter(page, password, how) {
  await by(page, "login-open").click();
  await by(page, "username").fill(NAME);
  await by(page, "password").fill(password);
  await by(page, `${how}-submit`).click();
}

async function chooseFile(page, file, title) {
  await by(page, "publish-open").click();
  await by(page, "publish-file").setInputFiles(file);
  await by(page, "publish-title").fill(title);
}

async function asAPerson() {
  const { context, page, seen } = await open(PHONE);
  await page.goto(PAGE);

  // An empty feed invites.
  await by(page, "empty").waitFor();
  await picture(page, "empty-390x844");
  await by(page, "login-open").waitFor();

  await enter(page, PASSWORD, "register");
  await shows(page, NAME);

  // What is no video is refused with the server's reason; the sheet stays.
  await chooseFile(page, TEXT, "No film");
  await by(page, "publish-submit").click();
  await shows(page, /mp4, mov, webm or mkv/);
  await page.keyboard.press("Escape");

  await chooseFile(page, FILM, "My first film");
  await picture(page, "publish-390x844");
  await by(page, "publish-submit").click();
  await by(page, "publish-progress").waitFor({ state: "attached" });
  await card(page).waitFor();
  const id = await card(page).getAttribute("data-video-id");
  assert.match(id ?? "", /^\d+$/);
  await plays(page);
  await picture(page, "feed-390x844");

  const likes = () => by(page, "like-count").first().innerText();
  assert.equal(await likes(), "0");
  // A count is shown before its like is answered; what is loaded anew has it only then.
  const answered = (times) => page.waitForResponse((response) => response.url().includes("/favorite/action/") && --times === 0);
  const liked = answered(1);
  await by(page, "like").first().click();
  await eventually("a like", async () => (await likes()) === "1");
  await liked;
  await page.reload();
  await eventually("the like after a reload", async () => (await likes()) === "1");
  // Keys are for the film that one sees.
  await plays(page);
  // Of an unlike and a like at once the last one counts.
  const settled = answered(2);
  await page.keyboard.press("l");
  await eventually("no like", async () => (await likes()) === "0");
  await card(page).dblclick({ position: { x: 150, y: 300 } });
  await eventually("a like by two taps", async () => (await likes()) === "1");
  await settled;
  await page.reload();
  await eventually("the like that came last", async () => (await likes()) === "1");

  await by(page, "comment-open").first().click();
  await by(page, "comment-input").fill("How nice!");
  await by(page, "comment-send").click();
  await by(page, "comment-item").filter({ hasText: "How nice!" }).waitFor();
  await picture(page, "comments-390x844");
  await by(page, "comment-delete").first().click();
  await by(page, "comment-item").first().waitFor({ state: "detached" });
  await page.keyboard.press("Escape");

  await by(page, "profile").click();
  await by(page, "grid-item").first().waitFor();
  await picture(page, "profile-390x844");
  await by(page, "grid-item").first().click();
  await plays(page);
  await page.getByLabel("Close").click();
  await by(page, "logout").click();
  await enter(page, "a wrong password", "login");
  await shows(page, /password/);
  await picture(page, "login-390x844");
  await by(page, "password").fill(PASSWORD);
  await by(page, "login-submit").click();
  await shows(page, NAME);
  await by(page, "profile").waitFor();

  // A like that doesn't come through is taken back, with its reason.
  seen.faultsExpected = true;
  const broken = { status: 500, contentType: "application/json", body: '{"status_code":20001,"status_msg":"internal error"}' };
  await page.route("**/douyin/favorite/action/", (route) => route.fulfill(broken));
  await by(page, "like").first().click();
  await shows(page, /internal error/);
  await eventually("the like as it was", async () => (await likes()) === "1");
  await page.unroute("**/douyin/favorite/action/");
  await context.setOffline(true);
  await by(page, "like").first().click();
  await shows(page, /offline/);
  await eventually("the like as it was", async () => (await likes()) === "1");
  await context.setOffline(false);
  seen.faultsExpected = false;

  assert.deepEqual(seen.errors, []);
  assert.deepEqual([...seen.hosts].sort(), [PAGE, STORE].sort(), "no third host is asked");
  await context.close();
}

/** What the first load of a stranger costs, and when the first film is to be seen. */
async function firstLoad() {
  const { context, page, seen } = await open(DESKTOP, "zh-CN");
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  const kinds = new Map();
  let [requests, transferred] = [0, 0];
  devtools.on("Network.requestWillBeSent", ({ requestId, type }) => kinds.set(requestId, type));
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (kinds.get(requestId) === "Media") return;
    requests += 1;
    transferred += encodedDataLength;
  });
  await page.addInitScript(() => {
    const look = setInterval(() => {
      const video = document.querySelector("video");
      if (!video) return;
      clearInterval(look);
      video.requestVideoFrameCallback(() => (window.firstFrame = performance.now()));
    }, 1);
  });
  await page.goto(PAGE);
  await eventually("a first frame", () => page.evaluate(() => window.firstFrame));
  const firstFrame = await page.evaluate(() => window.firstFrame);
  await plays(page);
  const own = await page.evaluate(() =>
    performance
      .getEntries()
      .filter((entry) => entry.transferSize && !entry.name.includes("X-Amz-"))
      .reduce((sum, entry) => sum + entry.transferSize, 0),
  );
  console.log(
    `first load: ${requests} requests, ${(transferred / 1000).toFixed(1)} kB without the film, ` +
      `${(own / 1000).toFixed(1)} kB of them the page's own; first frame after ${firstFrame.toFixed(0)} ms`,
  );
  assert(own < 100_000, `${own} bytes`);
  // Chinese by the browser's language.
  await page.getByText("登录").first().waitFor();
  await picture(page, "feed-1280x800");
  await by(page, "login-open").click();
  await picture(page, "login-1280x800");
  await page.keyboard.press("Escape");

  // A play URL that has ended is renewed, and nobody is told.
  seen.faultsExpected = true;
  let refused = 0;
  await page.route(`${STORE}/**/*.mp4*`, (route) => {
    refused += 1;
    return refused === 1 ? route.fulfill({ status: 403 }) : route.fallback();
  });
  await page.reload();
  await plays(page);
  assert(refused >= 2, "the film was asked for again");
  assert.equal(await by(page, "toast").count(), 0);
  assert.deepEqual(seen.errors, []);
  await context.close();
}

try {
  await asAPerson();
  await firstLoad();
} catch (error) {
  const pages = browser.contexts().flatMap((context) => context.pages());
  await Promise.all(pages.map((page, at) => picture(page, `failure-${at}`)));
  throw error;
} finally {
  await browser.close();
}
