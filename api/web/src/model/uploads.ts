// Uploads, one after the other, whatever is open meanwhile. The form of the next one lives here too, so that closing it loses nothing.

import { computed, effect, signal, type Signal } from "@preact/signals";

import { api } from "../api/calls";
import { hasEnded } from "../api/client";
import { ApiError } from "../api/errors";
import { newKey } from "../api/key";
import { publish, type Progress, type Upload } from "../api/upload";
import { go, route } from "../router/router";
import { paths } from "../router/routes";
import { t } from "../words";
import { whenBack } from "./connection";
import { drafts } from "./drafts";
import { forgetWorks, keys, listOf } from "./lists";
import { logIn } from "./login";
import { session } from "./session";
import { now, putVideo } from "./store";
import { say } from "./toasts";

type State = "queued" | "sending" | "waiting" | "failed";

export interface Item {
  id: string;
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

/** The form: the files that were chosen, of which the first is being described. */
export const form = { files: signal<File[]>([]), title: signal(""), isRestored: signal(false) };

let current: Upload | undefined;
let isRunning = false;

export function add(file: File, title: string): void {
  const progress = signal<Progress>({ sent: 0, total: file.size, rate: 0 });
  const item: Item = { id: newKey(), file, title, key: newKey(), state: signal<State>("queued"), progress, failure: signal("") };
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
  const isCurrent = item.state.value === "sending";
  uploads.value = uploads.value.filter((one) => one !== item);
  if (isCurrent) current?.cancel();
}

async function run(): Promise<void> {
  if (isRunning) return;
  isRunning = true;
  for (let item = nextOf(); item; item = nextOf()) await carry(item);
  isRunning = false;
}

const nextOf = (): Item | undefined => uploads.value.find((item) => item.state.value === "queued");
const isWanted = (item: Item): boolean => uploads.value.includes(item);

async function carry(item: Item): Promise<void> {
  while (isWanted(item)) {
    const token = session.value?.token;
    item.state.value = "sending";
    item.progress.value = { sent: 0, total: item.file.size, rate: 0 };
    try {
      current = publish(item.file, item.title, item.key, (progress) => (item.progress.value = progress));
      await current.done;
      uploads.value = uploads.value.filter((one) => one !== item);
      await arrived();
      return;
    } catch (error) {
      if (!isWanted(item)) return;
      if (error instanceof ApiError && error.isUnreachable && !navigator.onLine) {
        item.state.value = "waiting";
        await whenBack();
      } else if (!hasEnded(error, token) || !(await isBack())) {
        return fail(item, error);
      }
    }
  }
}

/** Whether somebody has logged in again. */
const isBack = (): Promise<boolean> =>
  logIn(t("sessionOver")).then(
    () => true,
    () => false,
  );

function fail(item: Item, error: unknown): void {
  item.failure.value = (error as Error).message;
  item.state.value = "failed";
  say(item.failure.value, true);
}

/** It is there: at the top of the feed, for who is there; others are led to it. What has to be processed first isn't in the feed yet. */
async function arrived(): Promise<void> {
  const me = session.value?.userId;
  if (!me) return;
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

// The text of the form outlives the page.
void drafts.read().then((draft) => {
  if (draft?.title && !form.title.value) {
    form.title.value = draft.title;
    form.isRestored.value = true;
  }
  effect(() => {
    const title = form.title.value;
    void (title ? drafts.write({ title }) : drafts.clear());
  });
});
