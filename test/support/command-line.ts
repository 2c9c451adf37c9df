/** The command line as operators run it: the built one, in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, inject } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Given {
  readonly env?: NodeJS.ProcessEnv;
  /** What stands on stdin. */
  readonly stdin?: string;
}

export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const environment = { ...process.env, TEMPORAL_ADDRESS: inject('temporalAddress'), ...env };
    const child = execFile(command, args, { env: environment, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr });
    });
    // Who reads none of it may be gone before.
    child.stdin?.on('error', () => undefined).end(stdin);
  });
}

export const cli = (...args: string[]): Promise<Ended> => cliGiven({}, ...args);

export const cliGiven = ({ env, stdin }: Given, ...args: string[]): Promise<Ended> =>
  run(process.execPath, [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), ...args], env, stdin);

/** The one JSON document that a command prints when it did as asked. */
export async function json<T>(ended: Promise<Ended>): Promise<T> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** The JSON lines that a command prints, whatever its exit code. */
export function jsonLines({ stdout }: Ended): readonly unknown[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
