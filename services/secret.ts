import { readFileSync } from 'node:fs';

/** What is guessed opens everything, and nobody types it often. */
const SHORTEST = 16;

/**
 * A secret that callers must show: the value of a variable, or of the file that the variable with `_FILE` at its end names.
 *
 * @param fault takes what is wrong with which variable; the secret is not in it
 */
export function secretIn(
  env: Readonly<Record<string, unknown>>,
  variable: string,
  fault: (name: string, message: string) => void,
): string {
  const { [variable]: value, [`${variable}_FILE`]: path } = env;
  const name = typeof path === 'string' ? `${variable}_FILE` : variable;
  if (typeof value === 'string' && typeof path === 'string') fault(name, `and ${variable} exclude each other`);
  if (typeof value !== 'string' && typeof path !== 'string') {
    fault(name, `is missing, and so is ${variable}_FILE`);
    return '';
  }
  const secret =
    typeof path === 'string'
      ? readIn(path, (message) => {
          fault(name, message);
        })
      : String(value);
  if (secret !== undefined && secret.length < SHORTEST) {
    fault(name, `gives less than ${SHORTEST} characters; make some with: openssl rand -hex 32`);
  }
  return secret ?? '';
}

function readIn(path: string, fault: (message: string) => void): string | undefined {
  try {
    // Editors and secret managers end a file with a newline.
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    fault(`names a file that cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}
