// The public HTTP API, by the types of its own document. A refusal or a failure is an ApiError with words for people.

import type { components, paths } from "./schema";
import { session } from "../session";
import { language, t } from "../words";

export type Video = components["schemas"]["Video"];
export type User = components["schemas"]["User"];
export type Comment = components["schemas"]["Comment"];

/** What browsers tell of the way to them; not all do. */
interface Connection {
  effectiveType?: string;
  downlink?: number;
  saveData?: boolean;
}

/** Where a video plays from: its small rendition on a slow link, where there is one. */
export function source(video: Video): string {
  const link = (navigator as { connection?: Connection }).connection;
  const [full] = video.renditions;
  const small = video.renditions.at(-1);
  if (!link || !full || !small) return video.play_url;
  const isSlow = /2g|3g/.test(link.effectiveType ?? "") || (link.downlink ?? Infinity) * 1e6 < 1.5 * full.bit_rate;
  return isSlow || link.saveData ? small.url : video.play_url;
}

type Method = "get" | "post";
type Path = keyof paths;
type Reply<P extends Path, M extends Method> = paths[P] extends Record<
  M,
  { responses: { 200: { content: { "application/json": infer R } } } }
>
  ? Extract<R, { status_code: 0 }>
  : never;

const BAD_TOKEN = 10003;

export class ApiError extends Error {
  constructor(
    message: string,
    /** The contract's status_code; 0: no answer came. */
    readonly code: number,
  ) {
    super(message);
  }
}

export function headers(): Record<string, string> {
  const token = session.value?.token;
  return {
    "Accept-Language": language,
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
  };
}

/** What an answer says, or why there is none to speak of. */
export function understand<T>(status: number, text: string): T {
  let body: { status_code?: number; status_msg?: string } = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page, say.
  }
  if (body.status_code === 0 && status < 400) return body as T;
  if (body.status_code === BAD_TOKEN && session.value) {
    session.value = null;
    throw new ApiError(t("sessionOver"), BAD_TOKEN);
  }
  const words = body.status_msg ?? "";
  throw new ApiError(status >= 500 ? t("serverFailed", words || String(status)) : words || t("serverFailed", String(status)), body.status_code ?? -1);
}

async function send<P extends Path, M extends Method>(method: M, path: P, values: Record<string, string | number>, more: Record<string, string> = {}): Promise<Reply<P, M>> {
  const text = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]));
  const isGet = method === "get";
  const url = isGet && text.size ? `${path}?${text}` : path;
  let response: Response;
  let body: string;
  try {
    response = await fetch(url, {
      method: method.toUpperCase(),
      headers: { ...headers(), ...more },
      // What was done is sent to the end, even when the page is closed or loaded anew a moment later.
      ...(isGet ? {} : { body: text, keepalive: true }),
    });
    body = await response.text();
  } catch {
    throw new ApiError(t(navigator.onLine ? "unreachable" : "offline"), 0);
  }
  return understand(response.status, body);
}

export const api = {
  feed: (latest?: number) => send("get", "/douyin/feed/", latest ? { latest_time: latest } : {}),
  user: (userId: number) => send("get", "/douyin/user/", { user_id: userId }),
  works: (userId: number) => send("get", "/douyin/publish/list/", { user_id: userId }),
  likes: (userId: number) => send("get", "/douyin/favorite/list/", { user_id: userId }),
  comments: (videoId: number, before?: number) =>
    send("get", "/douyin/comment/list/", { video_id: videoId, ...(before ? { before } : {}) }),
  login: (username: string, password: string) => send("post", "/douyin/user/login/", { username, password }),
  register: (username: string, password: string) => send("post", "/douyin/user/register/", { username, password }),
  like: (videoId: number, liked: boolean) =>
    send("post", "/douyin/favorite/action/", { video_id: videoId, action_type: liked ? 1 : 2 }),
  comment: (videoId: number, text: string, key: string) =>
    send(
      "post",
      "/douyin/comment/action/",
      { video_id: videoId, action_type: 1, comment_text: text },
      { "Idempotency-Key": key },
    ),
  deleteComment: (videoId: number, commentId: number) =>
    send("post", "/douyin/comment/action/", { video_id: videoId, action_type: 2, comment_id: commentId }),
};

/** A video as the feed has it now, with URLs that are good again: it is the newest that isn't younger than itself. */
export async function renewed(video: Video): Promise<Video | undefined> {
  const page = await api.feed(video.create_time + 1);
  return page.video_list.find((one) => one.id === video.id);
}
