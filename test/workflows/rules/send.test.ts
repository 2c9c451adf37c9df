/** One send, at the edges of its rules. */
import { describe, expect, test } from 'vitest';
import type { EarlierAttempt } from '../../../workflows/contract/activities.js';
import {
  emailsSince,
  coolDownEnd,
  holdingBack,
  nextInvoiceCountAt,
  questionChangesAt,
} from '../../../workflows/rules/send-step.js';
import {
  beginAttempt,
  endAttempt,
  isUntouched,
  keyExpiry,
  openSend,
  takeUp,
  type Send,
} from '../../../workflows/rules/send.js';
import { statusOf } from '../../../workflows/rules/status.js';
import {
  begin,
  busy,
  cutOff,
  DAY,
  during,
  HOUR,
  Life,
  makesNoCall,
  MINUTE,
  NOON,
  POSTED,
  refuses,
  replies,
  SECOND,
} from '../../support/life.js';

const iso = (at: number): string => new Date(at).toISOString();
const requests = [{ requestId: 'T-1', resend: true, requestedAt: iso(NOON - HOUR) }];
const intent = `bill-run-email/${POSTED.id}/resend/T-1`;

/** An attempt of an earlier run that took a second. */
function earlier(verdict: 'accepted' | 'unknown'): EarlierAttempt {
  const came = {
    called: true as const,
    startedAt: iso(NOON),
    durationMs: SECOND,
    verdict,
    reasons: [],
    httpStatus: 200,
    zuoraRequestId: 'z-1',
    echoedTrackId: null,
    retryAfterMs: null,
  };
  return { runId: 'earlier-run', idempotencyKey: `${intent}/1`, trackId: 'bre-1', startedAt: NOON, came };
}

describe('A send', () => {
  test('is pending from its beginning, and its key never expires before its first use', () => {
    const send = openSend(1, requests, intent);
    expect(send.outcome).toBe('pending');
    expect(keyExpiry(send)).toBe(Infinity);
  });

  test('is pending again while a person’s retry is under way', () => {
    const outcomes: string[] = [];
    const reads = during((life) => outcomes.push(life.send.outcome), refuses());
    const life = begin({ answers: [refuses(), reads] });
    expect(life.send.outcome).toBe('refused');
    life.retry();
    expect(outcomes).toEqual(['pending']);
  });

  test('is touched by a person’s retry, though no worker took it', () => {
    const send = openSend(1, requests, intent);
    expect(isUntouched(send)).toBe(true);
    send.retry = { sendAnyway: true, begun: true };
    expect(isUntouched(send)).toBe(false);
  });

  test('that an earlier run made settled when its answer came, and says so only then', () => {
    expect(takeUp(1, requests, [earlier('accepted')])).toMatchObject({ settledAt: iso(NOON + SECOND) });
    const lost = { verdict: 'unknown', reasons: [] } as const;
    expect(takeUp(1, requests, [{ ...earlier('unknown'), came: lost }]).nextAttemptAt).toBe(NOON + 5 * SECOND);
    expect(takeUp(1, requests, [earlier('unknown')])).toMatchObject({ settledAt: null, note: null });
  });

  test('names its requests on the first attempt of its own run, whatever earlier runs did', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' }, answers: [busy()] });
    life.earlier = [{ requestIds: ['T-1'], attempts: [earlier('unknown')] }];
    life.go().pass(MINUTE);
    expect(life.calls.map(({ requestIds }) => requestIds)).toEqual([['T-1'], undefined]);
    expect(life.send.attempts[0]).toHaveProperty('runId', 'earlier-run');
    expect(life.send.attempts[1]).not.toHaveProperty('runId');
  });
});

