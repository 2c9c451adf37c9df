/** What a job does by itself between two steps: it begins sends for requests, closes them, and notes what a person is asked. */
import { describe, expect, test } from 'vitest';
import { recordEarlier, recordLook } from '../../../workflows/rules/job.js';
import { receiveRetry } from '../../../workflows/rules/messages.js';
import { questionOf } from '../../../workflows/rules/next-step.js';
import {
  accepts,
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
  refuses,
  SECOND,
} from '../../support/life.js';

const RISK = { sendAnyway: true, requestedBy: 'carol', reason: 'checked' };

/** One document of three was not sent. */
const partly = (): Life => begin().pass(MINUTE).check({ notSent: 1 }).pass(MINUTE);

const idsOf = ({ sends }: Life) => sends.map(({ requests }) => requests.map(({ requestId }) => requestId));

/** What an earlier job did for the resend T-1, and for those of the other names. */
const earlier = (verdict: 'accepted' | 'unknown' | 'refused', ...others: readonly string[]) => ({
  requestIds: ['T-1', ...others],
  first: false,
  attempts: [earlierAttempt(verdict, NOON - HOUR)],
});

describe('Requests', () => {
  test('that an earlier job began to serve show as Sending before they are taken up', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' } });
    recordLook(life.job, life.billRun, life.now);
    const found = { sends: [earlier('unknown')], accepted: 0, resends: [], unreadable: [] };
    recordEarlier(life.job, [...life.job.incoming], found);
    expect([life.job.queue, life.job.repeated.length, life.stateAndReason]).toEqual([[], 1, 'Sending']);
  });

  test('that an earlier job began to serve wait for the resend that is open, and then continue', () => {
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

  test('that Zuora refused to an earlier job are superseded at once by a resend that arrived meanwhile', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-1' } });
    life.earlier = [earlier('refused')];
    life.resend({ requestId: 'T-2' });
    expect(life.keys).toEqual(['resend/T-2/1']);
    expect(life.sends.map(({ outcome }) => outcome)).toEqual(['superseded', 'accepted']);
  });

  test('that an earlier job served are ignored under their own name', () => {
    const life = new Life({ input: { resend: true, requestId: 'T-2' }, answers: [busy(HOUR)] });
    life.earlier = [earlier('accepted')];
    life.go().resend({ requestId: 'T-1' });
    expect(life.job.ignored.last).toMatchObject([{ message: 'resend' }]);
  });

  test('that an earlier job served leave the first send waiting for its cool-down', () => {
    const life = new Life({ input: { requestId: 'JOB' }, billRun: { lastEmailSentTime: iso(NOON) } });
    life.earlier = [earlier('accepted')];
    life.resend({ requestId: 'T-1' });
    expect(idsOf(life)).toEqual([['T-1'], ['JOB']]);
    expect(life.stateAndReason).toBe('Waiting coolDown');
    expect(life.pass(MINUTE).check({ notSent: 1 }).stateAndReason).toBe('Waiting coolDown');
  });
});

describe('A request begins no send', () => {
  test('before the post, so one send serves all that were made until then', () => {
    const life = begin({ billRun: { status: 'Completed' }, earlierRun: '' });
    expect(life.sends).toEqual([]);
    life.resend({ requestId: 'T-1' }).change({ status: 'Posted' });
    expect(idsOf(life)).toEqual([['first-run-0', 'T-1']]);
  });

  test('in an alias, which hands it over', () => {
    const life = begin({ workflowId: 'email-bill-run/8ad09e208b1a', earlierRun: '', input: { requestId: 'JOB' } });
    expect([life.sends, life.handedOver]).toEqual([[], ['JOB to email-bill-run/BR-00000001']]);
  });

  test('until all that came with it are looked up, so one send serves them', () => {
    const life = partly();
    receiveRetry(life.job, { requestId: 'R-1' }, life.now);
    life.resend({ requestId: 'T-1' });
    expect(idsOf(life)).toEqual([['first-run-0'], ['R-1', 'T-1']]);
    expect(life.keys).toEqual(['first/1', 'resend/T-1/1']);
  });
});

describe('The hold on all keeps back only what is due, so the job closes in time', () => {
  const closes = (life: Life): unknown => life.pass(8 * DAY).end;

  test.each([
    ['emailed', {}],
    ['that Zuora emails by itself', { autoEmail: true }],
  ])('once a check shows every document of a bill run %s', (_, billRun) => {
    const life = begin({ billRun }).pass(MINUTE).check({ notSent: 1 });
    life.allOnHold = true;
    life.retry().pass(SECOND).check({ notSent: 1 });
    expect(life.stateAndReason).toBe('Held all');
    life.check();
    expect(life.job).toMatchObject({ heldByAll: false, onHoldSince: null });
    expect(closes(life)).toMatchObject({ kind: 'complete', state: 'Emailed' });
  });
});

