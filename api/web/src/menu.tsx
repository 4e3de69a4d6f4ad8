// The menu: below on a telephone, at the side where there is room.

import { keys, listOf } from "./model/lists";
import { logIn } from "./model/login";
import { isWide } from "./model/player";
import { session } from "./model/session";
import { userOf } from "./model/store";
import { Avatar } from "./looks/avatar";
import { Brand } from "./looks/brand";
import { Icon, type IconName } from "./looks/icon";
import { open, route, sheets } from "./router/router";
import { paths } from "./router/routes";
import { t } from "./words";

interface LinkProps {
  to: string;
  icon: IconName;
  on: IconName;
  label: string;
  isHere: boolean;
  testid?: string;
  onClick?: () => void;
}

function Link({ to, icon, on, label, isHere, testid, onClick }: LinkProps) {
  return (
    <a href={to} data-testid={testid} aria-current={isHere ? "page" : undefined} onClick={onClick}>
      <Icon name={isHere ? on : icon} />
      <span>{label}</span>
    </a>
  );
}

/** Home again, at home: from the top. */
function goHome() {
  if (route.value.name === "feed" && !sheets.value.length) void listOf(keys.home).restart();
}

function toPublish() {
  void logIn().then(
    () => open({ name: "publish" }),
    () => {},
  );
}

export function Menu() {
  const me = session.value;
  const where = route.value;
  const wide = isWide.value;
  const user = userOf(me?.userId ?? 0);
  const isHome = where.name === "feed" || (!wide && where.name === "following");
  const isMine = where.name === "profile" && where.id === me?.userId;
  const publish = (
    <button type="button" class="menu-publish" data-testid="publish-open" onClick={toPublish}>
      <Icon name="plus" />
      <span>{t("publish")}</span>
    </button>
  );
  return (
    <nav class="menu-bar" aria-label={t("mainMenu")}>
      {wide && (
        <a class="menu-brand" href={paths.feed} aria-label={t("brand")} onClick={goHome}>
          <Brand />
        </a>
      )}
      <Link to={paths.feed} icon="home" on="homeOn" label={t("home")} isHere={isHome} testid="home" onClick={goHome} />
      {wide && <Link to={paths.following} icon="follow" on="follow" label={t("following")} isHere={where.name === "following"} />}
      {!wide && publish}
      <Link
        to={paths.messages}
        icon="messages"
        on="messagesOn"
        label={t("messages")}
        isHere={where.name === "messages" || where.name === "chat"}
        testid="messages"
      />
      {me ? (
        <a href={paths.profile(me.userId)} data-testid="profile" aria-current={isMine ? "page" : undefined}>
          <Avatar user={user ?? { name: me.name, avatar: "" }} size="s" />
          <span>{t("profile")}</span>
        </a>
      ) : (
        <button type="button" data-testid="login-open" onClick={() => void logIn().catch(() => {})}>
          <Icon name="person" />
          <span>{t("logIn")}</span>
        </button>
      )}
      {wide && publish}
      {wide && (
        <div class="menu-foot">
          <button type="button" data-testid="menu-settings" onClick={() => void open({ name: "settings" })}>
            <Icon name="gear" />
            <span>{t("settings")}</span>
          </button>
        </div>
      )}
    </nav>
  );
}
