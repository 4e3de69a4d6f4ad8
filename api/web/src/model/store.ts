// The videos and users that the page knows, each once: what changes in one place is seen in all.

import { signal, type Signal } from "@preact/signals";

import type { User, Video } from "../api/calls";

type Known<T> = Map<number, Signal<T | undefined>>;

const videos: Known<Video> = new Map();
const users: Known<User> = new Map();
/** When something was changed here, by its key. What was asked for before that knows less. */
const touched = new Map<string, number>();
/** Whose flag is being changed, by its key: until that is answered, nothing else writes it. */
const held = new Set<string>();

/** Also of what isn't known yet, so that who looks is told when it is. */
function cell<T>(known: Known<T>, id: number): Signal<T | undefined> {
  const found = known.get(id) ?? signal<T | undefined>(undefined);
  known.set(id, found);
  return found;
}

export const now = (): number => performance.now();
export const videoOf = (id: number): Video | undefined => cell(videos, id).value;
export const userOf = (id: number): User | undefined => cell(users, id).value;
/** Without being told of changes. */
export const peekVideo = (id: number): Video | undefined => videos.get(id)?.peek();
export const peekUser = (id: number): User | undefined => users.get(id)?.peek();

const videoKey = (id: number): string => `v${id}`;
const userKey = (id: number): string => `u${id}`;
const isOlder = (key: string, asked: number): boolean => held.has(key) || (touched.get(key) ?? -1) > asked;

/** Holds a flag for a change of it. Returns what lets it go, or nothing if it is held already. */
function hold(key: string): (() => void) | undefined {
  if (held.has(key)) return undefined;
  held.add(key);
  return () => {
    held.delete(key);
    touched.set(key, now());
  };
}

export const holdVideo = (id: number): (() => void) | undefined => hold(videoKey(id));
export const holdUser = (id: number): (() => void) | undefined => hold(userKey(id));

/** `asked`: when the request was sent that brought it. */
export function putVideo(video: Video, asked: number): void {
  putUser(video.author, asked);
  const known = cell(videos, video.id);
  const before = known.peek();
  const { is_favorite, favorite_count, comment_count } = before && isOlder(videoKey(video.id), asked) ? before : video;
  known.value = { ...video, is_favorite, favorite_count, comment_count };
}

export function putUser(user: User, asked: number): void {
  const known = cell(users, user.id);
  const before = known.peek();
  const { is_follow, follower_count } = before && isOlder(userKey(user.id), asked) ? before : user;
  known.value = { ...user, is_follow, follower_count };
}

export function changeVideo(id: number, change: (video: Video) => Partial<Video>): void {
  const before = peekVideo(id);
  if (!before) return;
  touched.set(videoKey(id), now());
  cell(videos, id).value = { ...before, ...change(before) };
}

export function changeUser(id: number, change: (user: User) => Partial<User>): void {
  const before = peekUser(id);
  if (!before) return;
  touched.set(userKey(id), now());
  cell(users, id).value = { ...before, ...change(before) };
}

/** The known user of this name. */
export function userNamed(name: string): User | undefined {
  for (const user of users.values()) if (user.peek()?.name === name) return user.peek();
  return undefined;
}

/** Nobody's likes and follows any more, but for those that are being changed: these may wait for a login. */
export function forgetFlags(): void {
  for (const [id, video] of videos)
    if (video.peek()?.is_favorite && !held.has(videoKey(id))) changeVideo(id, () => ({ is_favorite: false }));
  for (const [id, user] of users)
    if (user.peek()?.is_follow && !held.has(userKey(id))) changeUser(id, () => ({ is_follow: false }));
}
