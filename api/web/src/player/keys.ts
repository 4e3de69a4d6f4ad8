// Keys for the whole page, while nobody is writing and nothing lies above.

import { useEffect } from "preact/hooks";

type Keys = Record<string, () => void>;

export function useKeys(keys: Keys, isOn = true): void {
  useEffect(() => {
    if (!isOn) return;
    function onKey(event: KeyboardEvent) {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target.closest("textarea, select, dialog, input:not([type=range])")) return;
      if (target.closest("input, [role=tablist]") && event.key.startsWith("Arrow")) return;
      if (event.key === " " && target.closest("button, a")) return;
      const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!run) return;
      event.preventDefault();
      run();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
}
