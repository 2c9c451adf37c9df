/**
 * One row of the tables in docs/how-it-works.md, on real parts: what happens to the emails of a bill run, and the result in the words of
 * the row.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import type { WorkflowHandle } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { expect } from 'vitest';
import type {
  EmailBillRunInput,
  Question,
  RetryMessage,
  JobStatus,
  SendRecord,
} from '../../workflows/contract/contract.js';
import { failureOf, until, type Email, type Rig } from './rig.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

// Tables in markdown.

export type Row = Readonly<Record<string, string>>;

/** The rows of all tables between a heading and the next heading of its level. The cells are keyed by column. */
export function rowsUnder(heading: string, markdown: string): readonly Row[] {
  const [, rest] = markdown.split(`\n${heading}\n`);
  if (rest === undefined) throw new Error(`there is no heading "${heading}"`);
  const level = /^#+/.exec(heading)?.[0] ?? '';
  const [section = ''] = rest.split(new RegExp(`\\n${level} `));
  const rows: Row[] = [];
  let columns: readonly string[] | undefined;
  for (const line of section.split('\n')) {
    if (!line.startsWith('|')) columns = undefined;
    else if (columns === undefined) columns = cellsOf(line);
    else if (!/^[|\s:-]+$/.test(line)) rows.push(rowOf(columns, cellsOf(line)));
  }
  return rows;
}

function rowOf(columns: readonly string[], cells: readonly string[]): Row {
  if (cells.length !== columns.length) throw new Error(`not ${columns.length} cells: ${cells.join(' | ')}`);
  return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
}

function cellsOf(line: string): readonly string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

// Faults of Zuora and of the network.

export interface Fault {
  readonly when?: 'before' | 'after';
  readonly fault?: 'respond' | 'reset' | 'stall';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly stored?: boolean;
  readonly times?: number;
  readonly afterMs?: number;
}

function faultInWords({ when = 'before', fault = 'respond', times = 1, stored, afterMs, ...reply }: Fault): string {
  const what = fault === 'respond' ? `${reply.status ?? 500} ${bodyInWords(reply.body)}` : fault;
  const words = [
    what,
    ...Object.entries(reply.headers ?? {}).map(([name, value]) => `${name} ${value.replace(/^.* GMT$/, 'a date')}`),
    ...(afterMs === undefined ? [] : [`takes ${afterMs / SECOND} s`]),
    ...(stored === true ? ['stored'] : []),
    when,
    ...(times === 1 ? [] : [times >= MANY ? 'always' : `×${times}`]),
  ];
  return words.join(', ');
}

interface ReplyBody {
  readonly success?: boolean;
  readonly reasons?: readonly { readonly code: number | string }[];
  readonly code?: number;
  readonly message?: string;
}

function bodyInWords(body: unknown): string {
  if (body === undefined) return 'empty';
  if (typeof body === 'string') return /^\s*</.test(body) ? 'HTML' : body.length > 1_000 ? 'huge' : body;
  const { success, reasons = [], code, message } = body as ReplyBody;
  const codes = [...reasons.map((each) => each.code), ...(code === undefined ? [] : [code])].map(String);
  const words = [...(success === undefined ? [] : [`success:${success}`]), ...codes];
  return words.join(' ') || (message ?? JSON.stringify(body));
}

/** A row gives the number of calls up to this one. */
const MANY = 15;

