// What else one can do with a video.

import { isMe } from "../model/session";
import { speed, SPEEDS } from "../model/player";
import { videoOf } from "../model/store";
import { Icon } from "../looks/icon";
import { copy, linkTo } from "../looks/share";
import { toggleFull } from "../player/full-screen";
import { speedName } from "../player/controls";
import { close, open } from "../router/router";
import { t } from "../words";
import { Sheet } from "./sheet";

const KEYS = [
  ["↑ ↓ / J K", "keyMove"],
  ["← →", "keySeek"],
  ["", "keyPause"],
  ["L", "keyLike"],
  ["C", "keyComments"],
  ["M", "keySound"],
  ["F", "keyFull"],
] as const;

export function More({ id, isLeaving }: { id: number; isLeaving: boolean }) {
  const video = videoOf(id);
  if (!video) return null;
  return (
    <Sheet title={t("more")} isLeaving={isLeaving}>
      <fieldset class="chips">
        <legend>{t("speed")}</legend>
        {SPEEDS.map((value) => (
          <label key={value}>
            <input type="radio" name="speed" checked={speed.value === value} onChange={() => (speed.value = value)} />
            <span>{speedName(value)}</span>
          </label>
        ))}
      </fieldset>
      <ul class="menu">
        <li>
          <button type="button" onClick={() => void close().then(() => copy(linkTo(video)))}>
            <Icon name="share" />
            {t("copyLink")}
          </button>
        </li>
        <li>
          <button type="button" onClick={() => void close().then(toggleFull)}>
            <Icon name="full" />
            {t("fullScreen")}
          </button>
        </li>
        {isMe(video.author.id) && (
          <li>
            <button type="button" class="danger" data-testid="delete-video" onClick={() => void open({ name: "delete-video", id }, true)}>
              <Icon name="trash" />
              {t("deleteVideo")}
            </button>
          </li>
        )}
      </ul>
      <dl class="keys">
        {KEYS.map(([key, name]) => (
          <div key={key}>
            <dt>
              <kbd>{key || t("spaceKey")}</kbd>
            </dt>
            <dd>{t(name)}</dd>
          </div>
        ))}
      </dl>
    </Sheet>
  );
}
