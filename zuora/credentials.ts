import { readFile } from 'node:fs/promises';
import type { Secret } from '../environment/secret.js';
import { NeverLeft } from './transport.js';

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/**
 * Reads the credentials. It is called for each token, so that replaced ones count without a restart.
 *
 * @throws {@link NeverLeft} if they cannot be read
 */
export type CredentialSource = () => Promise<Credentials>;

export function credentialsFrom(clientId: Secret, clientSecret: Secret): CredentialSource {
  return async () => ({ clientId: await read(clientId), clientSecret: await read(clientSecret) });
}

async function read(secret: Secret): Promise<string> {
  if ('value' in secret) return secret.value;
  const text = await readFile(secret.path, 'utf8').catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new NeverLeft(`no token: the file ${secret.path} cannot be read (${code})`, 'CREDENTIALS_UNREADABLE');
  });
  // Editors and secret managers end a file with a newline.
  const value = text.trim();
  if (value === '') throw new NeverLeft(`no token: the file ${secret.path} is empty`, 'CREDENTIALS_UNREADABLE');
  if (/\p{Control}/u.test(value)) {
    throw new NeverLeft(`no token: the file ${secret.path} holds more than one line`, 'CREDENTIALS_UNREADABLE');
  }
  return value;
}
