// Plays films in headless Chromium. Started by api/tests/e2e/matrix.rs with FILMS, a list of [name, url, whether it has sound]; prints those that
// don't play, and fails if there is one.

import { launch } from "./chromium.mjs";

/** For one film, on a busy machine. */
const LIMIT = 60_000;

const films = JSON.parse(process.env.FILMS);
const browser = await launch();
const page = await browser.newPage();
let failed = 0;
try {
  await page.setContent("<!doctype html><title>plays</title>");
  for (const [name, url, hasSound] of films) {
    const fault = await page.evaluate(
      async ([url, hasSound, limit]) => {
        const video = document.createElement("video");
        Object.assign(video, { muted: true, loop: true, src: url });
        document.body.replaceChildren(video);
        const end = performance.now() + limit;
        const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
        try {
          await video.play();
          const start = video.currentTime;
          while (video.currentTime === start) {
            if (video.error) return video.error.message;
            if (performance.now() > end) return "its time stands still";
            await pause();
          }
          if (!video.videoWidth) return "no picture";
          while (hasSound && !video.webkitAudioDecodedByteCount) {
            if (performance.now() > end) return "no sound";
            await pause();
          }
          return "";
        } catch (error) {
          return String(error) + (video.error?.message ?? "");
        } finally {
          video.removeAttribute("src");
          video.load();
        }
      },
      [url, hasSound, LIMIT],
    );
    if (!fault) continue;
    failed += 1;
    console.log(`${name}: ${fault}`);
  }
} finally {
  await browser.close();
}
if (failed) process.exit(1);
