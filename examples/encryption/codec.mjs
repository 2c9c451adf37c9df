/**
 * Encrypts payloads by AES-256-GCM, in the format of Temporal's samples: `binary/encrypted`, the key's id in the metadata, and
 * IV, ciphertext and tag as data. The key's id is authenticated too. BILL_RUN_DATA_CONVERTER names this file.
 */
import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import proto from '@temporalio/proto';

const { Payload } = proto.temporal.api.common.v1;

const CIPHER = 'aes-256-gcm';
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const keys = keysIn(process.env);
const [currentId] = keys.keys();

export default [
  {
    encode: async (payloads) => payloads.map((payload) => (isEncrypted(payload) ? payload : encrypt(payload))),
    // A payload that cannot be decrypted throws. A worker then fails the task, and Temporal repeats it for a worker with the key.
    decode: async (payloads) => payloads.map((payload) => (isEncrypted(payload) ? decrypt(payload) : payload)),
  },
];

function isEncrypted({ metadata }) {
  return metadata?.encoding != null && Buffer.from(metadata.encoding).toString() === ENCODING;
}

function encrypt(payload) {
  // Random IVs: NIST SP 800-38D allows 2^32 payloads for each key.
  const iv = randomBytes(IV_BYTES);
  const keyId = Buffer.from(currentId);
  const cipher = createCipheriv(CIPHER, keys.get(currentId), iv, { authTagLength: TAG_BYTES }).setAAD(keyId);
  const data = [iv, cipher.update(Payload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: keyId }, data: Buffer.concat(data) };
}

function decrypt({ metadata, data = new Uint8Array() }) {
  const keyId = Buffer.from(metadata[KEY_ID] ?? []);
  const key = keys.get(keyId.toString());
  if (key === undefined) throw new Error(`it needs the key ${JSON.stringify(keyId.toString().slice(0, 40))}`);
  try {
    const tagAt = data.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(keyId)
      .setAuthTag(data.subarray(tagAt));
    return Payload.decode(Buffer.concat([decipher.update(data.subarray(IV_BYTES, tagAt)), decipher.final()]));
  } catch (cause) {
    throw new Error(`it does not fit the key ${JSON.stringify(keyId.toString())}`, { cause });
  }
}

/** `id:base64` entries, separated by commas or line breaks. The first key encrypts, all of them decrypt. */
function keysIn({ PAYLOAD_ENCRYPTION_KEYS: list, PAYLOAD_ENCRYPTION_KEYS_FILE: file }) {
  if (!list && !file) throw new Error('PAYLOAD_ENCRYPTION_KEYS is missing, and so is PAYLOAD_ENCRYPTION_KEYS_FILE');
  const entries = (list || readFileSync(file, 'utf8')).split(/[,\s]+/).filter((entry) => entry !== '');
  return new Map(
    entries.map((entry, index) => {
      const [, id, key] = /^([\w.-]{1,40}):([A-Za-z\d+/]{43}=)$/.exec(entry) ?? [];
      // Without the entry: it may be a key without its id.
      if (id === undefined)
        throw new Error(`PAYLOAD_ENCRYPTION_KEYS: entry ${index + 1} is not id:<base64 of 32 bytes>`);
      return [id, createSecretKey(Buffer.from(key, 'base64'))];
    }),
  );
}
