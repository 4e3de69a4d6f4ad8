// A chat: how often it asks for what is new, and with whom there is none.

import assert from "node:assert/strict";

import { by, DESKTOP, eventually, open, PHONE } from "./page.mjs";

/** Notes at which times of the page's clock it asks for messages, and how many answers are still to come. */
function countsQuestions() {
  const ask = window.fetch;
  window.asked = [];
  window.open = 0;
  window.fetch = async (url, ...rest) => {
    if (!String(url).includes("/message/chat/")) return ask(url, ...rest);
    window.asked.push(Date.now());
    window.open += 1;
    const response = await ask(url, ...rest);
    void response
      .clone()
      .text()
      .finally(() => (window.open -= 1));
    return response;
  };
}

function seen(page, isSeen) {
  return page.evaluate((isSeen) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: !isSeen });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isSeen);
}

/** The page's clock stands still but for `pass`, so nothing depends on how fast the machine is. */
export async function aChatAsksLessOftenAndOnlyWhileItIsSeen(browser, world) {
  const { page, close } = await open(browser, DESKTOP, { session: world.ann, setUp: countsQuestions });
  await page.clock.install();
  await page.goto(`/messages/${world.bob.userId}`);
  await by(page, "message").first().waitFor();
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1000);
  const answered = () => eventually("an answer", () => page.evaluate(() => window.open === 0));
  async function pass(seconds) {
    await answered();
    const before = await page.evaluate(() => window.asked.length);
    for (let at = 0; at < seconds; at += 1) {
      await page.clock.runFor(1000);
      await answered();
    }
    return page.evaluate((before) => window.asked.slice(before), before);
  }

  const all = await pass(90);
  const gaps = all.slice(1).map((time, at) => time - all[at]);
  assert(gaps.length >= 4, `it goes on asking: ${gaps}`);
  assert(gaps.at(-1) > 3 * gaps[0] && gaps.at(-1) < 30_000, `less and less often, and not never: ${gaps}`);
  await seen(page, false);
  assert.deepEqual(await pass(60), [], "nobody looks");
  await seen(page, true);
  await eventually("a question at once", () => page.evaluate((count) => window.asked.length > count, all.length));
  const [first, second] = await pass(8);
  assert(second - first < 10_000, "often again");
  await close();
}

export async function aChatWithNobodySaysSo(browser, world) {
  const { page, seen, close } = await open(browser, PHONE, { session: world.cleo, setUp: countsQuestions });
  seen.faultsExpected = true;
  await page.clock.install();
  await page.goto("/messages/999999");
  await by(page, "not-found").filter({ hasText: "This user isn’t here" }).waitFor();
  assert.equal(await by(page, "message-input").count(), 0);
  await page.clock.fastForward(60_000);
  assert.equal(await page.evaluate(() => window.asked.length), 1, "nobody is there to hear from");
  await page.goto(`/messages/${world.cleo.userId}`);
  await by(page, "not-found").waitFor();
  await close();
}
