import type { Command } from 'commander';
import { Option } from 'commander';
import type { EmailBillRunInput } from '../../workflows/contract/contract.js';
import type { StartResult } from '../bill-run-emails.js';
import type { FileLine } from './bill-run-file.js';
import { STARTS_AT_ONCE, type Tried } from '../many.js';
import { BillRunEmailsError, EXIT, exitCodeOfFailure } from '../failures/errors.js';
import * as tables from './tables.js';
import { contentsOf, forEach, mistake, noteExitCode, onBillRuns, type BillRunsOptions } from './bill-runs.js';
import { connected, examples, optional, print, wholeNumber, type CommonOptions, type NoteOptions } from './command.js';

interface StartOptions extends CommonOptions, BillRunsOptions, NoteOptions {
  readonly again?: boolean;
  readonly concurrency: number;
  readonly resend?: boolean;
  readonly requestId?: string;
  readonly org?: string[];
}

const FILES = `
Files: a key on each line; or CSV, whose first line names its columns; or JSON lines. Columns and fields are those of a start's
input, billRunKey among them, and go before the options. Each line has its result: started, joined, alreadyEmailed, canceled,
terminated, invalid or failed. It is safe to repeat a file as a whole. For several bill runs, the exit code is the highest of theirs.`;

export function addStart(program: Command): void {
  onBillRuns(program, 'start', 'email bill runs once they are posted; joins runs that are at it already')
    .option('--resend', 'email all documents, also those emailed before')
    .option('--request-id <id>', 'names the request; repeating it asks once, also when earlier runs have closed')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--requested-by <who>', 'who asks')
    .option('--reason <why>', 'why')
    .option('--post-deadline <duration>', 'how long to wait for the post (30 days)')
    .option('--send-budget <duration>', 'how long to attempt a send without a person (12 hours, at most 20)')
    .option('--cool-down <duration>', "how long after Zuora's last emails a first send waits (24 hours)")
    .option('--attention-window <duration>', 'how long a question to a person stays open (7 days)')
    .option('--escalation-window <duration>', 'how long the run stays open after a send (7 days)')
    .option('--again', 'start anew after a cancel or a terminate')
    .addOption(
      new Option('--concurrency <count>', 'how many bill runs of several are started at once')
        .argParser(wholeNumber(1))
        .default(STARTS_AT_ONCE),
    )
    .addHelpText(
      'after',
      examples(
        'start BR-00000001',
        'start BR-00000001 --requested-by nightly-billing --json',
        'start --file runs.csv',
      ) + FILES,
    )
    .action(
      async (
        keys: readonly string[],
        { json, entity, file, again = false, concurrency, org, ...rest }: StartOptions,
      ) => {
        const defaults = { ...optional('entityId', entity), ...optional('orgIds', org), ...rest };
        const [only] = keys;
        if (file === undefined && keys.length === 1 && only !== undefined) {
          const started = await connected((emails) => emails.start({ billRunKey: only, ...defaults }, { again }));
          print(json, started, tables.started(started));
          process.exitCode = exitCodesOfStart[started.result];
          return;
        }
        const lines = await linesToStart(keys, file);
        await startEach(lines, defaults, { json, again, concurrency });
      },
    );
}

type Line = Omit<FileLine, 'line'> & { readonly line?: number };

async function linesToStart(keys: readonly string[], file: string | undefined): Promise<readonly Line[]> {
  if (file !== undefined && keys.length > 0) throw mistake('name bill runs as arguments or by --file, not both');
  if (file === undefined && keys.length === 0) throw mistake('name a bill run to start, or a --file with some');
  if (file === undefined) return keys.map((billRunKey) => ({ input: { billRunKey } }));
  const { linesOf } = await import('./bill-run-file.js');
  const lines = linesOf(await contentsOf(file));
  // Nobody asks for nothing: something before has failed.
  if (lines.length === 0) throw mistake(`${file === '-' ? 'stdin' : file} names no bill run to start`);
  return lines;
}

async function startEach(
  lines: readonly Line[],
  defaults: Partial<EmailBillRunInput>,
  { json, again, concurrency }: { json: true | undefined; again: boolean; concurrency: number },
): Promise<void> {
  const count = new Map<string, number>();
  await connected((emails) =>
    forEach(
      lines,
      async ({ input, fault }: Line) => {
        if (fault !== undefined) throw new BillRunEmailsError('InvalidInput', `invalid input: ${fault}`);
        // What is in a file is checked by the start itself.
        return emails.start({ ...defaults, ...input } as EmailBillRunInput, { again });
      },
      ({ line, input }, tried) => {
        const told = { ...optional('line', line), billRunKey: keyOf(input), ...resultOf(tried) };
        count.set(told.result, (count.get(told.result) ?? 0) + 1);
        noteExitCode(tried.ok ? exitCodesOfStart[tried.value.result] : exitCodeOfFailure(tried.error));
        print(json, told, inWords(told));
      },
      'started',
      { atOnce: concurrency, keyOf: ({ input }) => keyOf(input) },
    ),
  );
  const counted = [...count].map(([result, number]) => `${number} ${result}`);
  const summary = `${lines.length} bill run${lines.length === 1 ? '' : 's'}: ${counted.join(', ')}.`;
  // Programs read results only.
  if (json === true) console.error(summary);
  else console.log(summary);
}

type Told = ReturnType<typeof resultOf> & { readonly line?: number; readonly billRunKey: string | null };

function resultOf(tried: Tried<StartResult>) {
  if (tried.ok) return { ok: true as const, ...tried.value };
  const { error } = tried;
  return {
    ok: false as const,
    workflowId: null,
    runId: null,
    result: error.type === 'InvalidInput' ? 'invalid' : 'failed',
    error,
  } as const;
}

function inWords({ line, billRunKey, ...told }: Told): string {
  const which = `${line === undefined ? '' : `line ${line}, `}${billRunKey ?? 'without a key'}`;
  return `${which}: ${told.ok ? told.result : `${told.result}, ${told.error.message}`}`;
}

/** As it stands in the file, for whoever looks for it there; a text is cut where no key is that long. */
function keyOf(input: object | undefined): string | null {
  const { billRunKey }: { billRunKey?: unknown } = input ?? {};
  return typeof billRunKey === 'string' ? billRunKey.slice(0, 100) : null;
}

const exitCodesOfStart: Readonly<Record<StartResult['result'], number>> = {
  started: EXIT.done,
  joined: EXIT.done,
  alreadyEmailed: EXIT.done,
  canceled: EXIT.notEmailed,
  terminated: EXIT.notEmailed,
};
