// One's own video that isn't ready: how far it is, or why it failed.

import { useEffect } from "preact/hooks";

import { api, type Video } from "../api/calls";
import { ApiError, NO_SUCH_VIDEO } from "../api/errors";
import { isHidden } from "../model/player";
import { session } from "../model/session";
import { now, putVideo } from "../model/store";
import { Icon } from "../looks/icon";
import { open } from "../router/router";
import { t } from "../words";

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 15_000;

export function Unready({ video }: { video: Video }) {
  const isFailed = video.state === "failed";
  useEffect(() => {
    if (isFailed) return;
    let isLeft = false;
    let wait = FIRST_WAIT_MS;
    let timer = setTimeout(look, wait);
    async function look() {
      if (!isHidden.peek()) {
        const asked = now();
        try {
          putVideo((await api.video(video.id)).video, asked);
        } catch (error) {
          // It was deleted, or only its author sees it and has logged out.
          if (error instanceof ApiError && error.code === NO_SUCH_VIDEO) return;
        }
      }
      if (isLeft) return;
      wait = Math.min(wait * 1.5, LONGEST_WAIT_MS);
      timer = setTimeout(look, wait);
    }
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [isFailed, video.id, session.value?.userId]);

  return (
    <div class="note over" data-testid="unready" role={isFailed ? "alert" : undefined}>
      <Icon name={isFailed ? "alert" : "film"} />
      <h2>{isFailed ? t("failedLong") : t("processing", video.progress)}</h2>
      {!isFailed && <progress value={video.progress} max={100} aria-label={t("processing", video.progress)} />}
      <p>{isFailed ? video.reason : t("processingLong")}</p>
      <button type="button" class="button second" onClick={() => void open({ name: "delete-video", id: video.id })}>
        {t("deleteVideo")}
      </button>
    </div>
  );
}
