// Somebody's picture; while it isn't there, the first letter of their name.

import { useState } from "preact/hooks";

import type { User } from "../api/calls";

export function Avatar({ user, size = "m" }: { user: Pick<User, "name" | "avatar"> | undefined; size?: "s" | "m" | "l" }) {
  const [failed, setFailed] = useState("");
  const source = user?.avatar;
  return (
    <span class={`avatar avatar-${size}`} aria-hidden="true">
      {source && failed !== source ? (
        <img src={source} alt="" loading="lazy" decoding="async" onError={() => setFailed(source)} />
      ) : (
        ([...(user?.name ?? "")][0] ?? "")
      )}
    </span>
  );
}
