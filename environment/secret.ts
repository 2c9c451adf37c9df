import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A secret as it is, or in the file at a path, such as that of a mounted secret. */
export type Secret = { readonly value: string } | { readonly path: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Takes what is wrong with which variable; nothing of a secret is in it. */
export type Fault = (variable: string, message: string) => void;

/** What is guessed opens everything, and nobody types it often. */
const SHORTEST = 16;

/** Where a secret is: in a variable, or in the file that the variable with `_FILE` at its end names. */
export function secretOf(env: Environment, variable: string, fault: Fault): Secret | undefined {
  const { [variable]: value, [`${variable}_FILE`]: path } = env;
  if (value !== undefined && path !== undefined) fault(variable, `and ${variable}_FILE exclude each other`);
  if (path !== undefined) return { path };
  return value === undefined ? undefined : { value };
}

/** The same, where there must be one. */
export function neededSecret(env: Environment, variable: string, fault: Fault): Secret {
  const secret = secretOf(env, variable, fault);
  if (secret === undefined) fault(variable, `is missing, and so is ${variable}_FILE`);
  return secret ?? { value: '' };
}

/** What it is now: a file may be replaced at any time. Undefined, with a fault, where the file cannot be read. */
export function readSecret(secret: Secret, variable: string, fault: Fault): string | undefined {
  if ('value' in secret) return secret.value;
  try {
    // Editors and secret managers end a file with a newline.
    return readFileSync(secret.path, 'utf8').trim();
  } catch (error) {
    fault(`${variable}_FILE`, `names a file that cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

/** Makes faults those of an environment that is being read. */
export function faultsOf(context: z.RefinementCtx): Fault {
  return (name, message) => {
    context.addIssue({ code: 'custom', path: [name], message });
  };
}

/** For the environment of a server: the secret that its callers must show, read once. */
export function shownSecret(variable: string) {
  return z.record(z.string(), z.string()).transform((env, context) => {
    const fault = faultsOf(context);
    const needed = neededSecret(env, variable, fault);
    const secret = readSecret(needed, variable, fault) ?? '';
    if (context.issues.length === 0 && secret.length < SHORTEST) {
      const name = 'path' in needed ? `${variable}_FILE` : variable;
      fault(name, `gives less than ${SHORTEST} characters; make some with: openssl rand -hex 32`);
    }
    return { secret };
  });
}
