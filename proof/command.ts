/** Shared by chaos, soak, cluster and bench: flags, working folder, progress, and the end of the command. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CommanderError, InvalidArgumentError } from 'commander';
import { untilSignaledToStop } from '../scripts/processes.js';

export interface Surroundings {
  /** For the database and the logs. */
  readonly folder: string;
  readonly report: (text: string) => void;
  readonly onStop: (stop: () => Promise<unknown>) => void;
}

/** A program is missing on this machine; the message says how to install it. */
export class ToolMissing extends Error {
  override readonly name = 'ToolMissing';
}

/** @param main returns the exit code; a usage error that commander reports ends with 2, and so does a missing program */
export async function run(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof ToolMissing) {
      console.error(error.message);
      process.exitCode = 2;
    } else {
      console.error(error);
      process.exitCode = 1;
    }
  }
  // Cut connections may leave timers that keep the process alive; only output that is not flushed yet still matters.
  process.stdout.write('', () => process.exit());
}

/**
 * Runs a command until it is done or signaled to stop, and stops everything that it started.
 *
 * @param keepIn the folder that is kept, with all evidence
 * @returns undefined when it was signaled to stop
 */
export async function untilStopped<Result>(
  { keepIn, json }: { readonly keepIn: string | undefined; readonly json: true | undefined },
  begin: (surroundings: Surroundings) => Promise<{ readonly result: Result; readonly evidence: object }>,
): Promise<Result | undefined> {
  const folder = keepIn ?? mkdtempSync(join(tmpdir(), 'bill-run-emails-chaos-'));
  mkdirSync(folder, { recursive: true });
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const begun = begin({
      folder,
      report: (text) => {
        if (json === undefined) console.log(text);
      },
      onStop: (stop) => stops.push(stop),
    });
    // A failure after the stop is a consequence of the stop.
    begun.catch(() => undefined);
    const done = await Promise.race([begun, untilSignaledToStop()]);
    if (done === undefined) return undefined;
    if (keepIn !== undefined) writeFileSync(join(folder, 'evidence.json'), JSON.stringify(done.evidence, null, 1));
    return done.result;
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => undefined);
    if (keepIn === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function workerFile(path: string): string {
  if (!existsSync(path)) throw new InvalidArgumentError('There is no such file.');
  return resolve(path);
}

/** The folder must be empty: the database of an earlier run would mix its bill runs into ours. */
export function newFolder(path: string): string {
  if (existsSync(path) && readdirSync(path).length > 0) throw new InvalidArgumentError('The folder is not empty.');
  return resolve(path);
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (!(number >= least && number <= most)) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return number;
  };
}
