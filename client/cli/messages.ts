/** What people say to jobs: `retry`, `hold`, `release` and `finish`, for one bill run, for several, or for all. */
import type { Command } from 'commander';
import type { BillRunEmails } from '../bill-run-emails.js';
import type { StartResult } from '../starting.js';
import type { SettleOptions } from '../settled.js';
import { userHere } from '../temporal/identity.js';
import {
  answerEach,
  askUnless,
  billRunsNamed,
  canAsk,
  confirmed,
  NOT_CONFIRMED,
  onBillRuns,
  type BillRunsOptions,
} from './bill-runs.js';
import {
  answer,
  connected,
  examples,
  forPeople,
  GROUP,
  mistake,
  NO_NAME,
  reportingOnce,
  withNote,
  wholeNumber,
  type CommonOptions,
  type NoteOptions,
} from './command.js';
import { painted } from './email-states.js';
import { factsOf } from './status.js';
import { holderIn } from './tables.js';
import { orSettled, triedOrSettled, settledOne, WAIT, waitIn, withWait, type WaitOptions } from './wait.js';

type MessageName = 'retry' | 'hold' | 'release' | 'finish';

interface Message extends NoteOptions {
  readonly ordinal?: number;
  readonly requestId?: string;
  readonly sendAnyway?: true;
}

interface MessageOptions extends CommonOptions, BillRunsOptions, Message, WaitOptions {
  readonly all?: true;
  readonly yes?: true;
}

const descriptions: Readonly<Record<MessageName, string>> = {
  retry: 'try again what did not go out, also documents that were not sent',
  hold: 'start no further attempt until released',
  release: 'let attempts continue after a hold',
  finish: 'close the job now; nothing more is sent',
};

const RETRY = `What it does:
  after a refusal      tries again; fix the cause first, which status names
  without an answer    tries again; a valid key sends nothing twice
                       (later it needs --send-anyway)
  during a cool-down   looks at the bill run again
  documents not sent   emails only these, once no email is on its way: after 24
                       hours at most; of a closed job, by a new one

If nothing is known to be missing, an open job ignores it (exit code 2), and no\njob is started for a closed one (4). To email everybody again: resend.`;

export function addMessages(program: Command): void {
  for (const name of Object.keys(descriptions) as MessageName[]) addMessage(program, name);
}

function addMessage(program: Command, name: MessageName): void {
  const group = name === 'retry' ? GROUP.send : GROUP.stop;
  const command = withNote(onBillRuns(program, name, descriptions[name])).helpGroup(group);
  const lines = [
    `${name} BR-00000001 --requested-by "<who>" --reason "<why>"`,
    `${name} BR-00000001 BR-00000002`,
    `${name} --file bill-runs.txt --json`,
  ];
  const about = [
    '--requested-by is the user of this machine by default. For several bill runs,\nthe exit code is the highest of theirs.',
  ];
  if (name === 'retry') {
    withWait(command)
      .option('--request-id <id>', 'names the retry; repeating it changes nothing')
      .option('--ordinal <number>', 'number of the send, as status shows it', wholeNumber(1))
      .option('--send-anyway', 'send although it is not known whether customers have the email; needs a --reason')
      .option('--yes', 'with --send-anyway: do not ask');
    lines.push(`${name} BR-00000001 --wait --until emailed`);
    about.push(RETRY, WAIT);
  }
  if (name === 'hold' || name === 'release') {
    const which = {
      hold: 'every job of the namespace, also those that start later, until release --all',
      release: 'end the hold on all; jobs held one by one stay held; asks first',
    };
    // An emergency stop must not fail because of a flag too many.
    const yes = { hold: 'not needed: a hold asks nothing', release: 'with --all: do not ask' };
    command.option('--all', which[name]).option('--yes', yes[name]);
    lines.push(`${name} --all --requested-by "<who>" --reason "<why>"`);
  }
  command
    .addHelpText('after', [examples(...lines), ...about].join('\n\n'))
    .action((args: readonly string[], { json, entity, file, all, yes, wait, until, ...rest }: MessageOptions) => {
      const options = { json, entity, file, yes, wait: waitIn({ wait, until }) };
      const requestedBy = rest.requestedBy ?? userHere();
      const message: Message = { ...rest, ...(requestedBy === undefined ? {} : { requestedBy }) };
      if (message.sendAnyway === true) return sendAnyway(message, options, args);
      if (all !== true) return sendToNamed(name, message, options, args);
      if (args.length > 0 || file !== undefined || entity !== undefined) {
        throw mistake('--all is for every job: name no bill run, --file or --entity with it');
      }
      return name === 'hold' ? holdAll(message, { json }) : releaseAll(message, { json, yes });
    });
}