/** A proxy in front of Zuora. While it is closed, connections are refused and nothing leaves. */
export class Gate {
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => {
    const onwards = connect(Number(new URL(this.zuoraUrl).port), '127.0.0.1');
    for (const [from, to] of [
      [socket, onwards],
      [onwards, socket],
    ] as const) {
      this.sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  });
  /** The simulator's address; set before the first connection. */
  zuoraUrl = '';
  private port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

// A case and its result.

/** The cells of a row. */
export interface Outcome extends Row {
  readonly 'What happens': string;
  readonly Calls: string;
  readonly Keys: string;
  readonly Emails: string;
  readonly State: string;
  readonly Sends: string;
  readonly 'What a person reads': string;
}

interface LoggedCall {
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly cut: string | null;
  readonly repeated: boolean;
  readonly idempotencyKey: string | null;
}

/** Words of questions and texts that tell a person what is known and what is not. */
const KEY_WORDS = [
  'Nothing was sent',
  'It is not known whether Zuora emailed',
  'It is not known yet',
  'Zuora repeats a stored answer',
  'may have emailed them',
  'Attempts continue',
  'autoEmail is on',
  'Zuora says that the bill run was emailed',
  'no invoices and no credit memos',
  'Zuora emailed documents of this bill run',
  'Zuora emails the documents at the post',
  'On hold',
] as const;

export class Case {
  readonly rig: Rig;
  readonly gate: Gate | undefined;
  number = '';
  id = '';
  private readonly events: string[] = [];
  /** Questions and texts, in the order in which a person can read them. */
  private readonly texts: string[] = [];
  private handle: WorkflowHandle | undefined;
  /** Whether the row has the pauses between calls. */
  private showsPauses = false;

  constructor(rig: Rig, gate?: Gate) {
    this.rig = rig;
    this.gate = gate;
  }

  get job(): WorkflowHandle {
    if (this.handle === undefined) throw new Error('the case has started no job');
    return this.handle;
  }

  get emailPath(): string {
    return `/v1/bill-runs/${this.number}/emails`;
  }

  happens(words: string): void {
    this.events.push(words);
  }

  async billRun(wanted: object = {}): Promise<void> {
    const words = Object.entries(wanted).map(([name, value]) => `${name} ${String(value)}`);
    if (words.length > 0) this.happens(words.join(', '));
    ({ number: this.number, id: this.id } = await this.rig.billRun.create(wanted));
  }

  async change(
    change: Readonly<Record<string, string>>,
    words = Object.entries(change).flat().join(' '),
  ): Promise<void> {
    this.happens(words);
    await this.rig.billRun.change(this.number, change);
  }

  async faults(...faults: readonly Fault[]): Promise<void> {
    if (this.number === '') await this.billRun();
    for (const fault of faults) {
      this.happens(faultInWords(fault));
      await this.rig.fault({ fault: 'respond', ...fault, path: this.emailPath });
    }
  }

  async start(input: Partial<EmailBillRunInput> = {}): Promise<void> {
    if (this.number === '') await this.billRun();
    if (input.hold === true) this.happens('start hold');
    if (input.sendBudget !== undefined) this.happens(`sendBudget ${input.sendBudget}`);
    this.handle = await this.rig.start({ billRunKey: this.number, ...input });
  }

  /** Starts again, as the nightly pipeline does. A job that this opens is the one that is looked at from then on. */
  async startsAgain(input: Partial<EmailBillRunInput> = {}): Promise<void> {
    const { result } = await this.rig.emails.start({ billRunKey: this.number, ...input });
    const what = input.resend === true ? `resend ${input.requestId ?? ''}` : 'start';
    this.happens(`${what}${input.again === true ? ' again' : ''}: ${result}`);
  }

  async terminate(): Promise<void> {
    this.happens('terminate');
    await this.job.terminate();
  }

  /** Waits until the job closes. Nobody answers, so all waits are skipped. */
  async runsToItsEnd(input: Partial<EmailBillRunInput> = {}): Promise<void> {
    this.showsPauses = true;
    await this.start({ openFor: '0s', ...input });
    await this.over();
  }

  async over(): Promise<void> {
    await this.rig.skipToEnd(this.job);
  }

  async passes(minutes: number): Promise<void> {
    this.happens(minutes < 120 ? `${minutes} min pass` : `${minutes / 60} h pass`);
    await this.rig.skip(this.job, minutes * MINUTE);
  }

  /** Skips the cool-down but for its last second, so that the send begins in real time. */
  async coolsDown(): Promise<void> {
    this.happens('24 h pass');
    const { until: end } = await this.status((status) => status.until !== null);
    await this.rig.skip(this.job, Date.parse(end ?? '') - (await this.rig.now(this.job)) - SECOND);
  }

