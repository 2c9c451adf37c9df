/** The rules of sending on the pure core: a clock, a Zuora with scripted answers, and messages. */
import { describe, expect, test } from 'vitest';
import { trackId } from '../../../workflows/rules/keys.js';
import * as jobs from '../../../workflows/rules/job.js';
import * as status from '../../../workflows/rules/status.js';
import * as steps from '../../../workflows/rules/next-step.js';
import { coolDownEnd } from '../../../workflows/rules/send-step.js';
import { recordOf } from '../../../workflows/rules/send.js';
import { verdictOfKey } from '../../../workflows/rules/verdict.js';
import { time } from '../../../workflows/rules/text.js';
import {
  accepts,
  begin,
  breaks,
  busy,
  cutOff,
  DAY,
  during,
  findsNoWorker,
  HOUR,
  loginFails,
  losesWorker,
  makesNoCall,
  MINUTE,
  neverLeaves,
  NOON,
  POSTED,
  refuses,
  repeats,
  replies,
  SECOND,
  type Answer,
  Life,
} from '../../support/life.js';

/** As many of the same answer as a send can ask for. */
function always(answer: Answer): readonly Answer[] {
  return Array.from({ length: 500 }, () => answer);
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

/** Brings the send to the end of its automatic attempts. */
function endBudget(life: Life): Life {
  return life.pass(12 * HOUR + MINUTE);
}

describe('Rule 1: posted first', () => {
  test.each(['Pending', 'Processing', 'Completed', 'PostInProgress', 'Paused', 'CancelInProgress', 'BrandNew'])(
    'nothing is emailed while the bill run is %s',
    (status) => {
      const life = begin({ billRun: { status } })
        .resend()
        .pass(7 * DAY);
      expect(life.calls).toEqual([]);
      expect(life.stateAndReason).toBe('Waiting notPosted');
      life.change({ status: 'Posted' });
      expect(life.calls).toHaveLength(1);
    },
  );

  test('neither retry nor release makes a send before the post', () => {
    const life = begin({ billRun: { status: 'Completed' } })
      .hold()
      .retry({ sendAnyway: true })
      .release();
    expect(life.calls).toEqual([]);
    expect(life.ignored).toEqual(['no question is open']);
  });

  test.each(['Canceled', 'Error'])('a bill run that ends as %s fails as NotPosted, with the cause', (status) => {
    const life = begin({ billRun: { status, errorMessage: 'no accounts' } });
    expect(life.end).toMatchObject({ kind: 'fail', type: 'NotPosted', state: 'NotPosted', reason: null });
    expect(life.end?.text).toContain(`${status} (no accounts)`);
    expect(life.calls).toEqual([]);
  });

  test('a bill run that does not post by its deadline fails as NotPosted, counted from the start', () => {
    const life = begin({ billRun: { status: 'Completed' }, input: { postDeadline: '2 days' } });
    life.pass(2 * DAY - 1);
    expect(life.end).toBeUndefined();
    life.pass(1);
    expect(life.end).toMatchObject({ kind: 'fail', type: 'NotPosted' });
    expect(life.end?.text).toMatch(/did not post by 2026-03-04 .*nothing was emailed/);
  });

  test('a bill run that fell back from posting is waited for, and the wait says what to do', () => {
    const life = begin({ billRun: { status: 'PostInProgress' } }).change({ status: 'Completed' });
    expect(status.statusOf(life.job, life.now).text).toMatch(
      /could not post all documents.*post the bill run again\.$/,
    );
    life.change({ status: 'PostInProgress' }).change({ status: 'Posted' });
    expect(life.stateAndReason).toBe('Delivering');
  });

  test('a first look that fails for good ends the job with its own reason', () => {
    const life = begin({ billRun: { status: 'Completed' } });
    jobs.recordFailedLook(life.job, 'NotPosted', 'there is no such bill run');
    const text = 'there is no such bill run; nothing was emailed';
    expect(life.go().end).toEqual({ kind: 'fail', type: 'NotPosted', state: 'NotPosted', reason: null, text });
  });
});

describe('Rule 2: one attempt, one call', () => {
  test('each call is recorded as one attempt with its receipt', () => {
    const life = begin({ answers: [busy(), breaks()] }).pass(MINUTE);
    expect(life.send.attempts).toMatchObject([
      { verdict: 'notExecuted', httpStatus: 429, zuoraRequestId: 'request-1', startedAt: iso(NOON), durationMs: 0 },
      { verdict: 'unknown', httpStatus: 500, zuoraRequestId: 'request-2', reasons: [{ code: 'SystemError' }] },
      { verdict: 'accepted', httpStatus: 200, zuoraRequestId: 'request-3', stored: false },
    ]);
    expect(life.send.attempts.map((attempt) => attempt.trackId)).toEqual(life.calls.map((call) => call.trackId));
  });

  test('a call that a lost worker may have made is recorded as unknown', () => {
    const life = begin({ answers: [losesWorker(), busy(5 * HOUR)] });
    expect(life.send.attempts).toEqual([
      expect.objectContaining({ verdict: 'unknown', httpStatus: null, durationMs: null, startedAt: iso(NOON) }),
    ]);
  });

  test('an attempt that no worker took does not count: it is made again at once', () => {
    const life = begin({
      answers: [
        during((it) => it.pass(5 * MINUTE), findsNoWorker()),
        during((it) => {
          expect(it.send.attempts).toEqual([]);
        }, accepts()),
      ],
    });
    expect(life.send).toMatchObject({ outcome: 'accepted', note: null });
    expect(life.keys).toEqual(['first/1', 'first/1']);
    expect(life.send.attempts).toHaveLength(1);
  });

  test('between attempts the workflow waits: 5 s at first, doubling to 10 min', () => {
    const life = begin({ answers: always(breaks()) }).pass(2 * HOUR);
    const pauses = life.calls.slice(1).map(({ at }, index) => at - (life.calls[index]?.at ?? 0));
    expect(pauses.slice(0, 9).map((pause) => pause / SECOND)).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600]);
  });

  test('the job waits as long as Zuora asks, from 1 s up to an hour', () => {
    for (const [retryAfterMs, pause] of [
      [0, SECOND],
      [30 * SECOND, 30 * SECOND],
      [DAY, HOUR],
    ] as const) {
      const life = begin({ answers: [busy(retryAfterMs)] });
      expect(life.step).toMatchObject({ kind: 'wait', until: NOON + pause, state: 'Sending', reason: null });
    }
  });

  test('a Zuora that always asks for a wait of 0 s does not fill history with attempts', () => {
    const life = endBudget(begin({ answers: always(busy(0)) }));
    expect(life.calls.length).toBeLessThan(100);
  });

  test('nothing about a send changes while an attempt is under way', () => {
    const meanwhile = (life: Life): void => {
      life.resend().finish().cancel();
      const before = life.sends;
      steps.settle(life.job, life.now);
      expect(life.sends).toEqual(before);
      expect(life.step).toMatchObject({ kind: 'wait', until: Infinity });
    };
    expect(begin({ answers: [during(meanwhile, accepts())] }).send.outcome).toBe('accepted');
  });

  test('messages wait for the end of an attempt under way', () => {
    const meanwhile = (life: Life): void => {
      life.resend({ requestId: 'R' }).hold().retry({ sendAnyway: true });
      expect(life.calls).toHaveLength(1);
      expect(life.state).toBe('Sending');
    };
    const life = begin({ answers: [during(meanwhile, accepts())] });
    expect(life.sends).toMatchObject([{ outcome: 'accepted' }, { resend: true, outcome: 'pending' }]);
    expect(life.ignored).toEqual(['no question is open']);
    expect(life.state).toBe('Held');
  });
});

