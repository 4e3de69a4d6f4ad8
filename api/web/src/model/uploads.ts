// Uploads, one after the other, whatever is open meanwhile. The form of the next one lives here too, so that closing it loses nothing.

import { computed, effect, signal, untracked, type Signal } from "@preact/signals";

import { api } from "../api/calls";
import { hasEnded } from "../api/client";
import { ApiError } from "../api/errors";
import { newKey } from "../api/key";
import { publish, type Progress } from "../api/upload";
import { go, route } from "../router/router";
import { paths } from "../router/routes";
import { t } from "../words";
import { whenBack } from "./connection";
import { drafts } from "./drafts";
import { forgetWorks, keys, listOf } from "./lists";
import { isAsking, logIn } from "./login";
import { owner, session } from "./session";
import { now, putVideo } from "./store";
import { say } from "./toasts";

type State = "queued" | "sending" | "waiting" | "failed";

export interface Item {
  id: string;
  /** Who publishes it. Nothing: whoever logs in for it. */
  userId: number | undefined;
  file: File;
  title: string;
  /** Of this file with this title: sending it again publishes it no second time. */
  key: string;
  state: Signal<State>;
  progress: Signal<Progress>;
  failure: Signal<string>;
}

/** What is waiting, on its way, or failed. */
export const uploads = signal<Item[]>([]);
export const isUploading = computed(() => uploads.value.some((item) => item.state.value !== "failed"));

/** The form: the files that were chosen and aren't sent yet, of which the first is being described, and how many were chosen together. */
export const form = { files: signal<File[]>([]), chosen: signal(0), title: signal(""), isRestored: signal(false) };

/** Whose form it is: of the owner, or of who wrote the title that was restored. */
const writer = signal(owner.peek());

/** How often an upload that the server refused for the moment is sent again by itself. */
const MORE_TRIES = 5;
/** How often an upload may break off in the middle: a proxy may cut every one of its size. */
const MAX_CUTS = 20;
/** A server that wants one to wait for longer has a reason that isn't over in a moment. */
const LONGEST_WAIT_S = 60;

/** Ends what the current one is doing: sending, or waiting to be sent again. */
let stop: () => void = () => {};
let isRunning = false;

export function add(file: File, title: string): void {
  const progress = signal<Progress>({ sent: 0, total: file.size, rate: 0 });
  const userId = writer.peek();
  const item: Item = { id: newKey(), userId, file, title, key: newKey(), state: signal<State>("queued"), progress, failure: signal("") };
  uploads.value = [...uploads.value, item];
  void run();
}

export function retry(item: Item): void {
  item.failure.value = "";
  item.state.value = "queued";
  void run();
}

/** Takes it out of the queue, and stops it if it is on its way. */
export function cancel(item: Item): void {
  const isCurrent = item.state.value === "sending" || item.state.value === "waiting";
  uploads.value = uploads.value.filter((one) => one !== item);
  if (isCurrent) stop();
}

async function run(): Promise<void> {
  if (isRunning) return;
  isRunning = true;
  let isAsked = true;
  for (let item = nextOf(); item; item = nextOf()) {
    await carry(item, isAsked);
    isAsked = false;
  }
  isRunning = false;
}

const nextOf = (): Item | undefined => uploads.value.find((item) => item.state.value === "queued");
const isWanted = (item: Item): boolean => uploads.value.includes(item);

