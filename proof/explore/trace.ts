/**
 * Walks the attempts of real histories through the explorer's transitions: the rules plan each attempt from the ones before it, and the
 * explorer's Zuora must be able to answer as the real one did. Zuora's request log, where there is one, says which requests arrived.
 */
import type { AttemptInput, AttemptResult, Receipt } from '../../workflows/contract/activities.js';
import { attemptResult } from '../../workflows/contract/activity-failures.js';
import { keyParts, trackIdPrefix } from '../../workflows/rules/keys.js';
import {
  beginAttempt,
  endAttempt,
  openSend,
  stepBack,
  type AttemptPlan,
  type Send,
} from '../../workflows/rules/send.js';
import { mayHaveCalled } from './state.js';
import { nextSendStep, type Look } from '../../workflows/rules/send-step.js';
import { call, isLike, noted, passages, replyKind, type Passage, type Zuora } from './zuora.js';

export interface TracedAttempt {
  readonly runId: string;
  readonly eventId: number;
  readonly input: AttemptInput;
  /** When it was scheduled (epoch, ms). */
  readonly at: number;
  /** `open`: its run ended first. `lost`: it gave no receipt. */
  readonly end: 'open' | 'notTaken' | 'lost' | Receipt;
}

/** A request that reached Zuora; without a status it was cut off. */
export interface LoggedCall {
  readonly trackId: string | null;
  readonly status: number | null;
}

export interface Traced {
  /** Attempts that began, and attempts that ended. */
  readonly steps: number;
  readonly faults: readonly { readonly runId: string; readonly eventId: number; readonly what: string }[];
}

/** @param calls null if there is no log */
export function walk(attempts: readonly TracedAttempt[], calls: readonly LoggedCall[] | null): Traced {
  const sends = new Map<string, Send>();
  const faults: Traced['faults'][number][] = [];
  const walked = new Set<string>();
  let zuoras = [true, false].map(newZuora);
  let steps = 0;
  for (const attempt of attempts.toSorted((one, other) => one.at - other.at)) {
    const { input, at, runId, eventId } = attempt;
    // A reset copies events.
    if (walked.has(input.trackId)) continue;
    walked.add(input.trackId);
    if (isNeverBegun(attempt, attempts, calls)) continue;
    const find = (what: string): void => void faults.push({ runId, eventId, what });
    const send = sendOf(sends, input);
    for (const fault of tooSoon(send, attempt)) find(fault);
    const plan = planned(send, attempt);
    if (plan === undefined) find('the rules make no attempt here');
    for (const difference of plan === undefined ? [] : differences(plan, input)) find(difference);
    send.keyNumber = keyParts(input.idempotencyKey).number;
    steps += 2;
    const result = resultOf(attempt);
    if (result === 'neverTaken') {
      stepBack(send, at);
      continue;
    }
    if (mayHaveCalled(result)) {
      const explained = zuoras.flatMap((zuora) => explanations(zuora, send, attempt, result, calls));
      if (explained.length === 0) find(`Zuora cannot answer like that here: ${JSON.stringify(result)}`);
      else zuoras = [...new Map(explained.map((each) => [JSON.stringify(each), each])).values()];
    }
    endAttempt(send, input, result, { startedAt: at, now: endOf(result, at), jitter: 0 });
  }
  return { steps, faults };
}

function newZuora(echoes: boolean): Zuora {
  return {
    echoes,
    billRun: { id: '', number: '', status: 'Posted' },
    changedAt: 0,
    documents: [],
    keys: {},
    requests: 0,
  };
}

/** Its run was ended before a worker began it, and the next attempt counts as if it had not been. */
function isNeverBegun(
  { input, at, end }: TracedAttempt,
  attempts: readonly TracedAttempt[],
  calls: readonly LoggedCall[] | null,
): boolean {
  if (end !== 'open' || calls?.some(({ trackId }) => trackId === input.trackId) === true) return false;
  const numbered = withoutUnique(input.trackId);
  return attempts.some((other) => other.at > at && withoutUnique(other.input.trackId) === numbered);
}

function withoutUnique(trackId: string): string {
  return trackId.slice(0, trackId.lastIndexOf('-'));
}

/** What was missed is sent by a send of its own, under the next number. */
function sendOf(sends: Map<string, Send>, { idempotencyKey, requestIds = [], resend }: AttemptInput): Send {
  const { intent } = keyParts(idempotencyKey);
  const last = sends.get(intent);
  // A resend may have been accepted in place of a first send. Only a send for what was missed names its requests.
  const isMissing = !resend && requestIds.length > 0 && last?.keyNumber !== keyParts(idempotencyKey).number;
  if (last !== undefined && last.outcome !== 'accepted' && !isMissing) return last;
  const requests = requestIds.map((requestId) => ({ requestId, resend, requestedAt: '' }));
  const send = openSend(1, requests, intent);
  if (last !== undefined) send.keyNumber = last.keyNumber + 1;
  sends.set(intent, send);
  return send;
}

/** No look matters after the first attempt. */
const ANY_LOOK: Look = { billRun: { id: '', number: '', status: 'Posted' }, at: 0 };
/** The end of the budget depends on the job's settings and its holds, which the attempts do not show. */
const LONG_BUDGET = { sendBudgetMs: 10 * 365 * 24 * 60 * 60_000, coolDownMs: 0, onHoldMs: 0 };
const ONE_TICK_MS = 50;
/** The pause after a lost attempt counts from the workflow task that scheduled it, which may have begun some seconds earlier. */
const LONGEST_TASK_MS = 10_000;

