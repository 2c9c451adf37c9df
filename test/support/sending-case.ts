/**
 * One row of the table in docs/sending.md: what somebody or something does to a bill run's emails, on real parts, and
 * what came of it, written as the row says it.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import type { WorkflowHandle } from '@temporalio/client';
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

/** The rows of all tables below a heading, down to the next heading of its level; each cell by the name of its column. */
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

// What Zuora or the network does.

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
  const said = [
    what,
    ...Object.entries(reply.headers ?? {}).map(([name, value]) => `${name} ${value.replace(/^.* GMT$/, 'a date')}`),
    ...(afterMs === undefined ? [] : [`takes ${afterMs / SECOND} s`]),
    ...(stored === true ? ['stored'] : []),
    when,
    ...(times === 1 ? [] : [times >= MANY ? 'always' : `×${times}`]),
  ];
  return said.join(', ');
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
  const said = [...(success === undefined ? [] : [`success:${success}`]), ...codes];
  return said.join(' ') || (message ?? JSON.stringify(body));
}

/** More calls than this are not counted out in a row. */
const MANY = 15;

/** A way to Zuora that can be closed: connections are refused then, and nothing leaves. */
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
  /** Where it leads: set once the simulator is there. */
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

// What a case does, and what came of it.

/** What a row says, column by column. */
export interface Outcome extends Row {
  readonly 'What happens': string;
  readonly Calls: string;
  readonly Keys: string;
  readonly Emails: string;
  readonly State: string;
  readonly Sends: string;
  readonly 'A person is asked or told': string;
}

interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly cut: string | null;
  readonly repeated: boolean;
  readonly idempotencyKey: string | null;
}

/** Words of a question by which a person knows what is and what is not known. */
const TELLING_WORDS = [
  'Nothing was sent',
  'Nobody knows whether Zuora emailed',
  'It is not known yet',
  'Zuora repeats a stored answer',
  'may have been carried out',
  'Attempts go on',
  'autoEmail is on',
  'no invoices and no credit memos',
  'sent emails for this bill run',
] as const;

export class Case {
  readonly rig: Rig;
  readonly gate: Gate | undefined;
  number = '';
  id = '';
  private readonly happened: string[] = [];
  private readonly asked: string[] = [];
  private handle: WorkflowHandle | undefined;
  /** With the pauses between calls: where the server skips them, nobody else makes them longer. */
  private showsPauses = false;

  constructor(rig: Rig, gate?: Gate) {
    this.rig = rig;
    this.gate = gate;
  }

  get run(): WorkflowHandle {
    if (this.handle === undefined) throw new Error('no run was started');
    return this.handle;
  }

  get emailPath(): string {
    return `/v1/bill-runs/${this.number}/emails`;
  }

  happens(words: string): void {
    this.happened.push(words);
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
    if (input.sendBudget !== undefined) this.happens(`sendBudget ${input.sendBudget}`);
    this.handle = await this.rig.start({ billRunKey: this.number, ...input });
  }

  /** Lets time pass by itself until the run is over: to be used where nobody has to answer, as the server skips all time. */
  async runsToItsEnd(input: Partial<EmailBillRunInput> = {}): Promise<void> {
    this.showsPauses = true;
    await this.start({ escalationWindow: '0s', attentionWindow: '1 hour', ...input });
    await this.over();
  }

  async over(): Promise<void> {
    await this.run.result().catch(() => undefined);
  }

  async passes(minutes: number): Promise<void> {
    this.happens(minutes < 120 ? `${minutes} min pass` : `${minutes / 60} h pass`);
    await this.rig.environment.sleep(minutes * MINUTE);
  }

  async signal(name: string, argument: RetryMessage & { requestId?: string } = {}): Promise<void> {
    const words = [name, argument.requestId, argument.sendAnyway === true ? 'sendAnyway' : undefined];
    this.happens(words.filter((word) => word !== undefined).join(' '));
    await this.run.signal(name, { requestedBy: 'alice', ...argument });
  }

