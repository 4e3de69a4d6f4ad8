// Films for what one of a second can't show: a long one that lies on its side, and a white one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { ask, eventually, newUser } from "./page.mjs";

const { LONG, WHITE } = process.env;

/** Of the long one. */
export const BYTES = readFileSync(LONG).length;

/** A title of many lines. */
const TITLE = ["All here is white, and its words can be read", ...Array(18).fill("❄")].join("\n");

async function publish(session, title, file) {
  const form = new FormData();
  form.append("title", title);
  form.append("data", new Blob([readFileSync(file)]), "film.mp4");
  await ask("publish/action", form, session.token);
  const newest = async () => (await ask("publish/list", { user_id: String(session.userId) }, session.token, false)).video_list[0];
  await eventually("a film that is ready", async () => (await newest()).state === "ready");
  return newest();
}

/** From now on these two are the newest of the feed: the long one, then the white one. */
export async function moreFilms() {
  const ivy = await newUser("Ivy");
  const white = await publish(ivy, TITLE, WHITE);
  const long = await publish(ivy, "A long way #landscape", LONG);
  assert(BYTES >= 1_000_000, "as large as films are");
  return { ivy, white: white.id, long: long.id };
}
