// Log in, or register with the same two fields.

import { useState } from "preact/hooks";

import { api } from "../api/client";
import { session } from "../session";
import { dialog, say } from "../state";
import { t } from "../words";
import { Sheet } from "./sheet";

export function Account() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");

  async function enter(how: "login" | "register") {
    setBusy(true);
    setFailure("");
    try {
      const { user_id, token } = await api[how](name, password);
      session.value = { userId: user_id, name: name.normalize("NFC"), token };
      dialog.value = null;
      say(t("welcome", name));
    } catch (error) {
      setFailure((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <Sheet title={t("logIn")} onClose={() => (dialog.value = null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter("login");
        }}
      >
        <label>
          {t("username")}
          <input
            data-testid="username"
            autocomplete="username"
            autofocus
            required
            maxlength={32}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label>
          {t("password")}
          <input
            data-testid="password"
            type="password"
            autocomplete="current-password"
            required
            minlength={5}
            maxlength={32}
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        {failure && (
          <p role="alert" class="failure" data-testid="toast">
            {failure}
          </p>
        )}
        <button type="submit" class="wide" data-testid="login-submit" disabled={busy}>
          {t("logIn")}
        </button>
        <p class="hint">{t("newHere")}</p>
        <button
          type="button"
          class="wide second"
          data-testid="register-submit"
          disabled={busy}
          onClick={(event) => {
            if (event.currentTarget.form?.reportValidity()) void enter("register");
          }}
        >
          {t("register")}
        </button>
      </form>
    </Sheet>
  );
}
