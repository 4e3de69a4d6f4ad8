// Passing a video on: the device's own way where it has one, else the link is copied, and that is said.

import type { Video } from "../api/calls";
import { say } from "../model/toasts";
import { paths } from "../router/routes";
import { t } from "../words";

/** Where a page comes over plain HTTP from another machine there is no clipboard, but the old command. */
function copyByCommand(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.className = "unseen";
  // Within the dialog that is open: nothing outside of it can be selected.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}

export async function copy(text: string): Promise<void> {
  const isCopied = navigator.clipboard
    ? await navigator.clipboard.writeText(text).then(
        () => true,
        () => copyByCommand(text),
      )
    : copyByCommand(text);
  if (isCopied) say(t("linkCopied"));
  else say(t("copyFailed", text), true);
}

export const linkTo = (video: Video): string => location.origin + paths.video(video.id);

export async function share(video: Video): Promise<void> {
  const url = linkTo(video);
  const isTouch = matchMedia("(pointer: coarse)").matches;
  if (!navigator.share || !isTouch) return copy(url);
  try {
    await navigator.share({ title: video.title, url });
  } catch (error) {
    // Who has closed it has seen it.
    if ((error as Error).name !== "AbortError") await copy(url);
  }
}
