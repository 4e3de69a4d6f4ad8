// What is said for a moment; read out by screen readers.

import { useEffect, useRef } from "preact/hooks";

import { online } from "./model/connection";
import { dismiss, toast } from "./model/toasts";
import { sheets } from "./router/router";
import { t } from "./words";

/** Between a toast and what it stands above, in pixels. */
const GAP = 4;

/** `root` is where this is drawn: it moves into the uppermost sheet, outside of which nothing can be pressed. */
export function Toasts({ root }: { root: HTMLElement }) {
  const said = toast.value;
  const layer = useRef<HTMLDivElement>(null);
  const open = sheets.value.length;
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      const above = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
      if (root.parentElement !== above) above.append(root);
      // Shown anew, it lies above what was opened since.
      layer.current?.hidePopover();
      if (!toast.peek() || !layer.current) return;
      layer.current.showPopover();
      overTheControls(layer.current, above === document.body ? document.querySelector(".card.active .seek") : null);
    });
    return () => cancelAnimationFrame(frame);
  }, [said?.number, open, root]);
  return (
    <div ref={layer} popover="manual" class="toasts" role={said?.failed ? "alert" : "status"}>
      {said && (
        <div key={said.number} class={said.failed ? "toast failed" : "toast"} data-testid="toast">
          <span>{said.text}</span>
          {said.action && (
            <button
              type="button"
              data-testid="toast-action"
              onClick={() => {
                said.action?.run();
                dismiss(said.number);
              }}
            >
              {said.action.label}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** On a video it stands right above the controls, as wide as they are; what is said of the video makes room. */
function overTheControls(layer: HTMLElement, controls: Element | null) {
  const { top, left, right } = controls?.getBoundingClientRect() ?? { top: 0, left: 0, right: 0 };
  layer.style.inset = controls ? `auto ${innerWidth - right}px ${innerHeight - top + GAP}px ${left}px` : "";
  layer.style.maxWidth = controls ? `${right - left}px` : "";
  document.documentElement.style.setProperty("--toast", `${layer.offsetHeight}px`);
}

/** As long as there is no network. */
export function Offline() {
  return (
    <div class="offline" role="status">
      {!online.value && <span data-testid="offline">{t("offline")}</span>}
    </div>
  );
}
