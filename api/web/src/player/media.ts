// One video element: when it plays, what it is waiting for, and what is done when it fails.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { api, type Video } from "../api/calls";
import { whenBack } from "../model/connection";
import { isHidden, isSlow, isStill, muted, positions, silence, speed, volume } from "../model/player";
import { now, putVideo } from "../model/store";

/** How often a video that fails is tried again by itself. */
const MAX_RENEWALS = 3;
/** How much of either end isn't worth to come back to, in seconds. */
const EDGE_S = 3;
/** How close to the end one can seek, in seconds: at the end itself a video that is played again and again jumps to its beginning. */
const END_S = 0.1;

export interface Media {
  element: { current: HTMLVideoElement | null };
  source: string | undefined;
  /** By the one who watches. */
  paused: Signal<boolean>;
  /** It should play, and the network is behind. */
  waiting: Signal<boolean>;
  failed: Signal<boolean>;
  ended: Signal<boolean>;
  time: Signal<number>;
  duration: Signal<number>;
  toggle: () => void;
  seek: (time: number) => void;
  retry: () => void;
  events: Record<string, () => void>;
}

interface Options {
  video: Video;
  isActive: boolean;
  /** Its file may be loaded. */
  mayLoad: boolean;
  /** Something above it wants attention. */
  isCovered: boolean;
  /** There is enough of it to load something else. */
  onSettled: () => void;
}

/** The small rendition on a slow link, where there is one. */
function sourceOf(video: Video): string {
  const [full] = video.renditions;
  const small = video.renditions.at(-1);
  return full && small && isSlow(full.bit_rate) ? small.url : video.play_url;
}

export function useMedia({ video, isActive, mayLoad, isCovered, onSettled }: Options): Media {
  const element = useRef<HTMLVideoElement>(null);
  const paused = useSignal(isStill.peek());
  const waiting = useSignal(false);
  const failed = useSignal(false);
  const ended = useSignal(false);
  const time = useSignal(0);
  const duration = useSignal(video.duration_ms / 1000);
  const renewals = useRef(0);
  /** Where it goes on once it is loaded. */
  const goOn = useRef(positions.get(video.id) ?? 0);
  const active = useRef(isActive);
  active.current = isActive;
  const source = useMemo(() => sourceOf(video), [video.play_url]);
  const plays = isActive && !paused.value && !isHidden.value && !isCovered && !failed.value;

  async function play() {
    const player = element.current;
    if (!player) return;
    try {
      await player.play();
    } catch (error) {
      if ((error as Error).name !== "NotAllowedError") return;
      // With sound it may not play by itself. Where it may not even without, one starts it oneself.
      if (silence()) {
        player.muted = true;
        return play();
      }
      paused.value = true;
    }
  }

  useEffect(() => {
    const player = element.current;
    if (!player || !mayLoad) return;
    player.muted = muted.peek();
    if (plays) {
      waiting.value = player.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
      void play();
    } else {
      player.pause();
      waiting.value = false;
    }
  }, [plays, mayLoad, source]);

  useEffect(() => {
    if (isActive) return;
    paused.value = isStill.peek();
    failed.value = false;
    ended.value = false;
    renewals.current = 0;
    if (element.current && element.current.readyState > 0) element.current.currentTime = 0;
  }, [isActive]);

  useEffect(() => {
    if (element.current) element.current.playbackRate = speed.value;
  }, [speed.value, isActive]);
  useEffect(() => {
    if (element.current) element.current.volume = volume.value;
  }, [volume.value]);

  useEffect(
    () => () => {
      const player = element.current;
      const at = time.peek();
      if (active.current && at > EDGE_S && duration.peek() - at > EDGE_S) positions.set(video.id, at);
      else positions.delete(video.id);
      // Or the browser goes on loading it.
      player?.removeAttribute("src");
      player?.load();
    },
    [],
  );

  /** A URL lives for a while only. Once it has ended the API gives another; if it is still good, it was the way that failed. */
  async function renew() {
    if (!mayLoad) return;
    goOn.current = time.peek();
    if (renewals.current >= MAX_RENEWALS) {
      failed.value = true;
      waiting.value = false;
      return;
    }
    renewals.current += 1;
    waiting.value = isActive;
    if (!navigator.onLine) await whenBack();
    try {
      const asked = now();
      const fresh = await api.video(video.id);
      putVideo(fresh.video, asked);
      if (fresh.video.play_url !== video.play_url) return;
    } catch {
      // The video itself says it if it fails again.
    }
    if (renewals.current > 1) await whenBack();
    reload();
  }

  function reload() {
    element.current?.load();
    if (active.current && !paused.peek()) void play();
  }

  return {
    element,
    source: mayLoad ? source : undefined,
    paused,
    waiting,
    failed,
    ended,
    time,
    duration,
    toggle() {
      ended.value = false;
      paused.value = !paused.peek();
    },
    seek(to) {
      const player = element.current;
      if (!player || !duration.peek()) return;
      ended.value = false;
      time.value = Math.max(0, Math.min(to, duration.peek() - END_S));
      player.currentTime = time.value;
    },
    retry() {
      renewals.current = 0;
      failed.value = false;
      reload();
    },
    events: {
      onError: () => void renew(),
      onWaiting: () => (waiting.value = active.current),
      onPlaying: () => {
        waiting.value = false;
        renewals.current = 0;
      },
      onCanPlayThrough: onSettled,
      onEnded: () => {
        ended.value = true;
        paused.value = true;
      },
      onLoadedMetadata: () => {
        const player = element.current;
        if (!player) return;
        if (Number.isFinite(player.duration)) duration.value = player.duration;
        player.playbackRate = speed.peek();
        player.volume = volume.peek();
        if (goOn.current > 0 && active.current) player.currentTime = goOn.current;
        goOn.current = 0;
      },
      onTimeUpdate: () => {
        if (element.current) time.value = element.current.currentTime;
      },
    },
  };
}
