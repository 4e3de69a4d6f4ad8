// How one wants to watch: sound and volume, which are kept for the next time, and speed, which lasts as long as the page.

import { computed, signal } from "@preact/signals";

import { kept } from "./kept";

const isVolume = (value: unknown): boolean => typeof value === "number" && value > 0 && value <= 1;

/** Silent at first: that is what browsers let a page play by itself. */
const wantsSound = kept<boolean | null>("dousheng-sound", null, (value) => typeof value === "boolean");
/** The browser lets nothing play with sound before one has done something. */
const isForced = signal(false);

export const volume = kept("dousheng-volume", 1, isVolume);
export const muted = computed(() => !wantsSound.value || isForced.value);
/** Nobody has said yet that they want it silent. */
export const asksForSound = computed(() => wantsSound.value === null || (wantsSound.value && isForced.value));
export const speed = signal(1);
export const SPEEDS = [0.5, 1, 1.25, 1.5, 2];

export function setMuted(isMuted: boolean): void {
  wantsSound.value = !isMuted;
  isForced.value = false;
}

/** Whether there is another try to play: without sound. */
export function silence(): boolean {
  if (muted.peek()) return false;
  isForced.value = true;
  return true;
}

function allow(event: Event): void {
  if (event.isTrusted) isForced.value = false;
}
addEventListener("pointerup", allow);
addEventListener("keydown", allow);

/** Where in a video one was when one left it. */
export const positions = new Map<number, number>();

const still = matchMedia("(prefers-reduced-motion: reduce)");
/** Who wants less motion starts videos themself. */
export const isStill = signal(still.matches);
still.addEventListener("change", () => (isStill.value = still.matches));

const broad = matchMedia("(min-width: 60rem)");
/** Whether there is room beside the video. */
export const isWide = signal(broad.matches);
broad.addEventListener("change", () => (isWide.value = broad.matches));

export const isHidden = signal(document.hidden);
document.addEventListener("visibilitychange", () => (isHidden.value = document.hidden));

/** What browsers tell of the way to them; not all do. */
interface Connection {
  effectiveType?: string;
  downlink?: number;
  saveData?: boolean;
}

export function isSlow(bitRate = 0): boolean {
  const link = (navigator as { connection?: Connection }).connection;
  if (!link) return false;
  return Boolean(link.saveData) || /2g|3g/.test(link.effectiveType ?? "") || (link.downlink ?? Infinity) * 1e6 < 1.5 * bitRate;
}
