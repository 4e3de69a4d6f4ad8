// Parts of the page that come when they are needed, or when the browser has nothing else to do: the first load is the player alone.

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";

import { whenBack } from "./model/connection";
import { Spinner } from "./looks/note";

const all: (() => Promise<void>)[] = [];

/** A component of a module that isn't loaded yet. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | null>(null);
  let underWay: Promise<void> | undefined;
  const fetchIt = (): Promise<void> => {
    underWay ??= load().then(
      (component) => {
        loaded.value = component;
      },
      async () => {
        underWay = undefined;
        await whenBack();
        return fetchIt();
      },
    );
    return underWay;
  };
  all.push(fetchIt);
  return function Lazy(props: P) {
    const Loaded = loaded.value;
    if (Loaded) return <Loaded {...props} />;
    void fetchIt();
    return (
      <div class="center">
        <Spinner />
      </div>
    );
  };
}

/** Loads all of them. */
export function loadAll(): void {
  for (const fetchIt of all) void fetchIt();
}