describe('An attempt', () => {
  test('is counted in its track id', () => {
    const { calls } = begin({ answers: [busy()] }).pass(MINUTE);
    expect(calls.map(({ trackId }) => /-(\d+)-\w+$/.exec(trackId)?.[1])).toEqual(['1', '2']);
  });

  test.each([
    [0, 4 * SECOND],
    [1, 6 * SECOND],
  ])('is followed by a pause of a fifth more or less, by chance: %d', (jitter, pause) => {
    const send: Send = openSend(1, requests, intent);
    const plan = beginAttempt(send, { originalRunId: 'run', unique: '1', now: NOON });
    if (plan === undefined) throw new Error('no attempt was begun');
    endAttempt(send, plan, { verdict: 'unknown', reasons: [] }, { startedAt: NOON, now: NOON, jitter });
    expect(send.nextAttemptAt).toBe(NOON + pause);
  });

  test('may be made at the very end of the budget', () => {
    const life = begin({ otherwise: cutOff(), input: { sendBudget: '5s' } }).pass(HOUR);
    expect(life.calls.map(({ at }) => at - NOON)).toEqual([0, 5 * SECOND]);
  });

  test('that a person asks for waits for a worker whose clock is right', () => {
    const life = begin({ answers: [refuses(), makesNoCall('keyTooOld')] }).retry();
    expect(life.pass(10 * MINUTE - 1).calls).toHaveLength(2);
    expect(life.pass(1).calls).toHaveLength(3);
  });

  test('late under a key that a worker finds too old is followed by none, and a person is asked at once', () => {
    const life = begin({ otherwise: cutOff() }).pass(22 * HOUR);
    life.willAnswer(makesNoCall('keyTooOld')).retry();
    const { length } = life.calls;
    expect(life.pass(2 * HOUR).calls).toHaveLength(length);
  });

  test('after a reset goes on by itself once a person took the risk', () => {
    const input = { resend: true, requestId: 'T-1' };
    const life = begin({ input, answers: [makesNoCall('afterReset'), busy()] }).retry({ sendAnyway: true });
    expect(life.question).toBeNull();
    expect(life.pass(MINUTE).send.outcome).toBe('accepted');
  });

  test('that ends as the question says leaves a retry that came meanwhile in force', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const { length } = life.calls;
    life.willAnswer(during((asked) => asked.retry(), cutOff())).pass(10 * MINUTE);
    const [meanwhile, after] = life.calls.slice(length);
    expect(after?.at).toBe(meanwhile?.at);
  });
});

describe('What holds a first send back', () => {
  test('is nothing where nothing does', () => {
    expect(holdingBack({ billRun: POSTED, at: NOON }, { coolDownMs: DAY }, NOON)).toEqual([]);
    expect(coolDownEnd('yesterday', DAY, NOON)).toBeUndefined();
  });

  test('is no look that is a minute old', () => {
    expect(new Life().hold().pass(MINUTE).release().looks).toBe(1);
    expect(
      new Life()
        .hold()
        .pass(MINUTE + 1)
        .release().looks,
    ).toBe(2);
  });

  test('takes sendAnyway, and is told with the time that Zuora tells', () => {
    const empty = begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 0 } });
    expect(empty.question).toMatchObject({ kind: 'skipped', needsSendAnyway: true });
    const delayed = begin({ billRun: { lastEmailSentTime: iso(NOON - HOUR) } });
    expect(delayed.question?.text).toContain(iso(NOON - HOUR));
  });
});

describe('A question', () => {
  test('comes up in the midst of a wait, after 15 minutes of trouble', () => {
    const life = begin({ otherwise: cutOff() }).pass(14 * MINUTE);
    expect(life.step).toMatchObject({ kind: 'wait', until: NOON + 15 * MINUTE });
    expect(statusOf(life.job, life.now).waitingFor).toMatch(/^attempt 9, after /);
  });

  test.each([
    ['11', true],
    ['58730011', true],
    ['58731150', false],
    ['111', false],
    ['11x', false],
    ['5811', false],
  ])('comes up where the worker is not let in, and not for what passes by itself: code %s', (code, comes) => {
    const reasons = [{ code, message: 'as Zuora says' }];
    const life = begin({ otherwise: replies({ verdict: 'notExecuted', reasons }) }).pass(HOUR);
    expect(life.question !== null).toBe(comes);
  });

  test('records a decision without what the person did not say', () => {
    const { send } = begin({ answers: [refuses()] }).retry();
    expect(send.decisions).toStrictEqual([{ decision: 'retry', at: iso(NOON) }]);
  });
});

describe('What Zuora shows of the emails', () => {
  const shown = { at: NOON, count: null };

  test('counts from the first attempt, or where there is none from the request', () => {
    const send = openSend(1, requests, intent);
    expect(emailsSince(send)).toBe(NOON - HOUR);
    expect(emailsSince(takeUp(1, requests, [earlier('unknown')]))).toBe(NOON);
  });

  test('is looked at at once for a question that came up since, or before any did', () => {
    const send = openSend(1, requests, intent);
    expect(nextInvoiceCountAt({ ...send, shown, askedAt: null })).toBe(0);
    expect(nextInvoiceCountAt({ ...send, shown, askedAt: NOON + HOUR })).toBe(0);
    expect(nextInvoiceCountAt({ ...send, shown, askedAt: NOON })).toBe(NOON + 15 * MINUTE);
  });

  test('or the end of the key, whichever comes first, changes what is asked', () => {
    const send = { ...openSend(1, requests, intent), shown, askedAt: NOON };
    const asked = { kind: 'unknown', text: '', needsSendAnyway: false } as const;
    const used = (firstUse: number): Send => ({ ...send, firstUse: { 1: firstUse } });
    expect(questionChangesAt(used(NOON), asked)).toBe(NOON + 15 * MINUTE);
    expect(questionChangesAt(used(NOON - 23 * HOUR), asked)).toBe(NOON + 1);
  });
});
