/** What operators ask and decide, of one bill run or of many: `status`, `retry`, `hold`, `release`, `finish`. */
import type { Command } from 'commander';
import type { EmailState } from '../../workflows/contract/contract.js';
import type { Tried } from '../many.js';
import type { BillRunEmails, KnownStatus, OperatorSignal, RunName } from '../bill-run-emails.js';
import { EXIT, exitCodeOfFailure } from '../failures/errors.js';
import type { ListedRun } from '../list.js';
import * as tables from './tables.js';
import {
  billRunsNamed,
  canAsk,
  confirmed,
  forEach,
  mistake,
  noteExitCode,
  onBillRuns,
  type BillRunsOptions,
} from './bill-runs.js';
import { painted } from './colours.js';
import { connected, examples, print, wholeNumber, type CommonOptions, type NoteOptions } from './command.js';
import { billRunKeyOf } from './list.js';

export function addStatus(program: Command): void {
  onBillRuns(program, 'status', 'what bill runs are doing, what they wait for, and what they ask')
    .addHelpText(
      'after',
      examples('status BR-00000001', 'status BR-00000001 --json', 'status BR-00000001 BR-00000002', 'status --file -'),
    )
    .action(async (args: readonly string[], { json, entity, file }: CommonOptions & BillRunsOptions) => {
      const keys = await billRunsNamed(args, { file });
      const [only] = args;
      if (keys.length === 0) throw mistake('name a bill run, or a --file with some');
      await connected(async (emails) => {
        if (keys.length === 1 && only !== undefined) {
          const status = await emails.status({ billRunKey: only, entityId: entity });
          print(json, status, tables.status(status));
          process.exitCode = exitCodeOfStatus(status);
          return;
        }
        await forEach(
          keys,
          (billRunKey) => emails.status({ billRunKey, entityId: entity }),
          (billRunKey, tried) => {
            noteExitCode(tried.ok ? exitCodeOfStatus(tried.value) : exitCodeOfFailure(tried.error));
            print(json, statusLine(billRunKey, tried), statusInWords(billRunKey, tried));
          },
          'asked',
        );
      });
    });
}

function statusLine(billRunKey: string, tried: Tried<KnownStatus>) {
  return tried.ok ? { billRunKey, ok: true, status: tried.value } : { billRunKey, ok: false, error: tried.error };
}

function statusInWords(billRunKey: string, tried: Tried<KnownStatus>): string {
  if (!tried.ok) return `${billRunKey}: ${tried.error.message}`;
  const { state, question, waitingFor, ended } = tried.value;
  if (ended !== undefined) return `${billRunKey}: ${painted(state)}, ${tables.endInWords(ended)}`;
  return `${billRunKey}: ${painted(state)}${question === null ? (waitingFor === null ? '' : `, waits for ${waitingFor}`) : `, asks: ${question.text}`}`;
}

interface SignalOptions extends CommonOptions, NoteOptions, BillRunsOptions {
  readonly all?: true;
  readonly yes?: true;
}

const descriptions: Readonly<Record<OperatorSignal, string>> = {
  retry: 'answer the open question of a bill run: try again',
  hold: 'start no further attempt until released',
  release: 'let attempts go on after a hold',
  finish: 'close a run now; nothing more is sent',
};

export function addSignals(program: Command): void {
  for (const signal of Object.keys(descriptions) as OperatorSignal[]) addSignal(program, signal);
}

function addSignal(program: Command, signal: OperatorSignal): void {
  const command = onBillRuns(program, signal, descriptions[signal])
    .option('--requested-by <who>', 'who asks')
    .option('--reason <why>', 'why');
  const lines = [
    `${signal} BR-00000001 --requested-by alice --reason "seen to it"`,
    `${signal} BR-00000001 BR-00000002`,
    `${signal} --file bill-runs.txt --json`,
  ];
  if (signal === 'retry') {
    command
      .option('--ordinal <number>', 'the send that is meant', wholeNumber(1))
      .option('--send-anyway', 'override what holds the send back, at your own risk');
  }
  if (signal === 'hold' || signal === 'release') {
    const which = signal === 'hold' ? 'all open runs that are not held yet' : 'all open runs that are held';
    command.option('--all', `${which}; asks first`).option('--yes', 'with --all: do not ask');
    lines.push(`${signal} --all --reason "Zuora maintenance"`);
  }
  command
    .addHelpText('after', `${examples(...lines)}\n\nFor several bill runs, the exit code is the highest of theirs.`)
    .action((args: readonly string[], { json, entity, file, all, yes, ...message }: SignalOptions) =>
      all === true
        ? tellAll(signal as 'hold' | 'release', message, { json, yes, alone: args.length === 0 && !file && !entity })
        : tellNamed(signal, message, { json, entity, file, yes }, args),
    );
}

