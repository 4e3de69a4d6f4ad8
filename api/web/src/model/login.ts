// Asks somebody to log in, above what is open, and lets what asked for it go on afterwards.

import { effect } from "@preact/signals";

import { GivenUp } from "../api/errors";
import { close, open, sheets } from "../router/router";
import { session } from "./session";

let settle: (() => void) | undefined;
let asked: Promise<void> | undefined;

/** Resolves when somebody is logged in; fails with [`GivenUp`] when they don't want to. */
export function logIn(reason?: string): Promise<void> {
  if (session.value) return Promise.resolve();
  asked ??= new Promise<void>((resolve, reject) => {
    settle = () => (session.value ? resolve() : reject(new GivenUp()));
    void open({ name: "account", ...(reason ? { reason } : {}) });
  });
  return asked;
}

/** Somebody is being asked to log in. */
export const isAsking = (): boolean => asked !== undefined;

// Who has logged in, here or in another tab, is asked no more.
let isClosing = false;
effect(() => {
  if (!session.value || sheets.value.at(-1)?.name !== "account" || isClosing) return;
  isClosing = true;
  void close("account").finally(() => (isClosing = false));
});

let wasOpen = false;
effect(() => {
  const isOpen = sheets.value.some((sheet) => sheet.name === "account");
  if (wasOpen && !isOpen) {
    settle?.();
    settle = undefined;
    asked = undefined;
  }
  wasOpen = isOpen;
});
