/**
 * The record of an email job: everything one job knows about one bill run. It is plain data with pure code around it.
 * `messages.ts` changes it by messages, `next-step.ts` decides what comes next, and `status.ts` shows it to people.
 */
import type {
  AttemptResult,
  BillRun,
  CannotRead,
  DeliveryCheck,
  DeliveryInput,
  Earlier,
  EarlierSend,
  HandedOver,
} from '../contract/activities.js';
import {
  canonicalWorkflowId,
  type EmailReason,
  type EmailRequest,
  type EmailState,
  type FailureType,
  type IgnoredMessage,
  type NoteMessage,
  type RetryMessage,
} from '../contract/contract.js';
import { noteOf, type Settings } from '../contract/validation.js';
import { isFirstIntent, keyParts } from './keys.js';
import { endAttempt, isUntouched, postpone, stepBack, takeUp, type AttemptPlan, type Send } from './send.js';
import { hasUnknown } from './verdict.js';
import { iso, kindOf } from './text.js';

/** What is read before anything is sent: the bill run, or what earlier jobs did. A handover counts as one, too. */
export type Read = 'look' | 'lookUp' | 'handOver';

/** A job that continues as new hands its record on unchanged. */
export interface EmailJob {
  readonly settings: Settings;
  readonly workflowId: string;
  /** Temporal's run id and the start (epoch, ms) of the first in a chain of jobs that continue as new. */
  readonly firstRunId: string;
  readonly startedAt: number;
  /** The latest time that is known to have come (epoch, ms): a timer fired, or a lost worker was noticed. Decision 10. */
  timerFiredAt?: number;

  billRun: BillRun | null;
  lookedAt: number;
  /** A person asked for a new look at the bill run. */
  lookWanted: boolean;
  /** The bill run went from PostInProgress back to Completed: Zuora could not post all of its documents. */
  postingFailed: boolean;
  /** A hint that the bill run posted waits to be followed, and when the last one was followed (epoch, ms). */
  hinted: boolean;
  hintFollowedAt: number;
  /** Reads of the bill run have failed for a minute, and may work later. */
  unreadable: CannotRead | null;
  /** Reading the bill run failed for good. */
  failedLook: { readonly type: FailureType; readonly message: string } | null;
  /** A read that has not worked since then (epoch, ms). `failed`: a person is asked since then, and by which words it failed. */
  reading: {
    readonly what: Read;
    readonly since: number;
    readonly failed: { at: number; readonly words: string } | null;
  } | null;

  /** Grows with every message that may change what comes next. */
  revision: number;
  /** Requests that an earlier job may have served: a look-up comes before anything is sent for them. */
  incoming: EmailRequest[];
  /** What Zuora accepted in earlier jobs, as the starter or a look-up found it. */
  earlier: Pick<Earlier, 'accepted' | 'resends' | 'unreadable' | 'check'>;
  /** Documents that the last job left unsent, as the starter found it; null if it is not known. */
  readonly earlierNotSent: number | null;
  /** Temporal's run id of the last job, by the starter; empty if Temporal took this one as the first of its workflow id. */
  earlierRun: string | null;
  /** A reset made this Temporal run, and its earlier part was looked up. */
  resetRun: string | null;
  /** Requests that wait for a send. */
  queue: EmailRequest[];
  /** A person sends without a look-up: the send that begins for these requests keeps the decision (epoch, ms). */
  decided?: (RetryMessage & { readonly at: number }) | null;
  /** Requests that an earlier job served or began to serve, with its attempts. */
  repeated: RepeatedRequests[];
  /** The names of all requests so far. JSON has no `Set`. */
  readonly requestNames: Record<string, true>;
  /** Roughly the bytes of all requests as JSON. */
  requestBytes: number;
  unnamedRequests: number;
  readonly sends: Send[];
  /** What became of the documents of the last send. */
  delivery: Delivery | null;
  /** How many checks of the documents are under way or wait for their time. */
  checks: number;
  /** The answers to the requests that went to the canonical job. */
  readonly handedOver: HandedOver[];
  held: boolean;
  /** Who put it on hold, when (epoch, ms) and why. */
  heldBy: (NoteMessage & { readonly at: number }) | null;
  /** An attempt met the hold on all. */
  heldByAll: boolean;
  /** Since when the job is on hold (epoch, ms). */
  onHoldSince: number | null;
  finish: NoteMessage | null;
  canceled: boolean;
  readonly ignored: { count: number; last: IgnoredMessage[] };
  /** The state that people read, and since when (epoch, ms). */
  stateSince: { readonly state: EmailState; readonly reason: EmailReason | null; readonly at: number } | null;
  /** What people were notified of, and how many notices are about to begin. */
  readonly notices: Notices;
  notifying: number;
  /** What metrics and logs have reported. */
  reported?: Reported;
}

