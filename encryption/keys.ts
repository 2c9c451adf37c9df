import { createSecretKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { readSecret, secretOf, type Fault } from '../environment/secret.js';
import { readEnvironment } from '../zuora/configuration.js';

/** The keys of payload encryption. A `KeyObject` shows nothing of itself in logs and errors. */
export interface EncryptionKeys {
  /** The id of the key that encrypts: the first in the list. */
  readonly current: string;
  /** All decrypt. */
  readonly byId: ReadonlyMap<string, KeyObject>;
}

export interface EncryptionConfiguration {
  /** Absent: nothing is encrypted. */
  readonly encryption?: EncryptionKeys;
}

const VARIABLE = 'PAYLOAD_ENCRYPTION_KEYS';
const FILE = 'PAYLOAD_ENCRYPTION_KEYS_FILE';

/** For AES-256. */
const KEY_BYTES = 32;
const HOW_TO_MAKE_ONE = 'make one with: openssl rand -base64 32';

/** `keyId:base64` entries, separated by commas or line breaks, given as they are or in a file. */
export const encryptionEnvironment = z
  .object({ [VARIABLE]: z.string().optional(), [FILE]: z.string().optional() })
  .transform((env, context): EncryptionConfiguration => {
    const fault: Fault = (name, message) => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    const secret = secretOf(env, VARIABLE, fault);
    const list = secret && readSecret(secret, VARIABLE, fault);
    if (secret === undefined || list === undefined) return {};
    try {
      return { encryption: keysIn(list) };
    } catch (error) {
      if (!(error instanceof KeyFault)) throw error;
      fault('path' in secret ? FILE : VARIABLE, error.message);
      return z.NEVER;
    }
  });

/**
 * The keys that the environment gives, or none.
 *
 * @throws ConfigurationError that names all faults together; nothing of a key is in it
 */
export function encryptionKeys(env: NodeJS.ProcessEnv): EncryptionKeys | undefined {
  return readEnvironment(encryptionEnvironment, env, 'the keys of payload encryption are not as they must be')
    .encryption;
}

/** Names entries by their place, and quotes nothing: who mixes up the halves of one has a key where its id should be. */
class KeyFault extends Error {}

function keysIn(text: string): EncryptionKeys {
  const entries = text
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const byId = new Map<string, KeyObject>();
  for (const [index, entry] of entries.entries()) {
    const [, id, key] = /^([\w.-]{1,40}):([A-Za-z\d+/]{43}=)$/.exec(entry) ?? [];
    const bytes = Buffer.from(key ?? '', 'base64');
    if (id === undefined || bytes.length !== KEY_BYTES) {
      throw new KeyFault(
        `has no keyId:key in place ${index + 1}: an id of at most 40 letters, digits, "-", "_" and ".", then a colon, then ` +
          `the base64 of ${KEY_BYTES} bytes (${HOW_TO_MAKE_ONE})`,
      );
    }
    if (byId.has(id)) throw new KeyFault(`has in place ${index + 1} an id that another key has`);
    byId.set(id, createSecretKey(bytes));
  }
  const [current] = byId.keys();
  if (current === undefined) throw new KeyFault(`has no key (${HOW_TO_MAKE_ONE})`);
  return { current, byId };
}
