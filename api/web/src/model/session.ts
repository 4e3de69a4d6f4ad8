// Who is logged in, in this browser.

import { kept } from "./kept";

export interface Session {
  userId: number;
  name: string;
  token: string;
}

const isSession = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as Session).token === "string" && typeof (value as Session).userId === "number";

export const session = kept<Session | null>("dousheng-session", null, isSession);

export const isMe = (userId: number): boolean => session.value?.userId === userId;
