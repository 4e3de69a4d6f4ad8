// Who is logged in, in this browser.

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

/** The login of this token has ended. One that another tab has stored since stays. */
export function endSession(token: string): void {
  if (session.peek()?.token !== token) return;
  const found = keptNow(KEY);
  session.value = isSession(found) && found.token !== token ? found : null;
}

export const isMe = (userId: number): boolean => session.value?.userId === userId;
