// The whole feed on the whole screen, so that one can go on swiping.

import { signal } from "@preact/signals";

export const isFull = signal(false);
document.addEventListener("fullscreenchange", () => (isFull.value = document.fullscreenElement !== null));

/** A telephone that gives the whole screen to nothing but a video. */
interface VideoOnly extends HTMLVideoElement {
  webkitEnterFullscreen?: () => void;
}

export async function toggleFull(): Promise<void> {
  if (document.fullscreenElement) return document.exitFullscreen();
  const feed = document.querySelector<HTMLElement>("[data-full-screen]");
  if (feed?.requestFullscreen) return feed.requestFullscreen().catch(() => {});
  document.querySelector<VideoOnly>(".card.active video")?.webkitEnterFullscreen?.();
}
