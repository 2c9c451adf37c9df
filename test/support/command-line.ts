/** The command line as operators run it: the built one. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Console } from 'node:console';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, inject, vi } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Given {
  readonly env?: NodeJS.ProcessEnv;
  /** What stands on stdin. */
  readonly stdin?: string | undefined;
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

const MAIN = join(projectRoot, 'dist', 'client', 'cli', 'main.js');

export const cli = (...args: string[]): Promise<Ended> => cliGiven({}, ...args);

/**
 * Runs a command in this process, where everything is loaded already: a process costs half a second of CPU time. Commands that read
 * stdin or wait get a process.
 */
export async function cliGiven(given: Given, ...args: string[]): Promise<Ended> {
  const ended = await started(given, ...args);
  if (args.includes('--json')) expectPublished(args, ended.stdout);
  return ended;
}

function started({ env = {}, stdin }: Given, ...args: string[]): Promise<Ended> {
  if (stdin !== undefined || args.some((arg) => arg.startsWith('--wait'))) return cliProcess({ env, stdin }, ...args);
  // One after the other: they share this process's environment and output.
  const ended = before.then(() => cliHere(env, args));
  before = ended.catch(() => undefined);
  return ended;
}

/** In a process of its own, which loads everything anew, such as the module of `BILL_RUN_DATA_CONVERTER`. */
export function cliProcess({ env, stdin }: Given, ...args: string[]): Promise<Ended> {
  return run(process.execPath, [MAIN, ...args], env, stdin);
}

const schema = JSON.parse(readFileSync(join(projectRoot, 'docs', 'output.schema.json'), 'utf8')) as {
  readonly $defs: Readonly<Record<string, object>>;
};
const ajv = addFormats.default(new Ajv2020({ allErrors: true, allowUnionTypes: true }));
ajv.addSchema(schema, 'output');

/** Each line is as docs/output.schema.json says. */
export function expectPublished(args: readonly string[], stdout: string): void {
  const name = args.find((each) => each in schema.$defs) ?? 'failure';
  for (const line of stdout.split('\n').filter((each) => each !== '')) {
    const isPublished = ajv.validate({ $ref: `output#/$defs/${name}` }, JSON.parse(line));
    expect(isPublished, `${name} --json printed ${line}: ${ajv.errorsText()}`).toBe(true);
  }
}

let before: Promise<unknown> = Promise.resolve();
let calls = 0;

/** Evaluates the main file, as Node would. */
async function cliHere(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const original = { env: process.env, argv: process.argv, exitCode: process.exitCode };
  const streams = [process.stdout, process.stderr];
  const listeners = streams.map((stream) => stream.listeners('error'));
  const restored = (['stdout', 'stderr'] as const).map((name) => {
    const write = (text: unknown): boolean => {
      output[name] += String(text);
      return true;
    };
    return vi.spyOn(process[name], 'write').mockImplementation(write);
  });
  const { console } = globalThis;
  globalThis.console = new Console(process.stdout, process.stderr);
  process.env = { ...process.env, TEMPORAL_ADDRESS: inject('temporalAddress'), ...env };
  process.argv = [process.execPath, MAIN, ...args];
  process.exitCode = 0;
  try {
    // Each URL is evaluated anew. What the file imports is loaded once.
    await native(`${pathToFileURL(MAIN).href}?call=${++calls}`);
    return { code: process.exitCode, ...output };
  } finally {
    for (const spy of restored) spy.mockRestore();
    globalThis.console = console;
    for (const [at, stream] of streams.entries()) {
      for (const listener of stream.listeners('error')) {
        if (!listeners[at]?.includes(listener)) stream.off('error', listener as () => void);
      }
    }
    Object.assign(process, original);
  }
}

/** Node's own import: vitest would transform the file. It does not transform a module that is given as a `data:` URL. */
const IMPORT = 'data:text/javascript,export default (url) => import(url)';
const { default: native } = (await import(IMPORT)) as { readonly default: (url: string) => Promise<unknown> };

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
