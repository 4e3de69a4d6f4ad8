// Where one is, over the browser's history: each route has a URL, and each sheet an entry of its own, so that Back closes it.

import { computed, signal } from "@preact/signals";

import { paths, routeOf, type Sheet } from "./routes";

/** What the history keeps of an entry. */
interface Entry {
  /** How many entries of the page lie before this one. */
  depth: number;
  sheets: Sheet[];
  /** Which list of videos one came from. */
  list?: string;
}

function entryOf(state: unknown): Entry {
  const entry = state as Partial<Entry> | null;
  return { depth: entry?.depth ?? 0, sheets: entry?.sheets ?? [], ...(entry?.list ? { list: entry.list } : {}) };
}

const path = signal(location.pathname);
const entry = signal(entryOf(history.state));

export const route = computed(() => routeOf(path.value));
export const sheets = computed(() => entry.value.sheets);
export const list = computed(() => entry.value.list);
/** Tells entries of the history apart. */
export const key = computed(() => `${entry.value.depth} ${path.value}`);

history.scrollRestoration = "manual";

/** Going back is done a moment later; what comes next has to wait for it. */
let leaving: Promise<void> = Promise.resolve();
let left: (() => void) | undefined;

addEventListener("popstate", (event) => {
  path.value = location.pathname;
  entry.value = entryOf(event.state);
  left?.();
});

function push(url: string, next: Omit<Entry, "depth">, replaces: boolean): void {
  const depth = entry.value.depth + (replaces ? 0 : 1);
  const state: Entry = { depth, ...next };
  history[replaces ? "replaceState" : "pushState"](state, "", url);
  path.value = location.pathname;
  entry.value = state;
}

export async function go(url: string, options: { list?: string | undefined; replaces?: boolean } = {}): Promise<void> {
  await leaving;
  push(url, { sheets: [], ...(options.list ? { list: options.list } : {}) }, options.replaces ?? false);
}

/** Names the video that one has come to in this list, without a new entry. */
export function rename(url: string, from: string): void {
  if (url !== location.pathname || from !== entry.value.list) push(url, { sheets: entry.value.sheets, list: from }, true);
}

export async function open(sheet: Sheet, replaces = false): Promise<void> {
  await leaving;
  const { sheets: before, list: from } = entry.value;
  const next = [...(replaces ? before.slice(0, -1) : before), sheet];
  push(location.pathname, { sheets: next, ...(from ? { list: from } : {}) }, replaces);
}

/** One step back; where the page has none, to `otherwise`. */
export async function back(otherwise: string = paths.feed): Promise<void> {
  await leaving;
  if (entry.value.depth === 0) return go(otherwise, { replaces: true });
  leaving = new Promise((resolve) => {
    left = resolve;
  });
  history.back();
  return leaving;
}

export const topSheet = (): Sheet | undefined => entry.value.sheets.at(-1);

/** Closes the uppermost sheet. With a name: only if it is this one, which somebody may be closing already. */
export async function close(name?: Sheet["name"]): Promise<void> {
  await leaving;
  const top = topSheet();
  if (top && (!name || top.name === name)) await back();
}

/** Links within the page don't load it anew. */
addEventListener("click", (event) => {
  const link = (event.target as Element).closest<HTMLAnchorElement>("a[href]");
  const isOurs = link && link.origin === location.origin && !link.target && routeOf(link.pathname).name !== "unknown";
  if (!isOurs || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.pathname === location.pathname && !entry.value.sheets.length) return;
  void go(link.pathname, { list: link.dataset["list"], replaces: link.dataset["replaces"] === "true" });
});
