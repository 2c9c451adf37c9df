/** What the explorer knows at one moment in the lives of a bill run: plain data. */
import type { HistoricAttempt } from '../../client/history/attempts.js';
import type { AttemptResult } from '../../workflows/contract/activities.js';
import type { EmailRequest } from '../../workflows/contract/contract.js';
import type { EmailJob } from '../../workflows/rules/job.js';
import type { AttemptPlan } from '../../workflows/rules/send.js';
import type { Ending } from '../../workflows/rules/step.js';
import type { Zuora } from './zuora.js';

/** How often each may happen in one life. `sends` counts those of one job; `jumps` are waits beyond what the job itself asks for. */
export interface Bounds {
  readonly sends: number;
  readonly attempts: number;
  readonly messages: number;
  readonly jumps: number;
  readonly checks: number;
  readonly failedReads: number;
  readonly resets: number;
  readonly jobs: number;
  /**
   * All kinds of answers and messages. Otherwise one of each class: no worker is lost, no email leaves by others, and a hold on one job
   * stands for that on all.
   */
  readonly isRich: boolean;
}

export type Counted = Exclude<keyof Bounds, 'sends' | 'isRich'>;

/** All of it survives as JSON, as the record does when a job continues as new. */
export interface World {
  job: EmailJob;
  now: number;
  readonly zuora: Zuora;
  readonly others: Others;
  /** The hold on all is open. */
  allOnHold: boolean;
  /** The attempt whose activity is scheduled, and whether its call is under way. */
  attempt: {
    readonly plan: AttemptPlan;
    readonly ordinal: number;
    readonly startedAt: number;
    readonly isForRetry: boolean;
    isUnderWay: boolean;
  } | null;
  /** Temporal's run id. */
  runId: string;
  /** The attempts of all runs, as event histories keep them. */
  history: HistoricAttempt[];
  /** The record before the last attempt, to which a reset can lead. */
  before: { readonly job: EmailJob; readonly attempts: number; readonly retryWaits: boolean } | null;
  end: Ending | null;
  readonly used: Record<Counted, number>;
  /** What the rules are checked against, known without them. */
  readonly facts: Facts;
}

export type Change = (world: World) => void;

export interface Facts {
  /** A person put the job on hold, or closed it; and how long it was on hold, up to when (ms and epoch, ms). */
  held: boolean;
  closing: boolean;
  heldMs: number;
  heldSince: number | null;
  /** How often a person took a risk with `sendAnyway`. */
  risks: number;
  /** A person went on without a look-up of earlier jobs. */
  leftOut: boolean;
  /** A person's retry waits for its attempt. */
  retryWaits: boolean;
  /** Another client of Zuora emailed after the post. */
  othersEmailed: boolean;
  /** When the activity of each attempt was scheduled, by track id (epoch, ms). */
  readonly scheduled: Record<string, number>;
  /** Calls that may have reached Zuora. */
  readonly calls: Call[];
  readonly requests: string[];
}

export interface Call {
  readonly key: string;
  readonly trackId: string;
  readonly runId: string;
  readonly at: number;
  readonly heldMs: number;
  readonly isForRetry: boolean;
}

/** Where lives begin: they never meet, so each is explored alone. */
export interface Beginning {
  readonly echoes: boolean;
  readonly input: Readonly<Record<string, unknown>>;
  readonly others: Others;
}

/** What others did to the bill run by the time of the post. */
export type Others = 'nothing' | 'autoEmail' | 'emailed' | 'emailedAnHourAgo' | 'emailsAtPost' | 'noDocuments';

export function heldMsOf({ heldMs, heldSince }: Facts, now: number): number {
  return heldMs + (heldSince === null ? 0 : now - heldSince);
}

export function requestName({ resend, requestId }: Pick<EmailRequest, 'resend' | 'requestId'>): string {
  return `${resend ? 'resend' : 'first'} ${requestId}`;
}

/** Whether an attempt may have reached Zuora. */
export function mayHaveCalled(
  result: AttemptResult | 'neverTaken',
): result is Exclude<AttemptResult, { readonly called: false }> {
  return result !== 'neverTaken' && (!('called' in result) || result.called);
}

/** Keeps an attempt that may have reached Zuora, as its event history does. */
export function keepInHistory(
  { history, runId }: World,
  plan: AttemptPlan,
  startedAt: number,
  result: AttemptResult | 'neverTaken',
): void {
  if (!mayHaveCalled(result)) return;
  const { idempotencyKey, trackId, resend, requestIds: served = [] } = plan;
  history.push({ runId, idempotencyKey, trackId, startedAt, result, resend, served, copiedTo: [] });
}
