import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** What a send is for. */
export interface Intent {
  readonly billRunId: string;
  readonly resend: boolean;
  /** The id of the first request that the send serves. It counts for a resend only. */
  readonly requestId: string;
}

/**
 * The prefix of all idempotency keys of an intent. One intent has one prefix, and two intents never share one. It is built from
 * business ids alone, so that crashes, resets and further jobs use the same keys. Zuora takes at most 255 printable ASCII characters,
 * so other texts are replaced by their digest.
 */
export function intentKey({ billRunId, resend, requestId }: Intent): string {
  const what = resend ? ['resend', plain(requestId)] : ['first'];
  return ['bill-run-email', plain(billRunId), ...what].join('/');
}

/** Whether it is the prefix of the keys of a first send. */
export function isFirstIntent(intent: string): boolean {
  return /^bill-run-email\/[^/]+\/first$/.test(intent);
}

/** The number grows only as rule 3 says: if nothing was executed under the last one, or if a person takes the risk. */
export function idempotencyKey(intent: string, number: number): string {
  return `${intent}/${number}`;
}

export function keyParts(key: string): { readonly intent: string; readonly number: number } {
  const end = key.lastIndexOf('/');
  return { intent: key.slice(0, end), number: Number(key.slice(end + 1)) };
}

/** The part of a `Zuora-Track-Id` that all attempts under one key share. */
export function trackIdPrefix(key: string): string {
  return `bre-${digest(key).slice(0, 24)}-`;
}

/**
 * `Zuora-Track-Id` of one attempt: at most 64 characters, none of `: ; " '`. The unique part distinguishes a reply to this attempt from
 * a stored one. The rest shows the key and the attempt that a reply was made for.
 */
export function trackId(key: string, attempt: number, unique: string): string {
  return `${trackIdPrefix(key)}${attempt}-${unique.slice(0, 8)}`;
}

/** The text itself if it is harmless; otherwise its digest, in a form that no harmless text has. */
function plain(text: string): string {
  return /^(?!sha256-)[A-Za-z0-9._-]{1,100}$/.test(text) ? text : `sha256-${digest(text)}`;
}

/** Over UTF-16 code units, because UTF-8 gives all lone surrogates the same bytes. */
function digest(text: string): string {
  const bytes = new Uint8Array(text.length * 2);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    bytes[2 * index] = unit >> 8;
    bytes[2 * index + 1] = unit & 0xff;
  }
  return bytesToHex(sha256(bytes));
}
