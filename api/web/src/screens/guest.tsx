// In place of what only a user has: why, and the way there.

import { logIn } from "../model/login";
import type { IconName } from "../looks/icon";
import { Note } from "../looks/note";
import { t } from "../words";

export function Guest({ icon, title, hint }: { icon: IconName; title: string; hint: string }) {
  return (
    <Note icon={icon} title={title} hint={hint} isScreen>
      <button type="button" class="button" onClick={() => void logIn().catch(() => {})}>
        {t("logIn")}
      </button>
    </Note>
  );
}
