// One video of a feed. A tap pauses it, two taps like it; it plays while it is the visible one.

import { useRef, useState } from "preact/hooks";

import type { Video } from "../api/calls";
import { asksForSound, isStill, isWide, muted, setMuted, speed } from "../model/player";
import { videoOf } from "../model/store";
import { like } from "../model/wishes";
import { Icon } from "../looks/icon";
import { Spinner } from "../looks/note";
import { sheets } from "../router/router";
import { t } from "../words";
import { About } from "./about";
import { Actions, toggleComments } from "./actions";
import { Controls, MuteButton } from "./controls";
import { toggleFull } from "./full-screen";
import { useKeys } from "./keys";
import { useMedia } from "./media";
import { Seek, STEP_S } from "./seek";
import { useTaps } from "./taps";
import { Unready } from "./unready";

/** From here on a video is upright enough to fill a telephone: a little of its sides is cut off. */
const UPRIGHT = 0.7;
const UNKNOWN_RATIO = 9 / 16;
const FAST = 2;
/** How long a heart is seen; as long as its animation. */
const BURST_MS = 800;

interface Props {
  id: number;
  at: number;
  count: number;
  isActive: boolean;
  /** It is drawn; those further away are empty. */
  isNear: boolean;
  /** How much of its file is loaded while it isn't playing; undefined: nothing is known of it yet. */
  preload: "auto" | "metadata" | "none" | undefined;
  onSettled: () => void;
}

export function Card(props: Props) {
  const video = videoOf(props.id);
  if (!video) return null;
  return (
    <article
      class={props.isActive ? "card active" : "card"}
      data-testid="video-card"
      data-video-id={video.id}
      aria-label={t("videoBy", video.title, video.author.name)}
      aria-posinset={props.at + 1}
      aria-setsize={props.count}
      tabIndex={-1}
      inert={!props.isActive}
    >
      {props.isNear && <Near {...props} video={video} />}
    </article>
  );
}

interface Burst {
  number: number;
  x: number;
  y: number;
}

function Near({ video, isActive, preload, onSettled }: Props & { video: Video }) {
  const isReady = video.state === "ready";
  const isCovered = sheets.value.some((sheet) => sheet.name === "publish");
  const media = useMedia({ video, isActive, mayLoad: preload !== undefined && isReady, isCovered, onSettled });
  const [bursts, setBursts] = useState<Burst[]>([]);
  /** The speed that one has chosen, while a finger is held down. */
  const before = useRef(1);
  const ratio = video.width && video.height ? video.width / video.height : UNKNOWN_RATIO;

  const taps = useTaps({
    onTap: media.toggle,
    onDoubleTap(x, y) {
      const burst = { number: performance.now(), x, y };
      setBursts((before) => [...before, burst]);
      setTimeout(() => setBursts((before) => before.filter((one) => one !== burst)), BURST_MS);
      void like(video.id, true);
    },
    onHold(isDown) {
      if (isDown) before.current = speed.peek();
      speed.value = isDown ? FAST : before.current;
    },
  });

  useKeys(
    {
      l: () => void like(video.id, !video.is_favorite),
      m: () => setMuted(!muted.value),
      " ": media.toggle,
      f: () => void toggleFull(),
      c: () => void toggleComments(video.id),
      ArrowLeft: () => media.seek(media.time.value - STEP_S),
      ArrowRight: () => media.seek(media.time.value + STEP_S),
    },
    isActive,
  );

  const isPaused = media.paused.value;
  const state = media.ended.value ? "replay" : isPaused ? "play" : "pause";
  return (
    <div class="stage">
      <div class="pair">
        <div class={ratio <= UPRIGHT ? "frame upright" : "frame"} style={{ "--ratio": String(ratio) }}>
          {video.small_cover_url && <img class="backdrop" src={video.small_cover_url} alt="" decoding="async" />}
          {isReady ? (
            <>
              <video
                ref={media.element}
                src={media.source}
                poster={video.small_cover_url}
                preload={preload}
                muted={muted.value}
                loop={!isStill.value}
                playsInline
                disableRemotePlayback
                {...media.events}
              />
              <button type="button" class="surface" aria-label={t(state)} {...taps} />
              {isActive && isPaused && !media.failed.value && (
                <div class="state" aria-hidden="true">
                  <Icon name={media.ended.value ? "replay" : "play"} />
                </div>
              )}
              {isActive && media.waiting.value && !isPaused && <Spinner />}
              {media.failed.value && (
                <div class="note over" role="alert" data-testid="cant-play">
                  <Icon name="alert" />
                  <h2>{t("cantPlay")}</h2>
                  <button type="button" class="button second" onClick={media.retry}>
                    {t("again")}
                  </button>
                </div>
              )}
            </>
          ) : (
            <Unready video={video} />
          )}
          {bursts.map(({ number, x, y }) => (
            <span key={number} class="burst" style={{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
              <Icon name="heartOn" />
            </span>
          ))}
          {isReady && (
            <div class="corner">
              {asksForSound.value && isActive && !isPaused ? (
                <button type="button" class="pill" data-testid="sound-on" onClick={() => setMuted(false)}>
                  <Icon name="silent" />
                  {t("tapForSound")}
                </button>
              ) : (
                !isWide.value && <MuteButton />
              )}
            </div>
          )}
          <div class="below">
            <About video={video} />
            {isReady && <Seek media={media} />}
            {isReady && isWide.value && <Controls media={media} />}
          </div>
        </div>
        <Actions video={video} />
      </div>
    </div>
  );
}
