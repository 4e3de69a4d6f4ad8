// Asks before something is done that can't be undone.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { api } from "../api/calls";
import { forgetVideo } from "../model/lists";
import { session } from "../model/session";
import { complain, say } from "../model/toasts";
import { back, close, route } from "../router/router";
import { t } from "../words";
import { Sheet } from "./sheet";

interface Props {
  title: string;
  hint: string;
  action: string;
  testid: string;
  isLeaving: boolean;
  run: () => Promise<void>;
  children?: ComponentChildren;
}

export function Ask({ title, hint, action, testid, isLeaving, run, children }: Props) {
  const [busy, setBusy] = useState(false);
  return (
    <Sheet title={title} isLeaving={isLeaving} kind="ask">
      <p class="hint">{hint}</p>
      <form
        class="buttons"
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          run()
            .catch(complain)
            .finally(() => setBusy(false));
        }}
      >
        {children}
        <button type="submit" class="button danger" data-testid={testid} disabled={busy}>
          {action}
        </button>
        <button type="button" class="button second" onClick={() => void close()}>
          {t("cancel")}
        </button>
      </form>
    </Sheet>
  );
}

export function DeleteVideo({ id, isLeaving }: { id: number; isLeaving: boolean }) {
  async function run() {
    await api.deleteVideo(id);
    const where = route.value;
    await close();
    forgetVideo(id);
    say(t("videoDeleted"));
    if (where.name === "video" && where.id === id) await back();
  }
  return (
    <Ask
      title={t("deleteVideoAsk")}
      hint={t("deleteVideoHint")}
      action={t("remove")}
      testid="delete-confirm"
      isLeaving={isLeaving}
      run={run}
    />
  );
}

export function LogOut({ isLeaving }: { isLeaving: boolean }) {
  async function run() {
    await close();
    session.value = null;
    say(t("loggedOut"));
  }
  return (
    <Ask title={t("logOutAsk")} hint={t("logOutHint")} action={t("logOut")} testid="logout-confirm" isLeaving={isLeaving} run={run} />
  );
}
