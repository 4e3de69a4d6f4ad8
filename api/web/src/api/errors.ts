// Why a request has no result, in words for people.

import { t } from "../words";

/** The contract's outcomes that the page treats in a way of its own. */
export const NOT_LOGGED_IN = 10002;
export const BAD_TOKEN = 10003;
export const NO_SUCH_USER = 10006;
export const NO_SUCH_VIDEO = 10007;
const BAD_PARAMETER = 10001;
const TOO_MANY = 10012;
/** No answer came. */
const UNREACHABLE = 0;
const NO_CODE = -1;
/** The server has given up on an upload of which nothing came any more. */
const STALLED = -2;

export class ApiError extends Error {
  constructor(
    message: string,
    /** The contract's status_code. */
    readonly code: number,
    /** After how many seconds one that was too many may be sent again; undefined: not for that reason, or waiting is of no use. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }

  get isUnreachable(): boolean {
    return this.code === UNREACHABLE;
  }

  get isStalled(): boolean {
    return this.code === STALLED;
  }
}

/** Somebody was asked to log in, and doesn't want to; or somebody else has logged in. */
export class GivenUp extends Error {}

export const unreachable = (): ApiError => new ApiError(t(navigator.onLine ? "unreachable" : "offline"), UNREACHABLE);
export const stalled = (): ApiError => new ApiError(t("tooSlow"), STALLED, 1);
export const cancelled = (): ApiError => new ApiError(t("cancelled"), NO_CODE);

/** The names of parameters, and of some kinds of refusals, say nothing to people. */
function plain(message: string, code: number): string {
  const [kind = "", ...details] = message.split(/: |：/);
  const words = details.filter((part) => !/^[A-Za-z_-]+$/.test(part));
  const isVague = code === BAD_PARAMETER || code === TOO_MANY;
  if (!words.length) return isVague ? "" : kind;
  const said = (isVague ? words : [kind, ...words]).join(t("colon"));
  return said.charAt(0).toUpperCase() + said.slice(1);
}

/** What an answer says, or why there is none to speak of. */
export function understand<T>(status: number, text: string, retryAfter: string | null): T {
  let body: { status_code?: number; status_msg?: string } = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page, say.
  }
  if (body.status_code === 0 && status < 400) return body as T;
  const code = body.status_code ?? NO_CODE;
  const said = plain(body.status_msg ?? "", code);
  if (code === TOO_MANY || status === 429) {
    // What the server gives a reason for isn't over in a moment.
    throw said ? new ApiError(said, code) : new ApiError(t("tooBusy"), code, Number(retryAfter) || 1);
  }
  if (status === 408) throw new ApiError(t("tooSlow"), code);
  if (status >= 500 || code >= 20_000) throw new ApiError(t("serverFailed"), code);
  throw new ApiError(said || t("unknownFailure"), code);
}
