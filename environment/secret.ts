import { readFileSync } from 'node:fs';
import type { z } from 'zod';

/** A secret, or the path of the file that holds it, such as a mounted one. */
export type Secret = { readonly value: string } | { readonly path: string };

/**
 * Finds a secret in `VARIABLE`, or in the file that `VARIABLE_FILE` names. Reports a missing, ambiguous, unreadable, short
 * or badly copied one as an issue of the schema, without its value.
 *
 * @param minLength in characters
 */
export function secretOf(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
  context: z.RefinementCtx,
  minLength = 0,
): Secret {
  const inFile = `${variable}_FILE`;
  const { [variable]: value, [inFile]: path } = env;
  const fault = (name: string, message: string): Secret => {
    context.addIssue({ code: 'custom', path: [name], message });
    return { value: '' };
  };
  if (value !== undefined && path !== undefined) return fault(variable, `and ${inFile} exclude each other`);
  if (value === undefined && path === undefined) return fault(variable, `is missing, and so is ${inFile}`);
  if (value !== undefined && /^\s|\s$|\p{Control}/u.test(value)) {
    return fault(variable, 'begins or ends with a space, or holds a line break');
  }
  const secret = path === undefined ? { value: value ?? '' } : { path };
  try {
    if (readSecret(secret).length >= minLength) return secret;
  } catch (error) {
    return fault(inFile, `names a file that cannot be read: ${(error as Error).message}`);
  }
  return fault(
    path === undefined ? variable : inFile,
    `gives less than ${minLength} characters; make some with: openssl rand -hex 32`,
  );
}

/** The same for a secret that may be absent. */
export function optionalSecretOf(...[env, variable, context]: Parameters<typeof secretOf>): Secret | undefined {
  const isAbsent = env[variable] === undefined && env[`${variable}_FILE`] === undefined;
  return isAbsent ? undefined : secretOf(env, variable, context);
}

/** Reads the file each time, because it may have been replaced. */
export function readSecret(secret: Secret): string {
  // Editors and secret managers end a file with a newline.
  return 'value' in secret ? secret.value : readFileSync(secret.path, 'utf8').trim();
}
