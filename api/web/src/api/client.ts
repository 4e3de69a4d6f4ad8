// Requests to the public HTTP API, by the types of its own document.
//
// A request that needs a login asks for one and is then carried out; so is one whose login has ended on the way.

import type { paths } from "./schema";
import { reached } from "../model/connection";
import { logIn } from "../model/login";
import { endSession, owner, session } from "../model/session";
import { say } from "../model/toasts";
import { language, t } from "../words";
import { ApiError, BAD_TOKEN, GivenUp, understand, unreachable } from "./errors";

type Method = "get" | "post";
type Path = keyof paths;
export type Reply<P extends Path, M extends Method> = paths[P] extends Record<
  M,
  { responses: { 200: { content: { "application/json": infer R } } } }
>
  ? Extract<R, { status_code: 0 }>
  : never;

/** What is undefined isn't sent. */
type Values = Record<string, string | number | undefined>;

interface Options {
  /** Only a user may: others are asked to log in. */
  needsLogin?: boolean;
  headers?: Record<string, string>;
  /** In place of the values. */
  form?: FormData;
}

export function headers(): Record<string, string> {
  const token = session.value?.token;
  return {
    "Accept-Language": language.value,
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
  };
}

/** Whether it says that the login of this token has ended. Then it is no longer kept. */
export function hasEnded(error: unknown, token: string | undefined): boolean {
  if (!(error instanceof ApiError) || error.code !== BAD_TOKEN || !token) return false;
  endSession(token);
  return true;
}

async function once<T>(method: Method, path: string, values: Values, options: Options): Promise<T> {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) text.set(name, String(value));
  const isGet = method === "get";
  let response: Response;
  let body: string;
  try {
    response = await fetch(isGet && text.size ? `${path}?${text}` : path, {
      method: method.toUpperCase(),
      headers: { ...headers(), ...options.headers },
      // What was done is sent to the end, even when the page is closed or loaded anew a moment later.
      ...(isGet ? {} : { body: options.form ?? text, keepalive: !options.form }),
    });
    body = await response.text();
  } catch {
    throw unreachable();
  }
  reached();
  return understand(response.status, body, response.headers.get("Retry-After"));
}

export async function send<P extends Path, M extends Method>(
  method: M,
  path: P,
  values: Values = {},
  options: Options = {},
): Promise<Reply<P, M>> {
  const begunBy = owner.peek();
  if (options.needsLogin) {
    await logIn();
    // What one user has begun isn't done as another.
    if (begunBy !== undefined && session.value?.userId !== begunBy) throw new GivenUp();
  }
  const token = session.value?.token;
  const user = session.value?.userId;
  try {
    return await once(method, path, values, options);
  } catch (error) {
    if (!hasEnded(error, token)) throw error;
    if (options.needsLogin) {
      await logIn(t("sessionOver"));
      if (session.value?.userId !== user) throw new GivenUp();
    } else if (!session.value) say(t("sessionOver"), true, { label: t("logIn"), run: () => void logIn().catch(() => {}) });
    return once(method, path, values, options);
  }
}
