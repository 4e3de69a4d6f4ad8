// Users in a list, each with the button to follow them.

import type { User } from "../api/calls";
import { isMe } from "../model/session";
import { userOf } from "../model/store";
import { follow } from "../model/wishes";
import { paths } from "../router/routes";
import { t } from "../words";
import { Avatar } from "./avatar";

export function FollowButton({ id, small = false }: { id: number; small?: boolean }) {
  const user = userOf(id);
  if (!user || isMe(id)) return null;
  const follows = user.is_follow;
  return (
    <button
      type="button"
      class={`button ${small ? "small" : ""} ${follows ? "second" : ""}`}
      data-testid="follow"
      aria-pressed={follows}
      aria-label={t(follows ? "unfollowThem" : "followThem", user.name)}
      onClick={() => void follow(id, !follows)}
    >
      {t(follows ? "followed" : "follow")}
    </button>
  );
}

export function Person({ user }: { user: User }) {
  return (
    <li class="row" data-testid="person">
      <a class="row-link" href={paths.profile(user.id)}>
        <Avatar user={user} />
        <span class="row-words">
          <strong>{user.name}</strong>
          {user.signature && <span>{user.signature}</span>}
        </span>
      </a>
      <FollowButton id={user.id} small />
    </li>
  );
}
