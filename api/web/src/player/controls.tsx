// Sound, speed and full screen.

import { muted, setMuted, speed, SPEEDS, volume } from "../model/player";
import { Icon } from "../looks/icon";
import { clock, t } from "../words";
import { isFull, toggleFull } from "./full-screen";
import type { Media } from "./media";

export function MuteButton() {
  const label = t(muted.value ? "unmute" : "mute");
  return (
    <button type="button" class="round" data-testid="mute" aria-label={label} title={`${label} (M)`} onClick={() => setMuted(!muted.value)}>
      <Icon name={muted.value ? "silent" : "sound"} />
    </button>
  );
}

function Volume() {
  return (
    <span class="volume">
      <MuteButton />
      <input
        type="range"
        data-testid="volume"
        aria-label={t("volume")}
        min={0}
        max={1}
        step={0.05}
        value={muted.value ? 0 : volume.value}
        style={{ "--part": String(muted.value ? 0 : volume.value) }}
        onInput={(event) => {
          const to = Number(event.currentTarget.value);
          if (to > 0) volume.value = to;
          setMuted(to === 0);
        }}
      />
    </span>
  );
}

export const speedName = (value: number): string => (value === 1 ? t("normal") : `${value}×`);

/** For who has a mouse; others find the same under "more". */
export function Controls({ media }: { media: Media }) {
  const isPaused = media.paused.value;
  return (
    <div class="controls">
      <button type="button" class="round" aria-label={t(isPaused ? "play" : "pause")} onClick={media.toggle}>
        <Icon name={isPaused ? "play" : "pause"} />
      </button>
      <span class="clock">
        {clock(media.time.value)} / {clock(media.duration.value)}
      </span>
      <select
        class="speed"
        data-testid="speed"
        aria-label={t("speed")}
        value={String(speed.value)}
        onChange={(event) => (speed.value = Number(event.currentTarget.value))}
      >
        {SPEEDS.map((value) => (
          <option key={value} value={String(value)}>
            {value === 1 ? t("speed") : `${value}×`}
          </option>
        ))}
      </select>
      <Volume />
      <button
        type="button"
        class="round"
        data-testid="full-screen"
        aria-label={t(isFull.value ? "leaveFullScreen" : "fullScreen")}
        title={`${t(isFull.value ? "leaveFullScreen" : "fullScreen")} (F)`}
        onClick={() => void toggleFull()}
      >
        <Icon name={isFull.value ? "small" : "full"} />
      </button>
    </div>
  );
}
