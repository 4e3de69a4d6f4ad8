// Videos, one a screen. Swipe and wheel are the browser's own scrolling, which snaps; keys move by one.
//
// Only the visible one plays; the next one is loaded ahead; those further away are covers.

import { useEffect, useRef, useState } from "preact/hooks";

import { api, type Video } from "../api/client";
import { dialog, needsSession } from "../state";
import { t } from "../words";
import { Icon } from "./icon";
import { VideoCard } from "./video-card";

/** How many before the end the next page is asked for. */
const AHEAD = 3;

/** Gives page after page; an empty one is the last. */
export type Source = (after: number | undefined) => Promise<{ videos: Video[]; next: number }>;

export const theFeed: Source = async (after) => {
  const page = await api.feed(after);
  return { videos: page.video_list, next: page.next_time };
};

interface Props {
  source: Source;
  label: string;
  /** Which to begin with. */
  first?: number;
}

export function Feed({ source, label, first = 0 }: Props) {
  const [videos, setVideos] = useState<Video[]>([]);
  const [active, setActive] = useState(first);
  const [state, setState] = useState<"loading" | "more" | "end" | string>("loading");
  const next = useRef<number | undefined>(undefined);
  const list = useRef<HTMLDivElement>(null);

  async function load() {
    setState("loading");
    try {
      const page = await source(next.current);
      next.current = page.next;
      setVideos((before) => {
        const known = new Set(before.map((video) => video.id));
        return [...before, ...page.videos.filter((video) => !known.has(video.id))];
      });
      setState(page.videos.length ? "more" : "end");
    } catch (error) {
      setState(`failed ${(error as Error).message}`);
    }
  }

  useEffect(() => void load(), []);
  useEffect(() => {
    if (state === "more" && active >= videos.length - AHEAD) void load();
  }, [active, state, videos.length]);
  // Where one was, when the list comes.
  useEffect(() => {
    if (first && videos.length) go(first, true);
  }, [videos.length > 0]);

  useEffect(() => {
    const cards = list.current?.querySelectorAll("[data-at]") ?? [];
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (isIntersecting) setActive(Number(target.getAttribute("data-at")));
        }
      },
      { root: list.current, threshold: 0.6 },
    );
    for (const card of cards) observer.observe(card);
    return () => observer.disconnect();
  }, [videos.length]);

  function go(to: number, atOnce = false) {
    const still = atOnce || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const card = list.current?.querySelector(`[data-at="${to}"]`);
    card?.scrollIntoView({ behavior: still ? "instant" : "smooth" });
  }

  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      const typing = (event.target as HTMLElement).closest("input, textarea, dialog");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowDown: 1, j: 1, PageDown: 1, ArrowUp: -1, k: -1, PageUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        go(active + step);
      }
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [active]);

  const replace = (video: Video) =>
    setVideos((before) => before.map((one) => (one.id === video.id ? video : one)));

  return (
    <div class="feed" ref={list} role="feed" aria-label={label} aria-busy={state === "loading"} tabIndex={0} data-testid="feed">
      {videos.map((video, at) => (
        <VideoCard
          key={video.id}
          at={at}
          count={videos.length}
          video={video}
          isActive={at === active}
          isNear={Math.abs(at - active) <= 1}
          onChange={replace}
        />
      ))}
      {state === "end" && videos.length === 0 && <Empty />}
      {state.startsWith("failed ") && (
        <div class="card note" role="alert">
          <p data-testid="toast">{state.slice("failed ".length)}</p>
          <button type="button" onClick={() => void load()}>
            {t("again")}
          </button>
        </div>
      )}
      {state === "loading" && videos.length === 0 && <div class="card note loading" />}
    </div>
  );
}

function Empty() {
  return (
    <div class="card note" data-testid="empty">
      <Icon name="film" />
      <p>{t("emptyFeed")}</p>
      <p class="hint">{t("beFirst")}</p>
      <button
        type="button"
        onClick={() => {
          if (needsSession()) dialog.value = "publish";
        }}
      >
        {t("publish")}
      </button>
    </div>
  );
}
