/**
 * One send: the intent to email the documents of a bill run once. Its record, its keys, and how attempts and persons change them.
 * `send-step.ts` decides what a send needs next.
 */
import type {
  AttemptInput,
  AttemptReceipt,
  AttemptResult,
  BillRunAddress,
  EarlierAttempt,
  LostAttempt,
} from '../contract/activities.js';
import type {
  Attempt,
  Decision,
  EmailRequest,
  NoteMessage,
  Reason,
  RetryMessage,
  SendOutcome,
  SendRecord,
} from '../contract/contract.js';
import { noteOf } from '../contract/validation.js';
import { idempotencyKey, intentKey, isFirstIntent, keyParts, trackId, trackIdPrefix } from './keys.js';
import { attemptsUnder, hasUnknown, verdictOfKey } from './verdict.js';
import { iso } from './text.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Zuora forgets a key 24 h after its first use. One hour is left for clocks that differ and for slow calls. */
const KEY_LIFETIME_MS = 23 * HOUR;
const FIRST_PAUSE_MS = 5 * SECOND;
const LONGEST_PAUSE_MS = 10 * MINUTE;
/** A `sendAnyway` that no attempt served by then is asked for again: what the person saw may have changed. */
const OVERRIDE_FOR_MS = HOUR;
/** The longest wait that Zuora may ask for. */
const LONGEST_RETRY_AFTER_MS = HOUR;
/** The shortest wait if Zuora asks for less. It doubles, so that a send never fills history with attempts. */
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

  /** The prefix of all keys of the send, and the number in the key of the next attempt. */
  readonly intent: string;
  keyNumber: number;
  /** When each number was first used (epoch, ms). */
  readonly firstUse: Record<number, number | undefined>;
  /** Start of the budget of automatic attempts (epoch, ms): the first attempt, or a person's last retry. */
  budgetFrom: number | null;
  nextAttemptAt: number;
  /** An attempt is under way. */
  inFlight: boolean;
  /** The record before that attempt, to which it steps back if it makes no call. */
  before: Standing | null;
  /** A person's retry that no attempt has served yet. `begun`: an attempt for it is under way. `at`: epoch, ms. */
  retry: { readonly sendAnyway: boolean; readonly begun: boolean; readonly at: number } | null;
  /** A person asked then (epoch, ms) for what earlier emails missed: only that is to be sent. */
  missingSince?: number;
  /** When a person overrode the rules that keep the first attempt back (epoch, ms). */
  overriddenAt: number | null;
  /** That Temporal run came from a reset, so a lost part of history may have used a key. A person is asked until it is settled. */
  reset: { readonly runId: string; readonly settled: boolean } | null;
  /** Since when the send waits for a person (epoch, ms). */
  stoppedAt: number | null;
  /** How long the job was on hold after this send was settled (ms). */
  heldMs: number;
  /** Why nothing is attempted. */
  notNeeded: NotNeeded | 'nothingMissing' | null;
}

/** Zuora emails by itself, somebody else emailed, or there are no documents. */
export type NotNeeded = 'autoEmail' | 'emailedElsewhere' | 'noDocuments';

/** What the beginning of an attempt changes. */
type Standing = Pick<Send, 'outcome' | 'keyNumber' | 'retry' | 'reset' | 'budgetFrom' | 'stoppedAt'>;

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
    before: null,
    retry: null,
    overriddenAt: null,
    reset: null,
    stoppedAt: null,
    heldMs: 0,
    notNeeded: null,
  };
}

/** The prefix of the keys of a send for these requests. */
export function intentOf(requests: readonly EmailRequest[], billRunId: string): string {
  const resend = requests.some((request) => request.resend);
  // The first request for a resend, so that the key does not depend on other requests in the queue.
  const requestId = requests.find((request) => request.resend === resend)?.requestId ?? '';
  return intentKey({ billRunId, resend, requestId });
}