describe('Rule 3: one key per send', () => {
  test('the key is built from business ids, and is the same for every attempt', () => {
    const life = begin({ answers: [cutOff(), losesWorker(), busy(), breaks()] }).pass(HOUR);
    expect(life.keys).toEqual(Array(5).fill('first/1'));
    expect(new Set(life.calls.map((call) => call.trackId)).size).toBe(5);
  });

  test('another job of the same bill run comes to the same key', () => {
    expect(begin({ input: { requestId: 'other' } }).keys).toEqual(begin().keys);
    const resend = { input: { resend: true, requestId: 'TICKET-1' } };
    expect(begin(resend).keys).toEqual(begin().resend({ requestId: 'TICKET-1' }).keys.slice(1));
  });

  test('a job that continues as new keeps its key', () => {
    const life = begin({ answers: always(breaks()) })
      .pass(HOUR)
      .continueAsNew()
      .pass(20 * HOUR)
      .continueAsNew();
    expect(new Set(life.keys)).toEqual(new Set(['first/1']));
    expect(life.retry().calls.at(-1)?.notAfter).toBe(NOON + 23 * HOUR);
  });

  test('a reply that echoes the track id of an earlier attempt is the outcome of the key', () => {
    const life = begin({ answers: [cutOff(), repeats(1, { verdict: 'accepted', zuoraRequestId: 'new' })] }).pass(
      MINUTE,
    );
    expect(life.send).toMatchObject({ outcome: 'accepted', attempts: [{ stored: false }, { stored: true }] });
  });

  test('a reply that echoes an attempt of an earlier job under the same key counts as well', () => {
    const ofEarlierJob: Answer = (call, life) =>
      replies({ verdict: 'accepted', echoedTrackId: trackId(call.idempotencyKey, 1, 'earlier!') })(call, life);
    expect(begin({ answers: [ofEarlierJob] }).send).toMatchObject({
      outcome: 'accepted',
      attempts: [{ stored: true }],
    });
  });

  test('a reply with a request id seen before under the key is stored, even when it echoes nothing', () => {
    const silent = { echoedTrackId: null, verdict: 'unknown', httpStatus: 500 } as const;
    const life = begin({ answers: [breaks(), repeats(1, silent)] }).pass(MINUTE);
    expect(life.send.attempts).toMatchObject([{ stored: false }, { stored: true }]);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
  });

  test('a request id seen under another key says nothing', () => {
    const life = begin({ answers: [refuses(), replies({ verdict: 'accepted', zuoraRequestId: 'request-1' })] }).retry();
    expect(life.keys).toEqual(['first/1', 'first/2']);
    expect(life.send.attempts.at(-1)).toMatchObject({ stored: false, verdict: 'accepted' });
  });

  test('a stored reply to another request is unknown, with the cause, even if it reads as accepted', () => {
    const foreign = replies({ verdict: 'accepted', echoedTrackId: 'of-another-request' });
    const life = begin({ answers: [foreign] }).pass(DAY);
    expect(life.send).toMatchObject({
      outcome: 'unknown',
      attempts: [{ verdict: 'unknown', stored: true, reasons: [{ code: 'FOREIGN_REPLY' }] }],
    });
    expect(life.question?.needsSendAnyway).toBe(true);
    expect(life.question?.text).toContain('of-another-request');
  });

  test('a stored reply that says "not executed" makes the number grow, and attempts continue', () => {
    const stored = { verdict: 'notExecuted', httpStatus: 429 } as const;
    const life = begin({ answers: [busy(), repeats(1, stored), busy(), repeats(3, stored)] }).pass(HOUR);
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/2', 'first/2', 'first/3']);
    expect(life.send.outcome).toBe('accepted');
  });

  test('a stored "not executed" settles what was unknown before it', () => {
    const life = begin({ answers: [busy(), cutOff(), repeats(1, { verdict: 'notExecuted' }), refuses()] }).pass(HOUR);
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/1', 'first/2']);
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
  });

  test('a fresh "not executed" keeps the number', () => {
    const life = begin({ answers: [busy(), neverLeaves(), loginFails()] }).pass(HOUR);
    expect(new Set(life.keys)).toEqual(new Set(['first/1']));
  });

  test('unknown stays unknown through answers that say nothing about the earlier attempt', () => {
    const life = begin({ answers: [cutOff(), busy(), neverLeaves(), loginFails(), refuses()] }).pass(HOUR);
    expect(life.send.outcome).toBe('unknown');
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: false });
    expect(life.question?.text).toMatch(/now refuses.*may have emailed them/);
  });

  test('a stored refusal settles what was unknown, and nothing was sent', () => {
    const life = begin({ answers: [cutOff(), repeats(1, { verdict: 'refused', httpStatus: 400 })] }).pass(HOUR);
    expect(life.send.outcome).toBe('refused');
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
  });

  test('a refused send is asked about; a retry takes the next number', () => {
    const life = begin({ answers: [refuses(), refuses()] }).pass(HOUR);
    expect(life.keys).toEqual(['first/1']);
    expect(life.stateAndReason).toBe('NeedsAttention refused');
    expect(life.retry().keys).toEqual(['first/1', 'first/2']);
    expect(life.retry().keys).toEqual(['first/1', 'first/2', 'first/3']);
    expect(life.send.outcome).toBe('accepted');
  });

  test('a refused send with an unknown attempt left keeps its number on a retry', () => {
    const life = begin({ answers: [cutOff(), refuses()] })
      .pass(HOUR)
      .retry();
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/1']);
  });

  test('a send that gave up without being executed keeps its number while Zuora remembers the key', () => {
    const life = endBudget(begin({ answers: always(busy(HOUR)) }));
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
    life.retry();
    expect(new Set(life.keys)).toEqual(new Set(['first/1']));
  });

  test('a stored answer that settles nothing needs sendAnyway, which takes the next number', () => {
    const life = begin({ answers: [breaks(), repeats(1, { httpStatus: 500 })] }).pass(MINUTE);
    expect(life.retry().calls).toHaveLength(2);
    expect(life.ignored[0]).toContain('sendAnyway');
    life.retry({ sendAnyway: true, requestedBy: 'alice' });
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/2']);
    expect(life.send.decisions).toMatchObject([{ decision: 'sendAnyway', requestedBy: 'alice' }]);
  });

  test('sendAnyway keeps a key that still protects', () => {
    const life = begin({ answers: always(cutOff()) })
      .pass(HOUR)
      .retry({ sendAnyway: true });
    expect(new Set(life.keys)).toEqual(new Set(['first/1']));
  });

  test('sendAnyway keeps a number that is not used up', () => {
    const life = begin({ answers: [breaks(), repeats(1, { httpStatus: 500 }), ...always(busy())] }).pass(MINUTE);
    life.retry({ sendAnyway: true }).pass(HOUR);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    life.retry({ sendAnyway: true });
    expect(new Set(life.keys.slice(2))).toEqual(new Set(['first/2']));
  });

  test('what is unknown under an earlier key stays unknown until there is a success', () => {
    const life = begin({ answers: [breaks(), repeats(1, { httpStatus: 500 }), refuses()] }).pass(MINUTE);
    life.retry({ sendAnyway: true });
    expect(life.send.outcome).toBe('unknown');
    expect(life.question?.needsSendAnyway).toBe(true);
    expect(life.retry({ sendAnyway: true }).send.outcome).toBe('accepted');
    expect(life.keys.at(-1)).toBe('first/3');
  });

  test('a retry answers the question that was open, not the one that the attempt under way raises', () => {
    const answers = [cutOff(), ...always(cutOff()).slice(0, 7)];
    const life = begin({ answers }).pass(10 * MINUTE);
    life.willAnswer(during((it) => it.retry(), refuses())).pass(12 * MINUTE);
    const stopped = life.calls.length;
    expect(life.question?.kind).toBe('unknown');
    expect(life.pass(DAY).calls).toHaveLength(stopped);
  });

  test('a second retry during the attempt that the first one began answers nothing', () => {
    const again = during((life) => {
      expect([life.stateAndReason, life.question]).toEqual(['Sending', null]);
      life.retry();
    }, refuses());
    const life = begin({ answers: [refuses(), again] }).retry();
    expect(life.ignored).toEqual(['no question is open']);
    expect(life.calls).toHaveLength(2);
  });

  test('a retry is not used up by an attempt that no worker took, or that made no call', () => {
    for (const result of [findsNoWorker(), makesNoCall('afterReset'), makesNoCall('takenBack')]) {
      const life = begin({ answers: [refuses(), result] })
        .retry()
        .pass(HOUR);
      expect(life.keys).toEqual(['first/1', 'first/2', 'first/2']);
      expect(life.send.outcome).toBe('accepted');
    }
    const risked = begin({ answers: [breaks(), repeats(1, { httpStatus: 500 }), findsNoWorker()] }).pass(MINUTE);
    risked.retry({ sendAnyway: true });
    expect(risked.keys.slice(2)).toEqual(['first/2', 'first/2']);
  });

  test('a later send of the job has a key of its own', () => {
    const life = begin().resend({ requestId: 'TICKET-1' }).resend();
    expect(life.keys).toEqual(['first/1', 'resend/TICKET-1/1', 'resend/first-run-1/1']);
  });

  test('the verdict on a key comes from a success or a stored reply; without one, unknown stays unknown', () => {
    const unknown = { verdict: 'unknown', stored: false } as const;
    const refused = { verdict: 'refused', stored: false } as const;
    expect(verdictOfKey([])).toBeUndefined();
    expect(verdictOfKey([refused, unknown])).toBe('unknown');
    expect(verdictOfKey([unknown, refused])).toBe('unknown');
    expect(verdictOfKey([unknown, { ...refused, stored: true }])).toBe('refused');
    expect(verdictOfKey([unknown, { verdict: 'accepted', stored: false }])).toBe('accepted');
  });
});

