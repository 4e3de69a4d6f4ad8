// Videos as small covers, more of them as one scrolls.

import { NO_SUCH_USER } from "../api/errors";
import type { VideoList } from "../model/lists";
import { videoOf } from "../model/store";
import { useEnd } from "../looks/end";
import { Icon, type IconName } from "../looks/icon";
import { Failed, Note, Spinner } from "../looks/note";
import { paths } from "../router/routes";
import { count, t } from "../words";

export function Grid({ list, name, empty, icon }: { list: VideoList; name: string; empty: string; icon: IconName }) {
  const ids = list.items.value;
  const phase = list.phase.value;
  const failure = list.failure.value;
  const end = useEnd(() => void list.more());
  const isLoading = phase === "new" || phase === "loading";
  return (
    <>
      <ul class="grid" aria-busy={isLoading}>
        {ids.map((id) => (
          <Cell key={id} id={id} list={name} />
        ))}
        {isLoading && ids.length === 0 && [...Array(6).keys()].map((at) => <li key={at} class="skeleton cell" aria-hidden="true" />)}
      </ul>
      {failure && failure.code !== NO_SUCH_USER && <Failed failure={failure} onRetry={() => void list.more()} />}
      {phase === "end" && ids.length === 0 && <Note icon={icon} title={empty} />}
      {phase !== "end" && !failure && (
        <div ref={end} class="end">
          {ids.length > 0 && <Spinner />}
        </div>
      )}
    </>
  );
}

function Cell({ id, list }: { id: number; list: string }) {
  const video = videoOf(id);
  if (!video) return null;
  const likes = count(video.favorite_count);
  const { title, progress, reason } = video;
  const [says, label] = {
    ready: [likes, t("workLiked", title, likes)],
    processing: [t("processing", progress), t("workProcessing", title, progress)],
    failed: [t("failedShort"), t("workFailed", title, reason)],
  }[video.state];
  return (
    <li>
      <a class={`cell ${video.state}`} href={paths.video(id)} data-list={list} data-testid="grid-item" aria-label={label}>
        {video.small_cover_url && <img src={video.small_cover_url} alt="" loading="lazy" decoding="async" />}
        <span class="cell-words">
          {video.state === "ready" && <Icon name="heart" />}
          {says}
        </span>
        {video.state === "failed" && <span class="cell-reason">{reason}</span>}
      </a>
    </li>
  );
}
