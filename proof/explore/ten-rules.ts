/**
 * The ten rules of sending (docs/how-it-works.md), checked after each step against what happened in Zuora and what people ordered. Of
 * the record they read the attempts, the requests and what a person decided.
 */
import type { AttemptResult } from '../../workflows/contract/activities.js';
import type { AttemptPlan, Send } from '../../workflows/rules/send.js';
import type { Step } from '../../workflows/rules/step.js';
import { KEY_LIFETIME_MS, numberFaults } from '../send-rules.js';
import type { Rules } from './rules.js';
import { heldMsOf, mayHaveCalled, requestName, type Call, type World } from './state.js';
import { CALL_MS, emailOf, emailsOf, intentOf, MINUTE } from './zuora.js';

/** 0: a promise that belongs to no single rule, such as that no request is lost. */
export type Rule = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export class Broken extends Error {
  readonly rule: Rule;
  /** What happened just before. */
  step = '';

  constructor(rule: Rule, message: string) {
    super(message);
    this.rule = rule;
  }
}

export function broken(rule: Rule, message: string): never {
  throw new Broken(rule, message);
}

function check(rule: Rule, holds: boolean, message: string): void {
  if (!holds) broken(rule, message);
}

/** Five seconds, less a fifth. */
const LEAST_PAUSE_MS = 4_000;

/** When the activity of an attempt is scheduled. */
export function checkPlan(world: World, { idempotencyKey, trackId, resend }: AttemptPlan, send: Send): void {
  const { facts } = world;
  check(
    2,
    facts.calls.every((each) => each.trackId !== trackId),
    'two attempts under one track id',
  );
  check(3, resend === send.resend, 'a resend sends as a first send, or the reverse');
  const own = send.requests.filter((request) => request.resend === resend).map(({ requestId }) => requestId);
  const intents = resend ? own.map((requestId) => `resend/${requestId}`) : ['first'];
  check(3, intents.includes(intentOf(idempotencyKey)), `the key ${idempotencyKey} names another send`);
  // A lost worker may have begun late, and nobody knows when.
  const ends = callsOf(world, send).map((each) => (facts.scheduled[each.trackId] ?? 0) + CALL_MS);
  check(2, facts.retryWaits || ends.every((end) => world.now >= end + LEAST_PAUSE_MS), 'no wait between two attempts');
  check(8, !facts.held, 'an attempt begins on hold');
  check(8, !facts.closing, 'an attempt begins although the job is to close');
  checkBudget(world, send);
}

/** Rule 4: automatic attempts end with the budget, which a person's retry begins anew. Time on hold does not count. */
function checkBudget(world: World, send: Send): void {
  const used = world.facts.retryWaits ? 0 : usedBudgetMs(world, send);
  check(4, used <= world.job.settings.sendBudgetMs, `an automatic attempt ${hours(used)} after the first`);
}

export function usedBudgetMs(world: World, send: Send): number {
  const { facts, now } = world;
  // What an earlier job did has its own budget.
  if (send.attempts.some(({ runId }) => runId !== undefined)) return 0;
  const own = callsOf(world, send);
  const first = own.findLast(({ isForRetry }) => isForRetry) ?? own[0];
  return first === undefined ? 0 : now - first.at - (heldMsOf(facts, now) - first.heldMs);
}

function callsOf({ facts }: World, { attempts }: Send): Call[] {
  return facts.calls.filter(({ trackId }) => attempts.some((each) => each.trackId === trackId));
}

/** When the request leaves. */
export function checkCall({ zuora, facts, now, job }: World, { plan, ordinal }: NonNullable<World['attempt']>): void {
  const { idempotencyKey: key, look } = plan;
  check(1, zuora.billRun.status === 'Posted', 'a call before the post');
  const age = now - (zuora.keys[key]?.at ?? now);
  check(4, age <= KEY_LIFETIME_MS, `a call under a key that is ${hours(age)} old`);
  const send = job.sends.find((each) => each.ordinal === ordinal);
  if (send === undefined || send.resend || send.attempts.length > 0) return;
  if (send.decisions.some(({ decision }) => decision === 'sendAnyway')) return;
  const isForMissing = send.requests.some(({ missing }) => missing === true) || send.missingSince !== undefined;
  check(6, look !== undefined || send.decisions.length > 0, 'a first send without a look');
  if (now - zuora.changedAt <= MINUTE) return;
  check(6, zuora.documents.length > 0, 'a send without documents');
  const { autoEmail, invoicesEmailed } = zuora.billRun;
  if (!isForMissing && facts.calls.length === 0) {
    check(6, autoEmail !== true, 'a send although Zuora emails by itself');
    check(6, invoicesEmailed !== true, 'a send although others emailed');
  }
  const isKnown = zuora.keys[key] !== undefined;
  const onTheWay = zuora.documents.filter((document) => emailOf(document, now) === 'onTheWay');
  check(isForMissing ? 10 : 6, isKnown || onTheWay.length === 0, 'a send while emails may be on their way');
}

/** When an attempt has ended. */
export function checkRecorded({ job }: World, { trackId }: AttemptPlan, result: AttemptResult | 'neverTaken'): void {
  const recorded = job.sends.flatMap(({ attempts }) => attempts).filter((each) => each.trackId === trackId);
  check(7, recorded.length === (mayHaveCalled(result) ? 1 : 0), `an attempt is on record ${recorded.length} times`);
  const [attempt] = recorded;
  if (attempt === undefined || !mayHaveCalled(result)) return;
  const isForeign = 'called' in result && result.echoedTrackId === 'of-another-request';
  check(5, attempt.verdict === (isForeign ? 'unknown' : result.verdict), `recorded as ${attempt.verdict}`);
}

