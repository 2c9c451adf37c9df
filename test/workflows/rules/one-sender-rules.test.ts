/** One bill run, one sender: requests for the canonical job, and requests that an earlier job served or began to serve. */
import { describe, expect, test } from 'vitest';
import type { EarlierAttempt, EarlierSend } from '../../../workflows/contract/activities.js';
import { acceptedResends, acceptedSends, recordEarlier, recordHandover } from '../../../workflows/rules/job.js';
import { resultOf, statusOf } from '../../../workflows/rules/status.js';
import {
  accepts,
  begin,
  busy,
  cutOff,
  DAY,
  during,
  findsNoWorker,
  HOUR,
  Life,
  losesWorker,
  MINUTE,
  NOON,
  POSTED,
  refuses,
  repeats,
  SECOND,
  type Circumstances,
} from '../../support/life.js';

const KEY = `bill-run-email/${POSTED.id}/resend`;

/** An attempt of an earlier job, `age` ms ago. */
function attempt(age: number, result: Partial<EarlierAttempt['result']>, key = `${KEY}/T-1/1`): EarlierAttempt {
  const startedAt = NOON - age;
  const receipt = {
    called: true as const,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: SECOND,
    verdict: 'unknown' as const,
    reasons: [],
    httpStatus: 200,
    zuoraRequestId: `earlier-${age}`,
    echoedTrackId: null,
    retryAfterMs: null,
  };
  return {
    runId: 'earlier-run',
    idempotencyKey: key,
    trackId: `bre-${age}`,
    startedAt,
    result: { ...receipt, ...result },
  };
}

const earlier = (...attempts: EarlierAttempt[]): EarlierSend => ({ requestIds: ['T-1'], first: false, attempts });

/** A job for a resend of which earlier jobs left a record. */
function resendAfter(known: EarlierSend, circumstances: Circumstances = {}): Life {
  const life = new Life({ ...circumstances, input: { resend: true, requestId: 'T-1', ...circumstances.input } });
  life.earlier = [known];
  return life.go();
}

describe('A request that an earlier job served', () => {
  test('is not sent again, and the record names the run that served it', () => {
    const life = resendAfter(earlier(attempt(40 * DAY, { verdict: 'accepted' })));
    expect(life.calls).toEqual([]);
    expect(life.sends).toMatchObject([
      {
        outcome: 'accepted',
        attempts: [{ runId: 'earlier-run' }],
        note: expect.stringContaining('earlier-run') as string,
      },
    ]);
    // The acceptance is longer ago than openFor, and nothing else is due.
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: null });
    expect(resultOf(life.job, { state: 'Delivering', reason: null, text: '' }).unsettled).toEqual([]);
  });

  test('is not sent again either if it arrives while a first send waits, and supersedes nothing', () => {
    const life = new Life({ billRun: { lastEmailSentTime: new Date(NOON - HOUR).toISOString() } });
    life.earlier = [earlier(attempt(DAY, { verdict: 'accepted' }))];
    life.go().resend({ requestId: 'T-1' });
    expect(life.stateAndReason).toBe('Waiting coolDown');
    expect(life.ignored).toEqual([expect.stringMatching(/^request T-1: an earlier job \(run earlier-run\) emailed/)]);
    expect(statusOf(life.job, life.now).pendingRequests).toEqual([]);
  });

  test('does not hinder requests that arrive with it: they are sent, under a key of their own', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' } });
    life.earlier = [earlier(attempt(DAY, { verdict: 'accepted' }))];
    life.resend({ requestId: 'T-2' });
    expect(life.sends.map(({ requests }) => requests.map(({ requestId }) => requestId))).toEqual([['T-1'], ['T-2']]);
    expect(life.keys).toEqual(['resend/T-2/1']);
  });
});