async function sendToNamed(
  name: MessageName,
  message: Message,
  { json, entity: entityId, file, yes, wait }: OptionsOfNamed,
  args: readonly string[],
): Promise<void> {
  if (yes === true && message.sendAnyway !== true) throw mistake('--yes is for --all and --send-anyway');
  const keys = await billRunsNamed(args, { file });
  const [only] = args;
  const reported = reportingOnce(json);
  const send = async (emails: BillRunEmails, billRunKey: string): Promise<Sent> =>
    reported<Sent>(await emails[name]({ billRunKey, entityId }, message));
  const requestOf = (_: string, { workflowId }: Sent) => ({ workflowId, retry: true });
  if (keys.length === 1 && only !== undefined) {
    const see = `See: bill-run-emails status ${only}`;
    const sentInWords = (sent: Sent): string => `${sent.workflowId}: ${inWords(name, sent)}. ${see}`;
    const sendIt = () =>
      connected(async (emails) => {
        const sent = await send(emails, only);
        if (wait === undefined) return sent;
        return settledOne(sent, requestOf(only, sent), { emails, wait, json, inWords: sentInWords });
      });
    await answer({ billRunKey: only, json }, sendIt, orSettled(wait, { inWords: sentInWords }, only));
    return;
  }
  await connected((emails) =>
    answerEach(
      keys,
      triedOrSettled(keys, (key) => send(emails, key), { emails, wait, requestOf }),
      {
        ...{ json, nameOf: (key) => key },
        ...orSettled(wait, { inWords: (sent) => inWords(name, sent), resultOf }),
      },
    ),
  );
}

type OptionsOfNamed = { [Name in 'json' | 'entity' | 'file' | 'yes']: MessageOptions[Name] } & {
  readonly wait: SettleOptions | undefined;
};

/** How a job took a message. With a `result`, the last job had closed, and `retry` started another one. */
type Sent = Pick<StartResult, 'workflowId' | 'warnings'> & Partial<Pick<StartResult, 'result' | 'state' | 'via'>>;

function resultOf({ result, via }: Sent): string {
  if (result === 'started') return result;
  return via === 'update' ? 'taken' : 'sent';
}

/** A second email to customers may follow, so somebody must take that risk. */
async function sendAnyway(
  { reason, ...message }: Message,
  options: OptionsOfNamed,
  args: readonly string[],
): Promise<void> {
  if (reason === undefined) throw mistake('--send-anyway needs a --reason: customers may get a second email');
  if (message.requestedBy === undefined) throw mistake(NO_NAME);
  const risk = `Customers may get a second email. ${message.requestedBy} takes that risk: ${reason}`;
  const [only, ...others] = args;
  const { entity: entityId } = options;
  const facts = async () =>
    only === undefined || others.length > 0
      ? [risk]
      : [await connected((emails) => factsOf(emails, { billRunKey: only, entityId })), risk];
  await askUnless(options, facts, 'Send anyway?');
  await sendToNamed('retry', { ...message, reason }, options, args);
}

interface AllOptions {
  readonly json: true | undefined;
  readonly yes?: true | undefined;
}

async function holdAll(note: NoteOptions, { json }: AllOptions): Promise<void> {
  const hold = () => connected((emails) => emails.holdAll(note));
  await answer({ billRunKey: null, json }, hold, {
    inWords: () =>
      'All jobs are on hold, also those that start later. Email calls under way still end. To go on: bill-run-emails release --all',
  });
}

async function releaseAll(note: NoteOptions, { json, yes }: AllOptions): Promise<void> {
  if (yes !== true && !canAsk()) throw mistake('nobody can be asked here; to release all, add --yes');
  await connected(async (emails) => {
    const requests = await emails.holdAllRequests();
    for (const request of requests ?? []) console.error(`All jobs are on hold by ${holderIn(forPeople(request))}`);
    if (requests !== null && yes !== true && !(await confirmed('Release all jobs?'))) throw mistake(NOT_CONFIRMED);
    await answer({ billRunKey: null, json }, () => emails.releaseAll(note), {
      inWords: ({ jobs }) => `Released. Jobs that it kept back: ${jobs}. They go on; jobs held one by one stay held.`,
    });
  });
}

function inWords(name: MessageName, { result, state }: Sent): string {
  if (result === 'started') return 'the last job had closed, so a new one emails only what was not sent';
  const all =
    name === 'release' && state === 'Held' ? ', because all jobs are on hold: bill-run-emails release --all' : '';
  if (state != null) return `${name} taken, the job is ${painted(state)}${all}`;
  const isOrder = name === 'hold' || name === 'release';
  return `${name} sent${isOrder ? ', and it counts' : ''}; no worker answered, so the job takes it when one runs`;
}
