// Rules that the source itself keeps: the punctuation of Chinese.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";

import { wrong } from "./source.mjs";

/** After a Chinese character stands Chinese punctuation. */
export async function chineseHasItsOwnPunctuation() {
  const isHalf = (line) => /[\p{Script=Han}》」”][,:;!?]/u.test(line) || /[,:;!?][\p{Script=Han}]/u.test(line);
  const files = ["src/words/zh.ts", "not-built.html", "../src/assets/docs/words.js", "../src/assets/docs/zh.json"];
  assert.deepEqual(files.flatMap((path) => wrong(path, isHalf)), []);
  // Texts are put together by the words of each language, not around them.
  const screens = ["screens", "sheets", "looks"].flatMap((room) => readdirSync(new URL(`../../src/${room}`, import.meta.url)).map((name) => `src/${room}/${name}`));
  assert.deepEqual(screens.flatMap((path) => wrong(path, (line) => /`[^`]*\}[,:;!?] ?\$\{/.test(line))), []);
}
