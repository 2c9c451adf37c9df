import { fileURLToPath } from 'node:url';
import type { DataConverter, LoadedDataConverter } from '@temporalio/common';
import { defaultFailureConverter } from '@temporalio/common';
import { encryptionCodec } from './codec.js';
import { failureConverter, payloadConverter } from './converters.js';
import type { EncryptionKeys } from './keys.js';

/**
 * For clients: encrypts if the environment has keys, and without them says so where it meets what is encrypted.
 *
 * @throws ConfigurationError where the keys are not as they must be
 */
export async function clientDataConverter(env: NodeJS.ProcessEnv): Promise<LoadedDataConverter> {
  const { PAYLOAD_ENCRYPTION_KEYS = '', PAYLOAD_ENCRYPTION_KEYS_FILE = '' } = env;
  // What reads keys takes a tenth of a second to load.
  if (PAYLOAD_ENCRYPTION_KEYS + PAYLOAD_ENCRYPTION_KEYS_FILE === '') {
    return { payloadConverter, failureConverter: defaultFailureConverter, payloadCodecs: [] };
  }
  const { encryptionKeys } = await import('./keys.js');
  const keys = encryptionKeys(env);
  return { payloadConverter, failureConverter, payloadCodecs: keys === undefined ? [] : [encryptionCodec(keys)] };
}

/** For workers and replays; it loads the compiled converters. */
export function workerDataConverter(keys: EncryptionKeys): DataConverter {
  const converters = fileURLToPath(new URL('./converters.js', import.meta.url));
  return {
    payloadConverterPath: converters,
    failureConverterPath: converters,
    payloadCodecs: [encryptionCodec(keys)],
  };
}
