/**
 * The life of an email job without Temporal: the pure rules, a clock, and a Zuora with scripted answers. It goes from step to step as
 * `email-bill-run.ts` does, so tests live through days in no time.
 */
import type {
  AttemptResult,
  BillRun,
  DeliveryCheck,
  Earlier,
  EarlierAttempt,
  EarlierSend,
  Receipt,
} from '../../workflows/contract/activities.js';
import { checkInput, type Settings } from '../../workflows/contract/validation.js';
import type {
  DocumentOutcome,
  EmailRequest,
  MessageAnswer,
  Question,
  RetryMessage,
  SendRecord,
  Verdict,
} from '../../workflows/contract/contract.js';
import type { HistoricAttempt } from '../../client/history/attempts.js';
import { earlierIn } from '../../client/history/earlier-sends.js';
import { recordCheck } from '../../workflows/rules/documents.js';
import { keyParts } from '../../workflows/rules/keys.js';
import * as jobs from '../../workflows/rules/job.js';
import * as messages from '../../workflows/rules/messages.js';
import * as status from '../../workflows/rules/status.js';
import * as steps from '../../workflows/rules/next-step.js';
import type { EmailJob } from '../../workflows/rules/job.js';
import { lookRules } from '../../workflows/rules/sending.js';
import type { Ending, Step } from '../../workflows/rules/step.js';
import { beginAttempt, type AttemptPlan, type Send } from '../../workflows/rules/send.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const NOON = Date.parse('2026-03-02T12:00:00.000Z');

export function iso(at: number): string {
  return new Date(at).toISOString();
}

export const POSTED: BillRun = {
  id: '8ad09e208b1a',
  number: 'BR-00000001',
  status: 'Posted',
  numberOfInvoices: 2,
  numberOfCreditMemos: 1,
};

/** The memory of a check that has learned nothing for the next one. */
export const NOTHING_REMEMBERED: DeliveryCheck['memory'] = {
  lastLooked: null,
  inactiveSince: {},
  emailed: [],
  latest: null,
  rows: {},
  rowsBefore: null,
  pdfErrors: [],
  dropped: {},
  noAddressSince: {},
  lookedBackTo: {},
};

/** One call to Zuora: when it was begun, and with what. */
export interface Call extends AttemptPlan {
  readonly at: number;
  readonly number: number;
}

type Result = AttemptResult | 'neverTaken';
/** The result of a call. It may send messages meanwhile, and let time pass. */
export type Answer = (call: Call, life: Life) => Result;

/** A job that never comes to rest would make a test hang. */
const MOST_STEPS = 10_000;

export interface Circumstances {
  readonly input?: Readonly<Record<string, unknown>>;
  readonly billRun?: Partial<BillRun>;
  /** What Zuora answers, call by call. */
  readonly answers?: readonly Answer[];
  readonly workflowId?: string;
  /** As the starter found it; empty for the first job of its id. Default: another starter did not say. */
  readonly earlierRun?: string;
  /** What it answers after those. Default: it accepts. */
  readonly otherwise?: Answer;
}

export class Life {
  job: EmailJob;
  now = NOON;
  /** The bill run as it is in Zuora. */
  billRun: BillRun;
  readonly calls: Call[] = [];
  looks = 0;
  /** The hold on all is open. */
  allOnHold = false;
  /** What further earlier jobs did. */
  earlier: readonly EarlierSend[] = [];
  /** What cannot be read. */
  readonly unreadable = new Set<jobs.Read | 'watch'>();
  /** When the job gives up a read that does not work. */
  private readEnds = Infinity;
  /** The attempts of all jobs, as history keeps them. */
  private readonly history: HistoricAttempt[] = [];
  private jobs = 1;
  /** The requests that another job took over. */
  readonly handedOver: string[] = [];
  /** How the job closed, if it did. */
  end: Ending | undefined;
  /** Called between two steps, when a query may arrive: before the job settles. */
  betweenSteps: (life: Life) => void = () => undefined;
  private readonly answers: Answer[];
  private readonly otherwise: Answer;
  private underWay = false;