describe('Rule 4: no attempt under a forgotten key', () => {
  test('the automatic attempts end with the budget, and a person is asked', () => {
    const life = begin({ input: { sendBudget: '2h' }, answers: always(breaks()) }).pass(5 * DAY);
    expect((life.calls.at(-1)?.at ?? 0) - NOON).toBeLessThanOrEqual(2 * HOUR);
    expect(life.question).toMatchObject({ kind: 'unknown' });
    expect(life.stateAndReason).toBe('NeedsAttention unknown');
  });

  test('the budget counts over all keys of a send', () => {
    const stored = { verdict: 'notExecuted', httpStatus: 429 } as const;
    const answers = Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? busy(HOUR) : repeats(index, stored)));
    const life = begin({ input: { sendBudget: '3h' }, answers }).pass(DAY);
    expect(new Set(life.keys).size).toBeGreaterThan(2);
    expect((life.calls.at(-1)?.at ?? 0) - NOON).toBeLessThanOrEqual(3 * HOUR);
  });

  test('the input of the activity says when its key is too old: 23 h after the first use, not after this attempt', () => {
    const life = begin({ answers: [cutOff(), busy(HOUR)] }).pass(2 * HOUR);
    expect(life.calls.map(({ notAfter }) => notAfter)).toEqual(Array(3).fill(NOON + 23 * HOUR));
  });

  test('a person who retries late gets attempts until 23 h after the first use, and no more', () => {
    const life = begin({ answers: always(breaks()) })
      .pass(22 * HOUR)
      .retry()
      .pass(5 * HOUR);
    const last = life.calls.at(-1)?.at ?? 0;
    expect(last).toBeGreaterThan(NOON + 22.5 * HOUR);
    expect(last).toBeLessThanOrEqual(NOON + 23 * HOUR);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
  });

  test('at 23 h a retry is still protected; a millisecond later it is not', () => {
    const inTime = begin({ answers: always(breaks()) }).pass(23 * HOUR);
    const calls = inTime.calls.length;
    expect(inTime.retry().calls).toHaveLength(calls + 1);

    const late = begin({ answers: always(breaks()) }).pass(23 * HOUR + 1);
    expect(late.retry().calls).toHaveLength(calls);
    expect(late.ignored).toEqual([expect.stringContaining('must say sendAnyway: true')]);
  });

  test('a retry that a hold kept back until the key was forgotten opens the question again', () => {
    const life = begin({ answers: always(breaks()) })
      .pass(22 * HOUR)
      .hold()
      .retry();
    const calls = life.calls.length;
    life.pass(2 * HOUR).release();
    expect(life.calls).toHaveLength(calls);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
  });

  test('sendAnyway under a forgotten key takes the next number, with a life of its own', () => {
    const life = begin({ answers: always(breaks()) })
      .pass(2 * DAY)
      .retry({ sendAnyway: true });
    expect(life.calls.at(-1)).toMatchObject({ at: NOON + 2 * DAY, notAfter: NOON + 2 * DAY + 23 * HOUR });
    expect(life.keys.at(-1)).toBe('first/2');
    life.pass(2 * DAY);
    expect((life.calls.at(-1)?.at ?? 0) - NOON - 2 * DAY).toBeLessThanOrEqual(12 * HOUR);
  });

  test('if nothing is unknown, a retry under a forgotten key takes the next number without sendAnyway', () => {
    const life = begin({ answers: always(busy(HOUR)) })
      .pass(2 * DAY)
      .retry();
    expect(life.keys.at(-1)).toBe('first/2');
  });

  test('the question says until when the key protects, and then that it does not', () => {
    const life = endBudget(begin({ answers: always(cutOff()) }));
    expect(life.question?.text).toContain('retry: until 2026-03-03 11:00:00 UTC');
    expect(life.question?.safeUntil).toBe('2026-03-03T11:00:00.000Z');
    life.pass(12 * HOUR);
    expect(life.question?.text).toContain('retry with sendAnyway');
    expect(life.question?.safeUntil).toBeNull();
  });

  test('time on hold does not use up the budget', () => {
    const life = begin({ otherwise: cutOff() })
      .hold()
      .pass(11 * HOUR);
    expect(life.stateAndReason).toBe('Held job');
    expect(life.calls).toHaveLength(1);
    expect(life.release().calls).toHaveLength(2);
    life.pass(11 * HOUR);
    expect(life.question?.text).toContain('It is not known yet');
    expect(life.pass(HOUR + MINUTE).question?.text).toContain('It is not known whether');
  });

  test('a hold does not protect a key: when Zuora has forgotten it, a person is asked, and the job is still Held', () => {
    const life = begin({ answers: [cutOff()] })
      .hold()
      .pass(23 * HOUR);
    expect(life.question).toBeNull();
    life.pass(1);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    expect(life.stateAndReason).toBe('Held job');
    expect(life.release().calls).toHaveLength(1);
  });

  test('after a hold of a day, what was not executed goes on under the next number, without a person', () => {
    const life = begin({ answers: [busy()] })
      .hold()
      .pass(DAY)
      .release();
    expect(life.keys).toEqual(['first/1', 'first/2']);
    expect(life.send.outcome).toBe('accepted');
  });

  test('an attempt whose key became too old while it waited makes no call, and a person is asked', () => {
    const late = during((it) => it.pass(DAY), makesNoCall('keyTooOld'));
    const life = begin({ answers: [cutOff(), late] }).pass(HOUR);
    expect(life.calls).toHaveLength(2);
    expect(life.send.attempts).toHaveLength(1);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
  });

  test('a retry whose key became too old while it waited opens the question again', () => {
    const late = during((it) => it.pass(DAY), makesNoCall('keyTooOld'));
    const life = begin({ answers: [cutOff(), refuses(), late] })
      .pass(MINUTE)
      .retry();
    expect(life.calls).toHaveLength(3);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    expect(life.retry({ sendAnyway: true }).send.outcome).toBe('accepted');
  });
});

