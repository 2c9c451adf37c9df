/** Rules 9 and 10: what became of the documents, and what `retry` sends. */
import { describe, expect, test } from 'vitest';
import { documentsNotSent } from '../../../workflows/rules/documents.js';
import { checkInput as inputOf, plannedChecks, wantedCheck } from '../../../workflows/rules/following.js';
import { statusOf } from '../../../workflows/rules/status.js';
import {
  accepts,
  begin,
  breaks,
  cutOff,
  DAY,
  during,
  HOUR,
  iso,
  MINUTE,
  NOON,
  SECOND,
  type Life,
} from '../../support/life.js';

const checkInput = (job: Life['job']) => inputOf(job, { isWanted: wantedCheck(job) !== null });
const text = (life: Life): string => statusOf(life.job, life.now).text;

/** One document of three was not sent. */
const partly = () =>
  begin()
    .pass(5 * MINUTE)
    .check({ notSent: 1 });

describe('The state says what the last check showed', () => {
  test.each([
    [{}, undefined, 'Emailed', 'Zuora shows an email for 3 documents.'],
    [{ leftOut: 1 }, undefined, 'Emailed', '; 1 left out on purpose.'],
    [{ waiting: 1 }, undefined, 'Delivering', 'checks go on until 2026-03-03 12:00:00 UTC.'],
    [{ unknown: 1 }, undefined, 'Delivering', 'Zuora shows an email for 2 of 3 documents'],
    [
      { notSent: 1, waiting: 1 },
      undefined,
      'Delivering notSent',
      '1 of 3 documents was not sent: `INV-notSent-1` (`a cause`)',
    ],
    [{ notSent: 5 }, undefined, 'Delivering notSent', '5 of 5 documents were not sent: '],
    [{ unknown: 1 }, null, 'Delivering unknown', 'and the checks are over'],
  ] as const)('%j, next %s: %s', (counts, next, state, words) => {
    const life = begin()
      .pass(5 * MINUTE)
      .check(counts, next);
    expect(life.stateAndReason).toBe(state);
    expect(text(life)).toContain(words);
  });

  test('a job that is finished during a resend does not take the documents of the send before for its own', () => {
    const life = begin()
      .pass(5 * MINUTE)
      .check();
    expect(life.stateAndReason).toBe('Emailed');
    life.willAnswer(during((it) => it.finish(), accepts())).resend({ requestId: 'A' });
    expect(life.end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: null });
    expect(life.sends.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
  });

  test.each([
    ['finish', {}, { state: 'Emailed', reason: null }, 0],
    ['finish', { notSent: 1 }, { state: 'Delivering', reason: 'notSent' }, 1],
    ['cancel', {}, { state: 'Emailed', reason: null }, 0],
    ['cancel', { notSent: 1 }, { state: 'Delivering', reason: 'notSent' }, 1],
  ] as const)(
    '%s keeps what the checks showed of documents that Zuora emails by itself: %j',
    (how, counts, state, notSent) => {
      const life = begin({ billRun: { autoEmail: true } }).check(counts);
      life[how]();
      expect(life.end).toMatchObject(state);
      expect(documentsNotSent(life.job)).toBe(notSent);
      expect(statusOf(life.job, life.now).documents).not.toBeNull();
    },
  );

  test('openFor counts from the last change of a document, and the job keeps its state', () => {
    const life = begin({ input: { openFor: '1 hour' } })
      .pass(30 * MINUTE)
      .check({ notSent: 1 });
    expect(statusOf(life.job, life.now).until).toBe(iso(NOON + 90 * MINUTE));
    expect(life.pass(HOUR).end).toMatchObject({ kind: 'complete', state: 'Delivering', reason: 'notSent' });
  });

  test('with openFor 0s it closes at the acceptance', () => {
    expect(begin({ input: { openFor: '0s' } }).end?.state).toBe('Delivering');
  });

  test('the count is there from the first check on, and gone after a new acceptance', () => {
    const life = begin();
    expect(documentsNotSent(life.job)).toBeNull();
    expect(documentsNotSent(life.pass(5 * MINUTE).check({ notSent: 2 }).job)).toBe(2);
    expect(documentsNotSent(life.resend().job)).toBeNull();
  });
});

