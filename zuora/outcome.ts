import { jsonIn } from './json.js';
import { keepable, type Mask } from './words.js';

/**
 * The verdict on an attempt to email a bill run.
 *
 * - `accepted`: Zuora accepted the request; the emails leave later.
 * - `notExecuted`: Zuora did nothing, and the same request may succeed later.
 * - `refused`: Zuora did nothing, and the same request fails until a person fixes the cause.
 * - `unknown`: Zuora may or may not have emailed the documents. It is never resolved by guessing.
 */
export type Verdict = 'accepted' | 'notExecuted' | 'refused' | 'unknown';

/** One reason, in Zuora's words or, for a failure of the connection, in undici's. */
export interface Reason {
  /** Zuora's code (a number of eight digits, or a word), or a stable code of undici or Node such as `ECONNRESET`. */
  readonly code: string;
  readonly message: string;
}

/** The answer to one HTTP call. */
export type Answer =
  /** A whole reply. `body` is its text after decompression. */
  | { readonly kind: 'reply'; readonly status: number; readonly headers: Headers; readonly body: string }
  /** A status with a body that was cut off, is too large, or does not match its encoding. */
  | {
      readonly kind: 'unreadable';
      readonly status: number;
      readonly headers: Headers;
      readonly code: string;
      readonly message: string;
    }
  /** No status at all: a timeout, a reset, a closed socket. */
  | { readonly kind: 'silence'; readonly code: string; readonly message: string };

/** Header names in lower case, as undici gives them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Outcome {
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
  /** Zuora refused our token: drop it before the next call. */
  readonly tokenRejected: boolean;
  /** The wait that Zuora asks for, in milliseconds, if it does. */
  readonly retryAfterMs?: number;
}

/**
 * Gives the verdict on any answer to `POST /v1/bill-runs/{key}/emails`. An answer that no rule knows is `unknown`. Sources:
 * Zuora's pages on error codes, error handling, idempotent requests and rate limits.
 *
 * @param mask for the words that are kept
 */
