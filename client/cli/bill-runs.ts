/** Commands that are about one bill run or about many. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { BillRunEmailsError, failureIn, type Failure } from '../errors.js';
import { inOrder } from './in-order.js';

export interface BillRunsOptions {
  readonly file?: string | undefined;
}

/** How many bill runs are asked or told at once. */
const AT_ONCE = 10;

/** From so many on, a person at a terminal is told how far it is. */
const MANY = 25;

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
  const keys = [...new Set(file === undefined ? args : keysIn(await contentsOf(file)))];
  const { checkInput } = await import('../../workflows/checks.js');
  const wrong = keys.filter((billRunKey) => checkInput({ billRunKey }).faults !== undefined);
  if (wrong.length > 0) {
    const named = wrong.slice(0, 5).map((key) => JSON.stringify(key.slice(0, 60)));
    const more = wrong.length > named.length ? ` and ${wrong.length - named.length} more` : '';
    throw mistake(`no ID or number of a bill run: ${named.join(', ')}${more}; nothing was done`);
  }
  return keys;
}

function keysIn(contents: string): readonly string[] {
  return contents
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((key) => key !== '');
}

async function contentsOf(file: string): Promise<string> {
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

export type Tried<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Failure };

/**
 * Does the same for each, so many at once. A failure of one does not keep the others from it, but a Temporal that is away
 * does: each would take as long as a call may take.
 *
 * @param done what has been done to those that the progress counts: asked, told
 * @param options.silent `tell` prints nothing
 */
export async function forEach<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
  tell: (item: T, tried: Tried<R>) => void,
  done: string,
  { silent = false }: { silent?: boolean } = {},
): Promise<void> {
  // Where each is told on the same terminal, those lines are the progress.
  const shown = process.stderr.isTTY && (silent || !process.stdout.isTTY) && items.length >= MANY;
  const show = (text: string): void => {
    // To the line's begin, and what stood there is gone.
    if (shown) process.stderr.write(`\r\x1b[K${text}`);
  };
  let count = 0;
  let awayInARow = 0;
  const each = async (item: T): Promise<{ item: T; tried: Tried<R> }> => {
    if (awayInARow >= AT_ONCE) return { item, tried: { ok: false, error: notTried } };
    try {
      return { item, tried: { ok: true, value: await ask(item) } };
    } catch (error) {
      return { item, tried: { ok: false, error: failureIn(error) } };
    }
  };
  try {
    show(`${done} 0 of ${items.length}`);
    for await (const { item, tried } of inOrder(items, AT_ONCE, each)) {
      tell(item, tried);
      count += 1;
      awayInARow = !tried.ok && tried.error.type === 'TemporalUnavailable' ? awayInARow + 1 : 0;
      show(`${done} ${count} of ${items.length}`);
    }
  } finally {
    show('');
  }
}

const notTried: Failure = {
  type: 'TemporalUnavailable',
  message: `not tried, for Temporal did not answer for the ${AT_ONCE} before`,
};

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
