/** Commands that are about one bill run or about many. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { AT_ONCE, tryEach, type Tried } from '../many.js';
import { BillRunEmailsError, EXIT } from '../failures/errors.js';

export interface BillRunsOptions {
  readonly file?: string | undefined;
}

/** From so many on, a person at a terminal is told how far it is. */
const MANY = 25;

/** Of the bar that shows it, in characters. */
const BAR = 20;

export function onBillRuns(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('[bill-run...]', 'numbers of bill runs, such as BR-00000001, or their IDs')
    .option('--file <file>', 'bill runs from a file, one on a line; - is stdin; # begins a comment')
    .option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill runs')
    .option('--json', 'one JSON document on stdout; for several bill runs JSON lines, one object for each');
}

/** The bill runs that are named, each once. All are checked before anything is done about one. */
export async function billRunsNamed(args: readonly string[], { file }: BillRunsOptions): Promise<readonly string[]> {
  if (file !== undefined && args.length > 0) throw mistake('name bill runs as arguments or by --file, not both');
  const keys = [...new Set(file === undefined ? args : await keysIn(file))];
  const { checkInput } = await import('../../workflows/contract/validation.js');
  const wrong = keys.filter((billRunKey) => checkInput({ billRunKey }).faults !== undefined);
  if (wrong.length > 0) {
    const named = wrong.slice(0, 5).map((key) => JSON.stringify(key.slice(0, 60)));
    const more = wrong.length > named.length ? ` and ${wrong.length - named.length} more` : '';
    throw mistake(`no ID or number of a bill run: ${named.join(', ')}${more}; nothing was done`);
  }
  return keys;
}

async function keysIn(file: string): Promise<readonly string[]> {
  const { keyLines } = await import('./bill-run-file.js');
  return keyLines(await contentsOf(file)).map(({ input }) => input.billRunKey);
}

export async function contentsOf(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw mistake(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A mistake of the person at the keyboard: said in one line, without a stack trace. */
export function mistake(message: string): BillRunEmailsError {
  return new BillRunEmailsError('InvalidInput', message);
}

/**
 * Does the same for each, as `tryEach` does, and shows on a terminal how far it is.
 *
 * @param done what has been done to those that the progress counts: asked, told
 * @param options.silent `tell` prints nothing
 */
export async function forEach<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
  tell: (item: T, tried: Tried<R>) => void,
  done: string,
  { silent = false, atOnce = AT_ONCE }: { silent?: boolean; atOnce?: number } = {},
): Promise<void> {
  // Where each is told on the same terminal, those lines are the progress.
  const shown = process.stderr.isTTY && (silent || !process.stdout.isTTY) && items.length >= MANY;
  const show = (text: string): void => {
    // To the line's begin, and what stood there is gone.
    if (shown) process.stderr.write(`\r\x1b[K${text}`);
  };
  let count = 0;
  try {
    show(progress(0, items.length, done));
    for await (const { item, tried } of tryEach(items, ask, atOnce)) {
      tell(item, tried);
      count += 1;
      show(progress(count, items.length, done));
    }
  } finally {
    show('');
  }
}

function progress(count: number, all: number, done: string): string {
  const bar = '#'.repeat(Math.floor((BAR * count) / all)).padEnd(BAR, '-');
  return `[${bar}] ${done} ${count} of ${all}`;
}

/** The exit code for several bill runs is the highest of theirs. */
export function noteExitCode(code: number): void {
  process.exitCode = Math.max(Number(process.exitCode ?? EXIT.done), code);
}

/** Whether somebody can be asked here. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Whether a person says yes. To leave, by Ctrl-C or the end of the input, is a no. */
export async function confirmed(
  question: string,
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } = {
    input: process.stdin,
    output: process.stderr,
  },
): Promise<boolean> {
  const asking = createInterface({ input, output });
  const answer = await new Promise<string | undefined>((resolve) => {
    asking.question(`${question} [y/N] `, resolve);
    asking.once('close', () => {
      resolve(undefined);
    });
  });
  asking.close();
  // Whoever left is still on the line of the question.
  if (answer === undefined) output.write('\n');
  return /^y(es)?$/i.test((answer ?? '').trim());
}