  constructor({
    input = {},
    billRun = {},
    answers = [],
    otherwise = accepts(),
    workflowId = 'email-bill-run/BR-00000001',
    earlierRun,
  }: Circumstances = {}) {
    const ids = { workflowId, firstRunId: 'first-run', ...(earlierRun === undefined ? {} : { earlierRun }) };
    this.job = jobs.openJob(settingsOf(input), { ...ids, now: this.now });
    this.billRun = { ...POSTED, ...billRun };
    this.answers = [...answers];
    this.otherwise = otherwise;
  }

  /** Continues until the job waits or closes. */
  go(): this {
    if (this.underWay) return this;
    this.underWay = true;
    for (let steps = 0; this.take(); steps++) {
      if (steps > MOST_STEPS) throw new Error('the job does not come to rest');
    }
    this.underWay = false;
    return this;
  }

  /** Lets time pass, and wakes the job when it wants to be woken. */
  pass(duration: number): this {
    const until = this.now + duration;
    this.go();
    for (let wakes = 0; !this.underWay && this.end === undefined; wakes++) {
      if (wakes > MOST_STEPS) throw new Error('the job wakes up again and again');
      const step = this.step;
      const next = step.kind === 'watch' ? step.until : 'wake' in step ? step.wake : Infinity;
      const wake = Math.min(next, this.readEnds);
      if (wake > until) break;
      this.now = Math.max(wake, this.now);
      this.go();
    }
    this.now = Math.max(until, this.now);
    return this.go();
  }

  /** Zuora changes the bill run, and the watch sees it. */
  change(change: Partial<BillRun>): this {
    this.billRun = { ...this.billRun, ...change };
    return this.go();
  }

  willAnswer(...answers: readonly Answer[]): this {
    this.answers.push(...answers);
    return this;
  }

  resend(argument?: unknown): this {
    return this.receive(() => {
      messages.receiveResend(this.job, argument, this.now);
    });
  }

  /** Somebody takes the risk of a `sendAnyway`; without a name and a reason it would be ignored. */
  retry(argument?: RetryMessage | null): this {
    const risk = { requestedBy: 'carol', reason: 'checked' };
    return this.receive(() => {
      messages.receiveRetry(this.job, argument?.sendAnyway === true ? { ...risk, ...argument } : argument, this.now);
    });
  }

  hold(argument?: unknown): this {
    return this.receive(() => {
      messages.receiveHold(this.job, argument, this.now);
    });
  }

  release(argument?: unknown): this {
    return this.receive(() => {
      messages.receiveRelease(this.job, argument, this.now);
    });
  }

  finish(argument?: unknown): this {
    return this.receive(() => {
      messages.receiveFinish(this.job, argument, this.now);
    });
  }

  /** A check shows so many documents of each outcome. The others are sent. */
  check(counts: Partial<Record<DocumentOutcome, number>> = {}, next: number | null = this.now + HOUR): this {
    const all = { sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0, ...counts };
    const others = Object.values(all).reduce((sum, count) => sum + count, 0);
    const documents = { complete: true, total: Math.max(3, others), ...all, sent: Math.max(0, 3 - others) + all.sent };
    const list = (['notSent', 'unknown', 'waiting', 'leftOut'] as const).flatMap((outcome) =>
      Array.from({ length: all[outcome] }, (_, index) => ({
        ...({ number: `INV-${outcome}-${index + 1}`, kind: 'invoice', outcome, reason: 'a cause' } as const),
      })),
    );
    const none = { sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 };
    return this.receive(() => {
      const check = { documents: { ...documents, list }, kinds: { invoice: documents, creditMemo: none } };
      const rest = {
        otherFailures: 0,
        at: this.now,
        next,
        memory: structuredClone(NOTHING_REMEMBERED),
      };
      recordCheck(this.job, { ...check, ...rest }, this.now);
    });
  }

