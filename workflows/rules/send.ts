/**
 * One send: the intent to email the documents of a bill run once. Its record, its keys, and what attempts and persons do to
 * them. Pure: `send-step.ts` decides what a send needs next, and `steps.ts` adds everything around a single send.
 */
import type {
  AttemptInput,
  AttemptReceipt,
  BillRunAddress,
  EarlierAttempt,
  InvoiceCount,
  LostAttempt,
  NoCallReceipt,
  Receipt,
} from '../contract/activities.js';
import type {
  Attempt,
  Decision,
  EmailRequest,
  NoteMessage,
  SendOutcome,
  SendRecord,
  Verdict,
} from '../contract/contract.js';
import { idempotencyKey, intentKey, keyParts, trackId, trackIdPrefix } from './keys.js';
import * as words from './words.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Zuora forgets a key 24 h after its first use. The hour between is for clocks that differ and calls that take long. */
const KEY_LIFETIME_MS = 23 * HOUR;
const FIRST_PAUSE_MS = 5 * SECOND;
const LONGEST_PAUSE_MS = 10 * MINUTE;
/** What Zuora asks for is obeyed up to here; after it, asking again is no burden. */
const LONGEST_RETRY_AFTER_MS = HOUR;
/** Where Zuora asks for less: doubling from here, so that a send never fills history with attempts. */
const FIRST_FLOOR_MS = SECOND;

export interface Send {
  readonly ordinal: number;
  readonly resend: boolean;
  readonly requests: EmailRequest[];
  outcome: SendOutcome;
  readonly attempts: Attempt[];
  readonly decisions: Decision[];
  settledAt: string | null;
  note: string | null;

  /** What all keys of the send begin with, and the number in the key of the next attempt. */
  readonly intent: string;
  keyNumber: number;
  /** When each number was first used (epoch, ms). */
  readonly firstUse: Record<number, number | undefined>;
  /** Whence the budget of automatic attempts counts: the first attempt, or a person's last retry. */
  budgetFrom: number | null;
  nextAttemptAt: number;
  /** An attempt is under way. */
  inFlight: boolean;
  /** A person's retry that no attempt has served yet; `begun` when one was, which is under way or came to no call. */
  retry: { readonly sendAnyway: boolean; readonly begun: boolean } | null;
  /** A person overrode what the look at the bill run holds back. */
  lookOverridden: boolean;
  /** That run came of a reset, so a key may have been used in a past that is gone: a person is asked, until it is settled. */
  reset: { readonly runId: string; readonly settled: boolean } | null;
  /** When the present question to a person came up, and since when nothing goes on without an answer (epoch, ms). */
  askedAt: number | null;
  stoppedAt: number | null;
  /** What Zuora showed about the documents, and when (epoch, ms). It is told to the person who is asked, and decides nothing. */
  shown: { readonly at: number; readonly count: InvoiceCount | null } | null;
}

export function openSend(ordinal: number, requests: readonly EmailRequest[], intent: string): Send {
  return {
    ordinal,
    resend: requests.some(({ resend }) => resend),
    requests: [...requests],
    outcome: 'pending',
    attempts: [],
    decisions: [],
    settledAt: null,
    note: null,
    intent,
    keyNumber: 1,
    firstUse: {},
    budgetFrom: null,
    nextAttemptAt: 0,
    inFlight: false,
    retry: null,
    lookOverridden: false,
    reset: null,
    askedAt: null,
    stoppedAt: null,
    shown: null,
  };
}

/** What the keys of a send for these requests begin with. */
export function intentOf(requests: readonly EmailRequest[], billRunId: string): string {
  const resend = requests.some((request) => request.resend);
  // The first request that asks for a resend, so that the key does not depend on what else was waiting with it.
  const requestId = requests.find((request) => request.resend === resend)?.requestId ?? '';
  return intentKey({ billRunId, resend, requestId });
}

/**
 * Goes on with a send where earlier runs of the workflow left it: their attempts count, and so do the keys, with the time
 * of their first use.
 */
export function takeUp(ordinal: number, requests: readonly EmailRequest[], attempts: readonly EarlierAttempt[]): Send {
  const send = openSend(ordinal, requests, keyParts(attempts[0]?.idempotencyKey ?? '').intent);
  for (const { runId, startedAt, came, ...plan } of attempts) {
    send.keyNumber = keyParts(plan.idempotencyKey).number;
    const now = startedAt + ('called' in came ? came.durationMs : 0);
    endAttempt(send, plan, came, { startedAt, now, jitter: 0.5, runId });
  }
  if (send.outcome === 'accepted') send.note = words.emailedBefore(send.attempts.at(-1)?.runId ?? '');
  return send;
}

export function recordOf(send: Send): SendRecord {
  const { ordinal, resend, requests, outcome, attempts, decisions, settledAt, note } = send;
  return {
    ordinal,
    resend,
    requests: [...requests],
    outcome,
    attempts: [...attempts],
    decisions: [...decisions],
    settledAt,
    note,
  };
}

