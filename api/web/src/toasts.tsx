// What is said for a moment; read out by screen readers.

import { useEffect, useRef } from "preact/hooks";

import { online } from "./model/connection";
import { dismiss, toast } from "./model/toasts";
import { sheets } from "./router/router";
import { t } from "./words";

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
      if (toast.peek()) layer.current?.showPopover();
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

/** As long as there is no network. */
export function Offline() {
  return (
    <div class="offline" role="status">
      {!online.value && <span data-testid="offline">{t("offline")}</span>}
    </div>
  );
}