  cancel(): this {
    return this.receive(() => {
      this.job.canceled = true;
    });
  }

  /** An update: its answer, or why it is rejected. */
  update(name: 'resend' | 'retry' | 'finish', argument?: unknown): MessageAnswer | string {
    const { job, now } = this;
    const faults = {
      resend: () => messages.resendFault(job, argument),
      retry: () => messages.retryFault(job, argument, now),
      finish: () => messages.finishFault(argument),
    };
    const fault = faults[name]();
    if (fault !== undefined) return fault;
    const answer = messages[name](job, argument, now);
    this.go();
    return answer;
  }

  /** The job continues as new: its record survives as JSON. */
  continueAsNew(): this {
    if (!this.underWay) this.job = JSON.parse(JSON.stringify(this.job)) as EmailJob;
    return this.go();
  }

  /** The job is terminated, if it is open, and another one starts under the same id. */
  startAgain(input: Circumstances['input'] = {}): this {
    if (this.underWay) return this;
    this.jobs += 1;
    this.end = undefined;
    this.readEnds = Infinity;
    const firstRunId = `run-${this.jobs}`;
    this.job = jobs.openJob(settingsOf(input), { workflowId: this.job.workflowId, firstRunId, now: this.now });
    return this.go();
  }

  get step(): Step {
    return steps.nextStep(this.job, this.now);
  }

  get state(): string {
    return this.step.state;
  }

  /** The state with its reason, such as `Waiting coolDown`. */
  get stateAndReason(): string {
    const { state, reason } = this.step;
    return reason === null ? state : `${state} ${reason}`;
  }

  get question(): Question | null {
    return steps.questionOf(this.job, this.now);
  }

  get sends(): readonly SendRecord[] {
    return status.sendsOf(this.job);
  }

  /** The last send's record. */
  get send(): SendRecord {
    const send = this.sends.at(-1);
    if (send === undefined) throw new Error('no send was begun');
    return send;
  }

  /** The reasons for which messages were ignored. */
  get ignored(): readonly string[] {
    return this.job.ignored.last.map(({ reason }) => reason);
  }

  /** The key of each call, without the part that all keys of a bill run share. */
  get keys(): readonly string[] {
    return this.calls.map(({ idempotencyKey }) => idempotencyKey.replace(`bill-run-email/${POSTED.id}/`, ''));
  }

  /** A message to a closed job does not arrive. */
  private receive(change: () => void): this {
    if (this.end === undefined) change();
    return this.go();
  }

  /** @returns whether there was something to do */
  private take(): boolean {
    if (this.end !== undefined) return false;
    this.betweenSteps(this);
    steps.settle(this.job, this.now);
    const step = this.step;
    status.noteState(this.job, step, this.now);
    if (!['look', 'lookUp', 'handOver'].includes(step.kind)) this.readEnds = Infinity;
    switch (step.kind) {
      case 'watch':
        jobs.followHint(this.job, this.now);
        if (this.failsToRead('watch')) return true;
        if (this.unreadable.has('watch')) return false;
        if (step.lastSeenStatus === this.billRun.status && this.job.unreadable === null) return false;
        this.look();
        return true;
      case 'look':
        if (this.failsToRead('look')) return true;
        return this.read(step.kind, () => {
          this.look();
        });
      case 'lookUp': {
        const requests = [...step.requests];
        return this.read(step.kind, () => {
          jobs.recordEarlier(this.job, requests, this.lookUp(requests));
        });
      }
      case 'handOver': {
        const requests = [...step.requests];
        return this.read(step.kind, () => {
          this.handedOver.push(...requests.map(({ requestId }) => `${requestId} to ${step.to}`));
          const results = requests.map(({ requestId }) => ({ requestId, result: 'joined' as const }));
          jobs.recordHandover(this.job, requests, results);
        });
      }
      case 'attempt':
        this.attempt(step.send);
        return true;
      case 'watchHoldAll':
        if (this.allOnHold) return step.wake <= this.now;
        jobs.recordHold(this.job, { heldByAll: false }, this.now);
        return true;
      case 'wait':
        return step.wake <= this.now;
      case 'complete':
      case 'cancel':
      case 'fail':
        this.end = step;
        return false;
    }
  }

