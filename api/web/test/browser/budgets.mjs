// What the first load of a stranger costs. Bytes, requests and shifts of the layout are held to; times are printed.

import assert from "node:assert/strict";

import { BYTES } from "./films.mjs";
import { activeId, by, DESKTOP, eventually, open, PHONE, plays } from "./page.mjs";

const MAX_OWN_BYTES = 100_000;
const MAX_REQUESTS = 30;
/** A telephone with a poor link: 1.6 Mbit/s, and 150 ms to the server and back. */
const SLOW = { offline: false, downloadThroughput: 200_000, uploadThroughput: 94_000, latency: 150 };

/** Of the feed's first film, `first`, which is as large as films are. */
export async function theFirstLoadIsSmall(browser, first, link) {
  const { context, page, close } = await open(browser, link ? PHONE : DESKTOP, { locale: "zh-CN" });
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  if (link) await devtools.send("Network.emulateNetworkConditions", SLOW);
  const kinds = new Map();
  let [requests, transferred] = [0, 0];
  let isCounting = true;
  devtools.on("Network.requestWillBeSent", ({ requestId, type }) => kinds.set(requestId, type));
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (kinds.get(requestId) === "Media" || !isCounting) return;
    requests += 1;
    transferred += encodedDataLength;
  });
  await page.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((list) => {
      window.largest = list.getEntries().at(-1).startTime;
    }).observe({ type: "largest-contentful-paint", buffered: true });
    const look = setInterval(() => {
      const video = document.querySelector("video");
      if (!video) return;
      clearInterval(look);
      video.requestVideoFrameCallback(() => (window.firstFrame = performance.now()));
    }, 1);
  });
  await page.goto("/");
  await eventually("a first frame", () => page.evaluate(() => window.firstFrame));
  isCounting = false;
  await plays(page);
  assert.equal(await activeId(page), String(first));
  await eventually("a largest paint", () => page.evaluate(() => window.largest > 0));
  const { firstFrame, largest, shifts, own } = await page.evaluate(() => ({
    firstFrame: window.firstFrame,
    largest: window.largest,
    shifts: window.shifts,
    own: performance
      .getEntries()
      .filter((entry) => entry.transferSize && !entry.name.includes("X-Amz-"))
      .reduce((sum, entry) => sum + entry.transferSize, 0),
  }));
  console.log(
    `first load ${link ? "at 1.6 Mbit/s" : "at localhost"}: ${requests} requests, ${(transferred / 1000).toFixed(1)} kB without the film, ` +
      `${(own / 1000).toFixed(1)} kB of them the page's own; LCP ${largest.toFixed(0)} ms, ` +
      `first frame of a film of ${(BYTES / 1000).toFixed(0)} kB after ${firstFrame.toFixed(0)} ms${link ? " (goal 1.8 s)" : ""}, CLS ${shifts.toFixed(3)}`,
  );
  assert(own < MAX_OWN_BYTES, `${own} bytes`);
  assert(requests <= MAX_REQUESTS, `${requests} requests`);
  assert.equal(shifts, 0, "nothing jumps");
  await by(page, "login-open").getByText("登录").waitFor();
  await close();
}
