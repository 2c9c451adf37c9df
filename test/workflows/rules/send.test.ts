/** One send, at the edges of its rules. */
import { describe, expect, test } from 'vitest';
import { WORKER_LOST } from '../../../workflows/contract/activity-failures.js';
import { coolDownEnd, obstaclesIn } from '../../../workflows/rules/send-step.js';
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
  earlierAttempt,
  HOUR,
  iso,
  Life,
  makesNoCall,
  MINUTE,
  NOON,
  POSTED,
  refuses,
  replies,
  SECOND,
} from '../../support/life.js';

const requests = [{ requestId: 'T-1', resend: true, requestedAt: iso(NOON - HOUR) }];
const intent = `bill-run-email/${POSTED.id}/resend/T-1`;

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

  test('is touched by a person’s retry, even if no worker took the attempt', () => {
    const send = openSend(1, requests, intent);
    expect(isUntouched(send)).toBe(true);
    send.retry = { sendAnyway: true, begun: true, at: NOON };
    expect(isUntouched(send)).toBe(false);
  });

  test('that an earlier job made was settled when its answer arrived, and the note is there only then', () => {
    expect(takeUp(1, requests, [earlierAttempt('accepted')])).toMatchObject({ settledAt: iso(NOON + SECOND) });
    const lost = { verdict: 'unknown', reasons: [] } as const;
    expect(takeUp(1, requests, [{ ...earlierAttempt('unknown'), result: lost }]).nextAttemptAt).toBe(
      NOON + 35 * SECOND,
    );
    expect(takeUp(1, requests, [earlierAttempt('unknown')])).toMatchObject({ settledAt: null, note: null });
  });

  test('that an earlier job made says so, and whether a request of this job was served by it', () => {
    expect(takeUp(1, [], [earlierAttempt('accepted')]).note).toBe('an earlier job (run earlier-run) made this send');
    expect(takeUp(1, requests, [earlierAttempt('accepted')]).note).toBe(
      'an earlier job (run earlier-run) emailed for this request, and nothing was sent again; a new request id emails again',
    );
  });

  test('that an earlier job began has a new budget in this job if its outcome is unknown', () => {
    const budgetOf = (verdict: 'accepted' | 'unknown', now?: number) =>
      takeUp(1, requests, [earlierAttempt(verdict)], now).budgetFrom;
    expect(budgetOf('unknown')).toBe(NOON);
    expect(budgetOf('unknown', NOON + HOUR)).toBe(NOON + HOUR);
    expect(budgetOf('accepted', NOON + HOUR)).toBe(NOON);
  });

  test('names its requests on the first attempt of its own job, whatever earlier jobs did', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' }, answers: [busy()] });
    life.earlier = [{ requestIds: ['T-1'], first: false, attempts: [earlierAttempt('unknown')] }];
    life.go().pass(MINUTE);
    expect(life.calls.map(({ requestIds }) => requestIds)).toEqual([['T-1'], undefined]);
    expect(life.send.attempts[0]).toHaveProperty('runId', 'earlier-run');
    expect(life.send.attempts[1]).not.toHaveProperty('runId');
  });
});

describe('An attempt', () => {
  test('that was lost is followed by the usual pause, from when the loss could be noticed', () => {
    const { step } = begin({ answers: [() => ({ verdict: 'unknown', reasons: [WORKER_LOST] })] });
    expect(step).toMatchObject({ kind: 'wait', wake: NOON + 35 * SECOND });
  });

  test('is counted in its track id', () => {
    const { calls } = begin({ answers: [busy()] }).pass(MINUTE);
    expect(calls.map(({ trackId }) => /-(\d+)-\w+$/.exec(trackId)?.[1])).toEqual(['1', '2']);
  });

  test.each([
    [0, 4 * SECOND],
    [1, 6 * SECOND],
  ])('is followed by a pause that is up to a fifth longer or shorter at random: %d', (jitter, pause) => {
    const send: Send = openSend(1, requests, intent);
    const plan = beginAttempt(send, {
      originalRunId: 'run',
      unique: '1',
      now: NOON,
      look: { at: NOON, coolDownMs: 0 },
    });
    if (plan === undefined) throw new Error('no attempt was begun');
    endAttempt(send, plan, { verdict: 'unknown', reasons: [] }, { startedAt: NOON, now: NOON, jitter });
    // A lost worker is noticed after 30 s.
    expect(send.nextAttemptAt).toBe(NOON + 30 * SECOND + pause);
  });

  test.each(['called', 'lost'] as const)(
    'is followed by the same pause, however old the clock is by which the workflow hears of its end: %s',
    (how) => {
      const next = [NOON, NOON + HOUR].map((now) => {
        const send: Send = openSend(1, requests, intent);
        const look = { at: NOON, coolDownMs: 0 };
        const plan = beginAttempt(send, { originalRunId: 'run', unique: '1', now: NOON, look });
        if (plan === undefined) throw new Error('no attempt was begun');
        const { result: receipt } = earlierAttempt('unknown');
        const result = how === 'called' ? receipt : ({ verdict: 'unknown', reasons: [] } as const);
        endAttempt(send, plan, result, { startedAt: NOON, now, jitter: 0.5 });
        return send.nextAttemptAt;
      });
      expect(next[0]).toBe(next[1]);
    },
  );

  test('may be made at the very end of the budget', () => {
    const life = begin({ otherwise: cutOff(), input: { sendBudget: '5s' } }).pass(HOUR);
    expect(life.calls.map(({ at }) => at - NOON)).toEqual([0, 5 * SECOND]);
  });

  test('after a reset continues by itself once a person took the risk', () => {
    const input = { resend: true, requestId: 'T-1' };
    const life = begin({ input, answers: [makesNoCall('afterReset'), busy()] }).retry({ sendAnyway: true });
    expect(life.question).toBeNull();
    expect(life.pass(MINUTE).send.outcome).toBe('accepted');
  });

  test('that ends as the question says leaves a retry that arrived meanwhile in force', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const { length } = life.calls;
    life.willAnswer(during((it) => it.retry(), cutOff())).pass(10 * MINUTE);
    const [meanwhile, after] = life.calls.slice(length);
    expect(after?.at).toBe(meanwhile?.at);
  });
});

