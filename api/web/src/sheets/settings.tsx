// The language, and what one does with an account.

import { useState } from "preact/hooks";

import { api } from "../api/calls";
import { settleDeletions } from "../model/comments";
import { leave, owner, session } from "../model/session";
import { userOf } from "../model/store";
import { complain, say } from "../model/toasts";
import { Field } from "../looks/field";
import { Icon, type IconName } from "../looks/icon";
import { close, go, open } from "../router/router";
import { paths, type Sheet as Opened } from "../router/routes";
import { t, type Name } from "../words";
import { passwordProblem } from "./account";
import { Ask } from "./ask";
import { LanguageChips } from "./language";
import { Sheet } from "./sheet";

const ENTRIES: [IconName, Name, Opened, isDangerous: boolean][] = [
  ["lock", "changePassword", { name: "password" }, false],
  ["ban", "blockedUsers", { name: "blocks" }, false],
  ["leave", "logOut", { name: "log-out" }, false],
  ["trash", "deleteAccount", { name: "delete-account" }, true],
];

export function Settings({ isLeaving }: { isLeaving: boolean }) {
  return (
    <Sheet title={t("settings")} isLeaving={isLeaving}>
      <LanguageChips />
      {session.value && (
        <ul class="menu" aria-label={t("account")}>
          {ENTRIES.map(([icon, name, sheet, isDangerous]) => (
            <li key={name}>
              <button type="button" class={isDangerous ? "danger" : ""} data-testid={sheet.name} onClick={() => void open(sheet)}>
                <Icon name={icon} />
                {t(name)}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Sheet>
  );
}

export function ChangePassword({ isLeaving }: { isLeaving: boolean }) {
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const problem = passwordProblem(next);

  async function change() {
    setTried(true);
    setFailure("");
    if (problem || !old) return;
    setBusy(true);
    const me = owner.peek();
    const before = session.peek();
    try {
      const { token } = await api.changePassword(old, next);
      // The token of before has ended: another request or tab may have noticed it earlier, and dropped the login.
      const who = session.peek() ?? before;
      if (who && owner.peek() === me) session.value = { ...who, token };
      say(t("passwordChanged"));
      await close();
    } catch (error) {
      setFailure((error as Error).message);
      setBusy(false);
    }
  }

  async function logOutEverywhere() {
    const me = owner.peek();
    try {
      await settleDeletions();
      await api.endSessions();
      await go(paths.feed);
      leave(me);
      say(t("loggedOut"));
    } catch (error) {
      complain(error);
    }
  }

  return (
    <Sheet title={t("changePassword")} isLeaving={isLeaving}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void change();
        }}
      >
        <input type="text" class="unseen" autocomplete="username" value={session.value?.name} readOnly tabIndex={-1} aria-hidden="true" />
        <Field label={t("oldPassword")} isPassword autocomplete="current-password" value={old} onValue={setOld} hasFocus />
        <Field
          label={t("newPassword")}
          isPassword
          autocomplete="new-password"
          value={next}
          onValue={setNext}
          hint={t("passwordRule")}
          problem={tried ? problem : undefined}
        />
        {failure && (
          <p role="alert" class="failure">
            {failure}
          </p>
        )}
        <button type="submit" class="button wide" disabled={busy}>
          {t("changePassword")}
        </button>
        <button type="button" class="button wide text" onClick={() => void logOutEverywhere()}>
          {t("logOutEverywhere")}
        </button>
      </form>
    </Sheet>
  );
}

export function DeleteAccount({ isLeaving }: { isLeaving: boolean }) {
  const [password, setPassword] = useState("");
  const name = session.value?.name ?? userOf(owner.value ?? 0)?.name ?? "";
  async function run() {
    const me = owner.peek();
    await api.deleteAccount(password);
    await go(paths.feed);
    leave(me);
    say(t("accountDeleted"));
  }
  return (
    <Ask
      title={t("deleteAccount")}
      hint={t("deleteAccountHint", name)}
      action={t("deleteAccount")}
      testid="delete-account-confirm"
      isLeaving={isLeaving}
      run={run}
    >
      <Field label={t("password")} isPassword autocomplete="current-password" value={password} onValue={setPassword} />
    </Ask>
  );
}
