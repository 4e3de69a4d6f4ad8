// The routes of the page and their URLs, and the sheets that may lie above a screen.

export type ProfileTab = "works" | "likes";

export type Route =
  | { name: "feed" }
  | { name: "following" }
  | { name: "video"; id: number }
  | { name: "profile"; id: number; tab: ProfileTab }
  | { name: "messages" }
  | { name: "chat"; id: number }
  | { name: "unknown" };

/** What lies above; kept in the browser's history, so it holds nothing but data. */
export type Sheet =
  | { name: "account"; reason?: string }
  | { name: "comments"; id: number }
  | { name: "more"; id: number }
  | { name: "delete-video"; id: number }
  | { name: "publish" }
  | { name: "edit-profile" }
  | { name: "settings" }
  | { name: "log-out" }
  | { name: "password" }
  | { name: "delete-account" }
  | { name: "blocks" }
  | { name: "user"; id: number }
  | { name: "people"; id: number; which: "following" | "followers" };

const PATTERNS: [RegExp, (id: number) => Route][] = [
  [/^\/$/, () => ({ name: "feed" })],
  [/^\/following\/?$/, () => ({ name: "following" })],
  [/^\/v\/(\d+)\/?$/, (id) => ({ name: "video", id })],
  [/^\/u\/(\d+)\/?$/, (id) => ({ name: "profile", id, tab: "works" })],
  [/^\/u\/(\d+)\/likes\/?$/, (id) => ({ name: "profile", id, tab: "likes" })],
  [/^\/messages\/?$/, () => ({ name: "messages" })],
  [/^\/messages\/(\d+)\/?$/, (id) => ({ name: "chat", id })],
];

export function routeOf(path: string): Route {
  for (const [pattern, route] of PATTERNS) {
    const match = pattern.exec(path);
    if (!match) continue;
    const id = Number(match[1] ?? 1);
    return Number.isSafeInteger(id) && id > 0 ? route(id) : { name: "unknown" };
  }
  return { name: "unknown" };
}

export const paths = {
  feed: "/",
  following: "/following",
  messages: "/messages",
  video: (id: number) => `/v/${id}`,
  profile: (id: number, tab: ProfileTab = "works") => (tab === "works" ? `/u/${id}` : `/u/${id}/likes`),
  chat: (id: number) => `/messages/${id}`,
};
