import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** What a send is for. */
export interface Intent {
  readonly billRunId: string;
  readonly resend: boolean;
  /** The id of the first request that the send serves; it counts for a `resend=true` send only. */
  readonly requestId: string;
}

/**
 * What all idempotency keys of an intent begin with. The same intent always gives the same, and different intents never
 * share one. Built from business ids alone, so that crashes, resets, and further runs of the workflow come to the same
 * keys; and legal for Zuora, which wants at most 255 printable ASCII characters, whatever callers put into ids.
 */
export function intentKey({ billRunId, resend, requestId }: Intent): string {
  const what = resend ? ['resend', plain(requestId)] : ['first'];
  return ['bill-run-email', plain(billRunId), ...what].join('/');
}

/** The number grows only when it is certain, or a person takes the risk, that nothing was done under the number before. */
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
 * `Zuora-Track-Id` of one attempt: at most 64 characters, none of `: ; " '`. The unique part tells a reply to this
 * attempt from a stored one; the rest tells which key and which attempt a reply was made for.
 */
export function trackId(key: string, attempt: number, unique: string): string {
  return `${trackIdPrefix(key)}${attempt}-${unique.slice(0, 8)}`;
}

/** The text itself where it is harmless, else its digest, in a form that no harmless text has. */
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