  async signal(name: string, argument: RetryMessage & { requestId?: string } = {}): Promise<void> {
    const words = [name, argument.requestId, argument.sendAnyway === true ? 'sendAnyway' : undefined];
    this.happens(words.filter((word) => word !== undefined).join(' '));
    await this.job.signal(name, { requestedBy: 'alice', ...argument });
  }

  /** Without `sendAnyway`, the retry is ignored. */
  async plainRetryIsIgnored(): Promise<void> {
    await this.job.signal('retry', { requestedBy: 'alice' });
    const { ignored } = await this.status(({ ignored: { count } }) => count > 0);
    expect(ignored.last.at(-1)?.reason).toContain('sendAnyway: true');
    this.happens('retry is ignored');
  }

  async cancel(): Promise<void> {
    this.happens('cancel');
    await this.job.cancel();
    await this.over();
  }

  status(right: (status: JobStatus) => boolean): Promise<JobStatus> {
    return until(() => this.rig.status(this.job), right);
  }

  sends(right: (sends: readonly SendRecord[]) => boolean): Promise<readonly SendRecord[]> {
    return until(() => this.rig.sends(this.job), right);
  }

  /** Waits until the send has so many attempts on record: the last one, or the one with this ordinal, which may still have to begin. */
  attempted(attempts: number, ordinal?: number): Promise<unknown> {
    return this.sends((sends) => {
      const send = ordinal === undefined ? sends.at(-1) : sends[ordinal - 1];
      return (send?.attempts.length ?? 0) >= attempts;
    });
  }

  /** Waits until so many sends were accepted and nothing is left to send. */
  async emailed(sends = 1): Promise<void> {
    await this.rig.accepted(this.job, sends);
    await this.status(({ state, pendingRequests }) => isAccepted(state) && pendingRequests.length === 0);
  }

  /** Waits until the job keeps the send back for a reason, without a question. */
  async isKeptBack(reason: 'coolDown' | 'autoEmail' | 'emailedElsewhere'): Promise<void> {
    const { question, text } = await this.status(({ reason: now, until: end }) => now === reason && end !== null);
    expect(question).toBeNull();
    this.reads(saying(text));
  }

  /** Waits until a person is asked. */
  async asks(): Promise<Question> {
    const { question } = await this.status((status) => status.question !== null);
    if (question === null) throw new Error('no question');
    this.reads(questionInWords(question));
    return question;
  }

  private reads(words: string): void {
    if (this.texts.at(-1) !== words) this.texts.push(words);
  }

  /** The row, once nothing is under way. */
  async outcome(): Promise<Outcome> {
    const status = await this.rig.status(this.job);
    const sends = await this.rig.sends(this.job);
    const mailbox = await this.rig.mailbox(this.number);
    const calls = await this.calls();
    if (status.question !== null) await this.asks();
    await this.checkEnd(status, sends);
    atMostOneEmailForAnIntent(mailbox, sends);
    const open = status.question === null ? '' : ', open';
    return {
      'What happens': this.events.join('; ') || 'nothing unusual',
      Calls: callsInWords(calls, this.showsPauses ? await this.pauses(calls.length > MANY) : []),
      Keys: grouped(calls.map(({ idempotencyKey }) => this.tail(idempotencyKey))).join(', ') || 'none',
      Emails: await this.emailsInWords(mailbox),
      // Whether a check of the documents has come by then is not what the table is about.
      State: [
        isAccepted(status.state) ? 'Delivering' : status.state,
        ...(status.reason === null ? [] : [status.reason]),
      ].join(' '),
      Sends: sends.map(sendInWords).join('; ') || 'none',
      'What a person reads': `${this.texts.join('; ') || 'nothing'}${open}`,
    };
  }

