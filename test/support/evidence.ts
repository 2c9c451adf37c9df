/**
 * Evidence about one bill run from four sources: the answers of the workflow, its history, the calls that reached Zuora, and the
 * emails that left Zuora. The sources are compared with each other to check the rules of sending.
 */
import { expect } from 'vitest';
import type { EmailCall } from '../../proof/chaos/evidence.js';
import type { HistoryFacts } from '../../proof/history.js';
import { attemptsBeyond, lookFaults, SLACK_MS } from '../../proof/send-rules.js';
import type { Settings } from '../../workflows/contract/validation.js';
import type { Attempt, EmailBillRunResult, JobStatus, SendRecord } from '../../workflows/contract/contract.js';
import { keyParts } from '../../workflows/rules/keys.js';
import { HOUR } from './life.js';
import { checkNumbers } from './records.js';
import { emailsPerDocument, type Email } from './rig.js';

export interface Evidence extends HistoryFacts {
  readonly settings: Settings;
  readonly status: JobStatus;
  readonly sends: readonly SendRecord[];
  readonly calls: readonly EmailCall[];
  /** The emails before and after the other sources were read. */
  readonly emailsBefore: readonly Email[];
  readonly emails: readonly Email[];
  readonly documents: number;
  /** Nothing is under way, so the record holds everything that history holds. */
  readonly atRest: boolean;
  readonly startRequestId: string;
}

/** Checks the rules of sending that hold at any time. */
export function checkRules(evidence: Evidence): void {
  checkPosted(evidence);
  checkOneCallEach(evidence);
  checkOrders(evidence);
  for (const send of evidence.sends) {
    const begun = ({ trackId }: Attempt): number => startOf(evidence, trackId);
    checkEmails(evidence, send);
    checkNumbers(send, begun);
    expect(attemptsBeyond(evidence.settings.sendBudgetMs, send, begun), 'rule 4: the budget').toEqual([]);
    checkLook(evidence, send);
  }
  checkKeyAges(evidence);
  checkRequests(evidence);
}

/** The beginning of the attempt (epoch, ms), by the server's clock, which may be days ahead of the worker's. */
function startOf({ history }: Evidence, trackId: string): number {
  return history.find(({ input }) => input.trackId === trackId)?.at ?? NaN;
}

function checkPosted({ history }: Evidence): void {
  for (const { look } of history) expect(look?.billRun.status, 'rule 1: posted first').toBe('Posted');
}

/** Rule 2, by history, the simulator's log, and the record. */
function checkOneCallEach({ history, calls, sends, atRest }: Evidence): void {
  const scheduled = history.map(({ input }) => input.trackId);
  expect(new Set(scheduled).size, 'every scheduled attempt has a track id of its own').toBe(scheduled.length);
  const called = calls.map(({ trackId }) => trackId);
  expect(new Set(called).size, 'rule 2: one attempt, at most one call').toBe(called.length);
  expect(scheduled, 'rule 2: no call without an attempt in history').toEqual(expect.arrayContaining(called));

  const recorded = sends.flatMap(({ resend, attempts }) => attempts.map((attempt) => ({ ...attempt, resend })));
  const tracks = recorded.map(({ trackId }) => trackId);
  expect(new Set(tracks).size, 'every attempt is recorded once').toBe(tracks.length);
  for (const { trackId, idempotencyKey, resend, httpStatus, zuoraRequestId, verdict } of recorded) {
    const input = history.find((attempt) => attempt.input.trackId === trackId)?.input;
    expect(input, 'rule 7: the record agrees with history').toMatchObject({ idempotencyKey, resend });
    const call = calls.find((each) => each.trackId === trackId);
    if (call !== undefined) expect(call).toMatchObject({ idempotencyKey, body: { resend } });
    if (httpStatus !== null) expect(call).toMatchObject({ status: httpStatus, requestId: zuoraRequestId });
    if (verdict === 'notExecuted' && httpStatus === null) {
      expect(call, 'rule 2: an attempt that never left is not a call in Zuora').toBeUndefined();
    }
  }
  if (!atRest) return;
  for (const { input, end } of history) {
    const noCall = end === 'notTaken' || (typeof end === 'object' && !end.called);
    expect(tracks.includes(input.trackId), 'rule 2: every attempt that may have called is on record').toBe(!noCall);
    if (noCall) expect(called).not.toContain(input.trackId);
  }
}

function checkOrders({ history }: Evidence): void {
  for (const { held, closing } of history) {
    expect(held, 'a held job starts no attempt').toBe(false);
    expect(closing, 'a closing job starts no attempt').toBe(false);
  }
}

