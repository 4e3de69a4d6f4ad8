// The upload, by XMLHttpRequest: fetch can't tell how far it has come.

import { t } from "../words";
import { ApiError, headers, understand } from "./client";

export interface Progress {
  sent: number;
  total: number;
  /** Bytes a second, over the last moments. */
  rate: number;
}

export interface Upload {
  done: Promise<void>;
  cancel: () => void;
}

/** A repeat with the same key is the same publish: whatever became of the first, there is one video. */
export function publish(file: File, title: string, key: string, onProgress: (progress: Progress) => void): Upload {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append("title", title);
  form.append("data", file);
  const begun = performance.now();
  request.upload.onprogress = ({ loaded, total }) => {
    const seconds = Math.max((performance.now() - begun) / 1000, 0.001);
    onProgress({ sent: loaded, total, rate: loaded / seconds });
  };
  const done = new Promise<void>((resolve, reject) => {
    request.onload = () => {
      try {
        understand(request.status, request.responseText);
        resolve();
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new ApiError(t(navigator.onLine ? "unreachable" : "offline"), 0));
    request.onabort = () => reject(new ApiError(t("cancelled"), 0));
  });
  request.open("POST", "/douyin/publish/action/");
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.setRequestHeader("Idempotency-Key", key);
  request.send(form);
  return { done, cancel: () => request.abort() };
}
