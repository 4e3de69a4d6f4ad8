// Whether the network is there, and when to try again what it failed.

import { signal } from "@preact/signals";

export const online = signal(navigator.onLine);

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

const waiting = new Set<() => void>();
let wait = FIRST_WAIT_MS;
let timer: number | undefined;

function tryAgain(): void {
  clearTimeout(timer);
  timer = undefined;
  const all = [...waiting];
  waiting.clear();
  for (const goOn of all) goOn();
}

/** Resolves when it is worth to ask the server again: the network is back, or some time has passed, longer each time. */
export function whenBack(): Promise<void> {
  return new Promise((resolve) => {
    waiting.add(resolve);
    if (timer !== undefined || !navigator.onLine) return;
    timer = window.setTimeout(tryAgain, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  });
}

/** The server has answered. */
export function reached(): void {
  wait = FIRST_WAIT_MS;
}

addEventListener("online", () => {
  online.value = true;
  wait = FIRST_WAIT_MS;
  tryAgain();
});
addEventListener("offline", () => {
  online.value = false;
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && waiting.size && navigator.onLine) tryAgain();
});