/** Whenever the job has come to rest. */
export function checkRest(rules: Rules, world: World, step: Step): void {
  const { job, zuora, facts, end, now } = world;
  if (step.kind === 'wait' && step.state === 'NeedsAttention') facts.retryWaits = false;
  checkEmails(world);
  for (const send of job.sends) {
    if (!facts.leftOut) {
      const faults = numberFaults(
        send,
        ({ trackId, startedAt }) => facts.scheduled[trackId] ?? Date.parse(startedAt),
        send.attempts.filter(({ runId }) => runId !== undefined).length,
      );
      check(3, faults.length === 0, faults.join('; '));
    }
    checkOutcome(world, send);
    const nameless = send.decisions.filter(
      ({ decision, requestedBy, reason }) => decision === 'sendAnyway' && (requestedBy ?? reason) === undefined,
    );
    check(7, nameless.length === 0, 'a risk that nobody took by name');
  }
  checkRequests(rules, world);
  if (step.state === 'Emailed') {
    const isEmailed = zuora.documents.every((document) => emailOf(document, now) === 'left');
    check(9, zuora.documents.length > 0 && isEmailed, 'Emailed, although a document is not');
    const last = job.sends.findLast(({ outcome }) => outcome === 'accepted');
    const sent =
      last?.resend === true ? zuora.documents.map(({ emails }) => emails[intentOf(`${last.intent}/1`)] ?? 0) : [];
    check(9, !sent.includes(0), 'Emailed, although the resend left out a document');
  }
  if (end === null) {
    check(8, !facts.closing, 'the job stays open after finish or cancel');
    const ends = 'until' in step ? Math.min(step.until, 'wake' in step ? step.wake : Infinity) : 0;
    const waits = facts.held || world.allOnHold || job.heldByAll || ends < Infinity || job.checks > 0;
    const isChecked = rules.following.plannedChecks(job) !== null || rules.following.wantedCheck(job) !== null;
    check(0, waits || isChecked, `nothing ends ${step.state} ${step.reason ?? ''}`);
  } else {
    check(
      4,
      !(facts.held || job.heldByAll) || facts.closing || (end.kind === 'fail' && end.type === 'InvalidInput'),
      'a held job closes by itself',
    );
  }
}

/** Rule 3: no document is emailed twice for one intent, unless a person took the risk. */
function checkEmails({ zuora, facts }: World): void {
  for (const place of zuora.documents.keys()) {
    for (const [intent, count] of emailsOf(zuora, place)) {
      const isOurs = intent !== 'others';
      check(
        3,
        !isOurs || count <= 1 + facts.risks,
        `a document is emailed ${count} times for ${intent}, with ${facts.risks} risks taken`,
      );
    }
  }
}

/** Rule 5: an outcome is what Zuora did, or it is unknown. */
function checkOutcome({ zuora, used }: World, { outcome, attempts, intent }: Send): void {
  const keys = new Set(attempts.map(({ idempotencyKey: key }) => key));
  // A reset hides from the job what it did. The audit reads both histories.
  const isOnRecord = (trackId: string): boolean =>
    used.resets === 0 || attempts.some((each) => each.trackId === trackId);
  const executed = [...keys].filter((key) => {
    const known = zuora.keys[key];
    return known !== undefined && known.executed !== false && isOnRecord(known.trackId);
  });
  const isExecuted = executed.some((key) => zuora.keys[key]?.executed === true);
  if (outcome === 'accepted') check(5, isExecuted, `${intent} counts as accepted, and Zuora executed nothing`);
  if (['refused', 'superseded', 'stopped'].includes(outcome)) {
    check(
      5,
      executed.length === 0,
      `${intent} counts as ${outcome}, and Zuora may have executed ${executed.join(', ')}`,
    );
  }
  const isAccepted = attempts.some(({ verdict }) => verdict === 'accepted');
  check(5, (outcome === 'accepted') === isAccepted, `${intent} counts as ${outcome}`);
}

/** Rule 7: each request is served by one send, waits for one, or is named when the job closes. */
function checkRequests({ jobs, status }: Rules, { job, facts, end }: World): void {
  const waiting = jobs.pendingRequests(job);
  const all = [...job.sends.flatMap(({ requests }) => requests), ...waiting].map(requestName);
  check(7, new Set(all).size === all.length, 'a request is served twice');
  const ignored = job.ignored.last.map(({ reason }) => reason).join(' ');
  const lost = facts.requests.filter(
    (name) => !all.includes(name) && !ignored.includes(name.replace(/^\w+ /, 'request ')),
  );
  check(7, lost.length === 0, `no record of ${lost.join(', ')}`);
  if (end === null || end.kind === 'cancel') return;
  const { unsettled } = status.resultOf(job, end);
  check(
    7,
    waiting.every(({ requestId }) => unsettled.some((text) => text.includes(requestId))),
    'an unserved request is not named',
  );
  check(0, end.state !== 'Unsettled' || unsettled.length > 0, 'Unsettled, and nothing is');
  const isDone = end.state === 'Delivering' || end.state === 'Emailed';
  check(7, !isDone || unsettled.length === 0, `${end.state}, although ${unsettled.join('; ')}`);
}

function hours(length: number): string {
  return `${(length / (60 * MINUTE)).toFixed(2)} h`;
}