describe('Rule 4: after a reset, the first use of a key may be unknown', () => {
  test('only the first attempt under a key lets the activity check for a reset', () => {
    const life = begin({ answers: [cutOff(), refuses(), repeats(1, { verdict: 'refused' })] })
      .pass(MINUTE)
      .retry()
      .retry();
    expect(life.calls.map(({ originalRunId }) => originalRunId)).toEqual([
      'first-run',
      undefined,
      undefined,
      'first-run',
    ]);
  });

  const resendAfterReset = {
    input: { resend: true, requestId: 'T' },
    answers: [makesNoCall('afterReset'), makesNoCall('afterReset')],
  };

  test('a resend waits for a person, and only sendAnyway sends it, under the same key', () => {
    const life = begin(resendAfterReset);
    expect(life.send).toMatchObject({ outcome: 'unknown', attempts: [] });
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true, safeUntil: null });
    expect(life.retry().calls).toHaveLength(2);
    life.retry({ sendAnyway: true });
    // The answer counts for that Temporal run only: a further reset asks again.
    expect(life.calls.at(-1)).toHaveProperty('originalRunId', 'made-by-a-reset');
    expect(life.keys).toEqual(['resend/T/1', 'resend/T/1', 'resend/T/1']);
    expect(life.send.outcome).toBe('accepted');
  });

  test('what the part before the reset did is looked up first', () => {
    for (const earlierRun of ['', 'run-0']) {
      const life = new Life({ ...resendAfterReset, earlierRun });
      const attempt = { runId: 'base', idempotencyKey: `bill-run-email/${POSTED.id}/resend/T/1`, trackId: 'bre-1' };
      const result = {
        ...({ called: true, verdict: 'accepted', startedAt: iso(NOON), durationMs: 20, reasons: [] } as const),
        ...{ httpStatus: 200, zuoraRequestId: 'z-1', echoedTrackId: null, retryAfterMs: null },
      };
      life.betweenSteps = () => {
        // An earlier look-up came before the send.
        if (life.calls.length === 0) return;
        life.earlier = [{ requestIds: ['T'], first: false, attempts: [{ ...attempt, startedAt: NOON, result }] }];
      };
      life.go();
      expect(life.calls).toHaveLength(1);
      expect(life.send).toMatchObject({ outcome: 'accepted', attempts: [{ runId: 'base' }] });
    }
  });

  test('a first send, which emails only what was never emailed, continues', () => {
    const life = begin({ answers: [makesNoCall('afterReset'), makesNoCall('afterReset')] });
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/1']);
    expect(life.send.outcome).toBe('accepted');
  });

  test('a first send that a person retried continues at once', () => {
    const life = begin({ answers: [refuses(), makesNoCall('afterReset')] }).retry();
    expect(life.keys).toEqual(['first/1', 'first/2', 'first/2']);
  });

  test('a first send looks again if its look is older than a minute', () => {
    const slow = during((life) => life.pass(2 * MINUTE), makesNoCall('afterReset'));
    const life = begin({ answers: [slow] });
    expect(life.looks).toBe(2);
  });

  test('sendAnyway for one question does not answer the one that a reset raises', () => {
    const life = begin({
      input: { resend: true, requestId: 'T' },
      answers: [breaks(), repeats(1, { httpStatus: 500 })],
    }).pass(MINUTE);
    life.willAnswer(makesNoCall('afterReset')).retry({ sendAnyway: true });
    expect(life.calls).toHaveLength(3);
    expect(life.question?.text).toContain('was reset');
    expect(life.retry({ sendAnyway: true }).calls).toHaveLength(4);
  });

  test('the budget of the send continues to count', () => {
    const stored = repeats(1, { verdict: 'notExecuted' });
    const life = begin({ answers: [busy(HOUR), stored, makesNoCall('afterReset'), ...always(busy(HOUR))] }).pass(
      2 * DAY,
    );
    expect((life.calls.at(-1)?.at ?? 0) - NOON).toBeLessThanOrEqual(12 * HOUR);
  });

  test('a resend that waits after a reset is closed as unknown by the next one', () => {
    const life = begin(resendAfterReset);
    life.resend({ requestId: 'R' });
    expect(life.sends).toMatchObject([{ outcome: 'unknown' }, { outcome: 'accepted' }]);
  });
});

