/**
 * One run: all that is known about the life of one bill run. Plain data, and pure code around it: `messages.ts` changes a
 * run by what people and pipelines say, `steps.ts` decides what comes next, and `status.ts` tells what people read.
 */
import type { BillRun, EarlierSend, HandedOver } from '../contract/activities.js';
import type { Settings } from '../contract/validation.js';
import {
  canonicalWorkflowId,
  type EmailRequest,
  type EmailState,
  type FailureType,
  type IgnoredMessage,
  type NoteMessage,
} from '../contract/contract.js';
import { keyParts } from './keys.js';
import { isUntouched, type Send } from './send.js';
import * as words from './words.js';

/** Everything one run knows. A run that continues as new hands it to its successor as it is. */
export interface Run {
  readonly settings: Settings;
  readonly workflowId: string;
  /** Of the first run in a chain of runs that continue as new, as is its start (epoch, ms). */
  readonly firstRunId: string;
  readonly startedAt: number;
  /**
   * Whoever started the run told Temporal what to list of it. Such a run also sets no timer beside its first read, which ends by itself
   * when the time for posting is over, and lists no attempt that is answered at once. Absent in runs that began with 0.1.0, and in those
   * that something else than our library started. docs/decisions/0016 and 0017.
   */
  readonly startedListed?: true;
  /** What the last timer that fired was set to (epoch, ms). */
  timerFiredAt?: number;

  billRun: BillRun | null;
  lookedAt: number;
  /** Somebody asked for a fresh look at the bill run. */
  lookWanted: boolean;
  /** The bill run went from PostInProgress back to Completed: Zuora could not post all of its documents. */
  postingFailed: boolean;
  /** A hint that the bill run posted, not followed yet, and when the last one was (epoch, ms). */
  hinted: boolean;
  hintFollowedAt: number;
  /** Reading the bill run failed for good. */
  failedLook: { readonly type: FailureType; readonly message: string } | null;

  /** Grows with every message that may change what comes next. */
  revision: number;
  /** Resends that an earlier run of the workflow may have served: that is looked up before anything is sent for them. */
  incoming: EmailRequest[];
  /** Requests that wait for a send to serve them. */
  queue: EmailRequest[];
  /** Requests that an earlier run served or began to serve, and what it did. */
  repeated: RepeatedRequests[];
  /** The ids of all requests so far: a `Set` in all but name, because this is JSON. */
  readonly requestIds: Record<string, true>;
  /** What all requests take as JSON, roughly. */
  requestBytes: number;
  unnamedRequests: number;
  readonly sends: Send[];
  /** What became of the requests that were handed to the run which emails the bill run. */
  readonly handedOver: HandedOver[];
  held: boolean;
  /** For people to read: who put it on hold, when (epoch, ms) and why. */
  heldBy: (NoteMessage & { readonly at: number }) | null;
  finish: NoteMessage | null;
  canceled: boolean;
  readonly ignored: { count: number; last: IgnoredMessage[] };
  /** The state that people read, and since when (epoch, ms). */
  stateSince: { readonly state: EmailState; readonly at: number } | null;
  /** What machines were told so far. */
  told?: Told;
}

interface Told {
  readonly state: EmailState;
  /** How many attempts of this run, and how many settled sends. */
  readonly attempts: number;
  readonly settledSends: number;
  /** When the bill run was first seen to be posted (epoch, ms). */
  readonly postedAt: number | null;
}

export interface RepeatedRequests extends Pick<EarlierSend, 'attempts'> {
  readonly requests: readonly EmailRequest[];
}

export function openRun(
  settings: Settings,
  {
    workflowId,
    firstRunId,
    now,
    startedListed = false,
  }: { workflowId: string; firstRunId: string; now: number; startedListed?: boolean },
): Run {
  const run: Run = {
    settings,
    workflowId,
    firstRunId,
    startedAt: now,
    ...(startedListed ? { startedListed } : {}),
    billRun: null,
    lookedAt: 0,
    lookWanted: false,
    postingFailed: false,
    hinted: false,
    hintFollowedAt: 0,
    failedLook: null,
    revision: 0,
    incoming: [],
    queue: [],
    repeated: [],
    requestIds: {},
    requestBytes: 0,
    unnamedRequests: 0,
    sends: [],
    handedOver: [],
    held: false,
    heldBy: null,
    finish: null,
    canceled: false,
    ignored: { count: 0, last: [] },
    stateSince: null,
  };
  // A resend asked for by the start alone always has the same id, so that starting twice asks once.
  const requestId = settings.requestId ?? (settings.resend ? 'resend-at-start' : `${firstRunId}-0`);
  enqueue(run, settings, { requestId, resend: settings.resend, now });
  return run;
}

export function enqueue(
  run: Run,
  { requestedBy, reason }: NoteMessage,
  { requestId, resend, now }: { requestId: string; resend: boolean; now: number },
): void {
  // A plain assignment would take "__proto__" for something else.
  Object.defineProperty(run.requestIds, requestId, { value: true, enumerable: true });
  const request = {
    requestId,
    resend,
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(reason === undefined ? {} : { reason }),
    requestedAt: iso(now),
  };
  // The id stands in `requestIds` as well.
  run.requestBytes += new TextEncoder().encode(JSON.stringify(request) + requestId).length;
  (resend ? run.incoming : run.queue).push(request);
}

/** How many ignored messages are remembered word for word. */
const IGNORED_KEPT = 50;

export function ignore({ ignored }: Run, message: string, reason: string, now: number): void {
  ignored.count += 1;
  ignored.last = [...ignored.last, { message: message.slice(0, 60), at: iso(now), reason: reason.slice(0, 500) }].slice(
    -IGNORED_KEPT,
  );
}

