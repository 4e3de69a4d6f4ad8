// What is said about a video. One deletes what one wrote, and whatever stands under one's own video.

import { useEffect } from "preact/hooks";

import type { Comment, Video } from "../api/calls";
import { commentsOf, type Comments } from "../model/comments";
import { isMe } from "../model/session";
import { videoOf } from "../model/store";
import { Avatar } from "../looks/avatar";
import { Counter } from "../looks/field";
import { Icon } from "../looks/icon";
import { Failed, Note, Spinner } from "../looks/note";
import { Rich } from "../looks/rich";
import { useEnd } from "../looks/end";
import { useKeys } from "../player/keys";
import { close, sheets } from "../router/router";
import { paths } from "../router/routes";
import { ago, characters, count, t } from "../words";
import { Sheet } from "./sheet";

const MAX_COMMENT = 500;

export function CommentsSheet({ id, isLeaving }: { id: number; isLeaving: boolean }) {
  const video = videoOf(id);
  const title = t("commentsOf", count(video?.comment_count ?? 0));
  return (
    <Sheet title={title} isLeaving={isLeaving} kind="tall">
      {video && <Thread key={id} video={video} />}
    </Sheet>
  );
}

/** The same beside the video. */
export function CommentsPanel({ id }: { id: number }) {
  const video = videoOf(id);
  const title = t("commentsOf", count(video?.comment_count ?? 0));
  useKeys({ Escape: () => void close() }, sheets.value.at(-1)?.name === "comments");
  return (
    <aside
      class="panel"
      aria-label={title}
      data-testid="comments-panel"
      onKeyDown={(event) => {
        if (event.key === "Escape") void close();
      }}
    >
      <header class="sheet-head">
        <h2>{title}</h2>
        <button type="button" class="round" aria-label={t("close")} onClick={() => void close()}>
          <Icon name="close" />
        </button>
      </header>
      {video && <Thread key={id} video={video} />}
    </aside>
  );
}

function Thread({ video }: { video: Video }) {
  const comments = commentsOf(video.id);
  const items = comments.items.value;
  const phase = comments.phase.value;
  const failure = comments.failure.value;
  // What others have said meanwhile.
  useEffect(() => void comments.restart(), [comments]);
  const end = useEnd(() => comments.more());
  const isLoading = phase === "loading" || phase === "new";
  return (
    <>
      <ul class="comments" aria-busy={isLoading} tabIndex={0} aria-label={t("comments")}>
        {items.map((comment) => (
          <Item key={comment.id} comment={comment} video={video} comments={comments} />
        ))}
        {!isLoading && !failure && items.length === 0 && (
          <li>
            <Note icon="comment" title={t("noComments")} />
          </li>
        )}
        {failure && (
          <li>
            <Failed failure={failure} onRetry={() => void comments.more()} />
          </li>
        )}
        {isLoading && items.length === 0 && <Skeletons />}
        {phase !== "end" && !failure && items.length > 0 && (
          <li ref={end} class="end">
            <Spinner />
          </li>
        )}
      </ul>
      <Write comments={comments} />
    </>
  );
}

function Skeletons() {
  return (
    <>
      {[0, 1, 2, 3].map((at) => (
        <li key={at} class="comment" aria-hidden="true">
          <span class="avatar avatar-m skeleton" />
          <span class="lines">
            <span class="skeleton line short" />
            <span class="skeleton line" />
          </span>
        </li>
      ))}
    </>
  );
}

function Item({ comment, video, comments }: { comment: Comment; video: Video; comments: Comments }) {
  const { user } = comment;
  return (
    <li class="comment" data-testid="comment-item">
      <a href={paths.profile(user.id)} tabIndex={-1} aria-hidden="true">
        <Avatar user={user} />
      </a>
      <div class="comment-words">
        <p class="comment-by">
          <a href={paths.profile(user.id)}>{user.name}</a>
          {user.id === video.author.id && <span class="badge">{t("author")}</span>}
        </p>
        <p>
          <Rich text={comment.content} />
        </p>
        <time dateTime={new Date(comment.create_time).toISOString()}>{ago(comment.create_time)}</time>
      </div>
      {(isMe(video.author.id) || isMe(user.id)) && (
        <button
          type="button"
          class="round"
          data-testid="comment-delete"
          aria-label={t("deleteComment", comment.content)}
          onClick={() => comments.remove(comment.id)}
        >
          <Icon name="trash" />
        </button>
      )}
    </li>
  );
}

function Write({ comments }: { comments: Comments }) {
  const text = comments.text.value;
  const length = characters(text.trim());
  const fits = length > 0 && length <= MAX_COMMENT;
  return (
    <form
      class="write"
      onSubmit={(event) => {
        event.preventDefault();
        if (fits) void comments.add();
      }}
    >
      <div class="input">
        <textarea
          data-testid="comment-input"
          aria-label={t("comment")}
          placeholder={t("comment")}
          rows={1}
          enterkeyhint="send"
          value={text}
          aria-invalid={length > MAX_COMMENT}
          onInput={(event) => (comments.text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }}
        />
        <Counter text={text} max={MAX_COMMENT} />
      </div>
      <button type="submit" class="button" data-testid="comment-send" disabled={!fits || comments.busy.value}>
        {t("send")}
      </button>
    </form>
  );
}