describe('Rule 5: unknown is never guessed', () => {
  test('a question needs sendAnyway as soon as Zuora may have forgotten the key, by time alone', () => {
    const life = begin({ answers: always(breaks()) }).pass(13 * HOUR);
    expect(life.question?.needsSendAnyway).toBe(false);
    expect(life.step).toMatchObject({ wake: expect.any(Number) as number });
    life.pass(11 * HOUR);
    expect(life.question?.needsSendAnyway).toBe(true);
    const step = begin({ answers: always(breaks()) }).pass(20 * HOUR).step;
    expect(step.kind === 'wait' ? step.wake : Infinity).toBeLessThanOrEqual(NOON + 23 * HOUR + 1);
  });

  test('an unknown attempt is settled by the stored reply while attempts continue', () => {
    const life = begin({ answers: [cutOff(), cutOff(), repeats(1, { verdict: 'accepted' })] }).pass(MINUTE);
    expect(life.send.outcome).toBe('accepted');
  });

  test('after 15 minutes with an unknown outcome a question shows, while attempts continue without a person', () => {
    const life = begin({ answers: always(cutOff()) }).pass(15 * MINUTE - 1);
    expect([life.stateAndReason, life.question]).toEqual(['Sending', null]);
    life.pass(1);
    expect(life.stateAndReason).toBe('Sending unknown');
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: false, safeUntil: iso(NOON + 23 * HOUR) });
    expect(status.statusOf(life.job, life.now).since).toBe(iso(NOON + 15 * MINUTE));
    expect(life.send.outcome).toBe('pending');
    const calls = life.calls.length;
    expect(life.pass(HOUR).calls.length).toBeGreaterThan(calls);
    expect(life.stateAndReason).toBe('Sending unknown');
    life.pass(12 * HOUR);
    expect(life.stateAndReason).toBe('NeedsAttention unknown');
  });

  test.each([
    ['a rejected login', loginFails()],
    [
      'a login that is rejected under another status',
      replies({ verdict: 'notExecuted', reasons: [{ code: '50000011', message: '' }] }),
    ],
    ['a request that does not leave', neverLeaves()],
  ])('%s for more than 15 minutes shows as NeedsAttention while attempts continue', (_, answer) => {
    const life = begin({ answers: always(answer) }).pass(16 * MINUTE);
    expect(life.stateAndReason).toBe('NeedsAttention refused');
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false, safeUntil: null });
    const calls = life.calls.length;
    expect(life.retry().calls).toHaveLength(calls + 1);
  });

  test('locks and limits pass by themselves, so nobody is asked until the budget ends', () => {
    const life = begin({ answers: always(busy()) }).pass(11 * HOUR);
    expect([life.stateAndReason, life.question]).toEqual(['Sending', null]);
    life.pass(2 * HOUR);
    expect(life.stateAndReason).toBe('NeedsAttention refused');
    expect(life.question?.text).toContain('Zuora did not execute any of them');
  });

  test.each([
    ['an unknown outcome', cutOff(), 'Sending unknown'],
    ['a request that does not leave', neverLeaves(), 'NeedsAttention refused'],
  ])('the question about %s shows during the attempts as well, and goes when one succeeds', (_, answer, state) => {
    const checkQuestion = (it: Life): void => {
      expect(it.stateAndReason).toBe(state);
      expect(state).toContain(it.question?.kind);
    };
    const life = begin({ answers: always(answer).slice(0, 9) });
    life.willAnswer(during(checkQuestion, accepts())).pass(HOUR);
    expect([life.stateAndReason, life.question]).toEqual(['Delivering', null]);
  });

  test.each([
    ['an unknown outcome', cutOff(), 'Sending unknown', 'unknown'],
    ['a request that does not leave', neverLeaves(), 'NeedsAttention refused', 'refused'],
  ])('state and question agree for %s also if the 15 minutes end during an attempt', (_, answer, state, kind) => {
    const readings: unknown[] = [];
    const read = ({ stateAndReason, question }: Life) => readings.push([stateAndReason, question?.kind]);
    const slow = during((it) => {
      read(it);
      it.pass(5 * MINUTE);
      read(it);
    }, accepts());
    const life = begin({ answers: [...always(answer).slice(0, 7), slow] }).pass(HOUR);
    expect(life.calls.at(-1)?.at).toBe(NOON + 635 * SECOND);
    expect(readings).toEqual([
      ['Sending', undefined],
      [state, kind],
    ]);
  });

  test('a retry while attempts continue tries at once, under the same key', () => {
    const life = begin({ answers: always(cutOff()) }).pass(HOUR + SECOND);
    const calls = life.calls.length;
    life.retry({ requestedBy: 'bob' });
    expect(life.calls).toHaveLength(calls + 1);
    expect(life.calls.at(-1)?.at).toBe(life.now);
    expect(new Set(life.keys)).toEqual(new Set(['first/1']));
  });

  test('after 23 h without an answer the send is still unknown, whatever Zuora shows of the bill run', () => {
    const life = begin({ answers: always(cutOff()) })
      .change({ lastEmailSentTime: iso(NOON + MINUTE) })
      .pass(2 * DAY);
    expect(life.send.outcome).toBe('unknown');
  });

  test('a question that nobody answers while the job is open fails it as Unsettled, and names the send', () => {
    const life = begin({ input: { openFor: '2 days' }, answers: always(breaks()) });
    endBudget(life);
    expect(life.pass(2 * DAY - 15 * MINUTE).end).toBeUndefined();
    expect(life.pass(HOUR).end).toMatchObject({
      kind: 'fail',
      type: 'Unsettled',
      state: 'Unsettled',
      reason: 'unknown',
      text: expect.stringContaining('send 1 (first send): it is not known whether') as string,
    });
  });

  test('openFor counts from the end of the automatic attempts, not from the first time that the question shows', () => {
    const life = endBudget(begin({ input: { openFor: '1 hour' }, answers: always(breaks()) }));
    expect(life.end).toBeUndefined();
    expect(life.pass(HOUR).end).toMatchObject({ type: 'Unsettled' });
  });

  test('an openFor of 0 s leaves a question open for 7 days', () => {
    const life = begin({ input: { openFor: '0s' }, answers: [refuses()] }).pass(7 * DAY - 1);
    expect(life.end).toBeUndefined();
    expect(life.pass(1).end).toMatchObject({ type: 'Unsettled', reason: 'refused' });
    const unknown = begin({ input: { openFor: '0s' }, answers: always(breaks()) }).pass(7 * DAY);
    expect(unknown.end).toBeUndefined();
    expect(unknown.pass(13 * HOUR).end).toMatchObject({ type: 'Unsettled', reason: 'unknown' });
  });
});

