/** What people say to jobs: `retry`, `hold`, `release` and `finish`, for one bill run, for several, or for all. */
import type { Command } from 'commander';
import type { BillRunEmails, JobName, MessageResult } from '../bill-run-emails.js';
import type { ListedJob } from '../list.js';
import { answerEach, billRunsNamed, canAsk, confirmed, onBillRuns, type BillRunsOptions } from './bill-runs.js';
import {
  answer,
  connected,
  examples,
  mistake,
  withNote,
  wholeNumber,
  type CommonOptions,
  type NoteOptions,
} from './command.js';
import { painted } from './email-states.js';
import { billRunKeyOf } from './list.js';

type MessageName = 'retry' | 'hold' | 'release' | 'finish';

interface Message extends NoteOptions {
  readonly ordinal?: number;
  readonly requestId?: string;
  readonly sendAnyway?: true;
}

interface MessageOptions extends CommonOptions, BillRunsOptions, Message {
  readonly all?: true;
  readonly yes?: true;
}

const descriptions: Readonly<Record<MessageName, string>> = {
  retry: 'try again what did not go out: answers the open question, or looks again during a cool-down',
  hold: 'start no further attempt until released',
  release: 'let attempts continue after a hold',
  finish: 'close the job now; nothing more is sent',
};

export function addMessages(program: Command): void {
  for (const name of Object.keys(descriptions) as MessageName[]) addMessage(program, name);
}

function addMessage(program: Command, name: MessageName): void {
  const command = withNote(onBillRuns(program, name, descriptions[name]));
  const lines = [
    `${name} BR-00000001 --requested-by alice --reason "TICKET-1"`,
    `${name} BR-00000001 BR-00000002`,
    `${name} --file bill-runs.txt --json`,
  ];
  if (name === 'retry') {
    command
      .option('--request-id <id>', 'names the retry; repeating it changes nothing')
      .option('--ordinal <number>', 'the send that is meant', wholeNumber(1))
      .option('--send-anyway', 'override what keeps the send back; customers may get a second email');
  }
  if (name === 'hold' || name === 'release') {
    const which = name === 'hold' ? 'all open jobs that do not show Held' : 'all open jobs';
    command.option('--all', `${which}; asks first`).option('--yes', 'with --all: do not ask');
    lines.push(`${name} --all --reason "Zuora maintenance"`);
  }
  command
    .addHelpText('after', `${examples(...lines)}\n\nFor several bill runs, the exit code is the highest of theirs.`)
    .action((args: readonly string[], { json, entity, file, all, yes, ...message }: MessageOptions) => {
      if (all !== true) return sendToNamed(name, message, { json, entity, file, yes }, args);
      if (args.length > 0 || file !== undefined || entity !== undefined) {
        throw mistake('--all takes all open jobs: name no bill run, --file or --entity with it');
      }
      return sendToAll(name as 'hold' | 'release', message, { json, yes });
    });
}

async function sendToNamed(
  name: MessageName,
  message: Message,
  { json, entity: entityId, file, yes }: { [Name in 'json' | 'entity' | 'file' | 'yes']: MessageOptions[Name] },
  args: readonly string[],
): Promise<void> {
  if (yes === true) throw mistake('--yes is for --all');
  const keys = await billRunsNamed(args, { file });
  const [only] = args;
  if (keys.length === 1 && only !== undefined) {
    const send = () => connected((emails) => emails[name]({ billRunKey: only, entityId }, message));
    await answer({ billRunKey: only, json }, send, {
      inWords: (result) => `${result.workflowId}: ${inWords(name, result)}. See: bill-run-emails status ${only}`,
    });
    return;
  }
  const jobs = keys.map((billRunKey) => ({ billRunKey, entityId }));
  await connected((emails) =>
    sendToEach(emails, name, message, jobs, { json, nameOf: ({ billRunKey }) => billRunKey }),
  );
}

async function sendToAll(
  name: 'hold' | 'release',
  message: Message,
  { json, yes }: { json: true | undefined; yes: true | undefined },
): Promise<void> {
  if (yes !== true && !canAsk()) throw mistake(`nobody can be asked here; to ${name} all, add --yes`);
  await connected(async (emails) => {
    const jobs: ListedJob[] = [];
    for await (const job of emails.list({ open: true })) {
      if (name === 'release' || job.state !== 'Held') jobs.push(job);
    }
    const question = `${name === 'hold' ? 'Hold' : 'Release'} ${jobs.length} bill run${jobs.length === 1 ? '' : 's'}?`;
    if (jobs.length > 0 && yes !== true && !(await confirmed(question))) throw mistake('Nothing was done.');
    await sendToEach(emails, name, message, jobs, { json, nameOf: billRunKeyOf });
  });
}

async function sendToEach<Name extends JobName>(
  emails: BillRunEmails,
  name: MessageName,
  message: Message,
  jobs: readonly Name[],
  { json, nameOf }: { json: true | undefined; nameOf: (job: Name) => string },
): Promise<void> {
  const send = (job: Name): Promise<MessageResult> => emails[name](job, message);
  const line = (result: MessageResult): string => inWords(name, result);
  const resultOf = ({ via }: MessageResult): string => (via === 'update' ? 'taken' : 'sent');
  await answerEach(jobs, send, { json, nameOf, inWords: line, resultOf });
}

function inWords(name: MessageName, { via, state }: MessageResult): string {
  if (state != null) return `${name} taken, the job is ${painted(state)}`;
  if (via === 'signal' && (name === 'hold' || name === 'release')) return `${name} sent`;
  return `${name} sent; no worker answered, so the job takes it when one runs`;
}
