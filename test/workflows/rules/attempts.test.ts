/** One attempt: what the activity is given, and what it leaves in the record of its send. */
import { describe, expect, test } from 'vitest';
import type { AttemptReceipt, AttemptResult } from '../../../workflows/contract/activities.js';
import type { EmailRequest, Verdict } from '../../../workflows/contract/contract.js';
import {
  beginAttempt,
  endAttempt,
  openSend,
  postpone,
  type AttemptPlan,
  type Send,
} from '../../../workflows/rules/send.js';
import { begin, busy, DAY, HOUR, iso, MINUTE, NOON, POSTED, refuses, SECOND } from '../../support/life.js';

const KEYS = `bill-run-email/${POSTED.id}`;
const LOOK = { at: NOON, coolDownMs: DAY };
const RETRY = { sendAnyway: false, begun: false, at: NOON };

const request = (requestId: string, more: Partial<EmailRequest> = {}): EmailRequest => ({
  ...{ requestId, resend: false, requestedAt: iso(NOON) },
  ...more,
});

function firstSend(changes: Partial<Send> = {}): Send {
  return { ...openSend(1, [request('job')], `${KEYS}/first`), ...changes };
}

function resend(changes: Partial<Send> = {}): Send {
  const requests = [request('T-1', { resend: true }), request('job'), request('T-2', { resend: true })];
  return { ...openSend(1, requests, `${KEYS}/resend/T-1`), ...changes };
}

function begun(send: Send, now = NOON): AttemptPlan {
  const plan = beginAttempt(send, { originalRunId: 'run', unique: '1', now, look: LOOK });
  if (plan === undefined) throw new Error('no attempt was begun');
  return plan;
}

/** After an attempt that Zuora answered so. */
function after(verdict: Verdict, send: Send, durationMs = 0): Send {
  const receipt: AttemptReceipt = {
    ...{ called: true, startedAt: iso(NOON), durationMs, verdict, reasons: [], httpStatus: 200 },
    ...{ zuoraRequestId: 'z-1', echoedTrackId: null, retryAfterMs: null },
  };
  endAttempt(send, begun(send), receipt, { startedAt: NOON, now: NOON, jitter: 0.5 });
  return send;
}

describe('The activity is given', () => {
  const plan = {
    trackId: expect.stringMatching(/^bre-[0-9a-f]{24}-1-1$/) as string,
    ...{ notAfter: NOON + 23 * HOUR, originalRunId: 'run' },
  };

  test('for a first send the look at the bill run, and no requests: it serves all of them', () => {
    const first = { ...plan, resend: false, idempotencyKey: `${KEYS}/first/1` };
    expect(begun(firstSend())).toStrictEqual({ ...first, look: LOOK });
    const forMissing = firstSend({ requests: [request('job'), request('R-1', { missing: true })] });
    expect(begun(forMissing)).toStrictEqual({ ...first, look: LOOK, requestIds: ['R-1'] });
  });

  test('for a resend the resends that it serves, and no look', () => {
    const requestIds = ['T-1', 'T-2'];
    const key = `${KEYS}/resend/T-1/1`;
    expect(begun(resend())).toStrictEqual({ ...plan, resend: true, idempotencyKey: key, requestIds });
  });

  test.each([
    ['its first attempt', true, firstSend()],
    ['a later attempt', false, after('notExecuted', firstSend())],
    ['one that a person asked for', false, firstSend({ retry: RETRY })],
    ['one for which a person took the risk within the hour', false, firstSend({ overriddenAt: NOON - HOUR })],
    ['one for which a person took the risk before that', true, firstSend({ overriddenAt: NOON - HOUR - 1 })],
  ])('the look on which a first send depends, or not: %s', (_, isGiven, send) => {
    expect(begun(structuredClone(send)).look).toEqual(isGiven ? LOOK : undefined);
  });

  test('the decision of a person who asked for the attempt', () => {
    const note = { requestedBy: 'ann', reason: 'fixed' };
    const { calls } = begin({ answers: [refuses(), busy()] })
      .retry(note)
      .pass(MINUTE);
    expect(calls.map(({ decision }) => decision)).toEqual([
      undefined,
      { decision: 'retry', at: iso(NOON), ...note },
      undefined,
    ]);
  });

  test('the decision of a person who overrode what kept the send back, for an hour', () => {
    const cooling = { billRun: { lastEmailSentTime: iso(NOON) }, answers: [busy(HOUR), busy(HOUR)] };
    const { calls } = begin(cooling).retry({ sendAnyway: true }).pass(DAY);
    expect(calls.map(({ decision }) => decision?.decision)).toEqual(['sendAnyway', 'sendAnyway', undefined]);
  });

  test('the next key as soon as Zuora may have forgotten the last one, if nothing was executed under it', () => {
    const keyAt = (now: number): string => begun(after('notExecuted', firstSend()), now).idempotencyKey;
    expect(keyAt(NOON + 23 * HOUR)).toBe(`${KEYS}/first/1`);
    expect(keyAt(NOON + 23 * HOUR + 1)).toBe(`${KEYS}/first/2`);
  });
});

describe('A person’s retry', () => {
  const settled = (reset: Send['reset']): Send =>
    after('notExecuted', resend({ reset, retry: { ...RETRY, sendAnyway: true } }));

  test('settles the question that a reset raised, for that reset', () => {
    expect(settled({ runId: 'reset-run', settled: false }).reset).toEqual({ runId: 'reset-run', settled: true });
  });

  test('notes no reset where there was none', () => {
    expect(settled(null).reset).toBeNull();
  });
});

describe('An attempt that made no call', () => {
  const reasons = (['takenBack', 'heldByAll', 'keyTooOld'] as const).map((why) => ({ called: false, why }) as const);
  const stepBack = (send: Send, result: AttemptResult, meanwhile: Partial<Send> = {}): Send => {
    const plan = begun(send, NOON + HOUR);
    Object.assign(send, meanwhile);
    endAttempt(send, plan, result, { startedAt: NOON + HOUR, now: NOON + DAY, jitter: 0.5 });
    return send;
  };

  test.each(reasons)('leaves the send as it was, and is due at once: $why', (result) => {
    const question = { outcome: 'refused', stoppedAt: NOON, retry: RETRY } as const;
    const before = { ...after('refused', firstSend()), ...question };
    expect(stepBack(structuredClone(before), result)).toEqual({ ...before, nextAttemptAt: NOON + DAY });
  });

  test.each(reasons)('leaves a retry that arrived meanwhile in force: $why', (result) => {
    const before = after('unknown', firstSend());
    expect(stepBack(before, result, { retry: RETRY }).retry).toEqual(RETRY);
  });
});

test('The pause after a call counts from its end', () => {
  expect(after('notExecuted', firstSend(), 20 * SECOND).nextAttemptAt).toBe(NOON + 25 * SECOND);
});

test('Time on hold moves no limit of a send that has none', () => {
  const send = firstSend();
  postpone(send, HOUR);
  expect(send).toEqual(firstSend());
});