describe('Rule 6: look before the first attempt', () => {
  test('the record that the watch returned counts as the look while it is fresh', () => {
    const life = begin({ billRun: { status: 'Completed' } }).change({ status: 'Posted' });
    expect(life.looks).toBe(2);
    expect(life.calls).toHaveLength(1);
  });

  test('a look that is older than a minute is taken again', () => {
    const life = begin({ billRun: { status: 'Completed' } })
      .hold()
      .change({ status: 'Posted' })
      .pass(MINUTE + 1);
    expect([life.looks, life.stateAndReason]).toEqual([2, 'Held job']);
    life.billRun = { ...life.billRun, autoEmail: true };
    life.release();
    expect([life.looks, life.stateAndReason]).toEqual([3, 'Delivering autoEmail']);
  });

  test('with autoEmail nothing of ours is sent: the job is Delivering, asks nothing, and the record says why', () => {
    const life = begin({ billRun: { autoEmail: true } });
    expect(life.calls).toEqual([]);
    expect(life.send).toMatchObject({
      outcome: 'stopped',
      settledAt: null,
      note: 'not attempted: Zuora should email the documents by itself (autoEmail is on)',
    });
    expect([life.stateAndReason, life.question]).toEqual(['Delivering autoEmail', null]);
    const { text, until, sends } = status.statusOf(life.job, life.now);
    expect(text).toContain('autoEmail is on');
    expect([until, sends]).toEqual([iso(NOON + 7 * DAY), 0]);
  });

  test('with autoEmail or emails elsewhere a retry looks again, and sends what was never emailed', () => {
    for (const billRun of [
      { autoEmail: true },
      { invoicesEmailed: true },
      { autoEmail: true, invoicesEmailed: true },
    ]) {
      const life = begin({ billRun }).retry({ requestedBy: 'carol' }).check({ notSent: 1 });
      expect([life.looks, life.ignored, life.stateAndReason]).toEqual([2, [], 'Delivering']);
      expect(life.calls).toMatchObject([{ resend: false, look: { at: NOON, missing: true, accountedAt: NOON } }]);
      expect(life.send).toMatchObject({
        outcome: 'accepted',
        note: null,
        decisions: [{ decision: 'retry', requestedBy: 'carol' }],
      });
    }
  });

  test('that retry waits for the cool-down after the last emails, goes on by itself, and survives all that follows', () => {
    const life = begin({ billRun: { invoicesEmailed: true, lastEmailSentTime: iso(NOON - HOUR) } })
      .retry()
      .check({ waiting: 1 });
    expect([life.stateAndReason, life.send.outcome, life.send.note]).toEqual(['Waiting coolDown', 'pending', null]);
    expect(status.statusOf(life.job, life.now)).toMatchObject({ until: iso(NOON + 23 * HOUR), question: null });
    life.retry().check({ waiting: 1 }).continueAsNew().hold().pass(HOUR).release();
    expect([life.stateAndReason, life.calls]).toEqual(['Waiting coolDown', []]);
    life.pass(22 * HOUR - 1);
    expect(life.calls).toEqual([]);
    expect(life.pass(1).keys).toEqual(['first/1']);
  });

  test('with autoEmail, the cool-down of that retry counts from the post: these emails leave later', () => {
    const billRun = { autoEmail: true, postedDate: iso(NOON - 2 * HOUR) };
    const life = begin({ billRun }).pass(HOUR).retry().check({ waiting: 1 });
    const { state, text, until } = status.statusOf(life.job, life.now);
    expect([state, until]).toEqual(['Waiting', iso(NOON + 22 * HOUR)]);
    expect(text).toMatch(/^Zuora emails the documents at the post by itself \(autoEmail is on\), and .* waits until/);
    expect(life.pass(21 * HOUR).keys).toEqual(['first/1']);
    expect(begin({ billRun }).stateAndReason).toBe('Delivering autoEmail');
  });

  test('that retry can be overridden by sendAnyway, taken back by finish, and finds no documents', () => {
    const billRun = { invoicesEmailed: true, lastEmailSentTime: iso(NOON) };
    expect(begin({ billRun }).retry().retry({ sendAnyway: true }).send.outcome).toBe('accepted');
    const finished = begin({ billRun }).retry().finish();
    expect([finished.stateAndReason, finished.calls]).toEqual(['Stopped finish', []]);
    const empty = begin({ billRun });
    empty.billRun = { ...empty.billRun, numberOfInvoices: 0, numberOfCreditMemos: 0 };
    expect(empty.retry().end?.state).toBe('Skipped');
  });

  test('a retry about something else does not override emails elsewhere', () => {
    const billRun = { status: 'Completed', numberOfInvoices: 0, numberOfCreditMemos: 0 };
    const life = begin({ billRun }).hold().change({ status: 'Posted' });
    life.billRun = { ...POSTED, invoicesEmailed: true };
    expect(life.retry().release().stateAndReason).toBe('Delivering emailedElsewhere');
  });

  test('with autoEmail sendAnyway sends the first send', () => {
    const life = begin({ billRun: { autoEmail: true } }).retry({ sendAnyway: true });
    expect(life.keys).toEqual(['first/1']);
    expect(life.send).toMatchObject({ outcome: 'accepted', note: null });
    expect(life.stateAndReason).toBe('Delivering');
  });

  test('if somebody else emailed the bill run nothing of ours is sent: the job is Delivering, and the record says why', () => {
    const life = begin({ billRun: { invoicesEmailed: true, lastEmailSentTime: iso(NOON) } });
    expect([life.calls, life.stateAndReason, life.question]).toEqual([[], 'Delivering emailedElsewhere', null]);
    const note = 'not attempted: Zuora says that the bill run was emailed, and this job did not do it';
    expect(life.send).toMatchObject({ outcome: 'stopped', settledAt: null, note });
    const { text, until, sends } = status.statusOf(life.job, life.now);
    expect(text).toContain('Zuora says that the bill run was emailed, and this job did not do it');
    expect([until, sends]).toEqual([iso(NOON + 7 * DAY), 0]);
    expect(jobs.unsettledOf(life.job)).toEqual([]);
    expect(life.pass(7 * DAY).end).toMatchObject({ state: 'Delivering', reason: 'emailedElsewhere' });
  });

  test('emails elsewhere come after autoEmail and no documents, and before the cool-down', () => {
    const emailed = { invoicesEmailed: true, lastEmailSentTime: iso(NOON) };
    expect(begin({ billRun: { ...emailed, autoEmail: true } }).stateAndReason).toBe('Delivering autoEmail');
    const empty = { numberOfInvoices: 0, numberOfCreditMemos: 0 };
    expect(begin({ billRun: { ...emailed, ...empty } }).end?.state).toBe('Skipped');
  });

  test('emails elsewhere that a later look shows count as well; false and missing mean no', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    life.billRun = { ...life.billRun, invoicesEmailed: true };
    expect(life.retry().stateAndReason).toBe('Delivering emailedElsewhere');
    expect(life.pass(7 * DAY - 1).end).toBeUndefined();
    expect(begin({ billRun: { invoicesEmailed: false } }).calls).toHaveLength(1);
  });

  test('emails elsewhere are overridden by sendAnyway, and by a resend', () => {
    const billRun = { invoicesEmailed: true };
    expect(begin({ billRun }).retry({ sendAnyway: true }).send).toMatchObject({ outcome: 'accepted', note: null });
    expect(begin({ billRun }).resend({ requestId: 'T' }).keys).toEqual(['resend/T/1']);
    expect(begin({ billRun, input: { resend: true, requestId: 'T' } }).keys).toEqual(['resend/T/1']);
  });

  test('after an attempt of ours, what Zuora shows as emailed may be ours', () => {
    const life = begin({ answers: [cutOff()] });
    life.billRun = { ...life.billRun, invoicesEmailed: true };
    life.pass(2 * MINUTE);
    expect([life.keys, life.stateAndReason]).toEqual([['first/1', 'first/1'], 'Delivering']);
    // A further first send looks again, and goes on.
    life.job.queue.push({ requestId: 'what is missing', resend: false, requestedAt: iso(life.now) });
    life.go();
    expect([life.looks, life.sends.length, life.send.outcome]).toEqual([2, 2, 'accepted']);
    expect(life.calls.at(-1)?.look).toMatchObject({ missing: true });
  });

  test('without documents the job completes at once as Skipped', () => {
    const life = begin({ billRun: { numberOfInvoices: 0, numberOfCreditMemos: 0 } });
    expect(life.calls).toEqual([]);
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Skipped', reason: 'noDocuments' });
    expect(life.send).toMatchObject({ outcome: 'stopped', note: expect.stringContaining('no invoices') as string });
    expect(jobs.unsettledOf(life.job)).toEqual([]);
  });

  test('without documents a held job stays open until it is released', () => {
    const life = begin({ billRun: { status: 'Completed', numberOfInvoices: 0, numberOfCreditMemos: 0 } })
      .hold()
      .change({ status: 'Posted' })
      .pass(30 * DAY);
    expect([life.end, life.stateAndReason, life.question]).toEqual([undefined, 'Held job', null]);
    expect(life.release().end).toMatchObject({ kind: 'complete', state: 'Skipped', reason: 'noDocuments' });
  });

  test('without documents a held job looks again on retry, and sends after sendAnyway', () => {
    const empty = { status: 'Completed', numberOfInvoices: 0, numberOfCreditMemos: 0 };
    const looking = begin({ billRun: empty }).hold().change({ status: 'Posted' }).retry();
    expect([looking.looks, looking.stateAndReason]).toEqual([3, 'Held job']);
    expect(looking.ignored).toEqual([]);
    const sending = begin({ billRun: empty }).hold().change({ status: 'Posted' }).retry({ sendAnyway: true });
    expect(sending.calls).toEqual([]);
    expect(sending.release().send.outcome).toBe('accepted');
  });

  test('counts that are both present and zero skip the send; missing ones are unknown', () => {
    const [zero, missing] = [0, undefined];
    const skipped = (counts: object): boolean => begin({ billRun: counts }).end?.state === 'Skipped';
    expect(skipped({ numberOfInvoices: zero, numberOfCreditMemos: zero })).toBe(true);
    expect(skipped({ numberOfInvoices: zero, numberOfCreditMemos: missing })).toBe(false);
    expect(skipped({ numberOfInvoices: missing, numberOfCreditMemos: zero })).toBe(false);
    expect(skipped({ numberOfInvoices: missing, numberOfCreditMemos: missing })).toBe(false);
    expect(skipped({ numberOfInvoices: zero, numberOfCreditMemos: 1 })).toBe(false);
  });

  test('emails younger than the cool-down delay the send until it is over, and then the job looks again', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON - HOUR) } });
    expect([life.stateAndReason, life.question]).toEqual(['Waiting coolDown', null]);
    expect(life.send.outcome).toBe('pending');
    const { text, until } = status.statusOf(life.job, life.now);
    expect(text).toContain(`Zuora emailed documents of this bill run at ${time(NOON - HOUR)}, and more emails`);
    expect(until).toBe(iso(NOON + 23 * HOUR));
    life.pass(23 * HOUR - 1);
    expect(life.calls).toEqual([]);
    life.pass(1);
    expect([life.looks, life.calls.length]).toEqual([2, 1]);
  });

  test('emails that left during the cool-down delay it again', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    life.billRun = { ...life.billRun, lastEmailSentTime: iso(NOON + 5 * HOUR) };
    life.pass(DAY);
    expect([life.stateAndReason, life.calls.length]).toEqual(['Waiting coolDown', 0]);
    life.pass(5 * HOUR);
    expect(life.calls).toHaveLength(1);
  });

  test('a time that cannot be read counts as now, and the text says so', () => {
    const life = begin({ billRun: { lastEmailSentTime: 'last week' } });
    expect(life.calls).toEqual([]);
    expect(life.stateAndReason).toBe('Waiting coolDown');
    expect(status.statusOf(life.job, life.now).text).toContain('`last week`, cannot be read');
    expect(life.retry({ sendAnyway: true, requestedBy: 'carol', reason: 'checked' }).calls).toHaveLength(1);
  });

  test('a cool-down of 0 s and emails of long ago delay nothing', () => {
    expect(begin({ billRun: { lastEmailSentTime: iso(NOON - SECOND) }, input: { coolDown: '0s' } }).calls).toHaveLength(
      1,
    );
    expect(begin({ billRun: { lastEmailSentTime: iso(NOON - 2 * DAY) } }).calls).toHaveLength(1);
  });

  test('a time without a zone counts as the latest possible instant, but not later than the look', () => {
    const at = Date.parse('2026-03-02T12:00:00Z');
    expect(coolDownEnd('2026-03-02 12:00:00', 0, at + DAY)).toBe(at + 12 * HOUR);
    expect(coolDownEnd('2026-03-02T12:00:00', 0, at + HOUR)).toBe(at + HOUR);
    expect(coolDownEnd('2026-03-02T12:00:00Z', 0, at + HOUR)).toBe(at);
    expect(coolDownEnd('2026-03-02 12:00:00 +0200', 0, at + HOUR)).toBe(at - 2 * HOUR);
    expect(coolDownEnd('2026-03-02T12:00:00.000+02:00', DAY, at)).toBe(at + 22 * HOUR);
    expect(coolDownEnd('2026-03-02', 0, at + 2 * DAY)).toBe(at + DAY - SECOND);
    expect(coolDownEnd('2026-03-02', 0, at)).toBe(at);
    expect(coolDownEnd('+275760-09-13T00:00:00Z', DAY, at)).toBe(at + DAY);
    expect(coolDownEnd(undefined, DAY, at)).toBeUndefined();
  });

  test('a notification that emails at the post delays the send, from the post on', () => {
    const billRun = { postedDate: iso(NOON - HOUR), postedNotifications: ['Invoice Posted'] };
    const life = begin({ billRun });
    expect([life.stateAndReason, life.question]).toEqual(['Waiting coolDown', null]);
    const { text, until } = status.statusOf(life.job, life.now);
    expect(text).toBe(
      'Zuora emails the documents at the post by its notification `Invoice Posted`, and the bill run was posted at ' +
        `\`${iso(NOON - HOUR)}\`; this send waits until 2026-03-03 11:00:00 UTC, and then emails only documents that were never emailed.`,
    );
    expect(until).toBe(iso(NOON + 23 * HOUR));
    life.pass(23 * HOUR - 1);
    expect(life.calls).toEqual([]);
    life.pass(1);
    expect([life.looks, life.keys]).toEqual([2, ['first/1']]);
  });

  test('a post delays nothing without such a notification, without its time, or after the cool-down', () => {
    const postedNotifications = ['Invoice Posted'];
    expect(begin({ billRun: { postedDate: iso(NOON) } }).calls).toHaveLength(1);
    expect(begin({ billRun: { postedDate: iso(NOON), postedNotifications: [] } }).calls).toHaveLength(1);
    expect(begin({ billRun: { postedNotifications } }).calls).toHaveLength(1);
    expect(begin({ billRun: { postedNotifications, postedDate: iso(NOON - DAY) } }).calls).toHaveLength(1);
  });

  test('of the last emails and the post, the one counts whose cool-down ends later', () => {
    const postedNotifications = ['Invoice Posted', 'Credit Memo Posted'];
    const waiting = (lastEmailSentTime: string, postedDate: string) => {
      const life = begin({ billRun: { postedNotifications, lastEmailSentTime, postedDate } });
      return status.statusOf(life.job, life.now);
    };
    const posted = waiting(iso(NOON - 2 * HOUR), iso(NOON - HOUR));
    expect(posted.until).toBe(iso(NOON + 23 * HOUR));
    expect(posted.text).toContain('by its notifications `Invoice Posted`, `Credit Memo Posted`');
    const emailed = waiting(iso(NOON - HOUR), iso(NOON - 2 * HOUR));
    expect(emailed.until).toBe(iso(NOON + 23 * HOUR));
    expect(emailed.text).toContain('Zuora emailed documents of this bill run');
  });

  test('a time of the post that cannot be read counts as now, and sendAnyway overrides it', () => {
    const life = begin({ billRun: { postedDate: 'today', postedNotifications: ['Invoice Posted'] } });
    expect(status.statusOf(life.job, life.now)).toMatchObject({
      text: expect.stringContaining('`today`, which cannot be read, so it counts as posted just now') as string,
      until: iso(NOON + DAY),
    });
    expect(life.retry({ sendAnyway: true }).calls).toHaveLength(1);
  });

  test('a resend does not wait for it', () => {
    const billRun = { postedDate: iso(NOON), postedNotifications: ['Invoice Posted'] };
    expect(begin({ billRun, input: { resend: true, requestId: 'T' } }).keys).toEqual(['resend/T/1']);
  });

  test('sendAnyway overrides both, and the record names the person who took the risk', () => {
    for (const billRun of [{ autoEmail: true }, { lastEmailSentTime: iso(NOON) }]) {
      const life = begin({ billRun }).retry({ sendAnyway: true, requestedBy: 'carol', reason: 'checked' });
      expect(life.send).toMatchObject({
        outcome: 'accepted',
        decisions: [{ decision: 'sendAnyway', requestedBy: 'carol', reason: 'checked', at: iso(NOON) }],
      });
      expect(life.keys).toEqual(['first/1']);
    }
  });

  test('retry alone looks again, and sends only if the cool-down has gone', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } }).retry();
    expect([life.looks, life.stateAndReason]).toEqual([2, 'Waiting coolDown']);
    life.billRun = POSTED;
    expect(life.retry().calls).toHaveLength(1);
    expect(life.send.decisions).toMatchObject([{ decision: 'retry' }, { decision: 'retry' }]);
    expect(life.ignored).toEqual([]);
  });

  test('an autoEmail job stays open for openFor, and then completes as Delivering', () => {
    const life = begin({ billRun: { autoEmail: true }, input: { openFor: '2 days' } }).pass(2 * DAY - 1);
    expect(life.end).toBeUndefined();
    expect(life.pass(1).end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: 'autoEmail' });
    expect(status.resultOf(life.job, { state: 'Delivering', reason: 'autoEmail', text: '' }).unsettled).toEqual([]);
    const atOnce = begin({ billRun: { autoEmail: true }, input: { openFor: '0s' } });
    expect(atOnce.end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: 'autoEmail' });
  });

  test('a resend during an autoEmail job emails all documents', () => {
    const life = begin({ billRun: { autoEmail: true } }).pass(7 * DAY - 1);
    life.resend({ requestId: 'T' });
    expect(life.sends).toMatchObject([
      { outcome: 'superseded', settledAt: iso(NOON + 7 * DAY - 1) },
      { outcome: 'accepted', resend: true },
    ]);
    expect(life.stateAndReason).toBe('Delivering');
  });

  test('a resend is an explicit order, and needs no look', () => {
    const billRun = { autoEmail: true, lastEmailSentTime: iso(NOON) };
    const life = begin({ billRun, input: { resend: true, requestId: 'T' } });
    expect(life.keys).toEqual(['resend/T/1']);
  });
});

