// A value that outlives the page, in the browser's local storage. A browser that keeps nothing: it lives as long as the page.

import { effect, signal, type Signal } from "@preact/signals";

function stored(storage: () => Storage, key: string): unknown {
  try {
    return JSON.parse(storage().getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function store(storage: () => Storage, key: string, value: unknown): void {
  try {
    if (value === null || value === undefined) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}

/** `fits` decides whether what was found is still such a value. */
export function kept<T>(key: string, otherwise: T, fits: (value: unknown) => boolean): Signal<T> {
  const read = (): T => {
    const found = keptNow(key);
    return fits(found) ? (found as T) : otherwise;
  };
  const value = signal<T>(read());
  effect(() => store(() => localStorage, key, value.value));
  // Another tab has changed it. Without a key: all is gone.
  addEventListener("storage", (event) => {
    if (event.key === key || event.key === null) value.value = read();
  });
  return value;
}

/** What is stored at this moment. Another tab may have stored it, and this one not been told yet. */
export const keptNow = (key: string): unknown => stored(() => localStorage, key);

/** For this tab alone, over a reload. */
export const tab = {
  read: (key: string): unknown => stored(() => sessionStorage, key),
  write: (key: string, value: unknown): void => store(() => sessionStorage, key, value),
};
