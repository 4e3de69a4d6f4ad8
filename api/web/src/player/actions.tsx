// What one can do with a video: its author, like, comment, pass it on.

import type { Video } from "../api/calls";
import { isMe } from "../model/session";
import { userOf } from "../model/store";
import { follow, like } from "../model/wishes";
import { Avatar } from "../looks/avatar";
import { Icon } from "../looks/icon";
import { share } from "../looks/share";
import { close, open, sheets } from "../router/router";
import { paths } from "../router/routes";
import { count, t } from "../words";

/** Opens the comments, or closes them where they lie beside. */
export async function toggleComments(id: number): Promise<void> {
  const top = sheets.peek().at(-1);
  if (top?.name === "comments") return close();
  await open({ name: "comments", id });
}

export function Actions({ video }: { video: Video }) {
  const author = userOf(video.author.id) ?? video.author;
  const liked = video.is_favorite;
  return (
    <div class="actions">
      <div class="action-author">
        <a href={paths.profile(author.id)} aria-label={t("openProfile", author.name)}>
          <Avatar user={author} />
        </a>
        {!author.is_follow && !isMe(author.id) && (
          <button
            type="button"
            class="plus"
            data-testid="follow-author"
            aria-label={t("followThem", author.name)}
            onClick={() => void follow(author.id, true)}
          >
            <span>
              <Icon name="plus" />
            </span>
          </button>
        )}
      </div>
      <button
        type="button"
        class={liked ? "action liked" : "action"}
        data-testid="like"
        aria-pressed={liked}
        aria-label={`${t(liked ? "unlike" : "like")}${t("colon")}${count(video.favorite_count)}`}
        onClick={() => void like(video.id, !liked)}
      >
        <Icon name={liked ? "heartOn" : "heart"} />
        <span data-testid="like-count">{count(video.favorite_count)}</span>
      </button>
      <button
        type="button"
        class="action"
        data-testid="comment-open"
        aria-haspopup="dialog"
        aria-label={t("openComments", count(video.comment_count))}
        onClick={() => void toggleComments(video.id)}
      >
        <Icon name="comment" />
        <span>{count(video.comment_count)}</span>
      </button>
      <button type="button" class="action" data-testid="share" onClick={() => void share(video)}>
        <Icon name="share" />
        <span>{t("share")}</span>
      </button>
      <button
        type="button"
        class="action"
        data-testid="more"
        aria-haspopup="dialog"
        aria-label={t("more")}
        onClick={() => void open({ name: "more", id: video.id })}
      >
        <Icon name="more" />
      </button>
    </div>
  );
}