  private async calls(): Promise<readonly LoggedCall[]> {
    const requests = () => this.rig.control<LoggedCall[]>('GET', `/requests?billRun=${this.number}`);
    return (await requests()).filter(({ method, path }) => method === 'POST' && path === this.emailPath);
  }

  /** A key without the part that all keys of the bill run share. */
  private tail(key: string | null): string {
    const shared = `bill-run-email/${this.id}/`;
    expect(key).toContain(shared);
    return String(key).replace(shared, '');
  }

  private async emailsInWords(mailbox: readonly Email[]): Promise<string> {
    const { documents } = await this.rig.control<{ documents: readonly { number: string }[] }>(
      'GET',
      `/bill-runs/${this.number}`,
    );
    if (documents.length === 0) return 'no documents';
    const counts = documents.map(({ number }) => mailbox.filter((email) => email.documentNumber === number).length);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    return least === most ? String(most) : `${least} to ${most}`;
  }

  /**
   * The pauses before all attempts but the first (ms). Of a few, up to the timer's end, because a busy machine takes its time after it;
   * of many, up to the attempt.
   */
  private async pauses(isMany: boolean): Promise<readonly number[]> {
    const { events = [] } = await this.job.fetchHistory();
    const pauses: number[] = [];
    const attempts: string[] = [];
    let endedAt: number | undefined;
    let dueAt: number | undefined;
    for (const { eventId, activityTaskScheduledEventAttributes: scheduled, eventTime, ...event } of events ?? []) {
      const at = tsToMs(eventTime);
      if (scheduled?.activityType?.name === 'emailBillRunDocuments') {
        if (endedAt !== undefined) pauses.push((isMany ? at : (dueAt ?? at)) - endedAt);
        attempts.push(String(eventId));
      }
      const timer = event.timerStartedEventAttributes;
      if (timer != null) dueAt = at + tsToMs(timer.startToFireTimeout);
      const ended = event.activityTaskCompletedEventAttributes;
      if (!attempts.includes(String(ended?.scheduledEventId))) continue;
      endedAt = at;
      dueAt = undefined;
    }
    return pauses;
  }

