// The whole page: the place one is in, the bar to go elsewhere, and what lies above.

import { session } from "../session";
import { dialog, freshness, needsSession, place } from "../state";
import { t } from "../words";
import { Account } from "./account";
import { Feed, theFeed } from "./feed";
import { Icon } from "./icon";
import { Profile } from "./profile";
import { Publish } from "./publish";
import { Toast } from "./toast";

export function App() {
  const where = place.value;
  return (
    <>
      <main>
        {where.name === "feed" ? (
          <Feed key={`${freshness.value} ${session.value?.userId ?? 0}`} source={theFeed} label={t("feed")} />
        ) : (
          <Profile key={where.userId} userId={where.userId} />
        )}
      </main>
      <Bar />
      {dialog.value === "account" && <Account />}
      {dialog.value === "publish" && <Publish />}
      <Toast />
    </>
  );
}

function goHome() {
  if (place.value.name === "feed") freshness.value += 1;
}

function Bar() {
  const me = session.value;
  return (
    <nav class="bar" aria-label="抖声">
      <a href="#/" onClick={goHome} aria-current={place.value.name === "feed" ? "page" : undefined}>
        <Icon name="home" />
        <span>{t("home")}</span>
      </a>
      <button
        type="button"
        class="publish"
        data-testid="publish-open"
        onClick={() => {
          if (needsSession()) dialog.value = "publish";
        }}
      >
        <Icon name="plus" />
        <span>{t("publish")}</span>
      </button>
      {me ? (
        <a
          href={`#/user/${me.userId}`}
          data-testid="profile"
          aria-current={place.value.name === "profile" && place.value.userId === me.userId ? "page" : undefined}
        >
          <Icon name="person" />
          <span>{t("profile")}</span>
        </a>
      ) : (
        <button type="button" data-testid="login-open" onClick={() => (dialog.value = "account")}>
          <Icon name="person" />
          <span>{t("logIn")}</span>
        </button>
      )}
    </nav>
  );
}
