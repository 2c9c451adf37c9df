/** `--wait`: what came of bill runs, in the same words and with the same exit codes for each command. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { milliseconds } from '../../workflows/contract/validation.js';
import type { BillRunEmails, JobRequest } from '../bill-run-emails.js';
import { EXIT } from '../failures/errors.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import { tryEach, type Tried } from '../many.js';
import type { Outcome, Until } from '../outcome.js';
import type { Settled, SettleOptions } from '../settled.js';
import { forPeople, mistake, type Answer, type CommonOptions } from './command.js';
import { hanging, timesHere } from './terminal.js';

export interface WaitOptions {
  /** Milliseconds. */
  readonly wait?: number | undefined;
  readonly until?: Until | undefined;
}

const UNTIL = ['accepted', 'emailed'] satisfies Until[];

export function withWait(command: Command): Command {
  return command
    .addOption(
      new Option('--wait [duration]', 'wait until it is settled or needs a person, at most so long')
        .preset('10 minutes')
        .argParser(durationToWait),
    )
    .addOption(new Option('--until <what>', 'with --wait: what is waited for (accepted)').choices(UNTIL));
}

/** `--wait BR-00000001` takes the bill run for the duration. */
function durationToWait(text: string): number {
  const wait = milliseconds(text);
  if (wait >= 0) return wait;
  throw new InvalidArgumentError('It is not a duration such as 90s or 1h. Put --wait last, or write --wait=1h.');
}

export const WAIT = `Exit codes with --wait:
  0  Zuora accepted it; with --until emailed: every document was sent, or left
     out on purpose
  4  a person is needed, documents were not sent, or the time is over (it goes
     on by itself); with --until emailed also: not all can be seen
  5  the job closed without emailing
Ctrl-C ends only the wait.`;

/** Undefined if the command does not wait. */
export function waitIn({ wait, until }: WaitOptions): SettleOptions | undefined {
  if (wait !== undefined) return { longestMs: wait, ...(until === undefined ? {} : { until }) };
  if (until !== undefined) throw mistake('--until says what --wait waits for, so it needs --wait');
  return undefined;
}

/** What a command found out or, with `--wait`, what came of it besides. */
export type MaybeSettled<R> = R | Settled;

function isSettled(found: object): found is Settled {
  return 'outcome' in found;
}

interface Answers<R> extends Answer<R> {
  readonly resultOf?: (found: R) => string;
}

/**
 * How a command answers: its own way, or with what it waited for.
 *
 * @param only the one bill run that the command names
 */
export function orSettled<R extends object>(wait: SettleOptions | undefined, own: Answers<R>, only?: string) {
  const more = only === undefined ? '' : `\nSee: bill-run-emails status ${only}`;
  return {
    inWords: (found: MaybeSettled<R>): string =>
      isSettled(found) ? `${found.outcome}. ${timesHere(withoutMarkdown(found.text))}${more}` : own.inWords(found),
    exitCode: (found: MaybeSettled<R>): number =>
      isSettled(found) ? exitCodeOfSettled(found, wait) : (own.exitCode?.(found) ?? EXIT.done),
    resultOf: (found: MaybeSettled<R>): string => (isSettled(found) ? found.outcome : (own.resultOf?.(found) ?? '')),
  };
}

/** Waits for one. People read at once, on stderr, what was done before. */
export async function settledOne<R extends object>(
  found: R,
  request: JobRequest,
  { emails, wait, json, inWords }: { emails: BillRunEmails; wait: SettleOptions } & Pick<Answer<R>, 'inWords'> & Json,
): Promise<MaybeSettled<R>> {
  const before = json === true ? '' : inWords(forPeople(found));
  if (before !== '') console.error(hanging('', before, process.stderr));
  return { ...found, ...(await emails.settled(request, wait)) };
}

type Json = Pick<CommonOptions, 'json'> | { readonly json: true | undefined };

type Tries<T, R> = AsyncGenerator<{ readonly item: T; readonly tried: Tried<R> }, void, undefined>;

/**
 * Does something about each of many and, with `wait`, answers as each settles: first those about which nothing could be done.
 *
 * @param requestOf what is waited for
 */
export async function* triedOrSettled<T, R extends object>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
  { emails, wait, requestOf }: Waiting<(item: T, found: R) => JobRequest>,
): Tries<T, MaybeSettled<R>> {
  if (wait === undefined) {
    yield* tryEach(items, act);
    return;
  }
  const done: (readonly [T, R])[] = [];
  for await (const { item, tried } of tryEach(items, act)) {
    if (tried.ok) done.push([item, tried.value]);
    else yield { item, tried };
  }
  const settling = settledEach(done, { emails, wait, requestOf: ([item, found]) => requestOf(item, found) });
  for await (const {
    item: [item, found],
    tried,
  } of settling) {
    yield { item, tried: tried.ok ? { ok: true, value: { ...found, ...tried.value } } : tried };
  }
}

/** Answers as each settles. */
export async function* settledEach<T>(
  items: readonly T[],
  { emails, wait, requestOf }: Waiting<(item: T) => JobRequest>,
): Tries<T, Settled> {
  const requests = items.map((item) => ({ ...requestOf(item), item }));
  for await (const { request, ...tried } of emails.settledMany(requests, wait)) yield { item: request.item, tried };
}

interface Waiting<RequestOf> {
  readonly emails: BillRunEmails;
  readonly wait: SettleOptions | undefined;
  readonly requestOf: RequestOf;
}

function exitCodeOfSettled({ outcome }: Settled, { until }: SettleOptions = {}): number {
  return outcome === 'accepted' && until === 'emailed' ? EXIT.needsPerson : exitCodeOf[outcome];
}

const exitCodeOf: Readonly<Record<Outcome, number>> = {
  accepted: EXIT.done,
  emailed: EXIT.done,
  notSent: EXIT.needsPerson,
  unknown: EXIT.needsPerson,
  needsPerson: EXIT.needsPerson,
  waiting: EXIT.needsPerson,
  notEmailed: EXIT.notEmailed,
};
