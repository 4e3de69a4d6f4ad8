// What is said for a moment, at the bottom of the page.

import { signal } from "@preact/signals";

import { GivenUp } from "../api/errors";

export interface Toast {
  text: string;
  failed: boolean;
  number: number;
  action?: { label: string; run: () => void };
}

export const toast = signal<Toast | null>(null);

const SHOWN_MS = 4000;
/** Long enough to reach a button in it. */
export const WITH_ACTION_MS = 6000;

let toasts = 0;

export function say(text: string, failed = false, action?: Toast["action"]): void {
  toasts += 1;
  const number = toasts;
  toast.value = { text, failed, number, ...(action ? { action } : {}) };
  setTimeout(() => dismiss(number), action || failed ? WITH_ACTION_MS : SHOWN_MS);
}

export function dismiss(number: number): void {
  if (toast.value?.number === number) toast.value = null;
}

/** Says what went wrong with something that was tried. Who doesn't want to log in knows that themself. */
export function complain(error: unknown): void {
  if (error instanceof GivenUp) return;
  say(error instanceof Error ? error.message : String(error), true);
}