  /** A retry that does not do: it must say `sendAnyway`. */
  async plainRetryIsIgnored(): Promise<void> {
    await this.run.signal('retry', { requestedBy: 'alice' });
    const { ignored } = await this.status(({ ignored: { count } }) => count > 0);
    expect(ignored.last.at(-1)?.reason).toContain('sendAnyway: true');
    this.happens('retry is ignored');
  }

  async cancel(): Promise<void> {
    this.happens('cancel');
    await this.run.cancel();
    await this.over();
  }

  status(right: (status: JobStatus) => boolean): Promise<JobStatus> {
    return until(() => this.rig.status(this.run), right);
  }

  sends(right: (sends: readonly SendRecord[]) => boolean): Promise<readonly SendRecord[]> {
    return until(() => this.rig.sends(this.run), right);
  }

  /** So many attempts of the last send are on record. */
  attempted(attempts: number): Promise<unknown> {
    return this.sends((sends) => (sends.at(-1)?.attempts.length ?? 0) >= attempts);
  }

  /** So many sends were accepted, and nothing is left to do. */
  async emailed(sends = 1): Promise<void> {
    await this.sends((all) => all.filter(({ outcome }) => outcome === 'accepted').length === sends);
    await this.status(({ state, pendingRequests }) => state === 'Emailed' && pendingRequests.length === 0);
  }

  /** A person is asked. */
  async asks(): Promise<Question> {
    const { question } = await this.status((status) => status.question !== null);
    if (question === null) throw new Error('no question');
    const words = questionInWords(question);
    if (this.asked.at(-1) !== words) this.asked.push(words);
    return question;
  }

  /** Nothing is under way in Zuora any more, and the row can be written. */
  async outcome(): Promise<Outcome> {
    const status = await this.rig.status(this.run);
    const sends = await this.rig.sends(this.run);
    const mailbox = await this.rig.mailbox(this.number);
    const calls = await this.calls();
    if (status.question !== null) await this.asks();
    const questions =
      status.question === null ? this.asked : [...this.asked.slice(0, -1), `${this.asked.at(-1) ?? ''}, open`];
    atMostOneEmailForAnIntent(mailbox, sends);
    const told = await this.told(status, sends);
    return {
      'What happens': this.happened.join('; ') || 'nothing out of the ordinary',
      Calls: callsInWords(calls, this.showsPauses ? await this.pauses() : []),
      Keys: grouped(calls.map(({ idempotencyKey }) => this.tail(idempotencyKey))).join(', ') || 'none',
      Emails: await this.emailsInWords(mailbox),
      State: status.state,
      Sends: sends.map(sendInWords).join('; ') || 'none',
      'A person is asked or told': [...questions, ...told].join('; ') || 'nothing',
    };
  }

  private async calls(): Promise<readonly SeenCall[]> {
    const requests = () => this.rig.control<SeenCall[]>('GET', `/requests?billRun=${this.number}`);
    return (await requests()).filter(({ method, path }) => method === 'POST' && path === this.emailPath);
  }

  /** A key without what all keys of the bill run share. */
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

  /** How long the run waited before each attempt but the first (ms), by the clock of the server. */
  private async pauses(): Promise<readonly number[]> {
    const { events = [] } = await this.run.fetchHistory();
    const pauses: number[] = [];
    const attempts: string[] = [];
    let endedAt: number | undefined;
    for (const { eventId, activityTaskScheduledEventAttributes: scheduled, eventTime, ...event } of events ?? []) {
      const at = Number(eventTime?.seconds) * SECOND + Number(eventTime?.nanos) / 1e6;
      if (scheduled?.activityType?.name === 'emailBillRunDocuments') {
        if (endedAt !== undefined) pauses.push(at - endedAt);
        attempts.push(String(eventId));
      }
      const ended = event.activityTaskCompletedEventAttributes;
      if (attempts.includes(String(ended?.scheduledEventId))) endedAt = at;
    }
    return pauses;
  }

