// What is said about a video. One deletes what one wrote, and whatever stands under one's own video.

import { useEffect, useRef, useState } from "preact/hooks";

import { api, type Comment, type Video } from "../api/client";
import { newKey } from "../api/key";
import { session } from "../session";
import { complain, needsSession } from "../state";
import { t } from "../words";
import { Icon } from "./icon";
import { Sheet } from "./sheet";

interface Props {
  video: Video;
  mayDeleteAll: boolean;
  onCount: (by: number) => void;
  onClose: () => void;
}

export function Comments({ video, mayDeleteAll, onCount, onClose }: Props) {
  const [comments, setComments] = useState<Comment[]>([]);
  const [hasMore, setHasMore] = useState(false);
  // Where the next page goes on.
  const [place, setPlace] = useState(0);
  const [loaded, setLoaded] = useState(false);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  // Until it was answered, a comment is sent again under the same key: it is there once.
  const key = useRef(newKey());

  async function load() {
    try {
      const page = await api.comments(video.id, place);
      setComments((before) => [...before, ...page.comment_list]);
      setHasMore(page.has_more);
      setPlace(page.next_before);
    } catch (error) {
      complain(error);
    }
    setLoaded(true);
  }
  useEffect(() => void load(), []);

  async function add() {
    if (!needsSession()) return;
    setBusy(true);
    try {
      const { comment } = await api.comment(video.id, text, key.current);
      key.current = newKey();
      setText("");
      if (comment) setComments((before) => [comment, ...before]);
      onCount(1);
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  }

  async function remove(comment: Comment) {
    const before = comments;
    setComments(before.filter((one) => one.id !== comment.id));
    onCount(-1);
    try {
      await api.deleteComment(video.id, comment.id);
    } catch (error) {
      setComments(before);
      onCount(1);
      complain(error);
    }
  }

  const me = session.value?.userId;
  return (
    <Sheet title={t("comments")} onClose={onClose}>
      <ul class="comments" aria-busy={!loaded}>
        {comments.map((comment) => (
          <li key={comment.id} data-testid="comment-item">
            <div>
              <strong>{comment.user.name}</strong> <time>{comment.create_date}</time>
              <p>{comment.content}</p>
            </div>
            {(mayDeleteAll || comment.user.id === me) && (
              <button
                type="button"
                class="round"
                data-testid="comment-delete"
                aria-label={t("remove")}
                onClick={() => void remove(comment)}
              >
                <Icon name="trash" />
              </button>
            )}
          </li>
        ))}
        {loaded && comments.length === 0 && <li class="hint">{t("noComments")}</li>}
        {hasMore && (
          <li>
            <button type="button" class="wide second" onClick={() => void load()}>
              {t("more")}
            </button>
          </li>
        )}
      </ul>
      <form
        class="write"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <input
          data-testid="comment-input"
          aria-label={t("comment")}
          placeholder={t("comment")}
          required
          maxlength={500}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" data-testid="comment-send" disabled={busy}>
          {t("send")}
        </button>
      </form>
    </Sheet>
  );
}
