// Lists of users: who follows whom, and whom one has blocked.

import { useMemo } from "preact/hooks";

import { api, type User } from "../api/calls";
import { Pager } from "../model/pager";
import { now, putUser, userOf } from "../model/store";
import { complain, say } from "../model/toasts";
import { Avatar } from "../looks/avatar";
import { useEnd } from "../looks/end";
import { Icon } from "../looks/icon";
import { Failed, Note, Spinner } from "../looks/note";
import { Person } from "../looks/people";
import { close } from "../router/router";
import { t } from "../words";
import { Sheet } from "./sheet";

type Ask = (before?: number) => Promise<{ user_list: User[]; has_more: boolean; next_before: number }>;

function pagerOf(ask: Ask): Pager<User> {
  return new Pager<User>(
    async (from) => {
      const asked = now();
      const page = await ask(from);
      for (const user of page.user_list) putUser(user, asked);
      return { items: page.user_list, next: page.has_more ? page.next_before : null };
    },
    (user) => user.id,
  );
}

function List({ pager, empty, row }: { pager: Pager<User>; empty: string; row: (user: User) => preact.ComponentChild }) {
  const end = useEnd(() => void pager.more());
  const items = pager.items.value;
  const failure = pager.failure.value;
  const isEnd = pager.phase.value === "end";
  return (
    <ul class="rows" aria-busy={!isEnd} tabIndex={0}>
      {items.map(row)}
      {isEnd && items.length === 0 && (
        <li>
          <Note icon="person" title={empty} />
        </li>
      )}
      {failure && (
        <li>
          <Failed failure={failure} onRetry={() => void pager.more()} />
        </li>
      )}
      {!isEnd && !failure && (
        <li ref={end} class="end">
          <Spinner />
        </li>
      )}
    </ul>
  );
}

export function People({ id, which, isLeaving }: { id: number; which: "following" | "followers"; isLeaving: boolean }) {
  const pager = useMemo(() => pagerOf((before) => api[which === "following" ? "follows" : "followers"](id, before)), [id, which]);
  const isFollowing = which === "following";
  return (
    <Sheet title={t(isFollowing ? "followingOf" : "followers")} isLeaving={isLeaving} kind="tall">
      <List pager={pager} empty={t(isFollowing ? "noFollowing" : "noFollowers")} row={(user) => <Person key={user.id} user={user} />} />
    </Sheet>
  );
}

export function Blocks({ isLeaving }: { isLeaving: boolean }) {
  const pager = useMemo(() => pagerOf((before) => api.blocks(before)), []);
  async function unblock(user: User) {
    try {
      await api.block(user.id, false);
      pager.remove(user.id);
      say(t("unblocked", user.name));
    } catch (error) {
      complain(error);
    }
  }
  const row = (user: User) => (
    <li class="row" key={user.id}>
      <span class="row-link">
        <Avatar user={user} />
        <strong>{user.name}</strong>
      </span>
      <button type="button" class="button small second" onClick={() => void unblock(user)}>
        {t("unblock")}
      </button>
    </li>
  );
  return (
    <Sheet title={t("blockedUsers")} isLeaving={isLeaving} kind="tall">
      <List pager={pager} empty={t("nobodyBlocked")} row={row} />
    </Sheet>
  );
}

/** What else one can do about somebody. */
export function UserSheet({ id, isLeaving }: { id: number; isLeaving: boolean }) {
  const user = userOf(id);
  if (!user) return null;
  async function block() {
    try {
      await api.block(id, true);
      await close();
      say(t("blocked", user?.name ?? ""));
    } catch (error) {
      complain(error);
    }
  }
  return (
    <Sheet title={user.name} isLeaving={isLeaving}>
      <ul class="menu">
        <li>
          <button type="button" class="danger" onClick={() => void block()}>
            <Icon name="ban" />
            {t("block", user.name)}
          </button>
        </li>
      </ul>
      <p class="hint">{t("blockHint")}</p>
    </Sheet>
  );
}
