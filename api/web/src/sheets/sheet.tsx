// Something that lies above the page until it is closed: by its button, Escape, Back, a tap beside it, or by dragging it down.
//
// The browser's own dialog keeps the focus in it. What is open stands in the history; this only shows it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { close } from "../router/router";
import { Icon } from "../looks/icon";
import { t } from "../words";

interface Props {
  title: string;
  /** It is about to go. */
  isLeaving: boolean;
  /** For its looks. */
  kind?: string;
  children: ComponentChildren;
}

/** How far a sheet is dragged down until it goes, in pixels; and how fast, in pixels a millisecond. */
const FAR = 110;
const FAST = 0.6;

export function Sheet({ title, isLeaving, kind = "", children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const drag = useRef<{ y: number; time: number } | null>(null);
  const beganBeside = useRef(false);

  useLayoutEffect(() => {
    if (isLeaving) dialog.current?.close();
    else if (!dialog.current?.open) dialog.current?.showModal();
  }, [isLeaving]);

  function move(by: number) {
    if (dialog.current) dialog.current.style.translate = by > 0 ? `0 ${by}px` : "";
  }

  function drop(event: PointerEvent) {
    const from = drag.current;
    drag.current = null;
    if (!from) return;
    const by = event.clientY - from.y;
    if (by > FAR || by / Math.max(1, event.timeStamp - from.time) > FAST) void close();
    else move(0);
  }

  return (
    <dialog
      ref={dialog}
      class={`sheet ${kind}`}
      aria-label={title}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        void close();
      }}
      onPointerDown={(event) => {
        beganBeside.current = event.target === event.currentTarget;
      }}
      onClick={(event) => {
        // Beside what it holds. A text that is selected in it may end there, too.
        if (event.target === event.currentTarget && beganBeside.current) void close();
      }}
    >
      <div class="sheet-inside">
        <header
          class="sheet-head"
          onPointerDown={(event) => {
            if ((event.target as Element).closest("button")) return;
            drag.current = { y: event.clientY, time: event.timeStamp };
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => drag.current && move(event.clientY - drag.current.y)}
          onPointerUp={drop}
          onPointerCancel={drop}
        >
          <span class="grip" aria-hidden="true" />
          <h2>{title}</h2>
          <button type="button" class="round" aria-label={t("close")} data-testid="sheet-close" onClick={() => void close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
