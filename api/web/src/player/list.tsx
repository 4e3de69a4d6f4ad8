// Videos, one a screen. Swipe and wheel are the browser's own scrolling, which snaps; keys and buttons move by one.
//
// Only the visible one plays. The next one is loaded once the visible one has enough; those further away are empty.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import type { VideoList } from "../model/lists";
import { isSlow, isStill, isWide } from "../model/player";
import { session } from "../model/session";
import { Icon } from "../looks/icon";
import { Failed } from "../looks/note";
import { open, sheets } from "../router/router";
import { t } from "../words";
import { Card } from "./card";
import { useKeys } from "./keys";

/** How many before the end the next page is asked for. */
const AHEAD = 5;
/** A browser that doesn't say when it has scrolled has done so after this time. */
const SCROLL_MS = 900;
/** After a jump the list is checked at this interval, and brought back to its target. */
const CORRECT_MS = 150;
/** For 3 s in all: on a slow machine the rest of a smooth scroll comes late. */
const CORRECTIONS = 20;

interface Props {
  list: VideoList;
  label: string;
  /** In place of a list that is empty. */
  empty: ComponentChildren;
  /** Behind the last one. */
  end?: ComponentChildren;
  /** In place of everything, when the list can't be read. */
  failed?: ComponentChildren;
}

