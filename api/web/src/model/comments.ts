// What is said under each video, with the text that is being written. A deletion can be taken back for some seconds.

import { effect, signal, untracked } from "@preact/signals";

import { api, type Comment } from "../api/calls";
import { newKey } from "../api/key";
import { t } from "../words";
import { Pager } from "./pager";
import { owner, session } from "./session";
import { changeVideo, now, putUser } from "./store";
import { complain, say, WITH_ACTION_MS } from "./toasts";

/** Deleted, though the server may not know yet. */
const gone = new Set<number>();
/** Deletions that can still be taken back: each is what carries it out. */
const deletions = new Set<() => Promise<void>>();

/** Carries them out now: in a moment nobody may be logged in any more. */
export async function settleDeletions(): Promise<void> {
  await Promise.all([...deletions].map((finish) => finish()));
}

export class Comments extends Pager<Comment> {
  readonly text = signal("");
  readonly busy = signal(false);
  /** Until it was answered, a comment is sent again under the same key: it is there once. */
  private sent = { text: "", key: "" };

  constructor(readonly videoId: number) {
    super(
      async (from) => {
        const asked = now();
        const page = await api.comments(videoId, from);
        for (const { user } of page.comment_list) putUser(user, asked);
        return { items: page.comment_list.filter((one) => !gone.has(one.id)), next: page.has_more ? page.next_before : null };
      },
      (comment) => comment.id,
    );
  }

  async add(): Promise<void> {
    const text = this.text.value.trim();
    if (!text || this.busy.value) return;
    this.busy.value = true;
    if (this.sent.text !== text) this.sent = { text, key: newKey() };
    try {
      const { comment } = await api.comment(this.videoId, text, this.sent.key);
      this.sent = { text: "", key: "" };
      // Somebody else may be writing by now.
      if (this.text.value.trim() === text) this.text.value = "";
      if (comment) this.items.value = [comment, ...this.items.value.filter((one) => one.id !== comment.id)];
      this.countBy(1);
    } catch (error) {
      complain(error);
    }
    this.busy.value = false;
  }

  /** Away at once, and deleted when it can't be taken back any more. */
  override remove(id: number): void {
    const at = this.items.value.findIndex((one) => one.id === id);
    const comment = this.items.value[at];
    const me = session.peek()?.userId;
    if (!comment) return;
    super.remove(id);
    gone.add(id);
    this.countBy(-1);
    const restore = () => {
      gone.delete(id);
      const items = [...this.items.value];
      items.splice(Math.min(at, items.length), 0, comment);
      this.items.value = items;
      this.countBy(1);
    };
    const settle = async (isKept: boolean) => {
      if (!deletions.delete(finish)) return;
      clearTimeout(timer);
      removeEventListener("pagehide", finish);
      if (isKept) return restore();
      // Nobody is asked to log in for it seconds later, and it isn't done as somebody else.
      if (session.peek()?.userId !== me) {
        restore();
        return say(t("commentKept"), true);
      }
      try {
        await api.deleteComment(this.videoId, id);
      } catch (error) {
        restore();
        complain(error);
      }
    };
    const finish = () => settle(false);
    deletions.add(finish);
    const timer = setTimeout(finish, WITH_ACTION_MS);
    addEventListener("pagehide", finish);
    say(t("commentDeleted"), false, { label: t("undo"), run: () => void settle(true) });
  }

  /** What was written is nothing of who is there now. */
  forgetText(): void {
    this.text.value = "";
    this.sent = { text: "", key: "" };
  }

  private countBy(by: number): void {
    changeVideo(this.videoId, (video) => ({ comment_count: Math.max(0, video.comment_count + by) }));
  }
}

const known = new Map<number, Comments>();

export function commentsOf(videoId: number): Comments {
  const comments = known.get(videoId) ?? new Comments(videoId);
  known.set(videoId, comments);
  return comments;
}

let writer = owner.peek();
effect(() => {
  const now = owner.value;
  // What a guest has written stays.
  if (writer !== undefined && now !== writer) untracked(() => known.forEach((comments) => comments.forgetText()));
  writer = now;
});
