// The upload, by XMLHttpRequest: fetch can't tell how far it has come.

import { headers } from "./client";
import { cancelled, stalled, understand, unreachable } from "./errors";

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

/** Over how long the rate is measured. */
const WINDOW_MS = 5000;
/** A link that has sent nothing for this long stands still, and isn't only slow. The server waits for longer (`min_body_rate_after_s`). */
const STALL_MS = 8000;
const TOO_SLOW = 408;

/** A repeat with the same key is the same publish: whatever became of the first, there is one video. */
export function publish(file: File, title: string, key: string, onProgress: (progress: Progress) => void): Upload {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append("title", title);
  form.append("data", file);
  const marks: [time: number, sent: number][] = [[performance.now(), 0]];
  request.upload.onprogress = ({ loaded, total }) => {
    const now = performance.now();
    marks.push([now, loaded]);
    while (marks.length > 2 && now - (marks[0]?.[0] ?? now) > WINDOW_MS) marks.shift();
    const [time, sent] = marks[0] ?? [now, 0];
    onProgress({ sent: loaded, total, rate: (loaded - sent) / Math.max((now - time) / 1000, 0.001) });
  };
  const done = new Promise<void>((resolve, reject) => {
    request.onload = () => {
      try {
        understand(request.status, request.responseText, request.getResponseHeader("Retry-After"));
        resolve();
      } catch (error) {
        const [lastSent] = marks.at(-1) ?? [0];
        const isStalled = request.status === TOO_SLOW && performance.now() - lastSent > STALL_MS;
        reject(isStalled ? stalled() : error);
      }
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(cancelled());
  });
  request.open("POST", "/douyin/publish/action/");
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.setRequestHeader("Idempotency-Key", key);
  request.send(form);
  return { done, cancel: () => request.abort() };
}