/** The key may have been used in a past that a reset took away, and nobody has said yet whether to go on. */
export function asksAboutReset({ reset }: Send): boolean {
  return reset?.settled === false;
}

/** Nothing was tried yet, so whoever asks for the same can be served by it. */
export function isUntouched(send: Send): boolean {
  return send.attempts.length === 0 && !send.inFlight && send.retry === null && !asksAboutReset(send);
}

export function attemptsUnder(send: Send, key: string): readonly Attempt[] {
  return send.attempts.filter(({ idempotencyKey: used }) => used === key);
}

/**
 * Rule 3: the verdict on a key, over all its attempts. Once unknown, it stays unknown until a success or a stored reply
 * settles it: a fresh refusal says nothing about an earlier attempt that may have arrived.
 */
export function verdictOfKey(attempts: readonly Pick<Attempt, 'verdict' | 'stored'>[]): Verdict | undefined {
  let verdict: Verdict | undefined;
  for (const attempt of attempts) {
    if (attempt.stored || attempt.verdict === 'accepted' || verdict !== 'unknown') verdict = attempt.verdict;
  }
  return verdict;
}

/** Some attempt, under any key of the send, may have reached Zuora and is not settled. */
export function hasUnknown(send: Send): boolean {
  const keys = new Set(send.attempts.map(({ idempotencyKey: key }) => key));
  return [...keys].some((key) => verdictOfKey(attemptsUnder(send, key)) === 'unknown');
}

export function keyExpiry(send: Send): number {
  const firstUse = send.firstUse[send.keyNumber];
  return firstUse === undefined ? Infinity : firstUse + KEY_LIFETIME_MS;
}

/** A retry would have to give up the protection of the key: only a person who says so may do that. */
export function needsSendAnyway(send: Send, now: number): boolean {
  if (asksAboutReset(send)) return true;
  const last = send.attempts.at(-1);
  if (last === undefined || !hasUnknown(send)) return false;
  // Where the unknown attempt was made under an earlier key, the present one does not protect from it.
  return isUsedUp(send, now) || verdictOfKey(attemptsUnder(send, last.idempotencyKey)) !== 'unknown';
}

/** The key can only repeat an answer that helps nobody, or Zuora has forgotten it. */
function isUsedUp(send: Send, now: number): boolean {
  const last = send.attempts.at(-1);
  if (last === undefined || !isUsed(send)) return false;
  const verdict = verdictOfKey(attemptsUnder(send, last.idempotencyKey));
  return verdict === 'refused' || (verdict === 'unknown' && last.stored) || now > keyExpiry(send);
}

function isUsed({ firstUse, keyNumber }: Send): boolean {
  return firstUse[keyNumber] !== undefined;
}

/** What an attempt is made of: the activity's input without the address of the bill run. */
export type AttemptPlan = Omit<AttemptInput, keyof BillRunAddress>;
/** Which attempt it is. */
type AttemptName = Pick<AttemptPlan, 'idempotencyKey' | 'trackId'>;

/**
 * Begins an attempt: picks its key.
 *
 * @param unique differs for every attempt, after a reset too
 * @returns undefined when a person's retry turns out not to be enough after all, and the question is open again
 */
export function beginAttempt(
  send: Send,
  { originalRunId, unique, now }: { originalRunId: string; unique: string; now: number },
): AttemptPlan | undefined {
  if (send.retry !== null) {
    const { sendAnyway } = send.retry;
    if (needsSendAnyway(send, now) && !sendAnyway) {
      send.retry = null;
      return undefined;
    }
    send.retry = { sendAnyway, begun: true };
    // Rule 3 (b), and a person's `sendAnyway`.
    if (isUsedUp(send, now)) send.keyNumber += 1;
    if (send.reset !== null) send.reset = { ...send.reset, settled: true };
    send.budgetFrom = now;
    send.askedAt = null;
    send.stoppedAt = null;
  }
  send.outcome = 'pending';
  send.inFlight = true;
  const firstUse = send.firstUse[send.keyNumber];
  const key = idempotencyKey(send.intent, send.keyNumber);
  return {
    resend: send.resend,
    idempotencyKey: key,
    trackId: trackId(key, send.attempts.length + 1, unique),
    notAfter: (firstUse ?? now) + KEY_LIFETIME_MS,
    // What later runs of the workflow need to know, also when Temporal has deleted the histories of the earlier ones. The
    // send serves the same requests from here on.
    ...(send.resend && send.attempts.every(({ runId }) => runId !== undefined)
      ? { requestIds: send.requests.filter(({ resend }) => resend).map(({ requestId }) => requestId) }
      : {}),
    // What is settled for one run is not for one that a further reset makes.
    ...(firstUse === undefined ? { originalRunId: send.reset?.runId ?? originalRunId } : {}),
  };
}