export function outcomeOf(answer: Answer, now: number, mask: Mask = (text) => text): Outcome {
  const reason = ({ code, message }: Reason): Reason => ({
    code: keepable(mask(code), 60),
    message: keepable(mask(message)),
  });
  if (answer.kind === 'silence') {
    // The request may have arrived: Zuora works on, and sends, after the connection is gone.
    return { verdict: 'unknown', reasons: [reason(answer)], tokenRejected: false };
  }
  const body = answer.kind === 'reply' ? parsed(answer.body) : undefined;
  const categories = body === undefined ? [] : categoriesOf(body);
  const verdict =
    answer.kind === 'reply'
      ? verdictOf(answer.status, body?.['success'], categories)
      : verdictOfUnreadable(answer.status);
  const overLimit = answer.status === 429 || categories.includes(70);
  const retryAfterMs = retryAfter(answer.headers, overLimit, now);
  return {
    verdict,
    reasons: verdict === 'accepted' ? [] : reasonsOf(answer, body).map(reason),
    tokenRejected: verdict !== 'accepted' && (answer.status === 401 || categories.includes(11)),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** The 4xx that Zuora answers before it does anything: a caller's mistake, a permission, or a key of another request. */
const REFUSING_STATUSES: readonly number[] = [400, 403, 404, 405, 406, 415, 422];

function verdictOf(status: number, success: unknown, categories: readonly number[]): Verdict {
  if (status >= 200 && status < 300) {
    if (success === true) return 'accepted';
    // Zuora reports some failures as HTTP 200, though its documentation says otherwise for our version of the API.
    return success === false ? verdictOfCategories(categories) : 'unknown';
  }
  // 5xx: a gateway or a crash, perhaps after Zuora carried out the request, whatever the body says.
  // 3xx: not followed, and the effect at the other address is unknown.
  if (!(status >= 400 && status < 500)) return 'unknown';

  // Zuora checks authentication first.
  if (status === 401) return 'notExecuted';
  // Zuora checks its limits before it does anything.
  if (status === 429) return 'notExecuted';

  const byCategory = categories.length === 0 ? undefined : verdictOfCategories(categories);
  // 409 is a lock (category 50: nothing was done), or a first request under the same key that is still in progress (unknown).
  if (status === 409) return byCategory === 'notExecuted' ? 'notExecuted' : 'unknown';
  return byCategory ?? (REFUSING_STATUSES.includes(status) ? 'refused' : 'unknown');
}

/** Without the body, only a status counts that is certain by itself. */
function verdictOfUnreadable(status: number): Verdict {
  return status === 401 || status === 429 ? 'notExecuted' : 'unknown';
}

/** The verdict by the last two digits of Zuora's error codes. With several, the least certain one counts. */
function verdictOfCategories(categories: readonly number[]): Verdict {
  const verdicts = categories.map(verdictOfCategory);
  if (verdicts.length === 0 || verdicts.includes('unknown')) return 'unknown';
  return verdicts.includes('refused') ? 'refused' : 'notExecuted';
}

function verdictOfCategory(category: number): Verdict {
  switch (category) {
    case 11: // authentication failed: a new token may work
    case 50: // locking contention: Zuora asks to resubmit
    case 70: // over a limit: Zuora asks to resubmit later
      return 'notExecuted';
    case 10: // permission denied
    case 20: // invalid value
    case 21: // unknown field
    case 22: // missing field
    case 23: // missing parameter
    case 24: // 24 to 26 are not documented one by one; the whole block is about invalid input
    case 25:
    case 26:
    case 27: // invalid query parameter
    case 30: // rule restriction, such as a bill run that is not posted
    case 40: // not found
    case 45: // unsupported
    case 90: // malformed JSON
      return 'refused';
    default: // 60 internal error, 61 temporary error, 99 integration error, and future ones
      return 'unknown';
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

function parsed(text: string): JsonObject | undefined {
  const value = jsonIn(text);
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Zuora's codes are in `reasons[].code`, or for a 403 in `code`, as numbers or strings. */
function codesOf(body: JsonObject): readonly { code: unknown; message: unknown }[] {
  const reasons = Array.isArray(body['reasons']) ? body['reasons'].filter(isObject) : [];
  const all = reasons.length > 0 ? reasons : [body];
  return all.map((each) => ({ code: each['code'], message: each['message'] }));
}

/** One category for each code; -1, which Zuora does not use, for a code that is not a number. */
function categoriesOf(body: JsonObject): readonly number[] {
  const categories = codesOf(body)
    .map(({ code }) => (typeof code === 'number' || typeof code === 'string' ? String(code) : ''))
    .filter((code) => code !== '')
    // Six digits name the resource and two the category; limits answer with the bare category.
    .map((code) => (/^(\d{6})?\d{2}$/.test(code) ? Number(code.slice(-2)) : -1));
  // A word such as `SystemError` has no meaning by itself, so the status counts.
  return categories.every((category) => category === -1) ? [] : categories;
}

/** Reasons kept of one reply. */
const MOST_REASONS = 5;

function reasonsOf(answer: Exclude<Answer, { kind: 'silence' }>, body: JsonObject | undefined): readonly Reason[] {
  if (answer.kind === 'unreadable')
    return [{ code: `HTTP ${answer.status}`, message: `${answer.code}: ${answer.message}` }];
  const worded = body === undefined ? [] : codesOf(body).filter(({ code, message }) => isText(code) || isText(message));
  if (worded.length > 0) {
    return worded.slice(0, MOST_REASONS).map(({ code, message }) => ({
      code: isText(code) ? String(code) : `HTTP ${answer.status}`,
      message: isText(message) ? String(message) : '',
    }));
  }
  const what =
    answer.body === '' ? 'an empty body' : body === undefined ? 'a body that is not a JSON object' : 'no reason';
  return [{ code: `HTTP ${answer.status}`, message: `Zuora answered HTTP ${answer.status} with ${what}` }];
}

function isText(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/**
 * The wait by `Retry-After`, in seconds or as a date, or over a limit by `ratelimit-reset` in seconds. Zuora sends the latter
 * with every answer, so it counts only there. In milliseconds from now, never negative.
 */
function retryAfter(headers: Headers, overLimit: boolean, now: number): number | undefined {
  const wait = waitFrom(first(headers['retry-after']), now);
  return wait ?? (overLimit ? waitFrom(first(headers['ratelimit-reset']), now) : undefined);
}

/** Every HTTP date begins with a day of the week; `Date.parse` alone would accept "-5". */
const HTTP_DATE = /^\s*[A-Z][a-z]{2,8}, .* GMT\s*$/;

function waitFrom(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\s*(\d{1,9})(\.\d+)?\s*(?:[,;].*)?$/.exec(value);
  if (seconds !== null) return Math.ceil(Number(`${seconds[1] ?? ''}${seconds[2] ?? ''}`) * 1000);
  const date = HTTP_DATE.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