  /** Rule 5, for every row: where the result is not certain, a person is asked or reads it, with what to do. */
  private async checkEnd(status: JobStatus, sends: readonly SendRecord[]): Promise<void> {
    const last = sends.at(-1);
    const { name } = (await this.job.describe()).status;
    switch (name) {
      case 'RUNNING':
        if (status.state === 'Held') this.reads(saying(status.text));
        else if (['autoEmail', 'emailedElsewhere'].includes(status.reason ?? ''))
          expect(status.text).toContain('a retry emails only those');
        else if (last?.outcome !== 'accepted') checkAdvice(status);
        return;
      case 'COMPLETED': {
        const { state, reason, unsettled } = await this.rig.result(this.job);
        expect({ state, reason }).toEqual({ state: status.state, reason: status.reason });
        expect(unsettled.length > 0, 'only a job that a person stopped leaves something open').toBe(
          state === 'Stopped',
        );
        if (state === 'Skipped') this.reads(saying(status.text));
        for (const each of unsettled) this.reads(`says “${each.replace(/^.*\): /, '')}”`);
        return;
      }
      case 'FAILED': {
        const { type, message } = await failureOf(this.job);
        expect(type).toBe(status.state);
        if (type === 'NotPosted') {
          expect(message).toContain('nothing was emailed');
          this.reads('says “nothing was emailed”');
        } else {
          expect(message).toContain('To continue:');
          checkAdvice(status);
        }
        return;
      }
      default:
        expect(name).toBe('CANCELLED');
        if (last === undefined || last.outcome === 'accepted') return;
        expect(last.note).toContain('nothing more is sent');
        this.reads('says “nothing more is sent”');
    }
  }
}

/** The question says what a person can do. */
function checkAdvice({ question }: JobStatus): void {
  expect(question?.text).toMatch(/\b(finish|retry)\b/i);
}

/** For one intent, a document is emailed once, and once more for each time that a person took the risk. */
export function atMostOneEmailForAnIntent(mailbox: readonly Email[], sends: readonly SendRecord[]): void {
  const intentOf = (key: string): string => key.replace(/\/\d+$/, '');
  const emailed = new Map<string, number>();
  for (const { idempotencyKey: key, documentNumber } of mailbox) {
    // Zuora emailed it by itself, after an automatic post.
    if (key === null) continue;
    const copy = `${intentOf(key)} ${documentNumber}`;
    emailed.set(copy, (emailed.get(copy) ?? 0) + 1);
  }
  for (const [copy, emails] of emailed) {
    const send = sends.find(({ attempts: [first] }) => copy.startsWith(`${intentOf(first?.idempotencyKey ?? ' ')} `));
    const unknown = send?.attempts.some(({ verdict }) => verdict === 'unknown') === true;
    const risks = send?.decisions.filter((each) => each.decision === 'sendAnyway' && unknown).length ?? 0;
    expect(emails, `emails of ${copy}`).toBeLessThanOrEqual(1 + risks);
  }
}

function questionInWords({ kind, needsSendAnyway, text }: Question): string {
  return `${kind}: ${keyWordsIn(text)}, ${needsSendAnyway ? 'sendAnyway' : 'retry'}`;
}

function saying(text: string): string {
  return `says ${keyWordsIn(text)}`;
}

function keyWordsIn(text: string): string {
  const words = KEY_WORDS.filter((each) => text.includes(each)).map((each) => `“${each}”`);
  expect(words, text).not.toEqual([]);
  return words.join(', ');
}

function sendInWords({ resend, outcome }: SendRecord): string {
  return `${resend ? 'resend' : 'first'} ${outcome}`;
}

/** Equal neighbours are counted. */
function grouped(words: readonly string[]): readonly string[] {
  const groups: { word: string; count: number }[] = [];
  for (const word of words) {
    const last = groups.at(-1);
    if (last?.word === word) last.count += 1;
    else groups.push({ word, count: 1 });
  }
  return groups.map(({ word, count }) => (count === 1 ? word : `${word} ×${count > MANY ? 'many' : count}`));
}

/** By default. */
const SEND_BUDGET = 12 * HOUR;

function callsInWords(calls: readonly LoggedCall[], pauses: readonly number[]): string {
  if (calls.length === 0) return '0';
  const answers = calls.map(({ status, cut, repeated }) => {
    const answer = status === null ? (cut ?? 'open') : cut === null ? String(status) : `${status} ${cut}`;
    return repeated ? `${answer} stored` : answer;
  });
  if (calls.length > MANY) {
    const summary = `many: ${[...new Set(answers)].join(', ')}`;
    const ms = pauses.reduce((sum, each) => sum + each, 0);
    // While an attempt waits for a busy worker, the server skips time, and so the last attempts of a budget.
    const meant = ms >= SEND_BUDGET * 0.7 && ms <= SEND_BUDGET ? SEND_BUDGET : ms;
    return pauses.length === 0 ? summary : `${summary} for ${Math.round(meant / HOUR)} h`;
  }
  if (pauses.length !== calls.length - 1) return `${calls.length}: ${grouped(answers).join(', ')}`;
  const later = answers.map((answer, index) => {
    const waited = pauses[index - 1];
    return waited === undefined ? answer : `${pauseInWords(waited, index)} later ${answer}`;
  });
  return `${calls.length}: ${later.join(', ')}`;
}

/** The planned backoff, if the pause is within a fifth of it plus 2 s for a busy machine; otherwise the pause itself. */
function pauseInWords(ms: number, index: number): string {
  const backoff = 5 * SECOND * 2 ** (index - 1);
  const meant = ms >= backoff * 0.8 && ms <= backoff * 1.2 + 2 * SECOND ? backoff : ms;
  return meant < MINUTE ? `${Math.round(meant / SECOND)} s` : `${Math.round(meant / MINUTE)} min`;
}

function isAccepted(state: JobStatus['state']): boolean {
  return state === 'Delivering' || state === 'Emailed';
}