  /** Rule 5, for every row: what is not certain ends at a person, in words; @returns those that are no question. */
  private async told(status: JobStatus, sends: readonly SendRecord[]): Promise<readonly string[]> {
    const last = sends.at(-1);
    const asksWhatToDo = (): void => {
      expect(status.question?.text).toMatch(/\b(finish|retry)\b/i);
    };
    const { name } = (await this.run.describe()).status;
    switch (name) {
      case 'RUNNING':
        if (status.held) expect(status.waitingFor).toContain('release');
        else if (last?.outcome !== 'accepted') asksWhatToDo();
        return status.held ? ['told “on hold”'] : [];
      case 'COMPLETED': {
        const { unsettled } = await this.rig.result(this.run);
        expect(unsettled.length > 0).toBe(last?.outcome !== 'accepted');
        return unsettled.map((each) => `told “${each.replace(/^.*\): /, '')}”`);
      }
      case 'FAILED': {
        const { type, message } = await failureOf(this.run);
        if (type === 'NotPosted') {
          expect(message).toContain('nothing was emailed');
          return ['told “nothing was emailed”'];
        }
        expect(type).toBe('Unsettled');
        expect(message).toContain('To go on:');
        asksWhatToDo();
        return [];
      }
      default:
        expect(name).toBe('CANCELLED');
        if (last === undefined || last.outcome === 'accepted') return [];
        expect(last.note).toContain('nothing more is sent');
        return ['told “nothing more is sent”'];
    }
  }
}

/** Whatever else holds: one intent, one email per document, and one more for each time that a person took the risk. */
export function atMostOneEmailForAnIntent(mailbox: readonly Email[], sends: readonly SendRecord[]): void {
  const intentOf = (key: string): string => key.replace(/\/\d+$/, '');
  const emailed = new Map<string, number>();
  for (const { idempotencyKey: key, documentNumber } of mailbox) {
    // Zuora sent it by itself, after an automatic post.
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
  const words = TELLING_WORDS.filter((each) => text.includes(each)).map((each) => `“${each}”`);
  expect(words, text).not.toEqual([]);
  return `${kind}: ${words.join(', ')}, ${needsSendAnyway ? 'sendAnyway' : 'retry'}`;
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

function callsInWords(calls: readonly SeenCall[], pauses: readonly number[]): string {
  if (calls.length === 0) return '0';
  const answers = calls.map(({ status, cut, repeated }) => {
    const answer = status === null ? (cut ?? 'open') : cut === null ? String(status) : `${status} ${cut}`;
    return repeated ? `${answer} stored` : answer;
  });
  if (calls.length > MANY) {
    const said = `many: ${[...new Set(answers)].join(', ')}`;
    const hours = Math.round(pauses.reduce((sum, each) => sum + each, 0) / HOUR);
    return pauses.length === 0 ? said : `${said} for ${hours} h`;
  }
  if (pauses.length !== calls.length - 1) return `${calls.length}: ${grouped(answers).join(', ')}`;
  const later = answers.map((answer, index) => {
    const waited = pauses[index - 1];
    return waited === undefined ? answer : `${pauseInWords(waited, index)} later ${answer}`;
  });
  return `${calls.length}: ${later.join(', ')}`;
}

/** The backoff as it is written down, which it keeps to within a fifth and what a busy machine adds; else as it was. */
function pauseInWords(ms: number, index: number): string {
  const backoff = 5 * SECOND * 2 ** (index - 1);
  const meant = ms >= backoff * 0.8 && ms <= backoff * 1.2 + 2 * SECOND ? backoff : ms;
  return meant < MINUTE ? `${Math.round(meant / SECOND)} s` : `${Math.round(meant / MINUTE)} min`;
}