describe('A send for what was missed', () => {
  test('has nothing to send once a check shows every document, and is closed', () => {
    const life = partly().hold().retry().pass(SECOND).check();
    const note = 'not attempted: every document was sent, or is left out on purpose';
    expect(life.send).toMatchObject({ ordinal: 2, outcome: 'stopped', settledAt: iso(life.now), note });
    expect(life.job.sends.at(-1)?.notNeeded).toBe('nothingMissing');
  });

  test('stays open if Zuora emails by itself: a later retry is for the same send', () => {
    const life = begin({ billRun: { autoEmail: true } })
      .pass(MINUTE)
      .check({ notSent: 1 });
    life.hold().retry().pass(SECOND).check();
    const note = 'not attempted: Zuora should email the documents by itself (autoEmail is on)';
    expect(life.sends).toMatchObject([{ ordinal: 1, outcome: 'stopped', settledAt: null, note }]);
  });

  test('takes the number after those of the first sends, whatever numbers a resend used', () => {
    const life = begin().willAnswer(refuses()).resend({ requestId: 'T-1' }).retry();
    life.pass(MINUTE).check({ notSent: 1 }).retry().pass(SECOND).check({ notSent: 1 });
    expect(life.keys).toEqual(['first/1', 'resend/T-1/1', 'resend/T-1/2', 'first/2']);
  });
});

test('A person who takes the risk of a look-up does not take that of the cool-down', () => {
  const life = new Life({ billRun: { lastEmailSentTime: iso(NOON) } });
  life.unreadable.add('lookUp');
  life.go().pass(HOUR).retry(RISK);
  expect([life.stateAndReason, life.keys]).toEqual(['Waiting coolDown', []]);
  expect(life.send.decisions).toMatchObject([{ decision: 'sendAnyway' }]);
});

describe('A job that a person opens again', () => {
  test('retries what it takes up for its own request and for others', () => {
    const life = new Life({ input: { again: true, resend: true, requestId: 'T-1' } });
    life.earlier = [earlier('refused', 'T-2')];
    life.resend({ requestId: 'T-2' });
    expect([idsOf(life), life.keys]).toEqual([[['T-1', 'T-2']], ['resend/T-1/2']]);
  });

  test('retries no resend that has only the name of its own first request', () => {
    const life = new Life({ input: { again: true, requestId: 'T-1' } });
    life.earlier = [earlier('refused')];
    life.resend({ requestId: 'T-1' });
    expect([life.question?.kind, life.keys]).toEqual(['refused', []]);
  });

  test('retries nothing that Zuora accepted', () => {
    const life = begin().startAgain({ again: true });
    expect(life.send).toMatchObject({ outcome: 'accepted', decisions: [] });
  });

  test('takes no risk: if a hold keeps the retry back until Zuora may have forgotten the key, a person is asked', () => {
    const life = begin({ answers: [cutOff()] })
      .finish()
      .pass(22.75 * HOUR);
    life.startAgain({ again: true, hold: true });
    expect(life.job.sends[0]?.retry).toEqual({ sendAnyway: false, begun: false, at: life.now });
    life.pass(HOUR / 2).release();
    expect(life.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    expect(life.keys).toEqual(['first/1']);
  });
});

test('A send that is accepted while the job is finished has documents of its own', () => {
  const life = begin({ billRun: { autoEmail: true } }).check({ notSent: 1 });
  expect(life.stateAndReason).toBe('Delivering notSent');
  life.willAnswer(during((it) => it.finish(), accepts())).retry(RISK);
  expect(life.end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: null });
});

describe('A question names what Zuora shows of its own send', () => {
  const EVIDENCE = 'Zuora showed an email';

  test('but not of the send before, as long as the question has only come up by time', () => {
    const { job, now } = begin().pass(MINUTE).check().willAnswer(cutOff(), cutOff()).resend({ requestId: 'T-1' });
    const question = questionOf(job, now + 16 * MINUTE);
    expect(question).toMatchObject({ ordinal: 2, kind: 'unknown' });
    expect(question?.text).not.toContain(EVIDENCE);
  });

  test('but not if it is about a read', () => {
    const life = begin({ billRun: { autoEmail: true } })
      .pass(MINUTE)
      .check({ notSent: 1 });
    life.unreadable.add('look');
    life.retry().pass(HOUR);
    expect(life.question).toMatchObject({ ordinal: 1, kind: 'cannotRead' });
    expect(life.question?.text).not.toContain(EVIDENCE);
  });

  test('but not of the send before, if a reset raises the question', () => {
    const resets = [makesNoCall('afterReset'), makesNoCall('afterReset')];
    const life = begin()
      .pass(MINUTE)
      .check()
      .willAnswer(...resets)
      .resend({ requestId: 'T-1' });
    expect(life.question).toMatchObject({ ordinal: 2, kind: 'unknown' });
    expect(life.question?.text).not.toContain(EVIDENCE);
  });
});
