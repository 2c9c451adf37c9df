import { jsonIn } from './json.js';
import { keepable } from './words.js';

/**
 * What an attempt to email a bill run came to.
 *
 * - `accepted`: Zuora took the request; the emails leave later.
 * - `notExecuted`: Zuora did nothing, and the same request may pass later.
 * - `refused`: Zuora did nothing, and the same request will not pass until somebody mends the cause.
 * - `unknown`: Zuora may or may not have emailed the documents. It is never resolved by guessing.
 */
export type Verdict = 'accepted' | 'notExecuted' | 'refused' | 'unknown';

/** One reason, in Zuora's words or, for a failure of the connection, in undici's. */
export interface Reason {
  /** Zuora's code (a number of eight digits, or a word), or a stable code of undici or Node such as `ECONNRESET`. */
  readonly code: string;
  readonly message: string;
}

/** What came back for one HTTP call. */
export type Answer =
  /** A whole reply. `body` is its text after decompression. */
  | { readonly kind: 'reply'; readonly status: number; readonly headers: Headers; readonly body: string }
  /** A status, but a body that was cut off, too large, or not what its encoding claims. */
  | {
      readonly kind: 'unreadable';
      readonly status: number;
      readonly headers: Headers;
      readonly code: string;
      readonly message: string;
    }
  /** No status at all: a timeout, a reset, a closed socket. */
  | { readonly kind: 'silence'; readonly code: string; readonly message: string };

/** An answer that may be quoted: who rejects a secret may repeat it. */
export function withoutSecrets(answer: Answer, secrets: readonly string[]): Answer {
  if (answer.kind === 'silence') return answer;
  const without = (text: string): string => secrets.reduce((left, secret) => left.replaceAll(secret, '[secret]'), text);
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? without(value) : value?.map(without),
    ]),
  );
  return answer.kind === 'reply' ? { ...answer, headers, body: without(answer.body) } : { ...answer, headers };
}

/** Header names in lower case, as undici gives them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Outcome {
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
  /** Zuora did not take our token: drop it before the next call. */
  readonly tokenRejected: boolean;
  /** How long Zuora asks us to wait, in milliseconds; absent where it does not say. */
  readonly retryAfterMs?: number;
}

/**
 * The verdict on any answer to `POST /v1/bill-runs/{key}/emails`. Total: every answer has one, and whatever is not
 * known to be something else is `unknown`. Sources: Zuora's pages on error codes, error handling, idempotent requests
 * and rate limits.
 */
export function outcomeOf(answer: Answer, now: number): Outcome {
  if (answer.kind === 'silence') {
    // The request may have arrived: Zuora works on, and sends, after the connection is gone.
    return { verdict: 'unknown', reasons: [reason(answer.code, answer.message)], tokenRejected: false };
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
    reasons: verdict === 'accepted' ? [] : reasonsOf(answer, body),
    tokenRejected: verdict !== 'accepted' && (answer.status === 401 || categories.includes(11)),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** The 4xx that Zuora answers before it does anything: a caller's mistake, a permission, or a key used for something else. */
const REFUSING_STATUSES: readonly number[] = [400, 403, 404, 405, 406, 415, 422];

function verdictOf(status: number, success: unknown, categories: readonly number[]): Verdict {
  if (status >= 200 && status < 300) {
    if (success === true) return 'accepted';
    // Zuora reports failures as HTTP 200 for versions before 2024-05-20, and where it forgets not to.
    return success === false ? verdictOfCategories(categories) : 'unknown';
  }
  // 5xx: a gateway or a crash, possibly behind a request that was carried out, whatever the body says.
  // 3xx: not followed, and nobody knows what the other address would do with the request.
  if (!(status >= 400 && status < 500)) return 'unknown';

  // Authentication comes before everything else.
  if (status === 401) return 'notExecuted';
  // Rate and concurrency limits are checked at the gate.
  if (status === 429) return 'notExecuted';

  const byCategory = categories.length === 0 ? undefined : verdictOfCategories(categories);
  // 409 is a lock (category 50: nothing was done), or a first request under the same key still at work (who knows).
  if (status === 409) return byCategory === 'notExecuted' ? 'notExecuted' : 'unknown';
  return byCategory ?? (REFUSING_STATUSES.includes(status) ? 'refused' : 'unknown');
}

/** What the body would have said is lost, so only a status counts that needs no body; the next answer may be whole. */
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
    case 11: // authentication failed: a new token may pass
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
    default: // 60 internal error, 61 temporary error, 99 integration error, and whatever Zuora adds
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

/** Zuora's codes stand in `reasons[].code`, or, for a 403, in `code` itself; a number, or the same as a string. */
function codesOf(body: JsonObject): readonly { code: unknown; message: unknown }[] {
  const reasons = Array.isArray(body['reasons']) ? body['reasons'].filter(isObject) : [];
  const all = reasons.length > 0 ? reasons : [body];
  return all.map((each) => ({ code: each['code'], message: each['message'] }));
}

/** One category for each code that is there; -1, which is none of Zuora's, for a code that is no number. */
function categoriesOf(body: JsonObject): readonly number[] {
  const categories = codesOf(body)
    .map(({ code }) => (typeof code === 'number' || typeof code === 'string' ? String(code) : ''))
    .filter((code) => code !== '')
    // Six digits name the resource and two the category; limits answer with the bare category.
    .map((code) => (/^(\d{6})?\d{2}$/.test(code) ? Number(code.slice(-2)) : -1));
  // A word such as `SystemError` says nothing by itself; beside a status that does, the status counts.
  return categories.every((category) => category === -1) ? [] : categories;
}

/** How many reasons are kept of one reply. */
const MOST_REASONS = 5;

function reasonsOf(answer: Exclude<Answer, { kind: 'silence' }>, body: JsonObject | undefined): readonly Reason[] {
  if (answer.kind === 'unreadable') return [reason(`HTTP ${answer.status}`, `${answer.code}: ${answer.message}`)];
  const worded = body === undefined ? [] : codesOf(body).filter(({ code, message }) => isText(code) || isText(message));
  if (worded.length > 0) {
    return worded
      .slice(0, MOST_REASONS)
      .map(({ code, message }) =>
        reason(isText(code) ? String(code) : `HTTP ${answer.status}`, isText(message) ? String(message) : ''),
      );
  }
  const what =
    answer.body === '' ? 'an empty body' : body === undefined ? 'a body that is no JSON object' : 'no reason';
  return [reason(`HTTP ${answer.status}`, `Zuora answered HTTP ${answer.status} with ${what}`)];
}

function isText(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function reason(code: string, message: string): Reason {
  return { code: keepable(code, 60), message: keepable(message) };
}

/**
 * `Retry-After` in seconds or as a date; over a limit also `ratelimit-reset` in seconds, which Zuora sends with every
 * answer and which says nothing elsewhere. In milliseconds from now, never negative.
 */
function retryAfter(headers: Headers, overLimit: boolean, now: number): number | undefined {
  const wait = waitFrom(first(headers['retry-after']), now);
  return wait ?? (overLimit ? waitFrom(first(headers['ratelimit-reset']), now) : undefined);
}

/** A day of the week begins every HTTP date; `Date.parse` alone would take "-5" for one. */
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