describe('Rule 7: history answers the auditor', () => {
  test('the record says who asked, when and why, and how the send ended', () => {
    const life = begin({ input: { requestId: 'JOB-7', requestedBy: 'pipeline', reason: 'monthly' } });
    expect(life.sends).toEqual([
      {
        ordinal: 1,
        resend: false,
        requests: [
          { requestId: 'JOB-7', resend: false, requestedBy: 'pipeline', reason: 'monthly', requestedAt: iso(NOON) },
        ],
        outcome: 'accepted',
        attempts: [expect.objectContaining({ idempotencyKey: `bill-run-email/${POSTED.id}/first/1` })],
        decisions: [],
        settledAt: iso(NOON),
        note: null,
      },
    ]);
  });

  test('requestedBy is absent if the request does not give it', () => {
    const life = begin().resend();
    for (const { requests } of life.sends) expect(Object.keys(requests[0] ?? {})).not.toContain('requestedBy');
  });

  test('a record that was read does not change afterwards', () => {
    const life = begin({ answers: [refuses()] });
    const [before] = life.sends;
    const copy = structuredClone(before);
    life.retry().resend();
    expect(before).toEqual(copy);
    const [send] = life.job.sends;
    expect(send && recordOf(send)).not.toEqual(copy);
  });

  test('the record is plain data: a job that continues as new knows the same', () => {
    const life = begin({ answers: [busy(), cutOff(), refuses()] })
      .pass(MINUTE)
      .hold()
      .resend({ requestId: '__proto__' });
    const before = [life.step, life.question, life.sends];
    life.continueAsNew();
    expect([life.step, life.question, life.sends]).toEqual(before);
    life.release().resend({ requestId: '__proto__' });
    expect(life.ignored.at(-1)).toContain('made before');
  });
});

