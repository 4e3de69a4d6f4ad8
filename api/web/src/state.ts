// What is open, and what is said for a moment.

import { signal } from "@preact/signals";

import { session } from "./session";

/** Where in the page one is: the feed, or somebody's profile. */
export type Place = { name: "feed" } | { name: "profile"; userId: number };
export type Dialog = "account" | "publish" | null;

export const place = signal<Place>(placeOf(location.hash));
export const dialog = signal<Dialog>(null);
export const toast = signal<{ text: string; failed: boolean; number: number } | null>(null);
/** Browsers let a page play by itself only without sound. */
export const muted = signal(true);
/** Counts up when the feed is to begin anew. */
export const freshness = signal(0);

let toasts = 0;
export function say(text: string, failed = false): void {
  toasts += 1;
  const number = toasts;
  toast.value = { text, failed, number };
  setTimeout(() => {
    if (toast.value?.number === number) toast.value = null;
  }, 5000);
}

/** Says what went wrong with something that was tried. */
export function complain(error: unknown): void {
  say(error instanceof Error ? error.message : String(error), true);
}

/** Whether somebody is logged in; if not, they are asked to. */
export function needsSession(): boolean {
  if (session.value) return true;
  dialog.value = "account";
  return false;
}

function placeOf(hash: string): Place {
  const [, userId] = /^#\/user\/(\d+)$/.exec(hash) ?? [];
  return userId ? { name: "profile", userId: Number(userId) } : { name: "feed" };
}

addEventListener("hashchange", () => {
  place.value = placeOf(location.hash);
});