/** What people were notified of: not twice of the same. */
export interface Notices {
  /** Names the last question. */
  question: string | null;
  /** How many documents were not sent, and by which check (epoch, ms). */
  notSent: number;
  checkedAt: number | null;
  /** How the job closes. */
  closed: string | null;
  /** How many notices of each kind. */
  readonly counts: Record<string, number>;
}

/** What a job knows about the documents of one send. */
export interface Delivery extends Pick<DeliveryInput, 'resend' | 'missing' | 'since' | 'from' | 'before' | 'memory'> {
  /** Of the send, and whether it has an attempt: otherwise Zuora emails by itself. */
  readonly ordinal: number;
  readonly isOurs: boolean;
  /** The bill run's last emails, in Zuora's format, if others sent them. */
  readonly lastEmails: string | null;
  readonly check: DeliveryCheck | null;
  /** When a check last showed something new, later by the time on hold since then (epoch, ms). */
  readonly changedAt: number | null;
  /** Checks have failed for a minute, and may work later. */
  readonly unreadable: CannotRead | null;
}

interface Reported {
  readonly state: EmailState;
  readonly reason: EmailReason | null;
  /** The number of attempts of this job, and of settled sends. */
  readonly attempts: number;
  readonly settledSends: number;
  /** When a look first showed the bill run as posted (epoch, ms). */
  readonly postedAt: number | null;
  /** The send whose documents were counted, and the counts. */
  readonly documents?: Pick<DeliveryCheck, 'kinds' | 'at'> & { readonly ordinal: number };
}

export interface RepeatedRequests extends Pick<EarlierSend, 'attempts'> {
  readonly requests: readonly EmailRequest[];
}

export function openJob(
  settings: Settings,
  {
    now,
    earlierRun = null,
    accepted = 0,
    resends = [],
    notSent: earlierNotSent = null,
    ...ids
  }: {
    workflowId: string;
    firstRunId: string;
    now: number;
    earlierRun?: string | null;
    accepted?: number;
    resends?: readonly string[];
    notSent?: number | null;
  },
): EmailJob {
  const job: EmailJob = {
    settings,
    ...ids,
    startedAt: now,
    billRun: null,
    lookedAt: 0,
    lookWanted: false,
    postingFailed: false,
    hinted: false,
    hintFollowedAt: 0,
    unreadable: null,
    failedLook: null,
    reading: null,
    revision: 0,
    incoming: [],
    earlier: { accepted, resends, unreadable: [] },
    earlierNotSent,
    earlierRun,
    resetRun: null,
    queue: [],
    repeated: [],
    requestNames: {},
    requestBytes: 0,
    unnamedRequests: 0,
    sends: [],
    delivery: null,
    checks: 0,
    handedOver: [],
    held: settings.hold === true,
    heldBy: settings.hold === true ? { ...noteOf(settings), at: now } : null,
    heldByAll: false,
    onHoldSince: settings.hold === true ? now : null,
    finish: null,
    canceled: false,
    ignored: { count: 0, last: [] },
    stateSince: null,
    // The last job gave notice of what it left unsent.
    notices: { question: null, notSent: earlierNotSent ?? 0, checkedAt: null, closed: null, counts: {} },
    notifying: 0,
  };
  const requestId = ownRequestId(job);
  enqueue(job, settings, { requestId, resend: settings.resend, missing: settings.missing === true, now });
  // Asking for the same retry again changes nothing.
  if (settings.missing === true) remember(job, 'retry', requestId);
  return job;
}

/** The id of the request with which the job was started. */
export function ownRequestId({ settings, firstRunId }: EmailJob): string {
  return settings.requestId ?? `${firstRunId}-0`;
}

export function enqueue(
  job: EmailJob,
  note: NoteMessage,
  { requestId, resend, missing = false, now }: { requestId: string; resend: boolean; missing?: boolean; now: number },
): void {
  const request: EmailRequest = {
    requestId,
    resend,
    ...(missing ? { missing } : {}),
    ...noteOf(note),
    requestedAt: iso(now),
  };
  remember(job, resend ? 'resend' : 'first', requestId);
  job.requestBytes += bytesOf(JSON.stringify(request));
  // The numbers of its keys are known here.
  const isContinued = missing && job.sends.some(({ intent, attempts }) => isFirstIntent(intent) && attempts.length > 0);
  (job.earlierRun === '' || isContinued ? job.queue : job.incoming).push(request);
}

