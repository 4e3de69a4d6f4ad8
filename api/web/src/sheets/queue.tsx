// The uploads: how far each is, and what can be done about it.

import { online } from "../model/connection";
import { cancel, retry, uploads, type Item } from "../model/uploads";
import { Icon } from "../looks/icon";
import { open, topSheet } from "../router/router";
import { bytes, span, t } from "../words";

export function percent({ progress }: Item): number {
  const { sent, total } = progress.value;
  return total ? Math.min(100, Math.floor((100 * sent) / total)) : 0;
}

const waitingWords = (): string => t(online.value ? "waitingForServer" : "waitingForNetwork");

function stateWords(item: Item): string {
  const { sent, total, rate } = item.progress.value;
  switch (item.state.value) {
    case "queued":
      return t("queued");
    case "waiting":
      return waitingWords();
    case "failed":
      return item.failure.value;
    default:
      if (sent >= total) return t("working");
      return rate > 0 ? t("progress", bytes(sent), bytes(total), bytes(rate), span((total - sent) / rate)) : t("loading");
  }
}

export function Queue() {
  return (
    <ul class="queue">
      {uploads.value.map((item) => (
        <Upload key={item.id} item={item} />
      ))}
    </ul>
  );
}

function Upload({ item }: { item: Item }) {
  const isFailed = item.state.value === "failed";
  return (
    <li class={isFailed ? "upload failed" : "upload"} data-testid="upload">
      <span class="upload-words">
        <strong>{item.title}</strong>
        <span role={isFailed ? "alert" : undefined}>{stateWords(item)}</span>
        {item.state.value === "sending" && <progress value={percent(item)} max={100} aria-label={item.title} />}
      </span>
      {isFailed && (
        <button type="button" class="button small second" data-testid="upload-retry" onClick={() => retry(item)}>
          {t("again")}
        </button>
      )}
      <button type="button" class="round" aria-label={t(isFailed ? "dismiss" : "cancelUpload")} onClick={() => cancel(item)}>
        <Icon name="close" />
      </button>
    </li>
  );
}

/** What is on its way, while one does something else. */
export function UploadPill() {
  const items = uploads.value;
  const [item] = items.filter((one) => one.state.value !== "failed");
  const failed = items.find((one) => one.state.value === "failed");
  const shown = item ?? failed;
  if (!shown || topSheet()?.name === "publish") return null;
  const isFailed = !item;
  const words = isFailed ? t("uploadFailed") : shown.state.value === "waiting" ? waitingWords() : t("uploading", percent(shown));
  return (
    <button
      type="button"
      class={isFailed ? "upload-pill failed" : "upload-pill"}
      data-testid="publish-progress"
      onClick={() => void open({ name: "publish" })}
    >
      <Icon name={isFailed ? "alert" : "upload"} />
      <span>{words}</span>
      {items.length > 1 && <span class="badge">{items.length}</span>}
      {!isFailed && <progress value={percent(shown)} max={100} aria-hidden="true" />}
    </button>
  );
}
