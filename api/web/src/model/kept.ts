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
  const found = stored(() => localStorage, key);
  const value = signal<T>(fits(found) ? (found as T) : otherwise);
  effect(() => store(() => localStorage, key, value.value));
  return value;
}

/** For this tab alone, over a reload. */
export const tab = {
  read: (key: string): unknown => stored(() => sessionStorage, key),
  write: (key: string, value: unknown): void => store(() => sessionStorage, key, value),
};
