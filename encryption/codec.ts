import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { ENCRYPTED, isEncrypted, KEY_ID, NOT_AUTHENTIC } from '../workflows/sandbox/encrypted.js';
import type { EncryptionKeys } from './keys.js';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts payloads whole, their metadata too, as Temporal's samples do: `data` is IV, ciphertext and tag; the key's id stands
 * in the metadata, and is authenticated with the rest.
 *
 * Decoding never throws, because that would fail a workflow task for ever: what cannot be decrypted stays as it is, marked
 * where it is not for want of a key.
 */
export function encryptionCodec({ current, byId }: EncryptionKeys): PayloadCodec {
  const currentKey = byId.get(current);
  if (currentKey === undefined) throw new Error(`There is no key ${current}`);
  return {
    encode: (payloads) => Promise.resolve(payloads.map((each) => encrypt(each, current, currentKey))),
    decode: (payloads) => Promise.resolve(payloads.map((each) => decrypt(each, byId))),
  };
}

function encrypt(payload: Payload, keyId: string, key: KeyObject): Payload {
  if (isEncrypted(payload)) return payload;
  // Random IVs: NIST SP 800-38D allows 2^32 payloads for each key.
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(keyId));
  const data = [iv, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return { metadata: { encoding: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from(keyId) }, data: Buffer.concat(data) };
}

function decrypt(payload: Payload, byId: EncryptionKeys['byId']): Payload {
  if (!isEncrypted(payload)) return payload;
  // Only the codec says so.
  const { [NOT_AUTHENTIC]: _, ...metadata } = payload.metadata ?? {};
  const keyId = metadata[KEY_ID] ?? new Uint8Array();
  const key = byId.get(Buffer.from(keyId).toString());
  if (key === undefined) return { metadata, data: payload.data ?? new Uint8Array() };
  const data = payload.data ?? new Uint8Array();
  try {
    const tagAt = data.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(keyId)
      .setAuthTag(data.subarray(Math.max(tagAt, 0)));
    return PayloadMessage.decode(Buffer.concat([decipher.update(data.subarray(IV_BYTES, tagAt)), decipher.final()]));
  } catch {
    return { metadata: { ...metadata, [NOT_AUTHENTIC]: new Uint8Array() }, data };
  }
}
