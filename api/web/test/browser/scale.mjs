// Rules that the source itself keeps: one scale of colours and of sizes of type.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";

import { read, wrong } from "./source.mjs";

/** tokens.css is the one scale: no other style sheet has a colour or a size of type of its own. */
export async function coloursAndSizesOfTypeAreOfOneScale() {
  const isColour = (line) => /#[\da-f]{3,8}\b|\b(rgb|hsl|hwb|lab|lch|oklab|oklch|color|light-dark)a?\(|: *(white|black)\b/i.test(line);
  const isSize = (line) => /\bfont(-size)?:/.test(line) && !/var\(--t-\d\)|: inherit;/.test(line);
  const sheets = readdirSync(new URL("../../src/style", import.meta.url)).filter((name) => name !== "tokens.css");
  assert(sheets.length > 10);
  assert.deepEqual(sheets.flatMap((name) => wrong(`src/style/${name}`, (line) => isColour(line) || isSize(line))), []);
  // And each token that is used is there; a misspelt one would be no colour at all.
  const given = new Set(read("src/style/tokens.css").match(/--[\w-]+(?=:)/g));
  const used = sheets.flatMap((name) => read(`src/style/${name}`).match(/(?<=var\()--(?:[trs]-\w+|on-[\w-]+|shade-\d)(?=[,)])/g) ?? []);
  assert.deepEqual(used.filter((name) => !given.has(name)), []);
}
