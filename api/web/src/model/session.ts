// Who is logged in, in this browser.

import { batch, effect, signal } from "@preact/signals";

import { kept, keptNow } from "./kept";

export interface Session {
  userId: number;
  name: string;
  token: string;
}

const KEY = "dousheng-session";

const isSession = (value: unknown): value is Session =>
  typeof value === "object" && value !== null && typeof (value as Session).token === "string" && typeof (value as Session).userId === "number";

export const session = kept<Session | null>(KEY, null, isSession);

/**
 * Whose is what was begun here: of who is logged in, or was until their login ended. Once they have logged out it is nobody's: what is begun
 * from then on is a guest's, and whoever logs in goes on with it.
 */
export const owner = signal(session.peek()?.userId);
effect(() => {
  if (session.value) owner.value = session.value.userId;
});

/** This user logs out. Somebody else who has logged in meanwhile stays. */
export function leave(userId: number | undefined): void {
  if (owner.peek() !== userId) return;
  batch(() => {
    session.value = null;
    owner.value = undefined;
  });
}

/** The login of this token has ended. One that another tab has stored since stays. */
export function endSession(token: string): void {
  if (session.peek()?.token !== token) return;
  const found = keptNow(KEY);
  session.value = isSession(found) && found.token !== token ? found : null;
}

export const isMe = (userId: number): boolean => session.value?.userId === userId;
