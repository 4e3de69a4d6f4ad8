// Likes and follows: shown at once, sent one after the other, sent later when there is no network, and taken back when they are refused.

import { api } from "../api/calls";
import { ApiError, GivenUp } from "../api/errors";
import { t } from "../words";
import { whenBack } from "./connection";
import { logIn } from "./login";
import { isMe, session } from "./session";
import { changeUser, changeVideo, holdUser, holdVideo, peekUser, peekVideo } from "./store";
import { complain, say } from "./toasts";

interface Kind {
  is: (id: number) => boolean | undefined;
  /** `me`: whose wish it is. */
  show: (id: number, does: boolean, me: number) => void;
  /** Whoever is shown it now hasn't wished it. */
  forget: (id: number) => void;
  send: (id: number, does: boolean) => Promise<unknown>;
  /** Until what it returns is called, nothing but wishes changes the flag. Nothing if a change is on its way. */
  hold: (id: number) => (() => void) | undefined;
}

const favorites: Kind = {
  is: (id) => peekVideo(id)?.is_favorite,
  show: (id, does) =>
    changeVideo(id, (video) => ({ is_favorite: does, favorite_count: Math.max(0, video.favorite_count + (does ? 1 : -1)) })),
  forget: (id) => changeVideo(id, () => ({ is_favorite: false })),
  send: api.like,
  hold: holdVideo,
};

const follows: Kind = {
  is: (id) => peekUser(id)?.is_follow,
  show: (id, does, me) => {
    const by = does ? 1 : -1;
    changeUser(id, (user) => ({ is_follow: does, follower_count: Math.max(0, user.follower_count + by) }));
    changeUser(me, (user) => ({ follow_count: Math.max(0, user.follow_count + by) }));
  },
  forget: (id) => changeUser(id, () => ({ is_follow: false })),
  send: api.follow,
  hold: holdUser,
};

/** Of two on their way at once the first might arrive last: so one waits for the other, and only the last wish is sent. */
async function carryOut(kind: Kind, id: number, does: boolean): Promise<void> {
  try {
    await logIn(t("logInFirst"));
  } catch {
    return;
  }
  const me = session.peek()?.userId ?? 0;
  const isMine = (): boolean => session.peek()?.userId === me;
  let known = kind.is(id);
  if (known === undefined) return;
  const release = kind.hold(id);
  if (known !== does) kind.show(id, does, me);
  if (!release) return;
  let isSaid = false;
  try {
    for (let wish = kind.is(id); wish !== undefined && wish !== known; wish = kind.is(id)) {
      // Who has logged out meanwhile wishes nothing any more.
      if (!isMine()) throw new GivenUp();
      try {
        await kind.send(id, wish);
        known = wish;
      } catch (error) {
        if (!(error instanceof ApiError && error.isUnreachable)) throw error;
        if (!isSaid) say(t(navigator.onLine ? "sentWhenServed" : "sentWhenOnline"), true);
        isSaid = true;
        await whenBack();
      }
    }
  } catch (error) {
    if (kind.is(id) !== known) kind.show(id, known, me);
    complain(error);
  } finally {
    release();
    if (!isMine()) kind.forget(id);
  }
}

export const like = (id: number, does: boolean): Promise<void> => carryOut(favorites, id, does);

export async function follow(id: number, does: boolean): Promise<void> {
  if (!isMe(id)) await carryOut(follows, id, does);
}
