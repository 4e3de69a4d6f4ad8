// One's friends, with the latest message of each.

import { useEffect, useMemo } from "preact/hooks";

import { api, type Friend } from "../api/calls";
import { Pager } from "../model/pager";
import { isHidden } from "../model/player";
import { session } from "../model/session";
import { now, putUser } from "../model/store";
import { Avatar } from "../looks/avatar";
import { useEnd } from "../looks/end";
import { Failed, Note, Spinner } from "../looks/note";
import { paths } from "../router/routes";
import { t } from "../words";
import { Guest } from "./guest";
import { useTitle } from "./title";

/** How often the list is asked for again. */
const LOOK_MS = 15_000;
const SENT = 1;

export function MessagesScreen() {
  useTitle(t("messages"));
  if (!session.value) {
    return (
      <div class="screen">
        <Guest icon="messages" title={t("messages")} hint={t("logInMessages")} />
      </div>
    );
  }
  return <Friends key={session.value.userId} />;
}

function Friends() {
  const pager = useMemo(
    () =>
      new Pager<Friend>(
        async (from) => {
          const asked = now();
          const page = await api.friends(from);
          for (const friend of page.user_list) putUser(friend, asked);
          return { items: page.user_list, next: page.has_more ? page.next_before : null };
        },
        (friend) => friend.id,
      ),
    [],
  );
  useEffect(() => {
    void pager.more();
    const timer = setInterval(() => {
      if (!isHidden.peek() && pager.phase.peek() === "end") void pager.restart();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [pager]);
  const end = useEnd(() => void pager.more());
  const friends = pager.items.value;
  const failure = pager.failure.value;
  const isEnd = pager.phase.value === "end";
  return (
    <div class="screen scroll page">
      <h1>{t("messages")}</h1>
      <ul class="rows" aria-busy={!isEnd}>
        {friends.map((friend) => (
          <li class="row" key={friend.id} data-testid="friend">
            <a class="row-link" href={paths.chat(friend.id)}>
              <Avatar user={friend} />
              <span class="row-words">
                <strong>{friend.name}</strong>
                <span>{friend.message ? (friend.msgType === SENT ? t("you", friend.message) : friend.message) : t("noMessages")}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
      {isEnd && friends.length === 0 && <Note icon="messages" title={t("noFriends")} hint={t("noFriendsHint")} />}
      {failure && <Failed failure={failure} onRetry={() => void pager.more()} />}
      {!isEnd && !failure && friends.length === 0 && <Spinner />}
      {!isEnd && !failure && friends.length > 0 && (
        <div ref={end} class="end">
          <Spinner />
        </div>
      )}
    </div>
  );
}
