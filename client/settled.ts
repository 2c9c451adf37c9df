/**
 * Waits for what comes of bill runs. Meanwhile a job may close, continue as new or hand its requests over, and Temporal or the worker may
 * be away. It waits by Temporal's `describe`: a query could be the first that a new worker hears of a job (docs/decisions/0010).
 */
import {
  billRunIn,
  canonicalWorkflowId,
  type EmailReason,
  type EmailState,
  type FollowedDocument,
  type JobStatus,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { notSentInWords, stateInWords } from '../workflows/rules/text.js';
import { BillRunEmailsError } from './failures/errors.js';
import { isAway } from './failures/temporal.js';
import { decide, type LastJob } from './last-job.js';
import { AT_ONCE } from './many.js';
import { insideOf, outcomeOf, type Goal, type Inside, type Outcome, type Until } from './outcome.js';

/** What was asked of a job; by default the first send of the bill run. */
export interface Asked {
  /** The request id of a resend. */
  readonly resend?: string | undefined;
  /** What a `retry` began, such as the send for documents that were not sent. */
  readonly retry?: boolean | undefined;
}

export interface SettleOptions {
  /** Default: `accepted`. */
  readonly until?: Until;
  /** After that time the outcome is `waiting`. Default: 10 minutes. */
  readonly longestMs?: number;
}

export interface Settled {
  /** Of the job that has the outcome, also after a handover. */
  readonly workflowId: string;
  readonly runId: string;
  readonly outcome: Outcome;
  readonly state: EmailState | null;
  readonly reason: EmailReason | null;
  /** How many sends Zuora accepted, in all jobs of the bill run. */
  readonly sends: number;
  readonly documentsNotSent: number | null;
  readonly text: string;
  /** Only for `notSent` and `unknown`, and only if a worker answers: at most 50 that were not sent, or cannot be seen. */
  readonly documents?: readonly FollowedDocument[];
}

/** How jobs are asked. Each call throws the errors of the library. */
export interface Jobs<R extends Asked> {
  /** The workflow id. */
  readonly idOf: (request: R) => Promise<string>;
  readonly last: (workflowId: string) => Promise<LastJob>;
  readonly status: (workflowId: string) => Promise<Status>;
  readonly sends: (workflowId: string) => Promise<readonly SendRecord[]>;
}

type Status = Pick<JobStatus, 'text' | 'reason' | 'question' | 'documents' | 'pendingRequests'> & {
  readonly unanswered?: true;
};

/** Ten minutes: a bill run that is posted is accepted in seconds. */
const LONGEST_MS = 600_000;
const UNTIL: readonly Until[] = ['accepted', 'emailed'];
/** Between two looks, however much happens in the job; and without any news. */
const PAUSE_MS = { least: 200, longest: 10_000, away: 1_000 } as const;

/**
 * @param news resolves with the next event of the job, or after that time (milliseconds)
 * @throws BillRunEmailsError `NotFound`; `TemporalUnavailable` if there was no answer at all in that time, or at once if waiting does not
 * help; `InvalidInput`
 */
export async function settled<R extends Asked>(
  jobs: Jobs<R>,
  request: R,
  news: (job: LastJob, withinMs: number) => Promise<void>,
  options: SettleOptions,
): Promise<Settled> {
  const { until, longestMs } = withDefaults(options);
  const end = performance.now() + longestMs;
  const watch = new Watch(jobs, request, until, questions(jobs));
  for (;;) {
    const found = await watch.look().catch(unlessAway);
    if (found !== undefined) return found;
    const left = end - performance.now();
    if (left <= 0) return watch.overdue();
    const next = watch.last === undefined ? pause(PAUSE_MS.away) : news(watch.last, Math.min(left, PAUSE_MS.longest));
    await Promise.all([next.catch(() => undefined), pause(Math.min(left, PAUSE_MS.least))]);
  }
}

function unlessAway(error: unknown): undefined {
  if (!isAway(error)) throw error;
}

/**
 * Plain JavaScript can give anything.
 *
 * @throws BillRunEmailsError `InvalidInput`
 */
export function withDefaults(options: SettleOptions): Required<SettleOptions> {
  const { until = 'accepted', longestMs = LONGEST_MS } = options;
  if (!UNTIL.includes(until)) {
    throw new BillRunEmailsError('InvalidInput', "invalid until: give 'accepted' or 'emailed'");
  }
  if (typeof (longestMs as unknown) !== 'number' || Number.isNaN(longestMs)) {
    const message = 'invalid longestMs: give a number of milliseconds, such as 7200000 for two hours';
    throw new BillRunEmailsError('InvalidInput', message);
  }
  return { until, longestMs };
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** One job that is waited for. */
export class Watch<R extends Asked> {
  readonly request: R;
  /** Undefined before the first answer of Temporal. */
  last: LastJob | undefined;
  readonly #jobs: Jobs<R>;
  readonly #goal: Goal;
  readonly #ask: ReturnType<typeof questions>;
  #workflowId: string | undefined;
  #failure: BillRunEmailsError | undefined;
  #answer: { readonly last: LastJob; readonly inside: Inside } | undefined;

  constructor(jobs: Jobs<R>, request: R, until: Until, ask: ReturnType<typeof questions>) {
    this.#jobs = jobs;
    this.request = request;
    this.#goal = { until, resend: request.resend, retry: request.retry };
    this.#ask = ask;
  }

  /** Undefined while it is to be waited for. */
  async look(): Promise<Settled | undefined> {
    try {
      this.#workflowId ??= await this.#jobs.idOf(this.request);
      this.last = await this.#lastOf(this.#workflowId);
    } catch (error) {
      if (error instanceof BillRunEmailsError) this.#failure = error;
      throw error;
    }
    const outcome = await this.#outcomeOf(this.last);
    return outcome === 'waiting' ? undefined : this.#settled(this.last, outcome);
  }

  /** After a handover, the canonical job decides. */
  async #lastOf(workflowId: string): Promise<LastJob> {
    const last = await this.#jobs.last(workflowId);
    const canonicalId = canonicalWorkflowId(last.billRunNumber ?? '', billRunIn(workflowId)?.entityId);
    if (decide(last, { again: false }) !== 'handedOver' || canonicalId === workflowId) return last;
    this.#workflowId = canonicalId;
    return this.#lastOf(canonicalId);
  }

  async #outcomeOf(last: LastJob): Promise<Outcome> {
    const outcome = outcomeOf(last, this.#goal);
    if (outcome !== 'ask') return outcome;
    const inside = await this.#inside(last);
    return inside === undefined ? 'waiting' : this.#resolved(last, inside);
  }

  #resolved(last: LastJob, inside: Inside): Outcome {
    const outcome = outcomeOf(last, this.#goal, inside);
    return outcome === 'ask' ? 'waiting' : outcome;
  }

  /** Asked again only after something has happened. */
  async #inside(last: LastJob): Promise<Inside | undefined> {
    const { workflowId, runId, historyLength } = last;
    const before = this.#answer?.last;
    if (before?.runId === runId && before.historyLength === historyLength) return this.#answer?.inside;
    const status = await this.#ask(workflowId);
    if (status === undefined || status.unanswered === true) return undefined;
    const sends = this.#goal.retry === true ? await this.#jobs.sends(workflowId).catch(() => undefined) : [];
    if (sends === undefined) return undefined;
    // Both must be about the same moment; otherwise the next look comes at once.
    const now = await this.#jobs.last(workflowId).catch(() => undefined);
    if (now?.runId !== runId || now.historyLength !== historyLength) return undefined;
    this.#answer = { last, inside: insideOf(status, sends) };
    return this.#answer.inside;
  }

  /**
   * As it is when the time is over. What only the job could tell is then no longer waited for.
   *
   * @throws what the last call to Temporal threw, if there never was an answer
   */
  async overdue(): Promise<Settled> {
    if (this.last === undefined) throw this.#failure ?? new BillRunEmailsError('TemporalUnavailable', NO_ANSWER);
    return this.#settled(this.last, this.#resolved(this.last, { isBusy: true, waiting: 0 }));
  }

  async #settled(last: LastJob, outcome: Outcome): Promise<Settled> {
    const { workflowId, runId, state, reason, sends, documentsNotSent } = last;
    const found = { workflowId, runId, outcome, state, reason, sends, documentsNotSent };
    const text = textOf(last, outcome, this.#goal);
    if (text !== undefined) return { ...found, text };
    const status = await this.#ask(workflowId);
    const isShort = outcome === 'notSent' || outcome === 'unknown';
    const documents = isShort ? status?.documents?.list.filter(isMissing) : undefined;
    return {
      ...{ ...found, text: status?.question?.text ?? status?.text ?? unansweredText(last, outcome) },
      ...(documents === undefined ? {} : { documents }),
    };
  }
}