/** `isAsked`: somebody has just asked for it. What goes on by itself opens no login. */
async function carry(item: Item, isAsked: boolean): Promise<void> {
  let tries = 0;
  let cuts = 0;
  let reason = isAsked ? t("logInFirst") : undefined;
  while (isWanted(item)) {
    item.state.value = "queued";
    if (reason || isAsking()) await logIn(reason).catch(() => {});
    // Those of somebody else are gone when one has logged in.
    if (!isWanted(item)) return;
    if (!session.value) {
      // Nor do the others ask again.
      for (const one of uploads.value) if (one.state.value === "queued") fail(one, reason ?? t("logInFirst"));
      return;
    }
    reason = undefined;
    const { token, userId } = session.value;
    item.userId = userId;
    item.state.value = "sending";
    item.progress.value = { sent: 0, total: item.file.size, rate: 0 };
    try {
      const upload = publish(item.file, item.title, item.key, (progress) => (item.progress.value = progress));
      stop = upload.cancel;
      await upload.done;
      uploads.value = uploads.value.filter((one) => one !== item);
      await arrived(userId);
      return;
    } catch (error) {
      if (!isWanted(item)) return;
      // Its owner has logged out, and nobody else sends it again.
      if (owner.peek() !== userId) {
        cancel(item);
        return say(t("uploadsDropped"), true);
      }
      if (hasEnded(error, token)) {
        reason = t("sessionOver");
        continue;
      }
      if (isUnreachable(error) && item.progress.value.sent > 0) cuts += 1;
      const again = cuts > MAX_CUTS ? undefined : whenAgain(error, tries);
      if (!again) return fail(item, isOneTooMany(error) ? t("tooManyUploads") : (error as Error).message);
      item.state.value = "waiting";
      if (!isUnreachable(error)) tries += 1;
      const stopped = new Promise<void>((resolve) => (stop = resolve));
      await Promise.race([again, stopped]);
    }
  }
}

const isUnreachable = (error: unknown): boolean => error instanceof ApiError && error.isUnreachable;
const isOneTooMany = (error: unknown): boolean => error instanceof ApiError && error.retryAfter !== undefined && !error.isStalled;

/** Resolves when it is worth to send an upload again. Nothing if it isn't. */
function whenAgain(error: unknown, tries: number): Promise<void> | undefined {
  // The server hadn't the chance to refuse it.
  if (isUnreachable(error)) return whenBack();
  const retryAfter = error instanceof ApiError ? error.retryAfter : undefined;
  if (retryAfter === undefined || retryAfter > LONGEST_WAIT_S || tries >= MORE_TRIES) return undefined;
  return new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(retryAfter, 2 ** tries)));
}

function fail(item: Item, why: string): void {
  item.failure.value = why;
  item.state.value = "failed";
  say(item.failure.value, true);
}

/** It is there: at the top of the feed, for who is there; others are led to it. What has to be processed first isn't in the feed yet. */
async function arrived(me: number): Promise<void> {
  if (session.value?.userId !== me) return;
  forgetWorks(me);
  const asked = now();
  const newest = await api.works(me).then(
    ({ video_list }) => video_list[0],
    () => undefined,
  );
  if (newest) putVideo(newest, asked);
  const watch = { label: t("watch"), run: () => void go(newest ? paths.video(newest.id) : paths.profile(me)) };
  const home = listOf(keys.home);
  if (newest?.state === "processing") say(t("publishedProcessing"), false, watch);
  else if (route.value.name === "feed" && home.active.value === 0) {
    await home.restart();
    say(t("published"));
  } else say(t("published"), false, watch);
}

addEventListener("beforeunload", (event) => {
  if (isUploading.value) event.preventDefault();
});

/** What somebody else has chosen, written and not sent yet is nothing of theirs. What a guest has chosen and written stays. */
function takeOver(userId: number | undefined): void {
  const before = writer.peek();
  if (before !== undefined && before !== userId) {
    form.files.value = [];
    form.chosen.value = 0;
    form.title.value = "";
    form.isRestored.value = false;
    const others = uploads.peek().filter((item) => item.userId !== undefined && item.userId !== userId);
    // What is being sent carries their token, and is theirs when it arrives.
    const dropped = others.filter((item) => item.state.peek() !== "sending");
    dropped.forEach(cancel);
    // Who logs out was told so before. After the greeting of the other, in whose place it stands.
    if (dropped.length && userId !== undefined) queueMicrotask(() => say(t("uploadsDropped")));
  }
  writer.value = userId;
}
effect(() => {
  const userId = owner.value;
  untracked(() => takeOver(userId));
});

// The text of the form outlives the page.
void drafts.read().then((draft) => {
  const isOthers = writer.peek() !== undefined && draft?.userId !== undefined && draft.userId !== writer.peek();
  if (draft?.title && !isOthers && !form.title.value) {
    form.title.value = draft.title;
    form.isRestored.value = true;
    writer.value ??= draft.userId;
  }
  effect(() => {
    const title = form.title.value;
    void (title ? drafts.write({ title, userId: writer.value }) : drafts.clear());
  });
});