  /** The job is informed once that the bill run cannot be read. */
  private failsToRead(what: 'look' | 'watch'): boolean {
    if (!this.unreadable.has(what) || this.job.unreadable !== null) return false;
    jobs.recordCannotRead(this.job, { cannotRead: 'Zuora answered HTTP 503', since: this.now });
    return true;
  }

  /** A read that works, or is tried until its time is over. */
  private read(what: jobs.Read, work: () => void): boolean {
    if (this.readEnds === Infinity) this.readEnds = this.now + jobs.beginRead(this.job, what, this.now);
    if (!this.unreadable.has(what)) work();
    else if (this.now < this.readEnds) return false;
    else jobs.recordUnread(this.job, 'HTTP 503: no answer', this.now);
    this.readEnds = Infinity;
    return true;
  }

  /** As the activity finds it in event histories. */
  private lookUp(requests: readonly EmailRequest[]): Earlier {
    const requestIds = requests.filter(({ resend }) => resend).map(({ requestId }) => requestId);
    const first = requests.some(({ resend }) => !resend);
    const byIntent = new Map<string, HistoricAttempt[]>();
    for (const attempt of this.history) {
      const { intent } = keyParts(attempt.idempotencyKey);
      byIntent.set(intent, [...(byIntent.get(intent) ?? []), attempt]);
    }
    const missing = requests.filter((request) => request.missing === true).map(({ requestId }) => requestId);
    const found = earlierIn(byIntent, this.job.firstRunId, { requestIds, first, missing });
    const further = this.earlier.filter((send) => send.requestIds.some((id) => requestIds.includes(id)) || send.first);
    return { ...found, sends: [...further, ...found.sends], unreadable: [] };
  }

  private look(): void {
    this.looks += 1;
    jobs.recordLook(this.job, this.billRun, this.now);
  }

  private attempt(send: Send): void {
    const startedAt = this.now;
    const number = this.calls.length + 1;
    const plan = beginAttempt(send, {
      originalRunId: 'first-run',
      unique: number.toString(16).padStart(8, '0'),
      now: startedAt,
      look: { at: this.job.lookedAt, ...lookRules(this.job, send) },
    });
    if (plan === undefined) return;
    if (this.allOnHold) {
      const held = { called: false, why: 'heldByAll' } as const;
      jobs.recordAttempt(this.job, send, plan, held, { startedAt, now: startedAt, jitter: 0.5 });
      return;
    }
    const call: Call = { ...plan, at: startedAt, number };
    this.calls.push(call);
    const answered = (this.answers.shift() ?? this.otherwise)(call, this);
    // Time may have passed meanwhile.
    const isReceipt = answered !== 'neverTaken' && 'called' in answered && answered.called;
    const result = isReceipt ? { ...answered, durationMs: this.now - startedAt } : answered;
    if (result !== 'neverTaken' && (!('called' in result) || result.called)) {
      const { idempotencyKey, trackId, resend, requestIds: served = [] } = plan;
      const { firstRunId: runId } = this.job;
      this.history.push({ runId, idempotencyKey, trackId, startedAt, result, resend, served, copiedTo: [] });
    }
    jobs.recordAttempt(this.job, send, plan, result, { startedAt, now: this.now, jitter: 0.5 });
  }
}

function settingsOf(input: Circumstances['input']): Settings {
  const { value, faults } = checkInput({ billRunKey: 'BR-00000001', ...input });
  if (faults !== undefined) throw new Error(faults.join('; '));
  return value;
}

