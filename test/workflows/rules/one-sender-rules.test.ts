/** One bill run, one sender: what a run does for requests that belong elsewhere, and for those an earlier run knew. */
import { describe, expect, test } from 'vitest';
import type { EarlierAttempt, EarlierSend } from '../../../workflows/contract/activities.js';
import * as messages from '../../../workflows/rules/messages.js';
import { recordHandover } from '../../../workflows/rules/job.js';
import { resultOf, statusOf } from '../../../workflows/rules/status.js';
import {
  accepts,
  begin,
  cutOff,
  DAY,
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

/** An attempt of an earlier run, so long ago. */
function attempt(age: number, came: Partial<EarlierAttempt['came']>, key = `${KEY}/T-1/1`): EarlierAttempt {
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
  return { runId: 'earlier-run', idempotencyKey: key, trackId: `bre-${age}`, startedAt, came: { ...receipt, ...came } };
}

const earlier = (...attempts: EarlierAttempt[]): EarlierSend => ({ requestIds: ['T-1'], attempts });

/** A run that is asked for a resend that earlier runs know something about. */
function again(known: EarlierSend, circumstances: Circumstances = {}): Life {
  const life = new Life({ ...circumstances, input: { resend: true, requestId: 'T-1', ...circumstances.input } });
  life.earlier = [known];
  return life.go();
}

describe('A request that an earlier run served', () => {
  test('is not sent again, and the record tells which run did it', () => {
    const life = again(earlier(attempt(40 * DAY, { verdict: 'accepted' })));
    expect(life.calls).toEqual([]);
    expect(life.sends).toMatchObject([
      {
        outcome: 'accepted',
        attempts: [{ runId: 'earlier-run' }],
        note: expect.stringContaining('earlier-run') as string,
      },
    ]);
    // Its escalation window ended long ago, and nothing else is to be done.
    expect(life.end).toEqual({ kind: 'complete', state: 'Emailed' });
    expect(resultOf(life.job, 'Emailed').unsettled).toEqual([]);
  });

  test('is not sent again either when it comes while a first send waits, and takes nobody’s place', () => {
    const life = new Life({ billRun: { lastEmailSentTime: new Date(NOON - HOUR).toISOString() } });
    life.earlier = [earlier(attempt(DAY, { verdict: 'accepted' }))];
    life.go().resend({ requestId: 'T-1' });
    expect(life.state).toBe('Delayed');
    expect(life.ignored).toEqual([expect.stringMatching(/^request T-1: an earlier run \(earlier-run\) emailed/)]);
    expect(statusOf(life.job, life.now).pendingRequests).toEqual([]);
  });

  test('does not keep requests that come with it from being sent, under a key of their own', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' } });
    life.earlier = [earlier(attempt(DAY, { verdict: 'accepted' }))];
    life.resend({ requestId: 'T-2' });
    expect(life.sends.map(({ requests }) => requests.map(({ requestId }) => requestId))).toEqual([['T-1'], ['T-2']]);
    expect(life.keys).toEqual(['resend/T-2/1']);
  });
});

describe('A send that an earlier run began', () => {
  test('goes on under its key while that protects it, and is settled by the stored reply', () => {
    const settled = repeats(1, { verdict: 'accepted', zuoraRequestId: 'earlier-3600000' });
    const first = attempt(HOUR, { verdict: 'unknown', httpStatus: null, zuoraRequestId: 'earlier-3600000' });
    const life = again(earlier(first), { answers: [settled] });
    expect(life.keys).toEqual(['resend/T-1/1']);
    expect(life.calls[0]?.notAfter).toBe(NOON + 22 * HOUR);
    expect(life.send).toMatchObject({ outcome: 'accepted', attempts: [{ verdict: 'unknown' }, { stored: true }] });
  });

  test('asks a person when its key may be forgotten, and only sendAnyway takes the next one', () => {
    const life = again(earlier(attempt(25 * HOUR, { verdict: 'unknown', httpStatus: 500 })));
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

  test('is unknown where its run ended in the middle of an attempt', () => {
    const cut: EarlierAttempt = { ...attempt(HOUR, {}), came: { verdict: 'unknown', reasons: [] } };
    const life = again(earlier(cut), { answers: [refuses()] });
    expect(life.keys).toEqual(['resend/T-1/1']);
    // The refusal is no reply to the attempt that was cut off.
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: false });
  });

  test('goes on under the last of its keys', () => {
    const refused = attempt(3 * HOUR, { verdict: 'refused', httpStatus: 400 });
    const cut = attempt(2 * HOUR, { verdict: 'unknown', httpStatus: 500 }, `${KEY}/T-1/2`);
    const life = again(earlier(refused, cut), { answers: [cutOff()] });
    expect(life.keys).toEqual(['resend/T-1/2']);
    expect(life.calls[0]?.notAfter).toBe(NOON + 21 * HOUR);
  });

  test('keeps the key of the request that it was begun for, whoever asks for it again', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-9' } });
    life.earlier = [{ requestIds: ['T-9'], attempts: [attempt(HOUR, { verdict: 'notExecuted', httpStatus: 429 })] }];
    life.go();
    expect(life.keys).toEqual(['resend/T-1/1']);
  });

  test('asks at once where Zuora had refused it, and a retry takes the next key', () => {
    const life = again(earlier(attempt(30 * HOUR, { verdict: 'refused', httpStatus: 400 })));
    expect(life.calls).toEqual([]);
    expect(life.question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
    expect(life.retry({}).keys).toEqual(['resend/T-1/2']);
  });

  test('has no more budget than it had', () => {
    const life = again(earlier(attempt(13 * HOUR, { verdict: 'notExecuted', httpStatus: 429 })));
    expect(life.calls).toEqual([]);
    expect(life.question?.text).toContain('The automatic attempts are over');
  });

  test('takes the place of a first send that is between attempts', () => {
    const life = new Life({ answers: [cutOff(), accepts()] });
    life.earlier = [earlier(attempt(HOUR, { verdict: 'notExecuted', httpStatus: 429 }))];
    life.go().resend({ requestId: 'T-1' }).pass(MINUTE);
    expect(life.sends).toMatchObject([{ outcome: 'unknown' }, { outcome: 'accepted', resend: true }]);
  });

  test('is told to later runs by the first attempt, which names the requests that it serves', () => {
    const life = begin({ input: { requestId: 'JOB' }, billRun: { status: 'Completed' }, answers: [losesWorker()] });
    life.resend({ requestId: 'T-1' }).resend({ requestId: 'T-2' }).change({ status: 'Posted' }).pass(MINUTE);
    expect(life.calls.map(({ requestIds }) => requestIds)).toEqual([['T-1', 'T-2'], undefined]);
  });
});

