// Where in the video one is: to see, to drag and to move by keys.

import { useSignal } from "@preact/signals";

import { clock, t } from "../words";
import type { Media } from "./media";

/** One press of an arrow, in seconds. */
export const STEP_S = 5;

export function Seek({ media }: { media: Media }) {
  const dragged = useSignal<number | null>(null);
  const duration = media.duration.value;
  const at = dragged.value ?? media.time.value;
  const words = `${clock(at)} / ${clock(duration)}`;

  function onKey(event: KeyboardEvent) {
    const step = { ArrowRight: STEP_S, ArrowUp: STEP_S, ArrowLeft: -STEP_S, ArrowDown: -STEP_S }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    media.seek(media.time.value + step);
  }

  return (
    <div class={dragged.value === null ? "seek" : "seek dragged"}>
      {dragged.value !== null && (
        <output class="seek-time" aria-hidden="true">
          {words}
        </output>
      )}
      <input
        type="range"
        data-testid="seek"
        aria-label={t("position")}
        aria-valuetext={words}
        min={0}
        max={duration || 1}
        step={0.1}
        value={Math.min(at, duration || 1)}
        disabled={!duration}
        style={{ "--part": String(duration ? at / duration : 0) }}
        onInput={(event) => {
          dragged.value = Number(event.currentTarget.value);
          media.seek(dragged.value);
        }}
        onChange={() => (dragged.value = null)}
        onPointerUp={() => (dragged.value = null)}
        onBlur={() => (dragged.value = null)}
        onKeyDown={onKey}
      />
    </div>
  );
}