/** A job that has continued as far as it can by itself. */
export function begin(circumstances?: Circumstances): Life {
  return new Life(circumstances).go();
}

type Reply = Partial<Omit<Extract<Receipt, { called: true }>, 'called'>>;

/** Any reply of Zuora's to this very call. */
export function replies(reply: Reply): Answer {
  return ({ at, trackId, number }) => ({
    called: true,
    startedAt: new Date(at).toISOString(),
    durationMs: 0,
    verdict: 'unknown',
    reasons: [],
    httpStatus: 200,
    zuoraRequestId: `request-${number}`,
    echoedTrackId: trackId,
    retryAfterMs: null,
    ...reply,
  });
}

export function accepts(): Answer {
  return replies({ verdict: 'accepted' });
}

export function refuses(message = 'notification is inactive'): Answer {
  return replies({ verdict: 'refused', httpStatus: 400, reasons: [{ code: '58730030', message }] });
}

/** HTTP 429, with the wait that Zuora asks for, if it does. */
export function busy(retryAfterMs: number | null = null): Answer {
  return replies({ verdict: 'notExecuted', httpStatus: 429, retryAfterMs });
}

/** HTTP 500: it is not known whether Zuora executed the request. */
export function breaks(): Answer {
  return replies({
    verdict: 'unknown',
    httpStatus: 500,
    reasons: [{ code: 'SystemError', message: 'internal error' }],
  });
}

/** The connection ends before any answer. */
export function cutOff(): Answer {
  return replies({
    verdict: 'unknown',
    httpStatus: null,
    zuoraRequestId: null,
    echoedTrackId: null,
    reasons: [{ code: 'ECONNRESET', message: 'the connection was reset' }],
  });
}

export function loginFails(): Answer {
  return replies({ verdict: 'notExecuted', httpStatus: 401 });
}

export function losesWorker(): Answer {
  return () => ({ verdict: 'unknown', reasons: [{ code: 'WORKER_LOST', message: 'the worker was lost' }] });
}

/** The retry policy of the activity gave up on a request that never left. */
export function neverLeaves(): Answer {
  return () => ({ verdict: 'notExecuted', reasons: [{ code: 'ECONNREFUSED', message: 'nothing was sent' }] });
}

export function findsNoWorker(): Answer {
  return () => 'neverTaken';
}

export function makesNoCall(why: 'afterReset' | 'keyTooOld' | 'heldByAll' | 'takenBack'): Answer {
  return () => (why === 'afterReset' ? { called: false, why, runId: 'made-by-a-reset' } : { called: false, why });
}

/** Zuora repeats what it stored for an earlier call, headers and all. */
export function repeats(earlier: number, reply: Reply): Answer {
  return (call, life) => {
    const first = life.calls[earlier - 1];
    if (first === undefined) throw new Error(`there was no call ${earlier}`);
    const stored = { zuoraRequestId: `request-${earlier}`, echoedTrackId: first.trackId, ...reply };
    return replies(stored)(call, life);
  };
}

/** The same answer, but first something happens while the call is under way. */
export function during(meanwhile: (life: Life) => void, answer: Answer): Answer {
  return (call, life) => {
    meanwhile(life);
    return answer(call, life);
  };
}

/** An attempt of an earlier job for the resend T-1. It took a second. */
export function earlierAttempt(verdict: Verdict, startedAt = NOON): EarlierAttempt {
  const result = {
    called: true as const,
    startedAt: iso(startedAt),
    durationMs: SECOND,
    verdict,
    reasons: [],
    httpStatus: 200,
    zuoraRequestId: 'z-1',
    echoedTrackId: null,
    retryAfterMs: null,
  };
  const idempotencyKey = `bill-run-email/${POSTED.id}/resend/T-1/1`;
  return { runId: 'earlier-run', idempotencyKey, trackId: 'bre-1', startedAt, result };
}
