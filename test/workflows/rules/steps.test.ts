/** What comes next in a run, and what people read of it, at moments that the rules of sending only pass by. */
import { describe, expect, test } from 'vitest';
import { recordFailedLook, recordHandover } from '../../../workflows/rules/job.js';
import { statusOf } from '../../../workflows/rules/status.js';
import * as steps from '../../../workflows/rules/next-step.js';
import {
  accepts,
  begin,
  busy,
  cutOff,
  DAY,
  during,
  HOUR,
  Life,
  MINUTE,
  NOON,
  POSTED,
  refuses,
} from '../../support/life.js';

const iso = (at: number): string => new Date(at).toISOString();

/** The run's last send, for what no message does to it. */
function sendIn(life: Life) {
  const send = life.job.sends.at(-1);
  if (send === undefined) throw new Error('no send was begun');
  return send;
}

describe('A bill run that does not post', () => {
  test('is named with what Zuora says of it, where it says something', () => {
    const said = (errorMessage?: string): unknown =>
      begin({ billRun: { status: 'Error', ...(errorMessage === undefined ? {} : { errorMessage }) } }).end;
    const message = (words: string): string =>
      `bill run BR-00000001 ended as Error${words}; it will not post, and nothing was emailed`;
    expect(said()).toEqual({ kind: 'fail', type: 'NotPosted', message: message('') });
    expect(said('no accounts')).toEqual({ kind: 'fail', type: 'NotPosted', message: message(' (no accounts)') });
  });

  test('is named by its number and last status at the deadline, or by its key if it was never seen', () => {
    const at = { input: { billRunKey: '8ad0', postDeadline: '1 day' }, workflowId: 'job-17' };
    const unseen = new Life(at);
    expect(steps.nextStep(unseen.run, NOON + DAY)).toHaveProperty(
      'message',
      expect.stringMatching(/^bill run 8ad0 did not post by .* and was never seen; nothing was emailed\. Post it/),
    );
    const seen = begin({ input: { postDeadline: '1 day' }, billRun: { status: 'Completed' } }).pass(DAY);
    expect(seen.end).toHaveProperty(
      'message',
      expect.stringMatching(/^bill run BR-00000001 did not post by .* and is Completed; nothing was emailed\. Post it/),
    );
  });
});

describe('A look that fails for good', () => {
  test('after the post names what it leaves open', () => {
    const life = begin({ answers: [busy(HOUR)] });
    recordFailedLook(life.job, 'NotPosted', 'the bill run is gone');
    life.resend({ requestId: 'T-1' });
    expect(steps.nextStep(life.job, life.now)).toEqual({
      kind: 'fail',
      type: 'Unsettled',
      message: expect.stringMatching(/^the bill run is gone; send 1 .*; request T-1 /) as string,
    });
  });
});

describe('An attempt', () => {
  test('under way is waited for by its number', () => {
    let read: string | null = null;
    const reads = during((life) => (read = statusOf(life.job, life.now).waitingFor), accepts());
    begin({ answers: [busy(), reads] }).pass(MINUTE);
    expect(read).toBe("Zuora's answer to attempt 2");
  });

  test('that is due goes before a look at what Zuora shows, which only a hold lets in', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const send = sendIn(life);
    send.shown = null;
    const due = send.nextAttemptAt;
    expect(steps.nextStep(life.job, due)).toMatchObject({ kind: 'attempt' });
    life.job.held = true;
    expect(steps.nextStep(life.job, due)).toMatchObject({ kind: 'count', until: Infinity });
  });

  test('is not kept waiting by a look at what Zuora shows, which gives up when it is due', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR);
    const send = sendIn(life);
    send.shown = null;
    expect(steps.nextStep(life.job, life.now)).toEqual({ kind: 'count', send, until: send.nextAttemptAt });
    life.pass(12 * HOUR);
    sendIn(life).shown = null;
    expect(steps.nextStep(life.job, life.now)).toMatchObject({ kind: 'count', until: Infinity });
  });
});

