// The screen of a URL that leads nowhere.

import { Note } from "../looks/note";
import { paths } from "../router/routes";
import { t, type Name } from "../words";

export function NotFound({ title = "noSuchPage", hint = "noSuchPageHint" }: { title?: Name; hint?: Name }) {
  return (
    <Note icon="alert" title={t(title)} hint={t(hint)} testid="not-found" isScreen={title !== "noSuchVideo"}>
      <a class="button" href={paths.feed}>
        {t("toFeed")}
      </a>
    </Note>
  );
}
