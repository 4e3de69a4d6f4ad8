// One video: it plays while it is the visible one. Tap pauses (the very first tap in the page turns the sound on), two taps like.

import { useEffect, useRef, useState } from "preact/hooks";

import { api, renewed, source, type Video } from "../api/client";
import { session } from "../session";
import { complain, muted, needsSession } from "../state";
import { count, t } from "../words";
import { Comments } from "./comments";
import { Icon } from "./icon";

/** Two taps within this time are one gesture. */
const DOUBLE_TAP_MS = 260;

interface Props {
  video: Video;
  at: number;
  count: number;
  isActive: boolean;
  /** Its file is loaded ahead. */
  isNear: boolean;
  onChange: (video: Video) => void;
}

export function VideoCard({ video, at, count: of, isActive, isNear, onChange }: Props) {
  const player = useRef<HTMLVideoElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const [paused, setPaused] = useState(false);
  const [showsComments, setShowsComments] = useState(false);
  const [burst, setBurst] = useState(0);
  const renewals = useRef(0);
  const tap = useRef<number | undefined>(undefined);
  const latest = useRef(video);
  latest.current = video;
  const isLikeUnderWay = useRef(false);

  useEffect(() => {
    const element = player.current;
    if (!element) return;
    if (isActive && !paused) {
      // Where even silent videos must not play by themselves, a tap starts it.
      element.play().catch(() => setPaused(!element.currentTime && !element.error));
    } else {
      element.pause();
    }
    if (!isActive && isNear) element.currentTime = 0;
  }, [isActive, isNear, paused, video.play_url]);
  useEffect(() => {
    if (!isActive) setPaused(false);
  }, [isActive]);

  /** A URL lives for a while only. Once it has ended, the feed gives another: nobody notices. */
  async function renew() {
    renewals.current += 1;
    if (renewals.current > 3) return;
    try {
      const fresh = await renewed(latest.current);
      if (fresh?.play_url === latest.current.play_url) again();
      else if (fresh) {
        const { play_url, cover_url, small_cover_url, renditions } = fresh;
        onChange({ ...latest.current, play_url, cover_url, small_cover_url, renditions });
      }
    } catch (error) {
      if (isActive) complain(error);
    }
  }

  /** The URL is good: it was the way that failed. */
  function again() {
    player.current?.load();
    if (isActive && !paused) player.current?.play().catch(() => setPaused(true));
  }

  function showLike(liked: boolean) {
    const now = latest.current;
    if (liked === now.is_favorite) return;
    latest.current = { ...now, is_favorite: liked, favorite_count: Math.max(0, now.favorite_count + (liked ? 1 : -1)) };
    onChange(latest.current);
  }

  /** Shown at once, and sent one after the other: of two on their way at once the first might arrive last. */
  async function like(liked: boolean) {
    if (!needsSession()) return;
    let known = latest.current.is_favorite;
    showLike(liked);
    if (isLikeUnderWay.current) return;
    isLikeUnderWay.current = true;
    try {
      while (latest.current.is_favorite !== known) {
        const next = latest.current.is_favorite;
        await api.like(video.id, next);
        known = next;
      }
    } catch (error) {
      showLike(known);
      complain(error);
    } finally {
      isLikeUnderWay.current = false;
    }
  }

  function onTap() {
    if (tap.current !== undefined) {
      clearTimeout(tap.current);
      tap.current = undefined;
      setBurst((before) => before + 1);
      void like(true);
      return;
    }
    tap.current = window.setTimeout(() => {
      tap.current = undefined;
      if (muted.value && !paused) muted.value = false;
      else setPaused((before) => !before);
    }, DOUBLE_TAP_MS);
  }

  useEffect(() => {
    if (!isActive) return;
    function onKey(event: KeyboardEvent) {
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "l") void like(!latest.current.is_favorite);
      else if (event.key === "m") muted.value = !muted.value;
      else if (event.key === " " && !target.closest("button, a")) setPaused((before) => !before);
      else return;
      event.preventDefault();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [isActive]);

  function onProgress() {
    const element = player.current;
    if (element && line.current) {
      const part = element.duration ? element.currentTime / element.duration : 0;
      line.current.style.transform = `scaleX(${part})`;
    }
  }

  const me = session.value;
  return (
    <article
      class="card"
      data-testid="video-card"
      data-video-id={video.id}
      data-at={at}
      aria-label={t("by", video.title, video.author.name)}
      aria-posinset={at + 1}
      aria-setsize={of}
    >
      <video
        ref={player}
        src={isNear ? source(video) : undefined}
        poster={video.cover_url}
        preload={isNear ? "auto" : "none"}
        muted={muted.value}
        loop
        playsInline
        onError={() => void renew()}
        onTimeUpdate={onProgress}
      />
      <button
        type="button"
        class="stage"
        aria-label={paused ? t("play") : t("pause")}
        onClick={onTap}
      />
      {paused && (
        <div class="paused" aria-hidden="true">
          <Icon name="play" />
        </div>
      )}
      {burst > 0 && (
        <div class="burst" key={burst} aria-hidden="true">
          <Icon name="heart" />
        </div>
      )}
      {isActive && muted.value && !paused && (
        <div class="silent" aria-hidden="true">
          <Icon name="silent" />
          {t("unmute")}
        </div>
      )}
      <div class="about">
        <a href={`#/user/${video.author.id}`} class="author">
          @{video.author.name}
        </a>
        <p class="title">{video.title}</p>
      </div>
      <div class="actions">
        <button
          type="button"
          class={video.is_favorite ? "action liked" : "action"}
          data-testid="like"
          aria-pressed={video.is_favorite}
          aria-label={video.is_favorite ? t("unlike") : t("like")}
          onClick={() => void like(!video.is_favorite)}
        >
          <Icon name="heart" />
          <span data-testid="like-count">{count(video.favorite_count)}</span>
        </button>
        <button
          type="button"
          class="action"
          data-testid="comment-open"
          aria-label={t("comments")}
          onClick={() => setShowsComments(true)}
        >
          <Icon name="comment" />
          <span>{count(video.comment_count)}</span>
        </button>
      </div>
      <div class="progress" aria-hidden="true">
        <div ref={line} />
      </div>
      {showsComments && (
        <Comments
          video={video}
          mayDeleteAll={me?.userId === video.author.id}
          onCount={(by) =>
            onChange({ ...latest.current, comment_count: Math.max(0, latest.current.comment_count + by) })
          }
          onClose={() => setShowsComments(false)}
        />
      )}
    </article>
  );
}