/** The requests that no send serves yet, in the order in which they came. */
export function pendingRequests({ repeated, queue, incoming }: Run): readonly EmailRequest[] {
  return [...repeated.flatMap(({ requests }) => requests), ...queue, ...incoming];
}

/** The send that is not settled yet: the last one, or none. */
export function openSendOf(run: Run): Send | undefined {
  const last = run.sends.at(-1);
  return last?.settledAt === null ? last : undefined;
}

/** The resend that is begun but not tried, because of a hold, say: further requests are served by it. */
export function joinableSendOf(run: Run): Send | undefined {
  const send = openSendOf(run);
  return send?.resend === true && isUntouched(send) ? send : undefined;
}

export function acceptedSends(run: Run): number {
  return run.sends.filter(({ outcome }) => outcome === 'accepted').length;
}

/** A send that a later one took the place of is not open. */
function openSends({ sends }: Run): readonly Send[] {
  return sends.slice(-1).filter(({ outcome }) => outcome !== 'accepted' && outcome !== 'skipped');
}

/** The resend that a closing run leaves open. A new run that is asked under the same request id goes on with it. */
export function openResend(run: Run): EmailRequest | undefined {
  const left = [...openSends(run).flatMap(({ requests }) => requests), ...pendingRequests(run)];
  return left.findLast(({ resend }) => resend);
}

/** In words, what a closing run leaves open. */
export function unsettledOf(run: Run): readonly string[] {
  return [
    ...openSends(run).map(({ ordinal, resend, outcome }) => words.unsettledSend(ordinal, resend, outcome)),
    ...pendingRequests(run).map(words.unservedRequest),
    ...run.handedOver.flatMap(({ requestId, result }) =>
      result === 'canceled' || result === 'terminated'
        ? [words.notTakenOver(requestId, homeOf(run) ?? '', result)]
        : [],
    ),
    // It came while the requests were on their way.
    ...(run.held && run.handedOver.length > 0 ? [words.holdNotTakenOver(homeOf(run) ?? '')] : []),
  ];
}

// One bill run, one sender.

/** The workflow id under which the bill run is emailed; null until its number is known. */
export function homeOf({ billRun, settings }: Run): string | null {
  return billRun === null ? null : canonicalWorkflowId(billRun.number, settings.entityId);
}

/** Why this run must not have its id, which says that it is about another bill run; null where it may. */
export function misnamed({ workflowId, billRun, settings }: Run): string | null {
  const [prefix, ...rest] = workflowId.split('/');
  if (billRun === null || prefix !== 'email-bill-run' || rest.length === 0) return null;
  const key = rest.at(-1) ?? '';
  const entity = rest.slice(0, -1).join('/');
  const own = [billRun.number, billRun.id, settings.billRunKey].includes(key);
  return own && ['', settings.entityId].includes(entity) ? null : words.misnamed(workflowId, billRun.number);
}

/** Whether another run emails the bill run, and this one hands it its requests. */
export function isGuest(run: Run): boolean {
  const home = homeOf(run);
  return home !== null && home !== run.workflowId;
}

// What comes of activities.

export function recordLook(run: Run, billRun: BillRun, now: number): void {
  if (run.billRun?.status === 'PostInProgress' && billRun.status === 'Completed') run.postingFailed = true;
  else if (billRun.status !== 'Completed') run.postingFailed = false;
  run.billRun = billRun;
  run.lookedAt = now;
  run.lookWanted = false;
}

export function recordFailedLook(run: Run, type: FailureType, message: string): void {
  run.failedLook = { type, message };
}

/** Records what earlier runs did for the requests that were asked about: the others are new. */
export function recordEarlier(run: Run, asked: readonly EmailRequest[], earlier: readonly EarlierSend[]): void {
  run.incoming = run.incoming.filter((request) => !asked.includes(request));
  const left = new Set(asked);
  for (const { requestIds, attempts } of earlier) {
    const requests = asked.filter((request) => left.has(request) && requestIds.includes(request.requestId));
    for (const request of requests) left.delete(request);
    if (requests.length > 0) recordRepeated(run, requests, attempts);
  }
  run.queue.push(...left);
}

/** Requests for an intent that is known: they belong to the send that serves it, if this run has one. */
function recordRepeated(run: Run, requests: readonly EmailRequest[], attempts: EarlierSend['attempts']): void {
  const intentIn = ([first]: EarlierSend['attempts']): string => keyParts(first?.idempotencyKey ?? '').intent;
  const intent = intentIn(attempts);
  const own = run.sends.findLast((send) => send.intent === intent);
  if (own !== undefined && (own.settledAt === null || own.outcome === 'accepted')) {
    own.requests.push(...requests);
    return;
  }
  const waiting = run.repeated.filter((repeated) => intentIn(repeated.attempts) === intent);
  run.repeated = run.repeated.filter((repeated) => !waiting.includes(repeated));
  run.repeated.push({ requests: [...waiting.flatMap((repeated) => repeated.requests), ...requests], attempts });
}

export function recordHandover(run: Run, asked: readonly EmailRequest[], handedOver: readonly HandedOver[]): void {
  const isLeft = (request: EmailRequest): boolean => !asked.includes(request);
  run.queue = run.queue.filter(isLeft);
  run.incoming = run.incoming.filter(isLeft);
  run.handedOver.push(...handedOver);
}

/** A hint that the bill run posted is followed at most this often. */
const HINT_INTERVAL_MS = 5_000;

/** When a hint may be followed (epoch, ms). */
export function hintDueAt(run: Run): number {
  return run.hintFollowedAt + HINT_INTERVAL_MS;
}

export function followHint(run: Run, now: number): void {
  if (!run.hinted) return;
  run.hinted = false;
  run.hintFollowedAt = now;
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