/**
 * Continues a send that earlier jobs began: their attempts count, and so do their keys, with the times of first use. Zuora may have
 * accepted a resend before this first send, which is then served by it.
 *
 * @param now starts the budget of attempts anew if their outcome is unknown; the key limits them in any case
 */
export function takeUp(
  ordinal: number,
  requests: readonly EmailRequest[],
  attempts: readonly EarlierAttempt[],
  now?: number,
): Send {
  const { intent } = keyParts(attempts[0]?.idempotencyKey ?? '');
  const send = { ...openSend(ordinal, requests, intent), resend: !isFirstIntent(intent) };
  for (const { runId, startedAt, result, ...plan } of attempts) {
    send.keyNumber = keyParts(plan.idempotencyKey).number;
    const endedAt = startedAt + ('called' in result ? result.durationMs : 0);
    endAttempt(send, plan, result, { startedAt, now: endedAt, jitter: 0.5, runId });
  }
  if (now !== undefined && hasUnknown(send)) send.budgetFrom = now;
  if (send.outcome === 'accepted') {
    const runId = send.attempts.at(-1)?.runId ?? '';
    send.note =
      requests.length === 0
        ? `an earlier job (run ${runId}) made this send`
        : `an earlier job (run ${runId}) emailed for this request, and nothing was sent again; a new request id emails again`;
  }
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

/** A part of history that a reset removed may have used the key, and no person has decided yet. */
export function asksAboutReset({ reset }: Send): boolean {
  return reset?.settled === false;
}

/** No attempt was made yet, so the send can serve further requests. */
export function isUntouched(send: Send): boolean {
  return send.attempts.length === 0 && !send.inFlight && send.retry === null && !asksAboutReset(send);
}

export function keyExpiry(send: Send): number {
  const firstUse = send.firstUse[send.keyNumber];
  return firstUse === undefined ? Infinity : firstUse + KEY_LIFETIME_MS;
}

/** A retry would give up the protection of the key: only a person who says so may do that. */
export function needsSendAnyway(send: Send, now: number): boolean {
  if (asksAboutReset(send)) return true;
  const last = send.attempts.at(-1);
  if (last === undefined || !hasUnknown(send)) return false;
  // If an earlier key has the unknown attempt, the present key does not protect from it.
  return isUsedUp(send, now) || verdictOfKey(attemptsUnder(send, last.idempotencyKey)) !== 'unknown';
}

/** The key can only repeat a useless answer, or Zuora has forgotten it. */
function isUsedUp(send: Send, now: number): boolean {
  const last = send.attempts.at(-1);
  if (last === undefined) return false;
  const verdict = verdictOfKey(attemptsUnder(send, last.idempotencyKey));
  return verdict === 'refused' || (verdict === 'unknown' && last.stored) || now > keyExpiry(send);
}

/** The activity's input without the address of the bill run. */
export type AttemptPlan = Omit<AttemptInput, keyof BillRunAddress>;
type AttemptName = Pick<AttemptPlan, 'idempotencyKey' | 'trackId'>;

/** A person's `sendAnyway` counts for an hour. */
export function isOverridden({ overriddenAt }: Send, now: number): boolean {
  return overriddenAt !== null && now - overriddenAt <= OVERRIDE_FOR_MS;
}

/**
 * Begins an attempt: picks its key.
 *
 * @param unique differs for every attempt, after a reset too
 * @param look the last look at the bill run, on which the first attempt of a first send depends
 * @returns undefined when a person's retry turns out not to be enough after all, and the question is open again
 */
export function beginAttempt(
  send: Send,
  {
    originalRunId,
    unique,
    now,
    look,
  }: { originalRunId: string; unique: string; now: number; look: NonNullable<AttemptPlan['look']> },
): AttemptPlan | undefined {
  const { outcome, keyNumber, retry, reset, budgetFrom, stoppedAt } = send;
  const decision = retry !== null || isOverridden(send, now) ? send.decisions.at(-1) : undefined;
  send.before = { outcome, keyNumber, retry, reset, budgetFrom, stoppedAt };
  if (retry !== null) {
    const { sendAnyway, at } = retry;
    const isTooOld = sendAnyway && now - at > OVERRIDE_FOR_MS;
    if (isTooOld || (needsSendAnyway(send, now) && !sendAnyway)) {
      send.retry = null;
      return undefined;
    }
    send.retry = { ...retry, begun: true };
    // Rule 3 (b), and a person's `sendAnyway`.
    if (isUsedUp(send, now)) send.keyNumber += 1;
    if (reset !== null) send.reset = { ...reset, settled: true };
    send.budgetFrom = now;
    send.stoppedAt = null;
  }
  // Rule 3 (a2).
  else if (now > keyExpiry(send) && !hasUnknown(send)) send.keyNumber += 1;
  send.outcome = 'pending';
  send.inFlight = true;
  const firstUse = send.firstUse[send.keyNumber];
  const key = idempotencyKey(send.intent, send.keyNumber);
  return {
    resend: send.resend,
    idempotencyKey: key,
    trackId: trackId(key, send.attempts.length + 1, unique),
    notAfter: (firstUse ?? now) + KEY_LIFETIME_MS,
    // Later jobs need these, also after Temporal deleted earlier histories. From here on the send serves the same requests.
    ...(send.attempts.every(({ runId }) => runId !== undefined) ? servedBy(send) : {}),
    // A further reset makes a further Temporal run, and the question is open again.
    ...(firstUse === undefined ? { originalRunId: send.reset?.runId ?? originalRunId } : {}),
    ...(decision === undefined ? {} : { decision }),
    ...(!send.resend && retry === null && send.attempts.length === 0 && !isOverridden(send, now) ? { look } : {}),
  };
}

function servedBy({ resend, requests }: Send): Pick<AttemptInput, 'requestIds'> {
  const served = requests.filter(({ missing }) => resend || missing === true);
  const ids = served.filter((request) => request.resend === resend).map(({ requestId }) => requestId);
  return ids.length === 0 ? {} : { requestIds: ids };
}

/** Ends an attempt. `jitter` is a random number from 0 to 1; `runId` is Temporal's run id of an earlier job. */
export function endAttempt(
  send: Send,
  plan: AttemptName,
  result: AttemptResult,
  { startedAt, now, jitter, runId }: { startedAt: number; now: number; jitter: number; runId?: string },
): void {
  if ('called' in result && !result.called) {
    noCall(send, result, now);
    return;
  }
  send.inFlight = false;
  send.before = null;
  send.note = null;
  send.budgetFrom ??= startedAt;
  // The attempt begins in the workflow, before the call.
  send.firstUse[send.keyNumber] ??= startedAt;
  const attempt =
    'called' in result
      ? attemptOf(send, plan, result)
      : {
          idempotencyKey: plan.idempotencyKey,
          trackId: plan.trackId,
          startedAt: iso(startedAt),
          durationMs: null,
          httpStatus: null,
          zuoraRequestId: null,
          verdict: result.verdict,
          stored: false,
          reasons: result.reasons,
        };
  send.attempts.push(runId === undefined ? attempt : { ...attempt, runId });

  const verdict = verdictOfKey(attemptsUnder(send, plan.idempotencyKey));
  if (verdict === 'accepted') {
    send.outcome = 'accepted';
    send.settledAt = iso(now);
    return;
  }
  // A retry that arrived during the attempt answered an older question than the one that this raises.
  if (send.retry?.begun === true || attempt.stored || attempt.verdict === 'refused') send.retry = null;
  // Rule 3 (a): the key would only repeat that nothing was executed, and nothing was.
  if (attempt.stored && verdict === 'notExecuted') send.keyNumber += 1;
  send.nextAttemptAt =
    pauseFrom(result, startedAt) + pause(send, 'called' in result ? result.retryAfterMs : null, jitter);
}

/** A lost worker is noticed when its heartbeat does not come: not before. */
const NOTICED_AFTER_MS = 30 * SECOND;

/** From when the pause counts (epoch, ms). Not by the workflow's clock: it can stand still where a query heard of the end first. Decision 10. */
function pauseFrom(result: AttemptReceipt | LostAttempt, startedAt: number): number {
  if ('called' in result) return Date.parse(result.startedAt) + result.durationMs;
  return result.verdict === 'unknown' ? startedAt + NOTICED_AFTER_MS : startedAt;
}

/**
 * An attempt made no call: no worker took it, or it was taken back. The send is as before, and the same attempt is due again. A retry
 * that arrived meanwhile stays.
 */
export function stepBack(send: Send, now: number): void {
  const { retry } = send;
  Object.assign(send, send.before);
  if (retry?.begun === false) send.retry = retry;
  send.before = null;
  send.inFlight = false;
  send.nextAttemptAt = now;
  send.note = null;
}

function noCall(send: Send, receipt: Extract<AttemptResult, { called: false }>, now: number): void {
  stepBack(send, now);
  if (receipt.why !== 'afterReset') return;
  // A first send emails only documents never emailed, so a new look is enough. A resend would email everything again.
  send.reset = { runId: receipt.runId, settled: !send.resend };
  if (send.resend) send.retry = null;
}

function attemptOf(send: Send, plan: AttemptName, receipt: AttemptReceipt): Attempt {
  const { zuoraRequestId, echoedTrackId } = receipt;
  const echoesAnother = echoedTrackId !== null && echoedTrackId !== plan.trackId;
  const isRepeatedReply = attemptsUnder(send, plan.idempotencyKey).some(
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
    stored: echoesAnother || isRepeatedReply,
    reasons: foreign ? [foreignReply(echoedTrackId), ...receipt.reasons] : receipt.reasons,
  };
}

function foreignReply(trackId: string): Reason {
  return {
    code: 'FOREIGN_REPLY',
    message: `Zuora repeated its answer to another request, ${trackId}; it says nothing about this one`,
  };
}

/** The wait before the next attempt: what Zuora asks for, else doubling from 5 s to 10 min, plus or minus a fifth. */
function pause(send: Send, retryAfterMs: number | null, jitter: number): number {
  const grown = (first: number): number => {
    return Math.min(first * 2 ** Math.min(send.attempts.length - 1, 20), LONGEST_PAUSE_MS);
  };
  if (retryAfterMs !== null) return Math.min(Math.max(retryAfterMs, grown(FIRST_FLOOR_MS)), LONGEST_RETRY_AFTER_MS);
  return Math.round(grown(FIRST_PAUSE_MS) * (0.8 + 0.4 * jitter));
}

/** Moves the limits of a send by the time that its job was on hold. */
export function postpone(send: Send, length: number): void {
  if (send.budgetFrom !== null) send.budgetFrom += length;
  if (send.stoppedAt !== null) send.stoppedAt += length;
  if (send.settledAt !== null) send.heldMs += length;
}

/** Records what a person decided about a send. */
export function decide(
  send: Send,
  decision: Decision['decision'],
  { requestId, ...note }: Pick<RetryMessage, 'requestId' | keyof NoteMessage>,
  now: number,
): void {
  send.decisions.push({
    decision,
    at: iso(now),
    ...(requestId === undefined ? {} : { requestId }),
    ...noteOf(note),
  });
}

/** Closes a send for good. An unknown outcome stays unknown. */
export function closeSend(send: Send, outcome: 'superseded' | 'stopped', now: number, note: string): void {
  if (hasUnknown(send) || asksAboutReset(send)) send.outcome = 'unknown';
  // A refused send stays refused: what Zuora answered says more than that a person closed it.
  else if (outcome === 'superseded' || send.outcome !== 'refused') send.outcome = outcome;
  send.settledAt = iso(now);
  send.note = note;
}
