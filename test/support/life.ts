/**
 * The life of a bill run without Temporal: the pure core, a clock, and a Zuora that answers as it is told. It goes from
 * step to step as `email-bill-run.ts` does, so that the rules of sending can be shown by the day in no time.
 */
import type {
  BillRun,
  EarlierAttempt,
  EarlierSend,
  InvoiceCount,
  LostAttempt,
  Receipt,
} from '../../workflows/contract/activities.js';
import { checkInput, type Settings } from '../../workflows/contract/validation.js';
import type { Question, RetryMessage, SendRecord } from '../../workflows/contract/contract.js';
import { keyParts } from '../../workflows/rules/keys.js';
import * as runs from '../../workflows/rules/job.js';
import * as messages from '../../workflows/rules/messages.js';
import * as status from '../../workflows/rules/status.js';
import * as steps from '../../workflows/rules/steps.js';
import type { Run } from '../../workflows/rules/job.js';
import type { Step } from '../../workflows/rules/steps.js';
import { abandonAttempt, beginAttempt, endAttempt, type AttemptPlan, type Send } from '../../workflows/rules/send.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const NOON = Date.parse('2026-03-02T12:00:00.000Z');
export const POSTED: BillRun = {
  id: '8ad09e208b1a',
  number: 'BR-00000001',
  status: 'Posted',
  numberOfInvoices: 2,
  numberOfCreditMemos: 1,
};

/** One call to Zuora: when it was begun, and with what. */
export interface Call extends AttemptPlan {
  readonly at: number;
  readonly number: number;
}

type Came = Receipt | LostAttempt | 'neverTaken';
/** What comes of a call; it may send messages meanwhile, and let time pass. */
export type Answer = (call: Call, life: Life) => Came;

/** A run that never comes to rest would turn a test into a hang. */
const MOST_STEPS = 10_000;

export interface Circumstances {
  readonly input?: Readonly<Record<string, unknown>>;
  readonly billRun?: Partial<BillRun>;
  /** What Zuora answers, call by call. */
  readonly answers?: readonly Answer[];
  readonly workflowId?: string;
  /** What it answers after those; it accepts, if nothing is said. */
  readonly otherwise?: Answer;
}

export class Life {
  run: Run;
  now = NOON;
  /** The bill run as it is in Zuora. */
  billRun: BillRun;
  readonly calls: Call[] = [];
  looks = 0;
  /** What earlier runs of the workflow did, besides those that were lived here. */
  earlier: readonly EarlierSend[] = [];
  /** The attempts of all runs, as history keeps them. */
  private readonly history: (EarlierAttempt & { readonly served: readonly string[] })[] = [];
  private runs = 1;
  /** What Zuora shows about invoices, and how often it was looked at. */
  shows: InvoiceCount | null = { invoices: 2, emailed: 0, complete: true };
  counts = 0;
  /** What another run took over. */
  readonly handedOver: string[] = [];
  /** How the run ended, if it did. */
  end: Extract<Step, { kind: 'complete' | 'cancel' | 'fail' }> | undefined;
  private readonly answers: Answer[];
  private readonly otherwise: Answer;
  private underWay = false;

  constructor({
    input = {},
    billRun = {},
    answers = [],
    otherwise = accepts(),
    workflowId = 'email-bill-run/BR-00000001',
  }: Circumstances = {}) {
    this.run = runs.openRun(settingsOf(input), { workflowId, firstRunId: 'first-run', now: this.now });
    this.billRun = { ...POSTED, ...billRun };
    this.answers = [...answers];
    this.otherwise = otherwise;
  }

  /** Goes on until somebody or time is waited for, or the run is over. */
  go(): this {
    if (this.underWay) return this;
    this.underWay = true;
    for (let steps = 0; this.take(); steps++) {
      if (steps > MOST_STEPS) throw new Error('the run does not come to rest');
    }
    this.underWay = false;
    return this;
  }