/** Compares a record with the emails that left. */
function checkEmails(
  { emailsBefore, emails, documents, atRest }: Evidence,
  { resend, outcome, ...send }: SendRecord,
): void {
  const { attempts, decisions, settledAt, note, ordinal } = send;
  const keys = new Set(attempts.map(({ idempotencyKey }) => keyParts(idempotencyKey).intent));
  expect(keys.size, 'rule 3: one key per send, but for its number').toBeLessThanOrEqual(1);
  const isOwn = ({ idempotencyKey }: Email): boolean => keys.has(keyParts(idempotencyKey ?? '/').intent);
  const own = emails.filter(isOwn);
  const risks = decisions.filter(({ decision }) => decision === 'sendAnyway').length;
  expect(
    emailsPerDocument(own).max,
    `rule 3: send ${ordinal} is emailed once, or a person took the risk`,
  ).toBeLessThanOrEqual(1 + risks);
  const success = attempts.some(({ verdict }) => verdict === 'accepted');
  expect(outcome === 'accepted', `rule 5: send ${ordinal} is accepted with a success, and only then`).toBe(success);
  if (success) {
    // A first send leaves out documents that were emailed before.
    const emailed = new Set((resend ? own : emails).map(({ documentNumber }) => documentNumber));
    expect(emailed.size, `rule 5: send ${ordinal} is accepted, and every document was emailed`).toBe(documents);
  }
  expect(outcome === 'pending' && settledAt !== null, `send ${ordinal} is settled with an outcome`).toBe(false);
  if (['refused', 'stopped', 'superseded'].includes(outcome)) {
    expect(emailsBefore.filter(isOwn), `rule 5: send ${ordinal} is ${outcome}, and nothing was emailed`).toEqual([]);
  }
  if (outcome === 'unknown' && settledAt !== null && atRest) {
    expect(note, `rule 5: send ${ordinal} was closed as unknown with a note`).not.toBeNull();
  }
}

/** Rule 4 by Zuora's clock, from the first to the last call under a key. */
function checkKeyAges({ calls, history }: Evidence): void {
  for (const { idempotencyKey: key, at } of calls) {
    const first = calls.find(({ idempotencyKey }) => idempotencyKey === key)?.at ?? at;
    expect(Date.parse(at) - Date.parse(first), 'rule 4: no call under a forgotten key').toBeLessThanOrEqual(
      23 * HOUR + SLACK_MS,
    );
  }
  for (const { input, at } of history) expect(input.notAfter - at).toBeLessThanOrEqual(23 * HOUR);
}

/** Rule 6, for the first attempt of a first send, by the look before it. */
function checkLook({ history, settings }: Evidence, { resend, attempts, decisions }: SendRecord): void {
  const begun = history.find(({ input }) => input.trackId === attempts[0]?.trackId);
  if (resend || begun === undefined) return;
  const overridden = decisions.some(({ decision, at }) => decision === 'sendAnyway' && Date.parse(at) <= begun.at);
  if (overridden) return;
  expect(lookFaults(begun, settings), 'rule 6: look before the first attempt').toEqual([]);
}

/** Rule 7: every request is in exactly one send, or waits for one. */
function checkRequests({ status, sends, resends, settings, startRequestId }: Evidence): void {
  const served = sends.flatMap(({ requests }) => requests.map(nameOf));
  expect(new Set(served).size, 'rule 7: no request is served twice').toBe(served.length);
  // A send may serve a pending request by now.
  const found = new Set([...served, ...status.pendingRequests.map(nameOf)]);
  const named = new Set([
    ...[...resends.ids].map((requestId) => nameOf({ requestId, resend: true })),
    nameOf({ requestId: startRequestId, resend: settings.resend }),
  ]);
  expect([...found], 'rule 7: no request is lost').toEqual(expect.arrayContaining([...named]));
  expect(found.size, 'rule 7: no request is lost, and none is invented').toBe(named.size + resends.unnamed);
}

/** A request is named by its kind and its id. */
function nameOf({ requestId, resend }: { readonly requestId: string; readonly resend: boolean }): string {
  return `${resend ? 'resend' : 'first'} ${requestId}`;
}

/** Checks the end of a life, besides the rules: the job names everything that is not settled. */
export function checkEnd({ status, sends }: Evidence, end: EmailBillRunResult | 'canceled' | 'open'): void {
  const last = sends.at(-1);
  const open = last !== undefined && last.outcome !== 'accepted';
  if (end === 'open') {
    expect(status.pendingRequests, 'a job at rest has served every request').toEqual([]);
    const isKeptBack = ['coolDown', 'autoEmail', 'emailedElsewhere'].includes(status.reason ?? '');
    if (open && isKeptBack) expect(last.attempts, 'a send that is kept back has no attempt').toEqual([]);
    else if (open) expect(status.question, 'rule 5: a person is asked').toMatchObject({ ordinal: last.ordinal });
    return;
  }
  for (const { settledAt, outcome, ordinal } of sends) {
    const mayBeOpen = ordinal === last?.ordinal && end !== 'canceled';
    if (!mayBeOpen) expect(settledAt, `send ${ordinal} (${outcome}) is closed`).not.toBeNull();
  }
  if (end === 'canceled') return;
  expect(end.sends, 'rule 7: the result agrees with the query').toEqual(sends);
  const unsettled = end.unsettled.join('\n');
  for (const { requestId } of status.pendingRequests) expect(unsettled).toContain(`request ${requestId} `);
  // Zuora or somebody else emails, or there are no documents: then nothing is left to settle.
  const notNeeded = ['autoEmail', 'emailedElsewhere', 'noDocuments'].includes(end.reason ?? '');
  const isLeft = open && !notNeeded;
  if (isLeft) expect(unsettled, 'rule 5: the open send is named').toContain(`send ${last.ordinal} `);
  expect(end.unsettled).toHaveLength(status.pendingRequests.length + (isLeft ? 1 : 0));
}