export function Videos({ list, label, empty, end, failed }: Props) {
  const root = useRef<HTMLDivElement>(null);
  /** Where it is being scrolled to by the page itself. */
  const target = useRef<number | null>(null);
  const timer = useRef<number | undefined>(undefined);
  const isCorrecting = useRef(false);
  const settled = useSignal(-1);
  const ids = list.items.value;
  const active = list.active.value;
  const phase = list.phase.value;
  const failure = list.failure.value;
  const last = ids.length - 1 + (phase === "end" && end && ids.length ? 1 : 0);

  const height = () => (root.current?.firstElementChild as HTMLElement | null)?.offsetHeight || 1;
  const shown = () => Math.round((root.current?.scrollTop ?? 0) / height());
  /** Exactly there, not on the way. */
  const isAt = (at: number) => {
    const top = (element?: Element | null) => element?.getBoundingClientRect().top ?? 0;
    return root.current !== null && Math.abs(top(root.current.children[at]) - top(root.current)) < 1;
  };

  /**
   * Where a slow machine hasn't come to its target in time, it jumps there. What is left of the smooth scroll is added to such a jump
   * in Chromium, perhaps after the next check. So the target counts for all of this time.
   */
  function correct(attempts: number) {
    if (target.current === null || !attempts) return arrived();
    isCorrecting.current = true;
    // Not the target of then: a video that was deleted moves the others.
    const to = list.active.peek();
    if (!isAt(to)) root.current?.scrollTo({ top: to * height(), behavior: "instant" });
    timer.current = window.setTimeout(correct, CORRECT_MS, attempts - 1);
  }
  function arrived() {
    takenOver();
    onScroll();
  }
  /** By a finger or a wheel: what they scroll to counts. */
  function takenOver() {
    clearTimeout(timer.current);
    target.current = null;
    isCorrecting.current = false;
  }
  /** The end of a scroll that the next key or a jump has replaced comes too, sometimes late. */
  function onScrollEnd() {
    if (target.current === null || (!isCorrecting.current && isAt(target.current))) arrived();
  }
  function onScroll() {
    if (target.current !== null || !root.current) return;
    const at = Math.max(0, Math.min(shown(), last));
    if (at !== list.active.peek()) list.active.value = at;
  }
  function go(to: number) {
    const at = Math.max(0, Math.min(to, last));
    const from = list.active.peek();
    if (at === from) return;
    target.current = at;
    isCorrecting.current = false;
    list.active.value = at;
    const behavior = isStill.peek() || Math.abs(at - shown()) > 2 ? "instant" : "smooth";
    root.current?.scrollTo({ top: at * height(), behavior });
    clearTimeout(timer.current);
    timer.current = window.setTimeout(correct, SCROLL_MS, CORRECTIONS);
  }

  /** The next one only when the visible one has enough; what one has seen stays as far as it is there. */
  function preloadOf(at: number) {
    if (at === active) return "auto";
    if (at < active) return "none";
    if (settled.value < active) return undefined;
    return isSlow() ? "metadata" : "auto";
  }

  useEffect(() => {
    if (phase === "new" || (phase === "more" && !failure && active >= ids.length - AHEAD)) void list.more();
  }, [list, active, phase, ids.length, failure]);
  useEffect(() => list.refreshIfStale(), [list, session.value]);

  // Nothing is left to scroll once the list is left.
  useEffect(() => takenOver, [list]);

  // What has changed without scrolling: a list that comes back, begins anew, or has another height.
  useLayoutEffect(() => {
    if (target.current === null && shown() !== active) root.current?.scrollTo({ top: active * height(), behavior: "instant" });
  }, [active, ids]);
  useEffect(() => {
    const element = root.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      element.scrollTo({ top: list.active.peek() * height(), behavior: "instant" });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [list]);

  // The focus follows the video: what one leaves takes no keys any more.
  const before = useRef(active);
  useLayoutEffect(() => {
    const isWithin = document.activeElement === document.body || root.current?.contains(document.activeElement);
    if (before.current !== active && isWithin) root.current?.querySelector<HTMLElement>(".card.active")?.focus({ preventScroll: true });
    before.current = active;
  }, [active]);

  // Beside the video its own comments stand.
  const shownId = ids[active];
  useEffect(() => {
    const top = sheets.peek().at(-1);
    if (isWide.peek() && top?.name === "comments" && shownId && top.id !== shownId) void open({ name: "comments", id: shownId }, true);
  }, [shownId]);

  const up = () => go(list.active.peek() - 1);
  const down = () => go(list.active.peek() + 1);
  useKeys({ j: down, ArrowDown: down, PageDown: down, k: up, ArrowUp: up, PageUp: up, Home: () => go(0), End: () => go(last) });

  return (
    <div class="watch" data-full-screen>
      <div
        class="feed"
        ref={root}
        role="feed"
        aria-label={label}
        aria-busy={phase === "loading"}
        tabIndex={0}
        data-testid="feed"
        onScroll={onScroll}
        onScrollEnd={onScrollEnd}
        onTouchStart={takenOver}
        onWheel={takenOver}
      >
        {ids.map((id, at) => (
          <Card
            key={id}
            id={id}
            at={at}
            count={ids.length}
            isActive={at === active}
            isNear={Math.abs(at - active) <= 1}
            preload={preloadOf(at)}
            onSettled={() => {
              if (at === list.active.peek() && settled.peek() < at) settled.value = at;
            }}
          />
        ))}
        {phase === "end" && ids.length > 0 && end && <article class={active === ids.length ? "card active blank" : "card blank"} aria-label={t("seenAll")} inert={active !== ids.length}>{end}</article>}
        {phase === "end" && ids.length === 0 && <article class="card active blank" aria-label={label}>{empty}</article>}
        {failure && (
          <article class="card blank" aria-label={label}>{(ids.length === 0 && failed) || <Failed failure={failure} onRetry={() => void list.more()} />}</article>
        )}
        {!failure && ids.length === 0 && (phase === "loading" || phase === "new") && (
          <article class="card skeleton-card" aria-label={t("loading")}>
            <div class="stage">
              <div class="pair">
                <div class="frame upright" />
              </div>
            </div>
          </article>
        )}
      </div>
      {ids.length > 0 && (
        <div class="steps">
          <button type="button" class="round" aria-label={t("previous")} data-testid="previous" disabled={active === 0} onClick={up}>
            <Icon name="up" />
          </button>
          <button type="button" class="round" aria-label={t("next")} data-testid="next" disabled={active >= last} onClick={down}>
            <Icon name="down" />
          </button>
        </div>
      )}
    </div>
  );
}