/** A further attempt that no person decided about: the rules must not wait, nor ask, at that time. */
function tooSoon(send: Send, { input, at }: TracedAttempt): readonly string[] {
  if (input.decision !== undefined || send.attempts.length === 0) return [];
  const slack = send.attempts.at(-1)?.durationMs === null ? LONGEST_TASK_MS : ONE_TICK_MS;
  const step = nextSendStep({ ...send, retry: null }, ANY_LOOK, LONG_BUDGET, at + slack);
  if (step.kind === 'attempt') return [];
  const what = step.kind === 'wait' ? `wait ${step.until - at} ms more` : step.kind;
  return [`the rules ${what} before this attempt`];
}

/** The plan of the rules, as the record stands. A decision in the input is a person's answer. */
function planned(send: Send, { input, at, runId }: TracedAttempt): AttemptPlan | undefined {
  const { decision, trackId, look } = input;
  send.retry = decision === undefined ? null : { sendAnyway: decision.decision === 'sendAnyway', begun: false, at };
  if (decision !== undefined) send.decisions.push(decision);
  const rest = { unique: trackId.slice(trackId.lastIndexOf('-') + 1), now: at, look: look ?? { at, coolDownMs: 0 } };
  const plan = beginAttempt({ ...send, resend: input.resend }, { originalRunId: runId, ...rest });
  return plan;
}

const CLOCKS_DIFFER_BY_MS = 60_000;

function differences(plan: AttemptPlan, input: AttemptInput): readonly string[] {
  const differ = (what: string, expected: unknown, actual: unknown): string[] =>
    expected === actual ? [] : [`${what} is ${String(actual)}; the rules say ${String(expected)}`];
  return [
    ...differ('the key', plan.idempotencyKey, input.idempotencyKey),
    ...differ('the track id', plan.trackId, input.trackId),
    ...differ('the first use of the key', plan.originalRunId !== undefined, input.originalRunId !== undefined),
    ...differ('the look before the call', plan.look !== undefined, input.look !== undefined),
    ...(Math.abs(plan.notAfter - input.notAfter) > CLOCKS_DIFFER_BY_MS ? ['the key ends at another time'] : []),
  ];
}

function resultOf({ end }: TracedAttempt): AttemptResult | 'neverTaken' {
  if (end === 'notTaken') return 'neverTaken';
  return typeof end === 'string' ? { verdict: 'unknown', reasons: [] } : attemptResult(end);
}

function endOf(result: AttemptResult, at: number): number {
  return 'called' in result && result.called ? Date.parse(result.startedAt) + result.durationMs : at;
}

/** The Zuoras that this one can be afterwards, if it answered so. */
function explanations(
  zuora: Zuora,
  send: Send,
  { input, at }: TracedAttempt,
  result: AttemptResult,
  calls: readonly LoggedCall[] | null,
): readonly Zuora[] {
  const logged = calls?.find(({ trackId }) => trackId === input.trackId);
  const hasArrived = calls === null ? null : logged !== undefined;
  const { verdict, kind } = seenOf(send, input, result);
  const after = (passage: Passage): Zuora => {
    const next = structuredClone(zuora);
    call(next, input, passage, at);
    return next;
  };
  const explained: Zuora[] = [];
  const possible = passages(zuora, input.idempotencyKey, at, { isRich: true });
  for (const passage of possible) {
    const reply = replyKind(passage, zuora.echoes);
    if (hasArrived === false && passage.kind === 'answered') continue;
    if (hasArrived === true && passage.kind === 'neverLeft') continue;
    if (reply.verdict === verdict && reply.kind.includes(kind))
      explained.push(hasArrived === false ? zuora : after(passage));
  }
  // Nobody heard an answer, or it says nothing: the log knows what Zuora did.
  if (verdict === 'unknown' && kind !== 'stored' && hasArrived !== true) explained.push(zuora);
  if (verdict === 'unknown' && kind !== 'stored' && hasArrived !== false) {
    for (const passage of possible) if (isLike(passage, logged?.status ?? null)) explained.push(after(passage));
  }
  return explained.map(noted);
}

type Seen = Pick<ReturnType<typeof replyKind>, 'verdict'> & {
  readonly kind: 'fresh' | 'stored' | 'foreign' | 'silent';
};

/** What the worker saw, in the words of the explorer. */
function seenOf(send: Send, { idempotencyKey: key, trackId }: AttemptInput, result: AttemptResult): Seen {
  if (!('called' in result)) return { verdict: result.verdict, kind: 'silent' };
  if (!result.called) return { verdict: 'notExecuted', kind: 'silent' };
  const { verdict, zuoraRequestId, echoedTrackId, httpStatus } = result;
  if (httpStatus === null) return { verdict, kind: 'silent' };
  const echoesAnother = echoedTrackId !== null && echoedTrackId !== trackId;
  if (echoesAnother && !echoedTrackId.startsWith(trackIdPrefix(key))) return { verdict, kind: 'foreign' };
  const isRepeated = send.attempts.some((each) => zuoraRequestId !== null && each.zuoraRequestId === zuoraRequestId);
  return { verdict, kind: echoesAnother || isRepeated ? 'stored' : 'fresh' };
}
