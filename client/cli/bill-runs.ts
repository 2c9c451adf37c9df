/** Commands for one bill run or for many. */
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { asZuoraWrites } from '../../workflows/contract/validation.js';
import type { Tried } from '../many.js';
import { EXIT, exitCodeOfFailure } from '../failures/errors.js';
import { escaped } from '../failures/plain-text.js';
import { hanging } from './terminal.js';
import { forPeople, inFlags, jsonOf, jsonOfFailure, mistake, type Answer, type Found } from './command.js';

export interface BillRunsOptions {
  readonly file?: string | undefined;
}

/** A terminal shows a progress bar from this many bill runs on. */
const MANY = 25;

export function onBillRuns(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument(
      '[bill-run...]',
      'numbers of bill runs, such as BR-00000001, or their IDs',
      (key, before: readonly string[] | undefined) => [...(before ?? []), asZuoraWrites(key)],
    )
    .option('--file <file>', 'bill runs from a file, one on a line; - is stdin; # begins a comment')
    .option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill runs')
    .option('--json', 'JSON lines on stdout, one for each bill run');
}

/** The bill runs of a command, each once. All are checked before anything is done about one. */
export async function billRunsNamed(args: readonly string[], { file }: BillRunsOptions): Promise<readonly string[]> {
  if (file !== undefined && args.length > 0) throw mistake('name bill runs as arguments or by --file, not both');
  const keys = [...new Set(file === undefined ? args : await keysIn(file))];
  if (keys.length === 0) throw mistake('name a bill run, or a --file with some');
  const { checkInput } = await import('../../workflows/contract/validation.js');
  const wrong = keys.filter((billRunKey) => checkInput({ billRunKey }).faults !== undefined);
  if (wrong.length > 0) {
    const named = wrong.slice(0, 5).map((key) => JSON.stringify(key.slice(0, 60)));
    const more = wrong.length > named.length ? ` and ${wrong.length - named.length} more` : '';
    throw mistake(`not an ID or number of a bill run: ${named.join(', ')}${more}; nothing was done`);
  }
  return keys;
}

async function keysIn(file: string): Promise<readonly string[]> {
  const { keyLines } = await import('./bill-run-file.js');
  return keyLines(await contentsOf(file)).map(({ input }) => asZuoraWrites(input.billRunKey));
}

/** The text of a file, without the mark of its encoding. A wrong encoding would change reasons and names for good. */
export async function contentsOf(file: string): Promise<string> {
  const bytes = await (file === '-' ? buffer(process.stdin) : readFile(file)).catch((error: unknown) => {
    throw mistake(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const lines = bytes.toString('latin1').split('\n');
  // UTF-16 without its mark has zeros.
  const wrong = lines.findIndex((line) => line.includes('\0') || !isUtf8(Buffer.from(line, 'latin1')));
  if (wrong === -1) return new TextDecoder().decode(bytes);
  const name = file === '-' ? 'stdin' : file;
  throw mistake(`${name} is not in UTF-8: line ${wrong + 1} has other bytes; save it as UTF-8; nothing was done`);
}

interface ManyAnswers<T, R> extends Answer<R> {
  readonly json: true | undefined;
  readonly nameOf: (item: T) => string | null;
  /** The line of a file that has fields of its own. */
  readonly lineOf?: (item: T) => number | undefined;
  /** What the summary counts; without it there is no summary. */
  readonly resultOf?: (found: R) => string;
}

/**
 * Answers about many bill runs, one line for each, with a progress bar on a terminal. The exit code is the highest of theirs. With
 * `--json`, the summary is on stderr, because programs read only results on stdout.
 */
export async function answerEach<T, R extends Found>(
  items: readonly T[],
  answers: AsyncIterable<{ readonly item: T; readonly tried: Tried<R> }>,
  { json, nameOf, lineOf, resultOf, inWords, exitCode }: ManyAnswers<T, R>,
): Promise<void> {
  const counts = new Map<string, number>();
  const report = (item: T, tried: Tried<R>): void => {
    const name = nameOf(item);
    noteExitCode(tried.ok ? (exitCode?.(tried.value) ?? EXIT.done) : exitCodeOfFailure(tried.error));
    const failure = !tried.ok && tried.error.type === 'InvalidInput' ? 'invalid' : 'failed';
    const result = tried.ok ? (resultOf?.(tried.value) ?? '') : failure;
    counts.set(result, (counts.get(result) ?? 0) + 1);
    const line = lineOf?.(item);
    const fields = line === undefined ? {} : { line };
    if (tried.ok) {
      const { value } = tried;
      console.log(
        json === true ? jsonOf(name, { ...fields, ...value }) : hanging(labelOf(name), inWords(forPeople(value))),
      );
    } else {
      const error = line === undefined ? inFlags(tried.error) : tried.error;
      console.log(json === true ? jsonOfFailure(name, error, fields) : hanging(labelOf(name), escaped(error.message)));
    }
  };
  // Lines on the same terminal are a progress of their own.
  const isShown = process.stderr.isTTY && !process.stdout.isTTY && items.length >= MANY;
  const bar = isShown ? await progressBar() : undefined;
  bar?.start(items.length, 0);
  try {
    for await (const { item, tried } of answers) {
      report(item, tried);
      bar?.increment();
    }
  } finally {
    bar?.stop();
  }
  if (resultOf === undefined) return;
  const counted = [...counts].map(([result, count]) => `${count} ${result}`).join(', ');
  const summary = `${items.length} bill run${items.length === 1 ? '' : 's'}${counted === '' ? '' : `: ${counted}`}.`;
  if (json === true) console.error(summary);
  else console.log(summary);
}

function labelOf(name: string | null): string {
  return `${escaped(name ?? 'without a key')}: `;
}

async function progressBar(): Promise<SingleBar> {
  const { SingleBar, Presets } = await import('cli-progress');
  const format = '[{bar}] {value} of {total}';
  return new SingleBar({ format, barsize: 20, clearOnComplete: true, stream: process.stderr }, Presets.legacy);
}

function noteExitCode(code: number): void {
  process.exitCode = Math.max(Number(process.exitCode ?? EXIT.done), code);
}

/** Whether a person can be asked here. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Shows what a command is about to do, and asks for a yes. Where nobody can be asked, `--yes` must be given. */
export async function askUnless(
  { yes, json }: { readonly yes?: true | undefined; readonly json?: true | undefined },
  facts: () => Promise<readonly string[]>,
  question: string,
): Promise<void> {
  // A program that says yes knows them.
  if (json !== true || yes !== true)
    for (const fact of await facts()) console.error(hanging('', escaped(fact), process.stderr));
  if (yes === true) return;
  if (!canAsk()) throw mistake('nobody can be asked here; to go on, add --yes');
  if (!(await confirmed(question))) throw mistake(NOT_CONFIRMED);
}

export const NOT_CONFIRMED = 'nothing was done, because the answer was not yes';

/** Whether a person says yes. Ctrl-C, Ctrl-D and the end of the input are a no. */
export async function confirmed(
  message: string,
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream } = {
    input: process.stdin,
    output: process.stderr,
  },
): Promise<boolean> {
  const { default: confirm } = await import('@inquirer/confirm');
  const closed = new AbortController();
  // The prompt itself would wait forever after Ctrl-D: readline then closes, and pauses its input.
  input.once('pause', () => {
    closed.abort();
  });
  try {
    return await confirm({ message, default: false }, { input, output, signal: closed.signal });
  } catch (error) {
    if (error instanceof Error && ['ExitPromptError', 'AbortPromptError'].includes(error.name)) return false;
    throw error;
  }
}
