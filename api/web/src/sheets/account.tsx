// Log in, or sign up. What asked for it goes on afterwards.

import { useState } from "preact/hooks";

import { api } from "../api/calls";
import { session } from "../model/session";
import { say } from "../model/toasts";
import { Brand } from "../looks/brand";
import { Field } from "../looks/field";
import { Tabs } from "../looks/tabs";
import { characters, t } from "../words";
import { LanguageSwitch } from "./language";
import { Sheet } from "./sheet";

type How = "login" | "register";

const MAX_NAME = 32;
const MIN_PASSWORD = 5;
const MAX_PASSWORD = 32;
/** What the hash of a password takes, in bytes. */
const MAX_PASSWORD_BYTES = 72;

export function passwordProblem(password: string): string | undefined {
  if (characters(password) < MIN_PASSWORD) return t("passwordTooShort");
  const isLong = characters(password) > MAX_PASSWORD || new TextEncoder().encode(password).length > MAX_PASSWORD_BYTES;
  return isLong ? t("passwordTooLong") : undefined;
}

function nameProblem(name: string): string | undefined {
  if (!name) return t("nameMissing");
  return characters(name.normalize("NFC")) > MAX_NAME ? t("nameTooLong") : undefined;
}

export function Account({ reason, isLeaving }: { reason?: string | undefined; isLeaving: boolean }) {
  const [how, setHow] = useState<How>("login");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  /** What is wrong is said once somebody has tried, and as soon as a text is too long. */
  const [tried, setTried] = useState(false);
  const problems = { name: nameProblem(name), password: passwordProblem(password) };
  const tooLong = { name: characters(name) > MAX_NAME, password: characters(password) > MAX_PASSWORD };

  async function enter(as: How) {
    setTried(true);
    setFailure("");
    if (problems.name || problems.password) return;
    setBusy(true);
    try {
      const { user_id, token } = await api[as](name, password);
      session.value = { userId: user_id, name: name.normalize("NFC"), token };
      say(t("welcome", name));
    } catch (error) {
      setFailure((error as Error).message);
      setBusy(false);
    }
  }

  const isNew = how === "register";
  return (
    <Sheet title={t(how === "login" ? "logIn" : "register")} isLeaving={isLeaving}>
      <p class="account-brand">
        <Brand />
      </p>
      <Tabs
        label={t("account")}
        panel="account"
        tabs={[
          { key: "login", label: t("logIn") },
          { key: "register", label: t("register"), testid: "register-tab" },
        ]}
        chosen={how}
        onChoose={(next) => {
          setHow(next);
          setFailure("");
          setTried(false);
        }}
      />
      <div id="account" role="tabpanel" aria-labelledby={`account-${how}`}>
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            void enter(how);
          }}
        >
          <p class={reason ? "lead" : "hint"} role={reason ? "alert" : undefined} data-testid={reason ? "toast" : undefined}>
            {reason ?? t("logInWhy")}
          </p>
          <Field
            label={t("username")}
            testid="username"
            autocomplete="username"
            hasFocus
            value={name}
            onValue={setName}
            hint={isNew ? t("nameRule") : undefined}
            problem={tried || tooLong.name ? problems.name : undefined}
          />
          <Field
            key={how}
            label={t("password")}
            testid="password"
            isPassword
            autocomplete={isNew ? "new-password" : "current-password"}
            value={password}
            onValue={setPassword}
            hint={isNew ? t("passwordRule") : undefined}
            problem={tried || tooLong.password ? problems.password : undefined}
          />
          {failure && (
            <p role="alert" class="failure" data-testid="toast">
              {failure}
            </p>
          )}
          <button type="submit" class="button wide" data-testid={isNew ? "register-submit" : "login-submit"} disabled={busy}>
            {t(isNew ? "register" : "logIn")}
          </button>
          {!isNew && (
            <button type="button" class="button wide text" data-testid="register-submit" disabled={busy} onClick={() => void enter("register")}>
              {t("registerThese")}
            </button>
          )}
        </form>
        <LanguageSwitch />
      </div>
    </Sheet>
  );
}
