// The feeds: what everybody publishes, what those publish whom one follows, and a list that one has come from.

import { useEffect, useRef } from "preact/hooks";

import { NO_SUCH_VIDEO } from "../api/errors";
import { isKnown, keys, listOf, type VideoList } from "../model/lists";
import { logIn } from "../model/login";
import { isWide } from "../model/player";
import { session } from "../model/session";
import { peekVideo } from "../model/store";
import { Icon } from "../looks/icon";
import { Note } from "../looks/note";
import { Videos } from "../player/list";
import { useKeys } from "../player/keys";
import { back, list as from, open, rename, sheets } from "../router/router";
import { paths } from "../router/routes";
import { t } from "../words";
import { Guest } from "./guest";
import { NotFound } from "./not-found";
import { useTitle } from "./title";

function toPublish() {
  void logIn().then(
    () => open({ name: "publish" }),
    () => {},
  );
}

/** At the end of a feed. */
function SeenAll({ list }: { list: VideoList }) {
  return (
    <Note icon="check" title={t("seenAll")} hint={t("seenAllHint")} testid="seen-all">
      <button type="button" class="button" onClick={() => void list.restart()}>
        {t("fromTop")}
      </button>
    </Note>
  );
}

function FeedTabs({ shown }: { shown: "feed" | "following" }) {
  return (
    <nav class="feed-tabs" aria-label={t("feeds")}>
      <a href={paths.following} data-replaces="true" aria-current={shown === "following" ? "page" : undefined}>
        {t("following")}
      </a>
      <a href={paths.feed} data-replaces="true" aria-current={shown === "feed" ? "page" : undefined}>
        {t("forYou")}
      </a>
    </nav>
  );
}

export function FeedScreen() {
  useTitle();
  const list = listOf(keys.home);
  const empty = (
    <Note icon="film" title={t("emptyFeed")} hint={t("beFirst")} testid="empty">
      <button type="button" class="button" onClick={toPublish}>
        {t("publish")}
      </button>
    </Note>
  );
  return (
    <div class="screen dark">
      <h1 class="unseen">{t("forYou")}</h1>
      <Videos list={list} label={t("forYou")} empty={empty} end={<SeenAll list={list} />} />
      {!isWide.value && <FeedTabs shown="feed" />}
    </div>
  );
}

export function FollowingScreen() {
  useTitle(t("following"));
  if (!session.value) {
    return (
      <div class="screen dark">
        <Guest icon="follow" title={t("following")} hint={t("logInFollowing")} />
        {!isWide.value && <FeedTabs shown="following" />}
      </div>
    );
  }
  const list = listOf(keys.following);
  const empty = (
    <Note icon="follow" title={t("nobodyFollowed")} hint={t("followSomebody")} testid="empty">
      <a class="button" href={paths.feed}>
        {t("discover")}
      </a>
    </Note>
  );
  return (
    <div class="screen dark">
      <h1 class="unseen">{t("following")}</h1>
      <Videos key={session.value.userId} list={list} label={t("following")} empty={empty} end={<SeenAll list={list} />} />
      {!isWide.value && <FeedTabs shown="following" />}
    </div>
  );
}

/** One video, and what stands beside it where one has come from; a link to it goes on with the feed. */
export function WatchScreen({ id }: { id: number }) {
  const isWithin = from.value && isKnown(from.value) && listOf(from.value).items.value.includes(id);
  const key = isWithin && from.value ? from.value : keys.from(id);
  return <Watching key={key} name={key} first={id} />;
}

function Watching({ name, first }: { name: string; first: number }) {
  const list = listOf(name);
  const ids = list.items.value;
  // Where one comes in, before the list is drawn; from then on one moves.
  const isIn = useRef(false);
  if (!isIn.current && ids.length) {
    isIn.current = true;
    list.active.value = Math.max(0, ids.indexOf(first));
  }
  const shown = ids[list.active.value];
  const video = shown === undefined ? undefined : peekVideo(shown);
  useTitle(video?.title);
  useEffect(() => {
    if (shown !== undefined) rename(paths.video(shown), name);
  }, [shown]);
  useKeys({ Escape: () => void back() }, sheets.value.length === 0);
  const isGone = list.failure.value?.code === NO_SUCH_VIDEO;
  return (
    <div class="screen dark">
      <h1 class="unseen">{video?.title ?? t("brand")}</h1>
      <Videos
        list={list}
        label={t("works")}
        empty={<NotFound title="noSuchVideo" hint="noSuchVideoHint" />}
        end={<SeenAll list={list} />}
        failed={isGone && <NotFound title="noSuchVideo" hint="noSuchVideoHint" />}
      />
      <button type="button" class="round leave" aria-label={t("close")} data-testid="watch-close" onClick={() => void back()}>
        <Icon name="back" />
      </button>
    </div>
  );
}
