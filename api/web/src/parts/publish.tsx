// Publish: drop or choose a file, look at it, name it, and see how far it has come.

import { useEffect, useRef, useState } from "preact/hooks";

import { newKey } from "../api/key";
import { publish, type Progress, type Upload } from "../api/upload";
import { dialog, freshness, say } from "../state";
import { bytes, duration, t } from "../words";
import { Icon } from "./icon";
import { Sheet } from "./sheet";

const FORMATS = "video/mp4,video/quicktime,video/webm,.mkv,.mov,.mp4,.webm";
const MAX_TITLE = 100;

export function Publish() {
  const [file, setFile] = useState<File | null>(null);
  const [preview, setPreview] = useState("");
  const [title, setTitle] = useState("");
  const [progress, setProgress] = useState<Progress | null>(null);
  const [failure, setFailure] = useState("");
  const [isOver, setIsOver] = useState(false);
  const upload = useRef<Upload | null>(null);
  // Of this file with this title: sending it again publishes it no second time.
  const key = useRef(newKey());

  useEffect(() => {
    if (!file) return;
    const url = URL.createObjectURL(file);
    setPreview(url);
    return () => URL.revokeObjectURL(url);
  }, [file]);
  // Whoever closes the sheet doesn't want it published.
  useEffect(() => () => upload.current?.cancel(), []);

  function choose(chosen: File | undefined) {
    if (!chosen) return;
    setFile(chosen);
    setFailure("");
    key.current = newKey();
    if (!title) setTitle([...chosen.name.replace(/\.\w+$/, "")].slice(0, MAX_TITLE).join(""));
  }

  async function send() {
    if (!file) return;
    setFailure("");
    setProgress({ sent: 0, total: file.size, rate: 0 });
    upload.current = publish(file, title, key.current, setProgress);
    try {
      await upload.current.done;
      upload.current = null;
      dialog.value = null;
      say(t("published"));
      freshness.value += 1;
      location.hash = "#/";
    } catch (error) {
      upload.current = null;
      setFailure((error as Error).message);
      setProgress(null);
    }
  }

  return (
    <Sheet title={t("publish")} onClose={() => (dialog.value = null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label
          class={isOver ? "drop over" : "drop"}
          onDragOver={(event) => {
            event.preventDefault();
            setIsOver(true);
          }}
          onDragLeave={() => setIsOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setIsOver(false);
            choose(event.dataTransfer?.files[0]);
          }}
        >
          {preview ? (
            <video src={preview} muted loop autoplay playsInline aria-label={file?.name} />
          ) : (
            <span>
              <Icon name="film" />
              {t("choose")}
              <small>{t("formats")}</small>
            </span>
          )}
          <input
            type="file"
            accept={FORMATS}
            data-testid="publish-file"
            disabled={progress !== null}
            onChange={(event) => choose(event.currentTarget.files?.[0])}
          />
        </label>
        <label>
          {t("title")}
          <input
            data-testid="publish-title"
            required
            maxlength={MAX_TITLE}
            value={title}
            disabled={progress !== null}
            onInput={(event) => {
              setTitle(event.currentTarget.value);
              key.current = newKey();
            }}
          />
        </label>
        {progress && <Bar progress={progress} />}
        {failure && (
          <p role="alert" class="failure" data-testid="toast">
            {failure}
          </p>
        )}
        {progress ? (
          <button type="button" class="wide second" onClick={() => upload.current?.cancel()}>
            {t("cancel")}
          </button>
        ) : (
          <button type="submit" class="wide" data-testid="publish-submit" disabled={!file}>
            {failure ? t("retry") : t("upload")}
          </button>
        )}
      </form>
    </Sheet>
  );
}

function Bar({ progress: { sent, total, rate } }: { progress: Progress }) {
  const left = rate > 0 ? (total - sent) / rate : 0;
  const words =
    sent >= total ? t("working") : t("progress", bytes(sent), bytes(total), bytes(rate), duration(left));
  return (
    <div data-testid="publish-progress">
      <progress value={sent} max={Math.max(total, 1)} aria-label={t("publish")} />
      <p class="hint">{words}</p>
    </div>
  );
}
