/** How an encrypted payload looks, for all who may meet one that they cannot read. */
import type { Payload } from '@temporalio/common';
import { decode } from '@temporalio/common/lib/encoding.js';
import { quotedUpTo } from '../rules/text.js';

/** The `encoding` of Temporal's own samples, by which other tools know it. */
export const ENCRYPTED = 'binary/encrypted';
/** The metadata that names the key, as in those samples. */
export const KEY_ID = 'encryption-key-id';
/** Metadata by which the codec tells the rest of its process that it has the key, and that it does not fit. */
export const NOT_AUTHENTIC = 'not-authentic';

/** The type of the failure of an activity whose input its worker cannot decrypt. */
export const PAYLOAD_UNREADABLE = 'PayloadUnreadable';

export function isEncrypted({ metadata }: Payload): boolean {
  return metadata?.['encoding'] != null && decode(metadata['encoding']) === ENCRYPTED;
}

/** The process has the key; another one of the same name would be no help. */
export function isNotAuthentic({ metadata }: Payload): boolean {
  return metadata?.[NOT_AUTHENTIC] != null;
}

/** Why an encrypted payload cannot be read, without its content. Callers choose the key's name. */
export function whyUnreadable(payload: Payload): string {
  const keyId = payload.metadata?.[KEY_ID];
  const key = quotedUpTo(40, keyId == null ? '' : decode(keyId));
  return `encrypted with key ${key}, ${isNotAuthentic(payload) ? 'which does not fit' : 'which is not known here'}`;
}

/**
 * What stands in the failure of a workflow task that has to wait for a worker with the key. It has no content, and is left
 * readable for those who have no key either.
 */
export function waitsForKey(payload: Payload): string {
  return `What this run needs is ${whyUnreadable(payload)}: it waits for a worker that has the key in PAYLOAD_ENCRYPTION_KEYS`;
}

/** Whether a failure says that, and nothing else. */
export function saysThatItWaitsForKey(message: string): boolean {
  return /^What this run needs is encrypted with key `[^`]{1,41}`, which [a-z ]{1,30}: it waits for a worker that has the key in PAYLOAD_ENCRYPTION_KEYS$/.test(
    message,
  );
}