describe('Checks', () => {
  test('go on until nothing is waiting or unknown, or the last one is over', () => {
    const life = begin();
    expect(plannedChecks(life.job)).not.toBeNull();
    expect(plannedChecks(life.check({ waiting: 1 }).job)).not.toBeNull();
    expect(plannedChecks(life.check({ unknown: 1 }).job)).not.toBeNull();
    expect(plannedChecks(life.check({ notSent: 1 }).job)).toBeNull();
    expect(plannedChecks(life.check({ waiting: 1 }, null).job)).toBeNull();
  });

  test('are not ended by messages, and a new acceptance begins them anew', () => {
    const life = begin().check({ waiting: 1 });
    const before = plannedChecks(life.job);
    life.hold().release().retry({ ordinal: 7 }).continueAsNew();
    expect(plannedChecks(life.job)).toBe(before);
    life.resend();
    expect(plannedChecks(life.job)).not.toBe(before);
    expect(checkInput(life.job)).toMatchObject({ resend: true, since: life.now, from: life.now });
    expect(checkInput(life.job)).not.toHaveProperty('previous');
  });

  test('of a first send keep what was emailed, and those of a resend the last email before it', () => {
    const life = begin().pass(MINUTE).check({ notSent: 1 });
    const { check } = life.job.delivery ?? {};
    Object.assign(check?.memory ?? {}, { emailed: ['creditMemo CM-1'], latest: '2026-03-02T12:00:30' });
    const resent = begin().pass(MINUTE).check();
    Object.assign(resent.job.delivery?.check?.memory ?? {}, { latest: '2026-03-02T12:00:30' });
    expect(checkInput(resent.resend().job)).toMatchObject({ before: '2026-03-02T12:00:30' });
    life.pass(MINUTE).retry({ sendAnyway: true });
    expect(life.keys).toEqual(['first/1', 'first/2']);
    expect(checkInput(life.job)).toMatchObject({ resend: false, memory: { emailed: ['creditMemo CM-1'] } });
  });

  test('of emails by others count from the last of these, and begin anew with further ones', () => {
    const [posted, emailed] = [iso(NOON - 2 * DAY), NOON - HOUR];
    const life = begin({ billRun: { invoicesEmailed: true, postedDate: posted, lastEmailSentTime: iso(emailed) } });
    expect(checkInput(life.job)).toMatchObject({ since: NOON - 2 * DAY, from: emailed });
    life.retry().check({ waiting: 1 }).pass(HOUR);
    expect(checkInput(life.job)).toHaveProperty('previous');
    life.change({ lastEmailSentTime: iso(life.now - MINUTE) }).retry();
    expect(checkInput(life.job)).toMatchObject({ from: life.now - MINUTE, now: true });
    expect(checkInput(life.job)).not.toHaveProperty('previous');
    life.check({ waiting: 1 }).pass(DAY - 2 * MINUTE);
    expect([life.stateAndReason, life.calls]).toEqual(['Waiting coolDown', []]);
    expect(life.pass(MINUTE).keys).toEqual(['first/1']);
  });

  test('that go on beside each other: the one that looked last counts', () => {
    const life = begin().pass(HOUR).check({ notSent: 1 });
    life.now -= MINUTE;
    expect(life.check({ waiting: 1 }).stateAndReason).toBe('Delivering notSent');
  });

  test('are made for a question about an unknown outcome, and decide nothing', () => {
    const life = begin({ answers: [breaks()], input: { sendBudget: '1s' } });
    expect(life.stateAndReason).toBe('NeedsAttention unknown');
    expect(checkInput(life.job)).toMatchObject({ since: NOON, from: NOON });
    life.check({ waiting: 1 });
    expect(life.question?.text).toMatch(
      /Zuora showed an email for 2 of 3 documents\. The others may still be on their way/,
    );
    expect([life.stateAndReason, life.calls.length, documentsNotSent(life.job)]).toEqual([
      'NeedsAttention unknown',
      1,
      null,
    ]);
  });
});

