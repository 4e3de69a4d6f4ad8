// The lists of videos, by the route that they belong to. A list stays while the page does, with the video that one has come to.

import { effect, signal } from "@preact/signals";

import { api, type Video } from "../api/calls";
import type { ProfileTab } from "../router/routes";
import { tab } from "./kept";
import { Pager, type Page } from "./pager";
import { session } from "./session";
import { forgetFlags, now, peekVideo, putVideo } from "./store";

type Read = (from: number | undefined) => Promise<Page<number>>;

export class VideoList extends Pager<number> {
  /** Which video one has come to. */
  readonly active = signal(0);
  /** Whose flags it shows. */
  private owner = session.peek()?.userId;
  /** Whether a new beginning stays at the video that one has come to. */
  private stays = false;

  constructor(read: Read) {
    super(read, (id) => id);
  }

  /** Brings the counts, flags and URLs of what was read up to date, where everything is. */
  async refresh(): Promise<void> {
    this.owner = session.peek()?.userId;
    const pages = Math.ceil((this.active.peek() + 1) / PAGE);
    for (const start of this.starts.slice(Math.max(0, pages - 2), pages + 1)) await this.read(start).catch(() => {});
  }

  /** The same if it is somebody else's now. */
  refreshIfStale(): void {
    if (this.owner !== session.peek()?.userId && this.phase.peek() !== "new") void this.refresh();
  }

  /** From the beginning, at the first video. */
  override async restart(): Promise<void> {
    this.owner = session.peek()?.userId;
    this.stays = false;
    await super.restart();
    // Where nothing new came: the first of what was there.
    if (this.failure.peek()) this.active.value = 0;
  }

  /** From the beginning, at the video that one has come to if it is still there. */
  async renew(): Promise<void> {
    this.owner = session.peek()?.userId;
    this.stays = true;
    await super.restart();
  }

  protected override beginsAnew(before: number[], after: number[]): void {
    const shown = before[this.active.peek()];
    if (!this.stays) this.active.value = 0;
    else if (shown !== undefined) this.active.value = Math.max(0, after.indexOf(shown));
  }

  keep(): Kept {
    const ids = this.items.peek();
    const first = Math.max(0, this.active.peek() - KEPT_BEFORE);
    const some = ids.slice(first, first + KEPT);
    const isWhole = first + KEPT >= ids.length;
    const last = peekVideo(some.at(-1) ?? 0);
    return {
      userId: session.peek()?.userId ?? 0,
      time: Date.now(),
      videos: some.flatMap((id) => peekVideo(id) ?? []),
      active: this.active.peek() - first,
      // While it begins anew there is no next page: it goes on behind the last video.
      next: (isWhole ? this.next : undefined) ?? last?.create_time ?? null,
      isEnd: isWhole && this.phase.peek() === "end",
    };
  }

  restore(kept: Kept): void {
    for (const video of kept.videos) putVideo(video, now());
    this.items.value = kept.videos.map((video) => video.id);
    this.active.value = Math.min(kept.active, kept.videos.length - 1);
    this.next = kept.next ?? undefined;
    this.starts = [(kept.videos[0]?.create_time ?? 0) + 1];
    this.phase.value = kept.isEnd ? "end" : "more";
    void this.refresh();
  }
}

/** What a tab keeps of the feed over a reload. */
interface Kept {
  userId: number;
  time: number;
  videos: Video[];
  active: number;
  next: number | null;
  isEnd: boolean;
}

/** Videos on a page of the feed. */
const PAGE = 30;
const KEPT = 30;
const KEPT_BEFORE = 10;
const KEPT_MS = 30 * 60_000;
const KEY = "dousheng-feed";
const HOME = "home";
const FOLLOWING = "following";

/** A page of one of the two feeds, whose end is an empty one. */
function feed(ask: typeof api.feed): Read {
  return async (from) => {
    const asked = now();
    const { video_list, next_time } = await ask(from);
    for (const video of video_list) putVideo(video, asked);
    return { items: video_list.map((video) => video.id), next: video_list.length ? next_time : null };
  };
}

function listed(ask: typeof api.works, id: number): Read {
  return async (from) => {
    const asked = now();
    const { video_list, has_more, next_before } = await ask(id, from);
    for (const video of video_list) putVideo(video, asked);
    return { items: video_list.map((video) => video.id), next: has_more ? next_before : null };
  };
}

const home = feed(api.feed);

/** What a link to one video shows: that one, then the feed. One that isn't ready stands alone. */
function fromOne(id: number): Read {
  return async (from) => {
    if (from !== undefined) return home(from || undefined);
    const asked = now();
    const { video } = await api.video(id);
    putVideo(video, asked);
    return { items: [id], next: video.state === "ready" ? 0 : null };
  };
}

const lists = new Map<string, VideoList>();

export const keys = {
  home: HOME,
  following: FOLLOWING,
  of: (userId: number, which: ProfileTab) => `${which}:${userId}`,
  from: (videoId: number) => `from:${videoId}`,
};

export const isKnown = (key: string): boolean => lists.has(key);

export function listOf(key: string): VideoList {
  const known = lists.get(key);
  if (known) return known;
  const [kind, number] = key.split(":");
  const id = Number(number);
  const reads: Record<string, Read> = {
    [HOME]: home,
    [FOLLOWING]: feed(api.followingFeed),
    works: listed(api.works, id),
    likes: listed(api.likes, id),
    from: fromOne(id),
  };
  const made = new VideoList(reads[kind ?? HOME] ?? home);
  lists.set(key, made);
  if (key === HOME) restore(made);
  return made;
}

function restore(list: VideoList): void {
  const kept = tab.read(KEY) as Kept | null;
  const fits = kept?.videos?.length && kept.userId === (session.peek()?.userId ?? 0) && Date.now() - kept.time < KEPT_MS;
  if (fits) list.restore(kept);
}

addEventListener("pagehide", () => {
  const list = lists.get(HOME);
  tab.write(KEY, list?.items.peek().length ? list.keep() : null);
});

/** A deleted video is in no list any more. */
export function forgetVideo(id: number): void {
  for (const list of lists.values()) {
    const at = list.items.peek().indexOf(id);
    list.remove(id);
    if (at !== -1 && at < list.active.peek()) list.active.value -= 1;
  }
}

/** What somebody has just published comes up where it belongs. */
export function forgetWorks(userId: number): void {
  const works = lists.get(keys.of(userId, "works"));
  if (works && works.phase.peek() !== "new") void works.renew();
}

let lastUser = session.peek()?.userId;
effect(() => {
  const user = session.value?.userId;
  if (user === lastUser) return;
  const before = lastUser;
  lastUser = user;
  forgetFlags();
  // These are somebody's own, with what nobody else sees.
  for (const key of [FOLLOWING, keys.of(before ?? 0, "works"), keys.of(user ?? 0, "works")]) lists.delete(key);
});
