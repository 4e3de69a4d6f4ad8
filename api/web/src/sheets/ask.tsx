// Asks before something is done that can't be undone.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { api } from "../api/calls";
import { settleDeletions } from "../model/comments";
import { forgetVideo } from "../model/lists";
import { leave, owner } from "../model/session";
import { complain, say } from "../model/toasts";
import { form, uploads } from "../model/uploads";
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
    const me = owner.peek();
    // They need the login.
    await settleDeletions();
    await close();
    leave(me);
    say(t("loggedOut"));
  }
  const isBegun = uploads.value.length + form.files.value.length + form.title.value.length > 0;
  const hint = isBegun ? "logOutUploads" : "logOutHint";
  return <Ask title={t("logOutAsk")} hint={t(hint)} action={t("logOut")} testid="logout-confirm" isLeaving={isLeaving} run={run} />;
}