describe('A send that an earlier job began', () => {
  test('continues under its key while that protects it, and is settled by the stored reply', () => {
    const settled = repeats(1, { verdict: 'accepted', zuoraRequestId: 'earlier-3600000' });
    const first = attempt(HOUR, { verdict: 'unknown', httpStatus: null, zuoraRequestId: 'earlier-3600000' });
    const life = resendAfter(earlier(first), { answers: [settled] });
    expect(life.keys).toEqual(['resend/T-1/1']);
    expect(life.calls[0]?.notAfter).toBe(NOON + 22 * HOUR);
    expect(life.send).toMatchObject({ outcome: 'accepted', attempts: [{ verdict: 'unknown' }, { stored: true }] });
  });

  test('asks a person when its key may be forgotten, and only sendAnyway takes the next one', () => {
    const life = resendAfter(earlier(attempt(25 * HOUR, { verdict: 'unknown', httpStatus: 500 })));
    expect(life.calls).toEqual([]);
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    life.retry({ requestedBy: 'alice' });
    expect(life.calls).toEqual([]);
    life.retry({ requestedBy: 'alice', sendAnyway: true });
    expect(life.keys).toEqual(['resend/T-1/2']);
    expect(life.send).toMatchObject({
      outcome: 'accepted',
      decisions: [{ decision: 'sendAnyway', requestedBy: 'alice' }],
    });
  });

  test('is unknown if its job ended in the middle of an attempt', () => {
    const cut: EarlierAttempt = { ...attempt(HOUR, {}), result: { verdict: 'unknown', reasons: [] } };
    const life = resendAfter(earlier(cut), { answers: [refuses()] });
    expect(life.keys).toEqual(['resend/T-1/1']);
    // The refusal does not answer the attempt that was cut off.
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: false });
  });

  test('continues under the last of its keys', () => {
    const refused = attempt(3 * HOUR, { verdict: 'refused', httpStatus: 400 });
    const cut = attempt(2 * HOUR, { verdict: 'unknown', httpStatus: 500 }, `${KEY}/T-1/2`);
    const life = resendAfter(earlier(refused, cut), { answers: [cutOff()] });
    expect(life.keys).toEqual(['resend/T-1/2']);
    expect(life.calls[0]?.notAfter).toBe(NOON + 21 * HOUR);
  });

  test('keeps the key of the request that it was begun for, whichever of its requests is repeated', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-9' } });
    const limited = attempt(HOUR, { verdict: 'notExecuted', httpStatus: 429 });
    life.earlier = [{ requestIds: ['T-9'], first: false, attempts: [limited] }];
    life.go();
    expect(life.keys).toEqual(['resend/T-1/1']);
  });

  test('asks at once if Zuora had refused it, and a retry takes the next key', () => {
    const life = resendAfter(earlier(attempt(30 * HOUR, { verdict: 'refused', httpStatus: 400 })));
    expect(life.calls).toEqual([]);
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
    expect(life.retry({}).keys).toEqual(['resend/T-1/2']);
  });

  test('has no more budget than it had', () => {
    const life = resendAfter(earlier(attempt(13 * HOUR, { verdict: 'notExecuted', httpStatus: 429 })));
    expect(life.calls).toEqual([]);
    expect(life.question?.text).toContain('The automatic attempts are over');
  });

  test('supersedes a first send that is between attempts', () => {
    const life = new Life({ answers: [cutOff(), accepts()] });
    life.earlier = [earlier(attempt(HOUR, { verdict: 'notExecuted', httpStatus: 429 }))];
    life.go().resend({ requestId: 'T-1' }).pass(MINUTE);
    expect(life.sends).toMatchObject([{ outcome: 'unknown' }, { outcome: 'accepted', resend: true }]);
  });

  test('is known to later jobs by its first attempt, which names the requests that it serves', () => {
    const life = begin({ input: { requestId: 'JOB' }, billRun: { status: 'Completed' }, answers: [losesWorker()] });
    life.resend({ requestId: 'T-1' }).resend({ requestId: 'T-2' }).change({ status: 'Posted' }).pass(MINUTE);
    expect(life.calls.map(({ requestIds }) => requestIds)).toEqual([['T-1', 'T-2'], undefined]);
  });
});