describe('retry of what was not sent', () => {
  test('checks first, and sends at once if that accounts for every document', () => {
    const life = partly();
    // Our own emails would delay any other first send.
    life.change({ lastEmailSentTime: iso(NOON + SECOND), invoicesEmailed: true });
    life.pass(MINUTE).retry({ requestId: 'R-1', requestedBy: 'ann' });
    expect([life.stateAndReason, life.calls.length]).toEqual(['Delivering notSent', 1]);
    expect(checkInput(life.job)).toMatchObject({ now: true });
    life.pass(SECOND).check({ notSent: 1 });
    expect(life.calls).toMatchObject([{}, { resend: false, requestIds: ['R-1'], look: { accountedAt: life.now } }]);
    expect(life.keys).toEqual(['first/1', 'first/2']);
    expect(life.send).toMatchObject({
      ordinal: 2,
      outcome: 'accepted',
      requests: [{ requestId: 'R-1', missing: true }],
    });
  });

  test('waits for the cool-down after an email that somebody else caused since', () => {
    const late = partly().pass(30 * MINUTE);
    late.retry();
    late.change({ lastEmailSentTime: iso(late.now + SECOND) });
    late.check({ notSent: 1 });
    expect([late.stateAndReason, late.calls.length]).toEqual(['Delivering notSent', 1]);
    expect(late.pass(DAY + MINUTE).keys).toEqual(['first/1', 'first/2']);
  });

  test.each([
    { notSent: 1, waiting: 1 },
    { notSent: 1, unknown: 1 },
  ])('with %j, waits until nothing is on its way any more, also by the next check', (counts) => {
    const life = partly().pass(MINUTE).retry().check(counts).pass(HOUR);
    expect([life.stateAndReason, life.calls.length]).toEqual(['Delivering notSent', 1]);
    expect(text(life)).toContain('may still be on their way');
    life.continueAsNew().check({ notSent: 1 });
    expect(life.calls).toHaveLength(2);
    const patient = partly().pass(MINUTE).retry().check(counts).pass(DAY);
    expect(patient.keys).toEqual(['first/1', 'first/2']);
  });

  test('sends nothing if nothing is missing any more, and says so to the next one', () => {
    const life = partly().pass(MINUTE).retry().check();
    expect([life.stateAndReason, life.calls.length]).toEqual(['Emailed', 1]);
    expect(life.send).toMatchObject({
      outcome: 'stopped',
      attempts: [],
      note: expect.stringContaining('not attempted') as string,
    });
    expect(life.update('retry', {})).toContain('nothing is missing');
    expect(life.finish().end).toMatchObject({ kind: 'complete', state: 'Emailed' });
  });

  test('is rejected while nothing is known to be missing; with sendAnyway it sends', () => {
    const early = begin();
    expect(early.update('retry', {})).toContain('not checked yet');
    const unknown = begin().check({ unknown: 1 });
    expect(unknown.update('retry', {})).toContain('no document is known to be not sent');
    expect(unknown.retry({ sendAnyway: true }).keys).toEqual(['first/1', 'first/2']);
    expect(unknown.send.decisions).toMatchObject([{ decision: 'sendAnyway', requestedBy: 'carol' }]);
  });

  test('by another ordinal is rejected; by the same request id it changes nothing', () => {
    const life = partly();
    expect(life.update('retry', { ordinal: 3 })).toContain('send 1 is open, not send 3');
    life.pass(MINUTE).retry({ ordinal: 1, requestId: 'R-1' }).retry({ requestId: 'R-1' }).check({ notSent: 1 });
    life.retry({ requestId: 'R-1' }).check({ notSent: 1 });
    expect(life.keys).toEqual(['first/1', 'first/2']);
  });

  test('on a held job waits for the release, and a resend takes its place', () => {
    const held = partly().hold().pass(MINUTE).retry().check({ notSent: 1 });
    expect([held.stateAndReason, held.calls.length]).toEqual(['Held job', 1]);
    expect(held.release().calls).toHaveLength(2);
    const resent = partly().pass(MINUTE).retry().resend({ requestId: 'T-1' });
    expect(resent.keys).toEqual(['first/1', 'resend/T-1/1']);
    expect(resent.sends.map(({ outcome }) => outcome)).toEqual(['accepted', 'superseded', 'accepted']);
  });

  test('of an unknown outcome goes on under its key', () => {
    const life = partly().willAnswer(cutOff()).pass(MINUTE).retry().check({ notSent: 1 }).pass(HOUR);
    expect(life.keys).toEqual(['first/1', 'first/2', 'first/2']);
    expect(life.send.outcome).toBe('accepted');
  });
});

describe('A job for what earlier jobs left unsent', () => {
  const missing = { missing: true, requestId: 'R-1' };

  test('has their send in its record, checks, and sends under the next key', () => {
    const life = partly().finish().pass(DAY).startAgain(missing);
    expect(life.sends).toMatchObject([{ outcome: 'accepted' }, { outcome: 'pending', requests: [{ missing: true }] }]);
    expect(checkInput(life.job)).toMatchObject({ since: NOON, from: NOON, now: true });
    expect(life.check({ notSent: 1 }).keys).toEqual(['first/1', 'first/2']);
  });

  test('of a request that was served before sends nothing', () => {
    const life = partly().finish().startAgain(missing).check({ notSent: 1 }).check({ notSent: 1 }).finish();
    life.startAgain(missing).check({ notSent: 1 }).pass(DAY);
    expect(life.keys).toEqual(['first/1', 'first/2']);
    life.finish().startAgain({ missing: true, requestId: 'R-2' }).check({ notSent: 1 });
    expect(life.keys).toEqual(['first/1', 'first/2', 'first/3']);
  });

  test('continues an unknown send of theirs, after its termination as well', () => {
    const life = partly().willAnswer(cutOff()).pass(MINUTE).retry().check({ notSent: 1 });
    expect(life.keys).toEqual(['first/1', 'first/2']);
    life.startAgain(missing).pass(HOUR);
    expect(life.keys).toEqual(['first/1', 'first/2', 'first/2']);
    expect(life.send).toMatchObject({ outcome: 'accepted', resend: false });
  });

  test('takes a sendAnyway before it has looked at anything', () => {
    const life = partly().finish();
    life.unreadable.add('lookUp');
    life.startAgain(missing).retry({ sendAnyway: true });
    life.unreadable.clear();
    expect(life.pass(MINUTE).keys).toEqual(['first/1', 'first/2']);
    expect(life.ignored).toEqual([]);
  });

  test('of a bill run that was never emailed is invalid, and one that others emailed is not', () => {
    expect(begin({ input: missing }).end).toMatchObject({ kind: 'fail', type: 'InvalidInput' });
    const others = begin({ input: missing, billRun: { invoicesEmailed: true } });
    expect([others.end, others.calls]).toEqual([undefined, []]);
    expect(others.check({ notSent: 1 }).keys).toEqual(['first/1']);
  });
});
