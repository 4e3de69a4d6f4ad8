// What is said for a moment; read out by screen readers. Above an open sheet, too: those lie in the browser's top layer.

import { useEffect, useRef } from "preact/hooks";

import { toast } from "../state";

export function Toast() {
  const said = toast.value;
  const layer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Shown anew, it lies above what was opened since.
    layer.current?.hidePopover();
    if (said) layer.current?.showPopover();
  }, [said?.number]);
  return (
    <div ref={layer} popover="manual" role="status" aria-live="polite" class="toasts">
      {said && (
        <div key={said.number} class={said.failed ? "toast failed" : "toast"} data-testid="toast">
          {said.text}
        </div>
      )}
    </div>
  );
}
