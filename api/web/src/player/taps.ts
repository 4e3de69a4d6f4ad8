// Tap, two taps, and holding a finger down: told apart by time.

import { useRef } from "preact/hooks";

/** Two taps within this time are one gesture. */
const DOUBLE_TAP_MS = 260;
const HOLD_MS = 500;

interface Gestures {
  onTap: () => void;
  onDoubleTap: (x: number, y: number) => void;
  onHold: (isDown: boolean) => void;
}

export function useTaps({ onTap, onDoubleTap, onHold }: Gestures) {
  const tap = useRef<number | undefined>(undefined);
  const hold = useRef<number | undefined>(undefined);
  const isHeld = useRef(false);
  const wasHeld = useRef(false);

  function release() {
    clearTimeout(hold.current);
    if (!isHeld.current) return;
    isHeld.current = false;
    wasHeld.current = true;
    onHold(false);
  }

  return {
    onClick(event: MouseEvent & { currentTarget: HTMLElement }) {
      if (wasHeld.current) {
        wasHeld.current = false;
        return;
      }
      // By a key: nothing follows it.
      if (event.detail === 0) return onTap();
      if (tap.current !== undefined) {
        clearTimeout(tap.current);
        tap.current = undefined;
        const box = event.currentTarget.getBoundingClientRect();
        onDoubleTap(event.clientX - box.left, event.clientY - box.top);
        return;
      }
      tap.current = window.setTimeout(() => {
        tap.current = undefined;
        onTap();
      }, DOUBLE_TAP_MS);
    },
    onPointerDown(event: PointerEvent) {
      wasHeld.current = false;
      if (event.button) return;
      hold.current = window.setTimeout(() => {
        isHeld.current = true;
        onHold(true);
      }, HOLD_MS);
    },
    onPointerUp: release,
    onPointerCancel: release,
    onPointerLeave: release,
    onContextMenu: (event: Event) => event.preventDefault(),
  };
}