describe('A first send after earlier jobs', () => {
  const laterToday = { lastEmailSentTime: new Date(NOON - MINUTE).toISOString() };

  test('is not made if Zuora accepted one, under whatever number, however long ago', () => {
    const life = begin({ answers: [refuses(), accepts()] })
      .retry()
      .pass(40 * DAY)
      .startAgain();
    expect(life.keys).toEqual(['first/1', 'first/2']);
    expect(life.send).toMatchObject({ resend: false, outcome: 'accepted', attempts: [{}, { runId: 'first-run' }] });
    expect(life.send.note).toContain('an earlier job (run first-run) emailed for this request');
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Delivering' });
    expect(acceptedSends(life.job)).toBe(1);
  });

  test('is not made if Zuora accepted a resend, which emailed all documents', () => {
    const life = begin({ answers: [refuses()] })
      .resend({ requestId: 'T-1' })
      .startAgain();
    expect(life.keys).toEqual(['first/1', 'resend/T-1/1']);
    expect(life.send).toMatchObject({ resend: true, outcome: 'accepted', requests: [{ resend: false }] });
    expect(acceptedResends(life.job)).toEqual(['T-1']);
  });

  test('continues under its key if its outcome is unknown, at once: without look, cool-down or the old budget', () => {
    for (const age of [SECOND, 13 * HOUR]) {
      const life = begin({ otherwise: cutOff() }).pass(age);
      life.billRun = { ...life.billRun, ...laterToday };
      const looks = life.looks;
      const calls = life.calls.length;
      life
        .willAnswer(repeats(1, { verdict: 'accepted' }))
        .startAgain({ sendBudget: '1 hour' })
        .pass(MINUTE);
      expect(new Set(life.keys)).toEqual(new Set(['first/1']));
      expect(life.calls.length).toBeGreaterThan(calls);
      expect(life.looks).toBe(looks + 1);
      expect(life.send.outcome).toBe('accepted');
    }
  });

  test('asks a person if Zuora may have forgotten its key, also with again', () => {
    for (const again of [false, true]) {
      const life = begin({ answers: [cutOff()], otherwise: cutOff() }).pass(24 * HOUR);
      const calls = life.calls.length;
      life.startAgain({ again });
      expect(life.calls).toHaveLength(calls);
      expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    }
  });

  test('asks at once if Zuora refused it; again retries it, under the next number, and the record says who', () => {
    const plain = begin({ answers: [refuses()] }).startAgain();
    expect(plain.keys).toEqual(['first/1']);
    expect(plain.question).toMatchObject({ kind: 'refused' });
    const again = begin({ answers: [refuses()] });
    again.startAgain({ again: true, requestId: 'JOB-2', requestedBy: 'alice', reason: 'fixed' });
    expect(again.keys).toEqual(['first/1', 'first/2']);
    expect(again.send).toMatchObject({
      outcome: 'accepted',
      decisions: [{ decision: 'retry', requestId: 'JOB-2', requestedBy: 'alice', reason: 'fixed' }],
    });
  });

  test('begins anew if no attempt ever left, with look and cool-down, also with again', () => {
    const life = new Life({ answers: [during((under) => under.hold(), findsNoWorker())] }).go();
    expect(life.stateAndReason).toBe('Held job');
    life.billRun = { ...life.billRun, ...laterToday };
    expect(life.startAgain({ again: true }).stateAndReason).toBe('Waiting coolDown');
    expect(life.pass(DAY).keys).toEqual(['first/1', 'first/1']);
  });

  test('is retried by again only for the request with which the job was started', () => {
    const life = begin({ input: { resend: true, requestId: 'T-1' }, answers: [refuses()] });
    life.startAgain({ again: true, resend: true, requestId: 'T-2' }).resend({ requestId: 'T-1' });
    expect(life.keys).toEqual(['resend/T-1/1', 'resend/T-2/1']);
    expect(life.question).toMatchObject({ kind: 'refused' });
  });
});

describe('A look-up of earlier jobs', () => {
  test('is not made by the first job of a workflow id', () => {
    const life = new Life({ earlierRun: '', answers: [busy(HOUR)] });
    life.earlier = [{ requestIds: ['T-1'], first: true, attempts: [attempt(HOUR, { verdict: 'accepted' })] }];
    life
      .go()
      .resend({ requestId: 'T-1' })
      .pass(2 * HOUR);
    expect(life.keys).toEqual(['first/1', 'resend/T-1/1']);
  });

  test('does not hold back the attempts of a send under way', () => {
    const life = begin({ answers: [busy(HOUR)] });
    life.job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: new Date(NOON).toISOString() });
    expect(life.step).toMatchObject({ kind: 'lookUp', wake: NOON + HOUR });
    life.now += HOUR;
    expect(life.step).toMatchObject({ kind: 'attempt' });
    life.job.held = true;
    expect(life.step).toMatchObject({ kind: 'lookUp', state: 'Held' });
  });

  test('leaves the open question visible', () => {
    const life = begin({ answers: [refuses()] });
    life.job.incoming.push({ requestId: 'T-1', resend: true, requestedAt: new Date(NOON).toISOString() });
    expect(life.step).toMatchObject({ kind: 'lookUp', state: 'NeedsAttention', reason: 'refused', wake: Infinity });
  });

  test('adds to what the starter handed on', () => {
    const life = begin({ answers: [accepts()] });
    life.job.earlier = { accepted: 3, resends: ['T-0'], unreadable: [] };
    recordEarlier(life.job, [], { sends: [], accepted: 2, resends: ['T-0', 'T-1'], unreadable: ['run-7'] });
    expect(life.job.earlier).toEqual({ accepted: 3, resends: ['T-0', 'T-1'], unreadable: ['run-7'] });
    expect(acceptedSends(life.job)).toBe(4);
  });
});