  /** Lets time pass, and wakes the run whenever it asked to be woken. */
  pass(duration: number): this {
    const until = this.now + duration;
    this.go();
    for (let wakes = 0; !this.underWay && this.end === undefined; wakes++) {
      if (wakes > MOST_STEPS) throw new Error('the run wakes up again and again');
      const step = this.step;
      const wake = step.kind === 'wait' ? step.wake : step.kind === 'watch' ? step.until : Infinity;
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
    return this.tell(() => {
      messages.receiveResend(this.run, argument, this.now);
    });
  }

  retry(argument?: RetryMessage | null): this {
    return this.tell(() => {
      messages.receiveRetry(this.run, argument, this.now);
    });
  }

  hold(argument?: unknown): this {
    return this.tell(() => {
      messages.receiveHold(this.run, argument, this.now);
    });
  }

  release(argument?: unknown): this {
    return this.tell(() => {
      messages.receiveRelease(this.run, argument, this.now);
    });
  }

  finish(argument?: unknown): this {
    return this.tell(() => {
      messages.receiveFinish(this.run, argument, this.now);
    });
  }

  cancel(): this {
    return this.tell(() => {
      this.run.canceled = true;
    });
  }

  /** The run continues as new: its successor knows what fits into JSON. */
  continueAsNew(): this {
    if (!this.underWay) this.run = JSON.parse(JSON.stringify(this.run)) as Run;
    return this.go();
  }

  /** The run is terminated, if it is not over, and another one started under the same id. */
  startAgain(input: Circumstances['input'] = {}): this {
    if (this.underWay) return this;
    this.runs += 1;
    this.end = undefined;
    const firstRunId = `run-${this.runs}`;
    this.run = runs.openRun(settingsOf(input), { workflowId: this.run.workflowId, firstRunId, now: this.now });
    return this.go();
  }

  get step(): Step {
    return steps.nextStep(this.run, this.now);
  }

  get state(): string {
    return status.stateOf(this.run, this.now);
  }

  get question(): Question | null {
    return steps.questionOf(this.run, this.now);
  }

  get sends(): readonly SendRecord[] {
    return status.sendsOf(this.run);
  }

  /** The last send's record. */
  get send(): SendRecord {
    const send = this.sends.at(-1);
    if (send === undefined) throw new Error('no send was begun');
    return send;
  }

  /** The reasons for which messages were ignored. */
  get ignored(): readonly string[] {
    return this.run.ignored.last.map(({ reason }) => reason);
  }

  /** The key of each call, without the part that all keys of a bill run share. */
  get keys(): readonly string[] {
    return this.calls.map(({ idempotencyKey }) => idempotencyKey.replace(`bill-run-email/${POSTED.id}/`, ''));
  }

  /** A message to a run that is over does not arrive. */
  private tell(receive: () => void): this {
    if (this.end === undefined) receive();
    return this.go();
  }

  /** @returns whether there was something to do */
  private take(): boolean {
    if (this.end !== undefined) return false;
    steps.settle(this.run, this.now);
    status.noteState(this.run, this.now);
    const step = this.step;
    switch (step.kind) {
      case 'watch':
        runs.followHint(this.run, this.now);
        if (step.lastSeenStatus === this.billRun.status) return false;
        this.look();
        return true;
      case 'look':
        this.look();
        return true;
      case 'recall': {
        const asked = [...step.requests];
        const ids = asked.map(({ requestId }) => requestId);
        const found = [...this.earlier, ...this.earlierSends()].filter(({ requestIds }) =>
          requestIds.some((id) => ids.includes(id)),
        );
        runs.recordEarlier(this.run, asked, found);
        return true;
      }
      case 'handOver': {
        const asked = [...step.requests];
        this.handedOver.push(...asked.map(({ requestId }) => `${requestId} to ${step.to}`));
        const results = asked.map(({ requestId }) => ({ requestId, result: 'joined' as const }));
        runs.recordHandover(this.run, asked, results);
        return true;
      }
      case 'count':
        this.counts += 1;
        step.send.shown = { at: this.now, count: this.shows };
        return true;
      case 'attempt':
        this.attempt(step.send);
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

  /** As `client/history/earlier-sends.ts` finds them in event histories. */
  private earlierSends(): readonly EarlierSend[] {
    const past = this.history.filter(({ runId, idempotencyKey: key }) => {
      return runId !== this.run.firstRunId && key.includes('/resend/');
    });
    const intents = new Set(past.map(({ idempotencyKey }) => keyParts(idempotencyKey).intent));
    return [...intents].map((intent) => {
      const own = past.filter(({ idempotencyKey }) => keyParts(idempotencyKey).intent === intent);
      return { requestIds: own.flatMap(({ served }) => served), attempts: own };
    });
  }

  private look(): void {
    this.looks += 1;
    runs.recordLook(this.run, this.billRun, this.now);
  }

  private attempt(send: Send): void {
    const startedAt = this.now;
    const number = this.calls.length + 1;
    const plan = beginAttempt(send, {
      originalRunId: 'first-run',
      unique: number.toString(16).padStart(8, '0'),
      now: startedAt,
    });
    if (plan === undefined) return;
    const call: Call = { ...plan, at: startedAt, number };
    this.calls.push(call);
    const came = (this.answers.shift() ?? this.otherwise)(call, this);
    if (came !== 'neverTaken' && (!('called' in came) || came.called)) {
      const { idempotencyKey, trackId, requestIds: served = [] } = plan;
      this.history.push({ runId: this.run.firstRunId, idempotencyKey, trackId, startedAt, came, served });
    }
    if (came === 'neverTaken') abandonAttempt(send, this.now);
    else endAttempt(send, plan, came, { startedAt, now: this.now, jitter: 0.5 });
  }
}

function settingsOf(input: Circumstances['input']): Settings {
  const { value, faults } = checkInput({ billRunKey: 'BR-00000001', ...input });
  if (faults !== undefined) throw new Error(faults.join('; '));
  return value;
}

/** A run that has gone as far as it goes by itself. */
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

/** HTTP 500: carried out or not, nobody knows. */
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

export function makesNoCall(why: 'afterReset' | 'keyTooOld'): Answer {
  return () => ({ called: false, why, runId: 'made-by-a-reset' });
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
