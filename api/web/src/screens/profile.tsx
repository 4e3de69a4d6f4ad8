// Somebody: who they are, what they published, what they like.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { api, type User } from "../api/calls";
import { ApiError, NO_SUCH_USER } from "../api/errors";
import { whenBack } from "../model/connection";
import { keys, listOf } from "../model/lists";
import { isMe, session } from "../model/session";
import { now, putUser, userOf } from "../model/store";
import { Avatar } from "../looks/avatar";
import { Icon } from "../looks/icon";
import { Failed } from "../looks/note";
import { FollowButton } from "../looks/people";
import { Rich } from "../looks/rich";
import { Tabs } from "../looks/tabs";
import { back, go, key, open } from "../router/router";
import { paths, type ProfileTab } from "../router/routes";
import { count, t } from "../words";
import { Grid } from "./grid";
import { NotFound } from "./not-found";
import { useTitle } from "./title";

/** How far down one was, by the entry of the history. */
const scrolled = new Map<string, number>();

export function ProfileScreen({ id, tab }: { id: number; tab: ProfileTab }) {
  const user = userOf(id);
  const failure = useSignal<ApiError | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const entry = useRef(key.peek());
  useTitle(user?.name);

  async function load() {
    failure.value = null;
    const asked = now();
    try {
      putUser((await api.user(id)).user, asked);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failure.value = error;
      if (!error.isUnreachable) return;
      await whenBack();
      if (failure.peek() === error) await load();
    }
  }
  useEffect(() => void load(), [id, session.value?.userId]);

  useLayoutEffect(() => {
    root.current?.scrollTo(0, scrolled.get(entry.current) ?? 0);
    return () => {
      failure.value = null;
    };
  }, []);

  const list = listOf(keys.of(id, tab));
  useEffect(() => {
    if (list.phase.peek() === "new") void list.more();
    else list.refreshIfStale();
  }, [list, session.value]);

  if (failure.value?.code === NO_SUCH_USER) {
    return (
      <div class="screen">
        <NotFound title="noSuchUser" hint="noSuchUserHint" />
      </div>
    );
  }
  const known = failure.value && !user ? <Failed failure={failure.value} onRetry={() => void load()} /> : null;
  return (
    <div
      class="screen scroll profile"
      ref={root}
      aria-busy={!user}
      onScroll={(event) => scrolled.set(entry.current, event.currentTarget.scrollTop)}
    >
      <div class="profile-top">
        {user?.background_image && <img src={user.background_image} alt="" decoding="async" />}
        {!isMe(id) && (
          <button type="button" class="round leave" aria-label={t("back")} onClick={() => void back()}>
            <Icon name="back" />
          </button>
        )}
        <div class="profile-tools">
          {isMe(id) ? (
            <>
              <button
                type="button"
                class="round"
                data-testid="logout"
                aria-label={t("logOut")}
                title={t("logOut")}
                onClick={() => void open({ name: "log-out" })}
              >
                <Icon name="leave" />
              </button>
              <button
                type="button"
                class="round"
                data-testid="settings"
                aria-label={t("settings")}
                title={t("settings")}
                onClick={() => void open({ name: "settings" })}
              >
                <Icon name="gear" />
              </button>
            </>
          ) : (
            session.value &&
            user && (
              <button type="button" class="round" aria-label={t("more")} data-testid="user-more" onClick={() => void open({ name: "user", id })}>
                <Icon name="more" />
              </button>
            )
          )}
        </div>
      </div>
      {known ?? <Head id={id} user={user} />}
      <Tabs
        label={t("profile")}
        panel="profile-panel"
        tabs={[
          { key: "works", label: `${t("works")}${user ? ` ${count(user.work_count)}` : ""}`, testid: "tab-works" },
          { key: "likes", label: `${t("likes")}${user ? ` ${count(user.favorite_count)}` : ""}`, testid: "tab-likes" },
        ]}
        chosen={tab}
        onChoose={(next) => void go(paths.profile(id, next), { replaces: true })}
      />
      <div id="profile-panel" role="tabpanel" aria-labelledby={`profile-panel-${tab}`}>
        <Grid
          key={tab}
          list={list}
          name={keys.of(id, tab)}
          icon={tab === "works" ? "film" : "heart"}
          empty={t(tab === "works" ? "noWorks" : "noLikes")}
        />
      </div>
    </div>
  );
}

function Head({ id, user }: { id: number; user: User | undefined }) {
  const me = isMe(id);
  const counts = [
    ["following", user?.follow_count, "followingOf"],
    ["followers", user?.follower_count, "followers"],
  ] as const;
  return (
    <header class="profile-head">
      <Avatar user={user} size="l" />
      <div class="profile-who">
        <h1>{user?.name ?? <span class="skeleton line short" />}</h1>
        <ul class="counts">
          {counts.map(([which, number, name]) => (
            <li key={which}>
              <button type="button" data-testid={`open-${which}`} onClick={() => void open({ name: "people", id, which })}>
                <strong>{count(number ?? 0)}</strong> {t(name)}
              </button>
            </li>
          ))}
          <li>
            <span>
              <strong>{count(user?.total_favorited ?? 0)}</strong> {t("received")}
            </span>
          </li>
        </ul>
      </div>
      <div class="profile-buttons">
        {me ? (
          <button type="button" class="button second" data-testid="edit-profile" onClick={() => void open({ name: "edit-profile" })}>
            {t("editProfile")}
          </button>
        ) : (
          user && (
            <>
              <FollowButton id={id} />
              <a class="button second" href={paths.chat(id)} data-testid="chat">
                {t("message")}
              </a>
            </>
          )
        )}
      </div>
      <p class="signature">
        {user && (user.signature ? <Rich text={user.signature} /> : <span class="hint">{t(me ? "ownNoSignature" : "noSignature")}</span>)}
      </p>
    </header>
  );
}
