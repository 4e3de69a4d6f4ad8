// Who is logged in, in this browser.

import { effect, signal } from "@preact/signals";

export interface Session {
  userId: number;
  name: string;
  token: string;
}

const KEY = "dousheng-session";

function stored(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

export const session = signal<Session | null>(stored());

effect(() => {
  try {
    if (session.value) localStorage.setItem(KEY, JSON.stringify(session.value));
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing: logged in until the page goes.
  }
});