describe('A run whose id is not the bill run’s own', () => {
  const guest = { workflowId: 'email-bill-run/8ad09e208b1a' };

  test('hands over before anything else, whatever the bill run’s status, and is done', () => {
    for (const status of ['Pending', 'Canceled', 'Posted']) {
      const life = begin({ ...guest, input: { requestId: 'JOB' }, billRun: { status } });
      expect(life.handedOver).toEqual(['JOB to email-bill-run/BR-00000001']);
      expect(life.end).toEqual({ kind: 'complete', state: 'HandedOver' });
      expect(life.calls).toEqual([]);
    }
  });

  test('hands over what arrives while it hands over', () => {
    const life = new Life({ ...guest, input: { requestId: 'JOB' } });
    const asked = [...life.job.queue];
    life.hold().resend({ requestId: 'T-1' });
    expect(life.state).toBe('Held');
    recordHandover(life.job, asked, [{ requestId: 'JOB', result: 'joined' }]);
    expect(life.release().handedOver).toEqual(['T-1 to email-bill-run/BR-00000001']);
    expect(life.end).toEqual({ kind: 'complete', state: 'HandedOver' });
  });

  test('names what another run did not take over', () => {
    const life = new Life({ ...guest, input: { requestId: 'JOB' } }).hold();
    recordHandover(life.job, life.job.queue, [{ requestId: 'JOB', result: 'canceled' }]);
    life.release();
    expect(life.end).toEqual({ kind: 'complete', state: 'HandedOver' });
    expect(resultOf(life.job, 'HandedOver')).toMatchObject({
      handedOverTo: 'email-bill-run/BR-00000001',
      unsettled: [expect.stringContaining('was canceled before') as string],
    });
  });

  test.each([
    'email-bill-run/BR-00000001',
    'email-bill-run/BR-00000001x',
    'email-bill-run/e-1/BR-00000001',
    'email-bill-run/a/b/BR-00000001',
    'email-bill-run/',
  ])('is refused, or is the bill run’s own: %s', (workflowId) => {
    const life = begin({ workflowId, billRun: { status: 'Completed' } });
    if (workflowId === 'email-bill-run/BR-00000001') expect(life.state).toBe('WaitingForPost');
    else expect(life.end).toMatchObject({ kind: 'fail', type: 'InvalidInput' });
  });

  test('refuses the update, with the id to ask, as soon as that is known', () => {
    const life = new Life(guest).hold();
    expect(messages.faultsOfResend(life.job, {})).toEqual([expect.stringContaining('ask email-bill-run/BR-00000001')]);
    const unread = new Life({ workflowId: 'job-17' });
    expect(messages.faultsOfResend(unread.run, {})).toEqual([expect.stringContaining('not known yet')]);
    expect(messages.faultsOfResend(new Life().run, {})).toEqual([]);
  });
});

describe('What Zuora shows about the documents', () => {
  test('is told beside the question about an unknown send, again and ever more seldom, and decides nothing', () => {
    const life = begin({ answers: Array.from({ length: 400 }, cutOff) });
    life.pass(15 * MINUTE);
    expect(life.counts).toBe(1);
    expect(life.question?.text).toContain('Zuora showed an email since the first attempt for 0 of 2 invoices');
    life.shows = { invoices: 1980, emailed: 1200, complete: false };
    life.pass(15 * MINUTE);
    expect(life.counts).toBe(2);
    expect(life.question?.text).toContain('for 1200 of the first 1980 invoices');
    expect(life.pass(6 * DAY).counts).toBeLessThan(12);
    expect(life.state).toBe('NeedsAttention');
    expect(life.send.outcome).toBe('unknown');
  });

  test('is told as not told where Zuora does not tell, and is looked at anew for a new question', () => {
    const life = begin({ answers: Array.from({ length: 400 }, cutOff) });
    life.shows = null;
    life.pass(16 * MINUTE);
    expect(life.question?.text).toContain('Zuora did not tell');
    expect(life.counts).toBe(1);
    life.retry({}).pass(16 * MINUTE);
    expect(life.counts).toBe(2);
  });

  test('is not asked for where the question is about a refusal', () => {
    const life = begin({ answers: [refuses()] }).pass(DAY);
    expect(life.counts).toBe(0);
  });

  test('does not change how long the question stays open', () => {
    const life = begin({ input: { attentionWindow: '7 days' }, answers: Array.from({ length: 400 }, cutOff) });
    life.pass(13 * HOUR);
    expect(statusOf(life.job, life.now).until).toMatch(/^2026-03-(09|10)T/);
  });
});