describe('Rule 8: stop means stop', () => {
  test.each([
    ['a wait for the post', () => begin({ billRun: { status: 'Completed' } })],
    ['a question', () => begin({ answers: [refuses()] })],
    ['an acceptance', () => begin()],
    ['autoEmail', () => begin({ billRun: { autoEmail: true } })],
  ])('no deadline closes a job on hold after %s; its time begins again where it stopped', (_, at) => {
    const life = at()
      .pass(6 * DAY)
      .hold()
      .pass(60 * DAY);
    expect(life.end).toBeUndefined();
    life.release();
    if (life.state === 'NotPosted') return;
    life.pass(DAY - MINUTE);
    expect(life.end).toBeUndefined();
    expect(life.pass(2 * MINUTE).end).toBeDefined();
  });

  test('holds of the job and of all together are one time on hold', () => {
    const life = begin({ otherwise: busy(HOUR) }).pass(MINUTE);
    life.allOnHold = true;
    life
      .pass(2 * HOUR)
      .hold()
      .pass(2 * HOUR);
    life.allOnHold = false;
    life.pass(2 * HOUR).release();
    // The hold on all was met an hour after the first attempt.
    expect(life.pass(10 * HOUR).question).toBeNull();
    expect(life.pass(2 * HOUR).question).toMatchObject({ kind: 'refused' });
  });

  test('while all jobs are on hold, a job with something due says so, and one without goes on', () => {
    const due = new Life();
    due.allOnHold = true;
    expect(due.go().stateAndReason).toBe('Held all');
    expect(due.calls).toEqual([]);
    expect(due.pass(60 * DAY).end).toBeUndefined();
    const waits = new Life({ billRun: { status: 'Completed' } });
    waits.allOnHold = true;
    expect(waits.go().stateAndReason).toBe('Waiting notPosted');
    expect(waits.hold().stateAndReason).toBe('Held job');
    due.allOnHold = false;
    expect(due.go().send.outcome).toBe('accepted');
  });

  test('an attempt that steps back leaves key, retry and decision as they were', () => {
    const life = begin({ answers: [cutOff(), refuses()] }).pass(MINUTE);
    const before = structuredClone({ send: life.job.sends[0], question: life.question });
    life.willAnswer(makesNoCall('takenBack')).hold().retry({ requestedBy: 'alice', reason: 'fixed' });
    expect(life.send.decisions).toHaveLength(1);
    life.release();
    expect(life.send).toMatchObject({ outcome: 'accepted', decisions: [{ requestedBy: 'alice' }] });
    expect(life.keys).toEqual(['first/1', 'first/1', 'first/1', 'first/1']);
    expect(before.question).not.toBeNull();
  });

  test('a retry that arrives while an attempt is taken back stays in force', () => {
    const back = during((it) => it.retry(), makesNoCall('takenBack'));
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const { length } = life.calls;
    life.willAnswer(back, accepts()).pass(10 * MINUTE);
    expect(life.calls).toHaveLength(length + 2);
    expect(life.send).toMatchObject({ outcome: 'accepted', decisions: [{ decision: 'retry' }] });
  });

  test('a sendAnyway that a hold kept back for more than an hour is asked for again', () => {
    const risk = { sendAnyway: true, requestedBy: 'carol', reason: 'checked' };
    for (const [age, calls] of [
      [HOUR, 1],
      [HOUR + 1, 0],
    ] as const) {
      const cooling = begin({ billRun: { lastEmailSentTime: iso(NOON) } })
        .hold()
        .retry(risk);
      expect(cooling.pass(age).release().calls).toHaveLength(calls);

      const unknown = begin({ otherwise: cutOff() }).pass(2 * DAY);
      const { length } = unknown.calls;
      unknown.willAnswer(accepts()).hold().retry(risk).pass(age).release();
      expect(unknown.calls.length - length).toBe(calls);
      if (calls === 0) expect(unknown.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    }
  });
});
