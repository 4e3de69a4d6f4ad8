// One's picture, background and a few words about oneself.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { api, type User } from "../api/calls";
import { now, putUser, userOf } from "../model/store";
import { session } from "../model/session";
import { complain, say } from "../model/toasts";
import { Avatar } from "../looks/avatar";
import { Counter } from "../looks/field";
import { Icon } from "../looks/icon";
import { Spinner } from "../looks/note";
import { close } from "../router/router";
import { characters, t } from "../words";
import { Sheet } from "./sheet";

const MAX_SIGNATURE = 200;
const MAX_PICTURE = 8 * 2 ** 20;
const PICTURES = ["image/jpeg", "image/png", "image/webp"];

function useChosen() {
  const [file, setFile] = useState<File | null>(null);
  const url = useMemo(() => (file ? URL.createObjectURL(file) : ""), [file]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  function choose(chosen: File | undefined) {
    if (!chosen) return;
    if (!PICTURES.includes(chosen.type)) say(t("notAPicture"), true);
    else if (chosen.size > MAX_PICTURE) say(t("pictureTooLarge"), true);
    else setFile(chosen);
  }
  return { file, url, choose };
}

export function EditProfile({ isLeaving }: { isLeaving: boolean }) {
  // A login that ends in the middle takes nothing away that was chosen.
  const id = useRef(0);
  id.current = session.value?.userId ?? id.current;
  const me = userOf(id.current);
  return (
    <Sheet title={t("editProfile")} isLeaving={isLeaving}>
      {me ? <Form key={me.id} me={me} /> : <Spinner />}
    </Sheet>
  );
}

function Form({ me }: { me: User }) {
  const avatar = useChosen();
  const background = useChosen();
  /** Null: not touched. */
  const [written, setWritten] = useState<string | null>(null);
  const signature = written ?? me.signature;
  const [busy, setBusy] = useState(false);
  const isTooLong = characters(signature.trim()) > MAX_SIGNATURE;

  async function save() {
    if (isTooLong) return;
    const form = new FormData();
    if (avatar.file) form.append("avatar", avatar.file);
    if (background.file) form.append("background_image", background.file);
    if (written !== null && written.trim() !== me.signature) form.append("signature", written.trim());
    if (![...form.keys()].length) return close();
    setBusy(true);
    try {
      const asked = now();
      const { user } = await api.saveProfile(form);
      putUser(user, asked);
      say(t("profileSaved"));
      await close();
    } catch (error) {
      complain(error);
      setBusy(false);
    }
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <div class="edit-pictures">
        <label class="edit-background">
          <img src={background.url || me.background_image} alt="" />
          <Icon name="camera" />
          <input
            type="file"
            class="unseen"
            accept={PICTURES.join()}
            data-testid="profile-background"
            aria-label={t("changeBackground")}
            onChange={(event) => background.choose(event.currentTarget.files?.[0])}
          />
        </label>
        <label class="edit-avatar">
          <Avatar user={{ name: me.name, avatar: avatar.url || me.avatar }} size="l" />
          <Icon name="camera" />
          <input
            type="file"
            class="unseen"
            accept={PICTURES.join()}
            data-testid="profile-avatar"
            aria-label={t("changeAvatar")}
            onChange={(event) => avatar.choose(event.currentTarget.files?.[0])}
          />
        </label>
      </div>
      <div class="field">
        <span class="field-head">
          <label for="signature">{t("signature")}</label>
          <Counter text={signature} max={MAX_SIGNATURE} always />
        </span>
        <div class="input">
          <textarea
            id="signature"
            data-testid="profile-signature"
            rows={3}
            placeholder={t("ownNoSignature")}
            value={signature}
            aria-invalid={isTooLong}
            onInput={(event) => setWritten(event.currentTarget.value)}
          />
        </div>
      </div>
      <button type="submit" class="button wide" data-testid="profile-save" disabled={busy || isTooLong}>
        {t("save")}
      </button>
    </form>
  );
}