describe('Before the first attempt of a first send', () => {
  test('a bill run without autoEmail, with documents and without emails has no obstacle', () => {
    expect(obstaclesIn({ billRun: POSTED, at: NOON }, { coolDownMs: DAY }, NOON)).toEqual([]);
    expect(coolDownEnd('yesterday', DAY, NOON)).toBe(NOON + DAY);
  });

  test('all obstacles are named, the decisive one first, and a cool-down that is over is not an obstacle', () => {
    const emailed = { autoEmail: true, invoicesEmailed: true };
    const billRun = { ...POSTED, ...emailed, numberOfInvoices: 0, numberOfCreditMemos: 0 };
    const look = { billRun: { ...billRun, lastEmailSentTime: iso(NOON) }, at: NOON };
    const kinds = (now: number) => obstaclesIn(look, { coolDownMs: DAY }, now).map(({ kind }) => kind);
    expect(kinds(NOON + DAY - 1)).toEqual(['autoEmail', 'noDocuments', 'emailedElsewhere', 'coolDown']);
    expect(kinds(NOON + DAY)).toEqual(['autoEmail', 'noDocuments', 'emailedElsewhere']);
    const missing = obstaclesIn(look, { coolDownMs: DAY, missing: true }, NOON).map(({ kind }) => kind);
    expect(missing).toEqual(['noDocuments', 'coolDown']);
  });

  test('a look is fresh for a minute', () => {
    expect(new Life().hold().pass(MINUTE).release().looks).toBe(1);
    expect(
      new Life()
        .hold()
        .pass(MINUTE + 1)
        .release().looks,
    ).toBe(2);
  });

  test('a cool-down names the time of Zuora’s emails: as we write it, or as code if it has no zone', () => {
    const textOf = (lastEmailSentTime: string): string => {
      const { job, now } = begin({ billRun: { lastEmailSentTime } });
      return statusOf(job, now).text;
    };
    expect(textOf(iso(NOON - HOUR))).toContain(' at 2026-03-02 11:00:00 UTC, and more');
    expect(textOf('2026-03-02 11:00:00')).toContain(' at `2026-03-02 11:00:00`, and more');
  });
});

describe('A question', () => {
  test('comes up during a wait, after 15 minutes of trouble', () => {
    const life = begin({ otherwise: cutOff() }).pass(14 * MINUTE);
    expect(life.step).toMatchObject({ kind: 'wait', wake: NOON + 15 * MINUTE });
    expect(statusOf(life.job, life.now).text).toMatch(
      /^There is no clear answer to attempt 8 \(no answer, .*\)\. Attempt 9 follows under the same key/,
    );
  });

  test.each([
    ['11', true],
    ['58730011', true],
    ['58731150', false],
    ['111', false],
    ['11x', false],
    ['5811', false],
  ])('comes up if Zuora rejects the login, and not for what passes by itself: code %s', (code, isAsked) => {
    const reasons = [{ code, message: 'as Zuora says' }];
    const life = begin({ otherwise: replies({ verdict: 'notExecuted', reasons }) }).pass(HOUR);
    expect(life.question !== null).toBe(isAsked);
  });

  test('records a decision with the fields that the message has, and no others', () => {
    const { send } = begin({ answers: [refuses()] }).retry();
    expect(send.decisions).toStrictEqual([{ decision: 'retry', at: iso(NOON) }]);
    const note = { requestId: 'R-1', requestedBy: 'alice', reason: 'fixed' };
    const noted = begin({ answers: [refuses()] }).retry(note);
    expect(noted.send.decisions).toStrictEqual([{ decision: 'retry', at: iso(NOON), ...note }]);
  });
});