/** Ends an attempt with what came of it. `jitter` is a random number from 0 to 1; `runId` is that of an earlier run. */
export function endAttempt(
  send: Send,
  plan: AttemptName,
  came: Receipt | LostAttempt,
  { startedAt, now, jitter, runId }: { startedAt: number; now: number; jitter: number; runId?: string },
): void {
  send.inFlight = false;
  if ('called' in came && !came.called) {
    noCall(send, came, now);
    return;
  }
  send.note = null;
  send.budgetFrom ??= startedAt;
  // From the attempt's beginning in the workflow, which is no later than the call.
  send.firstUse[send.keyNumber] ??= startedAt;
  const attempt =
    'called' in came
      ? attemptOf(send, plan, came)
      : {
          idempotencyKey: plan.idempotencyKey,
          trackId: plan.trackId,
          startedAt: new Date(startedAt).toISOString(),
          durationMs: null,
          httpStatus: null,
          zuoraRequestId: null,
          verdict: came.verdict,
          stored: false,
          reasons: came.reasons,
        };
  send.attempts.push(runId === undefined ? attempt : { ...attempt, runId });

  const verdict = verdictOfKey(attemptsUnder(send, plan.idempotencyKey));
  if (verdict === 'accepted') {
    send.outcome = 'accepted';
    send.settledAt = new Date(now).toISOString();
    return;
  }
  // A retry that came during the attempt was an answer to an older question than the one that this raises.
  if (send.retry?.begun === true || attempt.stored || attempt.verdict === 'refused') send.retry = null;
  // Rule 3 (a): the key will only repeat that nothing was done, and nothing was.
  if (attempt.stored && verdict === 'notExecuted') send.keyNumber += 1;
  send.nextAttemptAt = now + pause(send, 'called' in came ? came.retryAfterMs : null, jitter);
}

/** No worker took the attempt in time: nothing was sent, and the same attempt is due again. */
export function abandonAttempt(send: Send, now: number): void {
  send.inFlight = false;
  send.nextAttemptAt = now;
  send.note = words.noWorker();
}

function noCall(send: Send, { why, runId }: NoCallReceipt, now: number): void {
  switch (why) {
    case 'keyTooOld':
      // The worker's clock is ahead of the server's. A key that was used has no automatic attempt left, so a person is
      // asked; one that was not waits for a worker whose clock is right.
      send.nextAttemptAt = isUsed(send) ? keyExpiry(send) + 1 : now + LONGEST_PAUSE_MS;
      if (isUsed(send)) send.retry = null;
      send.note = words.clockAhead();
      return;
    case 'afterReset':
      // A first send emails only what was never emailed, so a fresh look is enough; a resend would email everything again.
      send.reset = { runId, settled: !send.resend };
      if (send.resend) send.retry = null;
      send.nextAttemptAt = now;
      return;
  }
}

function attemptOf(send: Send, plan: AttemptName, receipt: AttemptReceipt): Attempt {
  const { zuoraRequestId, echoedTrackId } = receipt;
  const echoesAnother = echoedTrackId !== null && echoedTrackId !== plan.trackId;
  const seen = attemptsUnder(send, plan.idempotencyKey).some(
    (attempt) => zuoraRequestId !== null && attempt.zuoraRequestId === zuoraRequestId,
  );
  const foreign = echoesAnother && !echoedTrackId.startsWith(trackIdPrefix(plan.idempotencyKey));
  return {
    idempotencyKey: plan.idempotencyKey,
    trackId: plan.trackId,
    startedAt: receipt.startedAt,
    durationMs: receipt.durationMs,
    httpStatus: receipt.httpStatus,
    zuoraRequestId,
    verdict: foreign ? 'unknown' : receipt.verdict,
    stored: echoesAnother || seen,
    reasons: foreign ? [words.foreignReply(echoedTrackId), ...receipt.reasons] : receipt.reasons,
  };
}

/** The wait before the next attempt: what Zuora asks for, else doubling from 5 s to 10 min, a fifth more or less. */
function pause(send: Send, retryAfterMs: number | null, jitter: number): number {
  const grown = (first: number): number => {
    return Math.min(first * 2 ** Math.min(send.attempts.length - 1, 20), LONGEST_PAUSE_MS);
  };
  if (retryAfterMs !== null) return Math.min(Math.max(retryAfterMs, grown(FIRST_FLOOR_MS)), LONGEST_RETRY_AFTER_MS);
  return Math.round(grown(FIRST_PAUSE_MS) * (0.8 + 0.4 * jitter));
}

/** Writes down what a person decided about a send. */
export function decide(
  send: Send,
  made: Decision['decision'],
  { requestedBy, reason }: NoteMessage,
  now: number,
): void {
  send.decisions.push({
    decision: made,
    at: new Date(now).toISOString(),
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(reason === undefined ? {} : { reason }),
  });
}

/** Closes a send for good. What is unknown is closed as unknown, never as anything better. */
export function closeSend(send: Send, outcome: 'superseded' | 'finished', now: number, note: string): void {
  if (send.outcome !== 'skipped') {
    if (hasUnknown(send) || asksAboutReset(send)) send.outcome = 'unknown';
    else if (outcome === 'superseded') send.outcome = 'superseded';
  }
  send.settledAt = new Date(now).toISOString();
  send.note = note;
}
