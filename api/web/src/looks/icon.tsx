// Pictures of one colour, in the page itself: no font, no request.

import { FILLED, OUTLINES } from "./icons";

export type IconName = keyof typeof OUTLINES | keyof typeof FILLED;

export function Icon({ name }: { name: IconName }) {
  const filled = (FILLED as Record<string, string>)[name];
  const outline = (OUTLINES as Record<string, string>)[name];
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill={filled ? "currentColor" : "none"} stroke={filled ? "none" : "currentColor"}>
      <path d={filled ?? outline ?? ""} />
    </svg>
  );
}
