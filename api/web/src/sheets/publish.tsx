// Publish: drop or choose files, look at each, name it, and send it off; what is on its way stands below.
//
// Nothing is lost by closing it: the form and the uploads live in model/uploads.

import { useEffect, useMemo, useState } from "preact/hooks";

import { add, form, uploads } from "../model/uploads";
import { Counter } from "../looks/field";
import { Icon } from "../looks/icon";
import { close } from "../router/router";
import { bytes, characters, clock, t } from "../words";
import { Queue } from "./queue";
import { Sheet } from "./sheet";

const FORMATS = "video/mp4,video/quicktime,video/webm,video/x-matroska,.mkv,.mov,.mp4,.webm,.m4v";
const MAX_TITLE = 100;
const MAX_BYTES = 200 * 2 ** 20;

export function PublishSheet({ isLeaving }: { isLeaving: boolean }) {
  return (
    <Sheet title={t("publish")} isLeaving={isLeaving}>
      <div>
        <PublishForm />
        {uploads.value.length > 0 && (
          <section aria-label={t("uploads")}>
            <h3>{t("uploads")}</h3>
            <Queue />
          </section>
        )}
      </div>
    </Sheet>
  );
}

export function choose(files: File[]): void {
  const [first] = files;
  if (!first) return;
  const [before] = form.files.value;
  const title = form.title.value;
  form.files.value = files;
  form.chosen.value = files.length;
  form.isRestored.value = false;
  // A title that somebody has written stays.
  if (!title.trim() || (before && title === nameOf(before))) form.title.value = nameOf(first);
}

const nameOf = (file: File): string => [...file.name.replace(/\.\w+$/, "")].slice(0, MAX_TITLE).join("");

/** How large an upload may be is the server's to say: what is above its usual limit is warned of, and sent. */
function fileProblem(file: File): string | undefined {
  if (file.size === 0) return t("fileEmpty");
  return file.size > MAX_BYTES ? t("fileTooLarge") : undefined;
}

function PublishForm() {
  const files = form.files.value;
  const [file] = files;
  const title = form.title.value;
  const chosen = form.chosen.value;
  const [tried, setTried] = useState(false);
  const isTooLong = characters(title.trim()) > MAX_TITLE;
  const problem = !title.trim() ? t("titleMissing") : isTooLong ? t("titleTooLong") : undefined;
  const warning = file && fileProblem(file);
  const isUseless = file?.size === 0;

  function send() {
    setTried(true);
    if (!file || problem || isUseless) return;
    const rest = files.slice(1);
    add(file, title.trim());
    form.files.value = rest;
    form.title.value = rest[0] ? nameOf(rest[0]) : "";
    form.isRestored.value = false;
    setTried(false);
    if (!rest.length) void close();
  }

  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {chosen > 1 && files.length > 0 && <p class="hint">{t("oneOf", chosen - files.length + 1, chosen)}</p>}
      {form.isRestored.value && !file && <p class="hint">{t("restored")}</p>}
      <label class={file ? "drop chosen" : "drop"}>
        {file ? (
          <Preview key={`${file.name} ${file.size} ${file.lastModified}`} file={file} />
        ) : (
          <span class="drop-words">
            <Icon name="upload" />
            <strong>{t("choose")}</strong>
            <small>{t("formats")}</small>
          </span>
        )}
        <input
          type="file"
          accept={FORMATS}
          multiple
          class="unseen"
          data-testid="publish-file"
          aria-label={t(file ? "replace" : "choose")}
          onChange={(event) => choose([...(event.currentTarget.files ?? [])])}
        />
        {file && <span class="button small second replace">{t("replace")}</span>}
      </label>
      {warning && (
        <p role="alert" class="failure">
          {warning}
        </p>
      )}
      <div class="field">
        <span class="field-head">
          <label for="publish-title">{t("title")}</label>
          <Counter text={title} max={MAX_TITLE} always />
        </span>
        <div class="input">
          <textarea
            id="publish-title"
            data-testid="publish-title"
            rows={2}
            placeholder={t("titleHint")}
            value={title}
            aria-invalid={isTooLong}
            onInput={(event) => (form.title.value = event.currentTarget.value)}
          />
        </div>
        {(isTooLong || (tried && problem)) && (
          <p class="says problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      <button type="submit" class="button wide" data-testid="publish-submit" disabled={!file || isUseless}>
        {t("upload")}
      </button>
    </form>
  );
}

/** The film as this browser shows it, with what is known of it. */
function Preview({ file }: { file: File }) {
  const url = useMemo(() => URL.createObjectURL(file), [file]);
  const [duration, setDuration] = useState(0);
  const [cover, setCover] = useState("");
  const [failed, setFailed] = useState(false);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  useEffect(() => () => URL.revokeObjectURL(cover), [cover]);

  function takeCover(film: HTMLVideoElement) {
    if (cover || !film.videoWidth) return;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [180, Math.round((180 * film.videoHeight) / film.videoWidth)];
    canvas.getContext("2d")?.drawImage(film, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && setCover(URL.createObjectURL(blob)), "image/jpeg", 0.8);
  }

  return (
    <>
      <span class="preview">
        {failed ? (
          <Icon name="film" />
        ) : (
          <video
            src={url}
            muted
            loop
            autoplay
            playsInline
            aria-label={file.name}
            onLoadedMetadata={(event) => setDuration(event.currentTarget.duration)}
            onTimeUpdate={(event) => takeCover(event.currentTarget)}
            onError={() => setFailed(true)}
          />
        )}
        {cover && (
          <figure>
            <img src={cover} alt="" />
            <figcaption>{t("cover")}</figcaption>
          </figure>
        )}
      </span>
      <span class="file" data-testid="publish-info">
        <strong>{file.name}</strong>
        <span>
          {bytes(file.size)}
          {duration > 0 && Number.isFinite(duration) && ` · ${clock(duration)}`}
        </span>
        {cover && <span>{t("coverHint")}</span>}
      </span>
      {failed && (
        <span class="failure warning" role="alert" data-testid="publish-warning">
          {t("noPreview")}
        </span>
      )}
    </>
  );
}