function isMissing({ outcome }: FollowedDocument): boolean {
  return outcome === 'notSent' || outcome === 'unknown';
}

/** Undefined where the job itself says it best. For thousands, that would be thousands of queries. */
function textOf({ state, reason, paused, isOpen }: LastJob, outcome: Outcome, { until }: Goal): string | undefined {
  switch (outcome) {
    case 'accepted':
      if (until === 'emailed') return ACCEPTED_ONLY;
      return reason === 'autoEmail' || reason === 'emailedElsewhere' ? BY_OTHERS : 'Zuora accepted the request.';
    case 'emailed':
      return 'Every document was sent, or left out on purpose.';
    case 'waiting':
      return `The time is over; the job is ${stateInWords(state ?? 'not begun yet', reason)}, and goes on by itself.`;
    case 'needsPerson':
      if (isOpen && paused[0] !== undefined) return `The ${paused[0].what} is paused in Temporal; status says by whom.`;
      if (state !== 'Held') return undefined;
      return reason === 'all'
        ? 'On hold with all jobs, until somebody releases all.'
        : 'On hold, until somebody releases it.';
    case 'notSent':
    case 'unknown':
    case 'notEmailed':
      return undefined;
  }
}

const ACCEPTED_ONLY =
  'Zuora accepted the request; the job closed before it had followed the documents, so no more is known.';
const NO_ANSWER = 'Temporal did not answer in the time to wait';
const BY_OTHERS = 'Zuora emails the documents without a send of this job.';

function unansweredText({ documentsNotSent }: LastJob, outcome: Outcome): string {
  if (outcome === 'notSent') return `${notSentInWords(documentsNotSent ?? 0)}.`;
  return outcome === 'notEmailed' ? 'The job closed without emailing.' : 'No worker answers at the moment.';
}

/** How long nobody is asked after many got no answer: each question then takes its full deadline. */
const SILENCE_MS = 30_000;

/** Asks jobs for their status; undefined if that is not known. */
export function questions({ status }: Pick<Jobs<Asked>, 'status'>) {
  let unanswered = 0;
  let silentUntil = 0;
  return async (workflowId: string): Promise<Status | undefined> => {
    if (performance.now() < silentUntil) return undefined;
    const answer = await status(workflowId).catch(() => undefined);
    unanswered = answer === undefined || answer.unanswered === true ? unanswered + 1 : 0;
    if (unanswered >= AT_ONCE) {
      unanswered = 0;
      silentUntil = performance.now() + SILENCE_MS;
    }
    return answer;
  };
}