describe('A question', () => {
  test('counts more than a hold, also while attempts go on', () => {
    const life = begin({ otherwise: cutOff() }).pass(HOUR).hold();
    const { state, waitingFor } = statusOf(life.job, life.now);
    expect([state, waitingFor]).toEqual(['NeedsAttention', expect.stringMatching(/^attempt \d+, after /)]);
  });

  test('is open since it came up, not since it is read', () => {
    const life = begin({ answers: [refuses()] }).pass(HOUR);
    expect(life.question?.since).toBe(iso(NOON));
  });

  test('stays as it is while a fresh look is under way', () => {
    const life = begin({ billRun: { lastEmailSentTime: iso(NOON) } });
    life.job.lookWanted = true;
    steps.settle(life.job, NOON + 2 * DAY);
    expect(sendIn(life)).toMatchObject({ outcome: 'pending', askedAt: NOON });
  });
});

describe('Requests', () => {
  const earlier = (came: 'accepted' | 'unknown' | 'refused') => ({
    requestIds: ['T-1'],
    attempts: [
      {
        runId: 'earlier-run',
        idempotencyKey: `bill-run-email/${POSTED.id}/resend/T-1/1`,
        trackId: 'bre-1',
        startedAt: NOON - HOUR,
        came: {
          called: true as const,
          startedAt: iso(NOON - HOUR),
          durationMs: 20,
          verdict: came,
          reasons: [],
          httpStatus: 200,
          zuoraRequestId: 'z-1',
          echoedTrackId: null,
          retryAfterMs: null,
        },
      },
    ],
  });

  test('that an earlier run began to serve wait for the resend that is open, and then go on', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-2' }, answers: [busy(HOUR)] });
    life.earlier = [earlier('unknown')];
    life.go().resend({ requestId: 'T-1' });
    expect(life.sends).toHaveLength(1);
    expect(life.job.repeated).toHaveLength(1);
    expect(life.ignored).toEqual([]);
    life.pass(2 * HOUR);
    expect(life.keys).toEqual(['resend/T-2/1', 'resend/T-2/1', 'resend/T-1/1']);
    expect(life.sends.map(({ ordinal }) => ordinal)).toEqual([1, 2]);
  });

  test('that an earlier run was refused are overtaken at once by a resend that came meanwhile', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' } });
    life.earlier = [earlier('refused')];
    life.resend({ requestId: 'T-2' });
    expect(life.keys).toEqual(['resend/T-2/1']);
    expect(life.sends.map(({ outcome }) => outcome)).toEqual(['superseded', 'accepted']);
  });

  test('that an earlier run served are ignored as what they are', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-2' }, answers: [busy(HOUR)] });
    life.earlier = [earlier('accepted')];
    life.go().resend({ requestId: 'T-1' });
    expect(life.job.ignored.last).toMatchObject([{ message: 'resend' }]);
  });

  test('go to another run a hundred at a time', () => {
    const life = new Life({ workflowId: 'email-bill-run/8ad09e208b1a' }).hold();
    for (let number = 1; number <= 100; number++) life.resend({ requestId: `T-${number}` });
    life.job.held = false;
    const step = life.step;
    expect(step).toMatchObject({ kind: 'handOver', to: 'email-bill-run/BR-00000001' });
    expect(step.kind === 'handOver' && step.requests).toHaveLength(100);
    expect(life.go().handedOver).toHaveLength(101);
  });
});

describe('A run that is closed', () => {
  test.each([
    ['joined', 'HandedOver'],
    ['canceled', 'Finished'],
  ] as const)('after its requests were %s by another is %s', (result, state) => {
    const life = new Life({ workflowId: 'email-bill-run/8ad09e208b1a', input: { requestId: 'JOB' } }).hold();
    recordHandover(life.job, [...life.job.queue], [{ requestId: 'JOB', result }]);
    life.job.held = false;
    life.job.finish = {};
    expect(life.step).toEqual({ kind: 'complete', state });
  });

  test('by cancellation says so of the send that it leaves, and by finish says that', () => {
    expect(begin({ answers: [refuses()] }).cancel().send.note).toContain('closed by cancellation');
    expect(begin({ answers: [refuses()] }).finish().send.note).not.toContain('cancellation');
  });
});
