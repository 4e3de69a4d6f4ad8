// Somebody's works and likes, in a grid; one that is chosen plays as in the feed.

import { useEffect, useState } from "preact/hooks";

import { api, type User, type Video } from "../api/client";
import { session } from "../session";
import { say } from "../state";
import { count, t } from "../words";
import { Feed, type Source } from "./feed";
import { Icon } from "./icon";

type Tab = "works" | "likes";

export function Profile({ userId }: { userId: number }) {
  const [user, setUser] = useState<User | null>(null);
  const [tab, setTab] = useState<Tab>("works");
  const [videos, setVideos] = useState<Record<Tab, Video[]> | null>(null);
  const [failure, setFailure] = useState("");
  const [watched, setWatched] = useState<number | null>(null);

  async function load() {
    setFailure("");
    try {
      const [about, works, likes] = await Promise.all([api.user(userId), api.works(userId), api.likes(userId)]);
      setUser(about.user);
      setVideos({ works: works.video_list, likes: likes.video_list });
    } catch (error) {
      setFailure((error as Error).message);
    }
  }
  useEffect(() => void load(), []);

  if (failure) {
    return (
      <div class="card note" role="alert">
        <p data-testid="toast">{failure}</p>
        <button type="button" onClick={() => void load()}>
          {t("again")}
        </button>
      </div>
    );
  }
  const shown = videos?.[tab] ?? [];
  const ready = shown.filter((video) => video.state === "ready");
  if (watched !== null) {
    const source: Source = async (after) => ({ videos: after ? [] : ready, next: 1 });
    return (
      <>
        <Feed source={source} label={t(tab)} first={watched} />
        <button
          type="button"
          class="round back"
          aria-label={t("close")}
          onClick={() => {
            setWatched(null);
            void load();
          }}
        >
          <Icon name="close" />
        </button>
      </>
    );
  }
  return (
    <div class="profile" aria-busy={videos === null}>
      <header>
        <div class="face" aria-hidden="true">
          {[...(user?.name ?? "?")][0]}
        </div>
        <div>
          <h1>{user?.name}</h1>
          <p class="hint">{user && t("received", count(user.total_favorited))}</p>
        </div>
        {session.value?.userId === userId && (
          <button
            type="button"
            class="round"
            data-testid="logout"
            aria-label={t("logOut")}
            title={t("logOut")}
            onClick={() => {
              session.value = null;
              location.hash = "#/";
              say(t("loggedOut"));
            }}
          >
            <Icon name="leave" />
          </button>
        )}
      </header>
      <div class="tabs" role="tablist">
        {(["works", "likes"] as const).map((one) => (
          <button key={one} type="button" role="tab" aria-selected={tab === one} onClick={() => setTab(one)}>
            {t(one)} {user && count(one === "works" ? user.work_count : user.favorite_count)}
          </button>
        ))}
      </div>
      <ul class="grid" role="tabpanel" aria-label={t(tab)}>
        {shown.map((video) => (
          <li key={video.id}>
            <button
              type="button"
              aria-label={video.title}
              data-testid="grid-item"
              disabled={video.state !== "ready"}
              onClick={() => setWatched(ready.indexOf(video))}
            >
              <img src={video.small_cover_url} alt="" loading="lazy" />
              <span>
                {video.state === "ready" && (
                  <>
                    <Icon name="heart" /> {count(video.favorite_count)}
                  </>
                )}
                {video.state === "processing" && t("processing", String(video.progress))}
                {video.state === "failed" && t("failed", video.reason)}
              </span>
            </button>
          </li>
        ))}
        {videos && shown.length === 0 && <li class="hint">{t("noVideos")}</li>}
      </ul>
    </div>
  );
}