async function tellNamed(
  signal: OperatorSignal,
  message: NoteOptions,
  { json, entity, file, yes }: { [Name in 'json' | 'entity' | 'file' | 'yes']: SignalOptions[Name] | undefined },
  args: readonly string[],
): Promise<void> {
  if (yes === true) throw mistake('--yes is for --all');
  const keys = await billRunsNamed(args, { file });
  if (keys.length === 0) throw mistake(`name a bill run to ${signal}, or a --file with some`);
  const [only] = args;
  await connected(async (emails) => {
    if (keys.length === 1 && only !== undefined) {
      const name = { billRunKey: only, entityId: entity };
      // Of the others, one that is ignored is as asked for: held twice is held.
      const signaled = await (signal === 'retry'
        ? emails.signalAndSee(name, signal, message)
        : emails.signal(name, signal, message));
      const told = `Told ${signaled.workflowId}: ${signal}. See: bill-run-emails status ${only}`;
      print(json, { ...signaled, signal }, told);
      return;
    }
    const named = keys.map((billRunKey) => ({ billRunKey, entityId: entity }));
    await tellEach(emails, signal, message, named, ({ billRunKey }) => billRunKey, json);
  });
}

/** Only those that are not as asked for yet: a message without effect would be one more ignored one in their status. */
async function tellAll(
  signal: 'hold' | 'release',
  message: NoteOptions,
  { json, yes, alone }: { json: true | undefined; yes: true | undefined; alone: boolean },
): Promise<void> {
  if (!alone) throw mistake('--all takes all open runs: name no bill run, --file or --entity with it');
  if (yes !== true && !canAsk()) throw mistake(`nobody can be asked here; to ${signal} all, add --yes`);
  await connected(async (emails) => {
    const open: ListedRun[] = [];
    for await (const run of emails.list({ open: true })) open.push(run);
    const runs = await withoutThoseThatAre(signal === 'hold', open, emails);
    const question = `${signal === 'hold' ? 'Hold' : 'Release'} ${runs.length} bill run${runs.length === 1 ? '' : 's'}?`;
    if (runs.length > 0 && yes !== true && !(await confirmed(question))) throw mistake('Nothing was done.');
    await tellEach(emails, signal, message, runs, billRunKeyOf, json);
  });
}

/** One that cannot be asked is told all the same: its status then lists a message without effect, and that is all. */
async function withoutThoseThatAre(
  held: boolean,
  runs: readonly ListedRun[],
  emails: BillRunEmails,
): Promise<readonly ListedRun[]> {
  const left: ListedRun[] = [];
  let answers = true;
  let silent = 0;
  await forEach(
    runs,
    async (run) => (answers ? (await emails.status(run)).held : undefined),
    (run, tried) => {
      // Without a worker, each would take as long as a call may take.
      if (!tried.ok && tried.error.type === 'TemporalUnavailable') answers = false;
      const is = tried.ok ? tried.value : undefined;
      if (is === undefined) silent += 1;
      if (is !== held) left.push(run);
    },
    'asked',
    { silent: true },
  );
  if (silent > 0)
    console.error(`${silent} of ${runs.length} open runs do not tell whether they are held; does a worker run?`);
  return left;
}

async function tellEach<Name extends RunName>(
  emails: BillRunEmails,
  signal: OperatorSignal,
  message: NoteOptions,
  runs: readonly Name[],
  keyOf: (run: Name) => string,
  json: true | undefined,
): Promise<void> {
  let failed = 0;
  await forEach(
    runs,
    (run) => emails.signal(run, signal, message),
    (run, tried) => {
      const billRunKey = keyOf(run);
      if (tried.ok) {
        const { workflowId } = tried.value;
        print(json, { billRunKey, workflowId, signal, ok: true }, `${billRunKey}: told`);
        return;
      }
      failed += 1;
      noteExitCode(exitCodeOfFailure(tried.error));
      const { error } = tried;
      print(json, { billRunKey, workflowId: null, signal, ok: false, error }, `${billRunKey}: ${error.message}`);
    },
    'told',
  );
  if (json !== true) console.log(`${signal}: told ${runs.length - failed} of ${runs.length}.`);
}

/** A run that was stopped, or failed, waits for nobody. */
function exitCodeOfStatus({ state, ended }: KnownStatus): number {
  return ended === undefined || state === 'Emailed' ? exitCodesOfState[state] : EXIT.notEmailed;
}

const exitCodesOfState: Readonly<Record<EmailState, number>> = {
  WaitingForPost: EXIT.done,
  Delayed: EXIT.done,
  Sending: EXIT.done,
  Held: EXIT.done,
  Emailed: EXIT.done,
  HandedOver: EXIT.done,
  NeedsAttention: EXIT.needsPerson,
  NotPosted: EXIT.notEmailed,
  Skipped: EXIT.notEmailed,
  Finished: EXIT.notEmailed,
  Canceled: EXIT.notEmailed,
};