describe('A job that starts on hold', () => {
  test.each([{}, { resend: true, requestId: 'T-1' }])('sends nothing until a person releases it: %j', (input) => {
    const life = begin({ input: { hold: true, requestedBy: 'alice', reason: 'review', ...input } });
    expect(life.pass(2 * DAY).stateAndReason).toBe('Held job');
    expect(life.step.text).toContain('by `alice` (`review`)');
    expect(life.calls).toEqual([]);
    expect(life.release().send.outcome).toBe('accepted');
  });
});

describe('An alias', () => {
  const alias = { workflowId: 'email-bill-run/8ad09e208b1a' };

  test('hands over before anything else, whatever the status of the bill run, and completes', () => {
    for (const status of ['Pending', 'Canceled', 'Posted']) {
      const life = begin({ ...alias, input: { requestId: 'JOB' }, billRun: { status } });
      expect(life.handedOver).toEqual(['JOB to email-bill-run/BR-00000001']);
      expect(life.end).toMatchObject({ kind: 'complete', state: 'HandedOver', reason: null });
      expect(life.calls).toEqual([]);
    }
  });

  test('hands over what arrives while it hands over', () => {
    const life = new Life({ ...alias, input: { requestId: 'JOB' } });
    const requests = [...life.job.incoming];
    life.hold().resend({ requestId: 'T-1' });
    expect(life.stateAndReason).toBe('Held job');
    recordHandover(life.job, requests, [{ requestId: 'JOB', result: 'joined' }]);
    expect(life.release().handedOver).toEqual(['T-1 to email-bill-run/BR-00000001']);
    expect(life.end).toMatchObject({ kind: 'complete', state: 'HandedOver' });
  });

  test('names the requests that a stopped canonical job did not take', () => {
    const life = new Life({ ...alias, input: { requestId: 'JOB' } }).hold();
    recordHandover(life.job, life.job.incoming, [{ requestId: 'JOB', result: 'stopped' }]);
    life.release();
    expect(life.end).toMatchObject({ kind: 'complete', state: 'HandedOver' });
    expect(resultOf(life.job, { state: 'HandedOver', reason: null, text: '' })).toMatchObject({
      handedOverTo: 'email-bill-run/BR-00000001',
      unsettled: ['request JOB: a person stopped email-bill-run/BR-00000001; start it with "again" to go on'],
    });
  });

  test.each([
    'email-bill-run/BR-00000001',
    'email-bill-run/BR-00000001x',
    'email-bill-run/e-1/BR-00000001',
    'email-bill-run/a/b/BR-00000001',
    'email-bill-run/',
  ])('is invalid if its id names another bill run: %s', (workflowId) => {
    const life = begin({ workflowId, billRun: { status: 'Completed' } });
    if (workflowId === 'email-bill-run/BR-00000001') expect(life.stateAndReason).toBe('Waiting notPosted');
    else expect(life.end).toMatchObject({ kind: 'fail', type: 'InvalidInput' });
  });

  test('takes the update resend, and hands it over', () => {
    const life = new Life({ ...alias, input: { requestId: 'JOB' } }).hold();
    expect(life.update('resend', { requestId: 'T-1' })).toEqual({ requestId: 'T-1', state: 'Held' });
    expect(life.release().handedOver).toEqual(['JOB', 'T-1'].map((id) => `${id} to email-bill-run/BR-00000001`));
  });
});
