// The source of the page, for rules that it keeps itself.

import { readFileSync } from "node:fs";

const at = (path) => new URL(`../../${path}`, import.meta.url);
export const read = (path) => readFileSync(at(path), "utf8");

/** The lines of a file that are wrong, each with where it is. */
export function wrong(path, isWrong) {
  return read(path)
    .split("\n")
    .flatMap((line, number) => (isWrong(line) ? [`${path}:${number + 1}: ${line.trim()}`] : []));
}