type RequestKind = 'first' | 'resend' | 'retry';

/** Keeps the name of a request, which is its kind and its id: asking again by the same name changes nothing. */
export function remember(job: EmailJob, kind: RequestKind, requestId: string): void {
  const name = `${kind} ${requestId}`;
  job.requestNames[name] = true;
  job.requestBytes += bytesOf(name);
}

export function isKnown(job: EmailJob, kind: RequestKind, requestId: string): boolean {
  return Object.hasOwn(job.requestNames, `${kind} ${requestId}`);
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** How many ignored messages are kept with their reason. */
const IGNORED_KEPT = 50;

export function ignore({ ignored }: EmailJob, message: string, reason: string, now: number): void {
  ignored.count += 1;
  ignored.last = [...ignored.last, { message: message.slice(0, 60), at: iso(now), reason: reason.slice(0, 500) }].slice(
    -IGNORED_KEPT,
  );
}

/** The requests that no send serves yet, in order of arrival. */
export function pendingRequests({ repeated, queue, incoming }: EmailJob): readonly EmailRequest[] {
  return [...repeated.flatMap(({ requests }) => requests), ...queue, ...incoming];
}

/** The send that is not settled; at most the last one is. */
export function openSendOf(job: EmailJob): Send | undefined {
  const last = job.sends.at(-1);
  return last?.settledAt === null ? last : undefined;
}

/** A resend without an attempt yet, for example during a hold: it serves further requests as well. */
export function joinableSendOf(job: EmailJob): Send | undefined {
  const send = openSendOf(job);
  return send?.resend === true && isUntouched(send) ? send : undefined;
}

/** Whether an earlier job made the attempt that Zuora accepted. */
function wasAcceptedEarlier({ attempts }: Send): boolean {
  return attempts.findLast(({ verdict }) => verdict === 'accepted')?.runId !== undefined;
}

/** Zuora sends by itself, or somebody else had it send; no send of this job was accepted. */
export function isEmailedByOthers({ billRun, sends }: EmailJob): boolean {
  const isEmailed = billRun?.autoEmail === true || billRun?.invoicesEmailed === true;
  return isEmailed && !hasAccepted(sends);
}

export function hasAccepted(sends: readonly Send[]): boolean {
  return sends.some(({ outcome }) => outcome === 'accepted');
}

/** How many sends Zuora accepted, in all jobs of the workflow id as far as they are known. */
export function acceptedSends({ sends, earlier }: EmailJob): number {
  const own = sends.filter((send) => send.outcome === 'accepted' && !wasAcceptedEarlier(send));
  return earlier.accepted + own.length;
}

/** How many accepted resends are handed on from job to job. */
export const RESENDS_KEPT = 50;

/**
 * The last resends that Zuora accepted, in all jobs of the workflow id. A resend also serves those before it that were not accepted: it
 * took their place.
 */
export function acceptedResends({ sends, earlier }: EmailJob): readonly string[] {
  const last = sends.findLastIndex(({ outcome, resend }) => outcome === 'accepted' && resend);
  const own = sends
    .slice(0, last + 1)
    .flatMap(({ requests }) => requests.filter(({ resend }) => resend).map(({ requestId }) => requestId));
  return [...new Set([...earlier.resends, ...own])].slice(-RESENDS_KEPT);
}

/** The last send, if documents may still have to be emailed for it. */
function unsettledSends({ sends }: EmailJob): readonly Send[] {
  return sends.slice(-1).filter(({ outcome, notNeeded }) => outcome !== 'accepted' && notNeeded === null);
}

/** The resend that a closing job leaves open. A new job with the same request id continues it. */
export function openResend(job: EmailJob): EmailRequest | undefined {
  const left = [...unsettledSends(job).flatMap(({ requests }) => requests), ...pendingRequests(job)];
  return left.findLast(({ resend }) => resend);
}

/** What a closing job leaves open, one sentence each. */
export function unsettledOf(job: EmailJob): readonly string[] {
  const canonical = canonicalIdOf(job) ?? '';
  return [
    ...unsettledSends(job).map(unsettledSend),
    ...pendingRequests(job).map(
      ({ requestId, resend }) => `request ${requestId} (${kindOf(resend)}): no send was begun for it`,
    ),
    ...job.handedOver
      .filter(({ result }) => result === 'stopped')
      .map(({ requestId }) => `request ${requestId}: a person stopped ${canonical}; start it with "again" to go on`),
    ...(job.held && job.handedOver.length > 0
      ? [`the hold came after the requests were handed over; hold ${canonical}`]
      : []),
  ];
}

function unsettledSend(send: Send): string {
  const name = `send ${send.ordinal} (${kindOf(send.resend)})`;
  if (send.outcome === 'unknown' || hasUnknown(send))
    return `${name}: it is not known whether the documents were emailed`;
  return `${name}: ${send.outcome === 'refused' ? 'Zuora refused it' : 'it was not executed'}, and nothing was sent`;
}

// One bill run, one sender.

/** The workflow id of the job that emails the bill run; null until the number of the bill run is known. */
export function canonicalIdOf({ billRun, settings }: EmailJob): string | null {
  return billRun === null ? null : canonicalWorkflowId(billRun.number, settings.entityId);
}

/** Whether another job emails the bill run: this one hands its requests to that one. */
export function isAlias(job: EmailJob): boolean {
  const canonical = canonicalIdOf(job);
  return canonical !== null && canonical !== job.workflowId;
}

/** Whether the workflow id names another bill run. */
export function isMisnamed({ workflowId, billRun, settings }: EmailJob): boolean {
  const [prefix, ...rest] = workflowId.split('/');
  if (billRun === null || prefix !== 'email-bill-run' || rest.length === 0) return false;
  const key = rest.at(-1) ?? '';
  const entity = rest.slice(0, -1).join('/');
  const own = [billRun.number, billRun.id, settings.billRunKey].includes(key);
  return !own || !['', settings.entityId].includes(entity);
}

// Results of activities.

/** After this time without success, a person is asked. */
const READ_FOR_MS = 15 * 60_000;
/** An interrupted read is tried again for so long at least. */
const LEAST_READ_MS = 60_000;

/** Begins a read, or goes on with one that was interrupted. Returns how long it may be tried (ms). */
export function beginRead(job: EmailJob, what: Read, now: number): number {
  const { reading } = job;
  const since = reading?.what === what && reading.failed === null ? reading.since : now;
  job.reading = { what, since, failed: null };
  return Math.max(since + READ_FOR_MS - now, LEAST_READ_MS);
}

/** A read did not work in time: a person is asked. Without words no worker has tried it, and it begins anew. */
export function recordUnread(job: EmailJob, words: string | undefined, now: number): void {
  const { reading } = job;
  if (reading === null) return;
  job.reading = words === undefined ? null : { ...reading, failed: { at: now, words: words.slice(0, LONGEST_WORDS) } };
}

/** In characters. */
const LONGEST_WORDS = 400;

export function recordLook(job: EmailJob, billRun: BillRun, now: number): void {
  if (job.billRun?.status === 'PostInProgress' && billRun.status === 'Completed') job.postingFailed = true;
  else if (billRun.status !== 'Completed') job.postingFailed = false;
  job.billRun = billRun;
  job.lookedAt = now;
  job.lookWanted = false;
  job.reading = null;
  job.unreadable = null;
}

/** @param result the words are those of the last read; the time is that of the first that failed */
export function recordCannotRead(job: EmailJob, { cannotRead, since }: CannotRead): void {
  job.unreadable = {
    cannotRead: cannotRead.slice(0, LONGEST_WORDS),
    since: Math.min(since, job.unreadable?.since ?? since),
  };
}

export function recordFailedLook(job: EmailJob, type: FailureType, message: string): void {
  job.failedLook = { type, message };
}

/** Records what earlier jobs did, and which of the requests they served. The others are new. */
export function recordEarlier(
  job: EmailJob,
  requests: readonly EmailRequest[],
  { sends, accepted, resends, unreadable, check }: Earlier,
): void {
  job.reading = null;
  // Temporal may have forgotten jobs that the starter knew.
  job.earlier = {
    accepted: Math.max(accepted, job.earlier.accepted),
    resends: [...new Set([...job.earlier.resends, ...resends])],
    unreadable,
    ...(check === undefined ? {} : { check }),
  };
  job.incoming = job.incoming.filter((request) => !requests.includes(request));
  const left = new Set(requests);
  for (const { requestIds, missing: repeated = [], first, attempts } of sends) {
    const isServed = ({ requestId, resend, missing }: EmailRequest): boolean =>
      resend ? requestIds.includes(requestId) : first || (missing === true && repeated.includes(requestId));
    const served = requests.filter((request) => left.has(request) && isServed(request));
    // What was accepted did not send what is missing: the job follows its documents, and a new send follows.
    const isMissed = ({ requestId, missing }: EmailRequest): boolean =>
      missing === true && !repeated.includes(requestId) && isAccepted(attempts);
    const missed = served.filter(isMissed);
    for (const request of served) if (!missed.includes(request)) left.delete(request);
    if (served.length > 0)
      recordRepeated(
        job,
        served.filter((request) => !missed.includes(request)),
        attempts,
      );
  }
  job.queue.push(...left);
}

function isAccepted(attempts: EarlierSend['attempts']): boolean {
  return takeUp(0, [], attempts).outcome === 'accepted';
}

/** Requests for a known intent join the send that serves it, if this job has one. */
function recordRepeated(job: EmailJob, requests: readonly EmailRequest[], attempts: EarlierSend['attempts']): void {
  const intentIn = ([first]: EarlierSend['attempts']): string => keyParts(first?.idempotencyKey ?? '').intent;
  const intent = intentIn(attempts);
  const own = job.sends.findLast((send) => send.intent === intent);
  if (own !== undefined && (own.settledAt === null || own.outcome === 'accepted')) {
    own.requests.push(...requests);
    return;
  }
  const waiting = job.repeated.filter((repeated) => intentIn(repeated.attempts) === intent);
  job.repeated = job.repeated.filter((repeated) => !waiting.includes(repeated));
  job.repeated.push({ requests: [...waiting.flatMap((repeated) => repeated.requests), ...requests], attempts });
}

export function recordHandover(
  job: EmailJob,
  requests: readonly EmailRequest[],
  handedOver: readonly HandedOver[],
): void {
  const isLeft = (request: EmailRequest): boolean => !requests.includes(request);
  job.queue = job.queue.filter(isLeft);
  job.incoming = job.incoming.filter(isLeft);
  job.handedOver.push(...handedOver);
  job.reading = null;
}

/** Records how an attempt ended. `jitter` is a random number from 0 to 1. */
export function recordAttempt(
  job: EmailJob,
  send: Send,
  plan: AttemptPlan,
  result: AttemptResult | 'neverTaken',
  times: { startedAt: number; now: number; jitter: number },
): void {
  const { now } = times;
  if (result === 'neverTaken') {
    stepBack(send, now);
    return;
  }
  const isNew = send.attempts.length === 0;
  endAttempt(send, plan, result, times);
  if (!('called' in result) || result.called) return;
  if (result.why === 'afterReset' && isNew && job.resetRun !== result.runId) lookUpFirst(job, send, result.runId);
  if (result.why === 'looked') recordLook(job, result.billRun, now);
  if (result.why === 'heldByAll') recordHold(job, { heldByAll: true }, now);
}

/** A reset hid what was done before: the requests of a new send are looked up, as those of earlier jobs are. */
function lookUpFirst(job: EmailJob, send: Send, runId: string): void {
  job.resetRun = runId;
  // The job is no longer the first of its id.
  job.earlierRun = null;
  job.sends.splice(job.sends.indexOf(send), 1);
  job.incoming.unshift(...send.requests);
}

export function isOnHold({ held, heldByAll }: EmailJob): boolean {
  return held || heldByAll;
}

/** Puts a job on hold or releases it. Time on hold does not use up what limits a send, and how long the job stays open. */
export function recordHold(
  job: EmailJob,
  hold: Partial<Pick<EmailJob, 'held' | 'heldBy' | 'heldByAll'>>,
  now: number,
): void {
  Object.assign(job, hold);
  if (isOnHold(job)) {
    job.onHoldSince ??= now;
    return;
  }
  const length = now - (job.onHoldSince ?? now);
  job.onHoldSince = null;
  const last = job.sends.at(-1);
  if (last !== undefined) postpone(last, length);
  const { delivery } = job;
  if (delivery?.changedAt != null) {
    // Checks go on during a hold.
    const sinceThen = Math.min(length, now - delivery.changedAt);
    job.delivery = { ...delivery, changedAt: delivery.changedAt + sinceThen };
  }
  if (job.reading?.failed != null) job.reading.failed.at += length;
}

/** Hints that the bill run posted are followed at most this often. */
const HINT_INTERVAL_MS = 5_000;

/** When a hint may be followed (epoch, ms). */
export function hintDueAt(job: EmailJob): number {
  return job.hintFollowedAt + HINT_INTERVAL_MS;
}

export function followHint(job: EmailJob, now: number): void {
  if (!job.hinted) return;
  job.hinted = false;
  job.hintFollowedAt = now;
}
