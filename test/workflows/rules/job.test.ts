/** The record of a job: how it begins, which requests it keeps, what was accepted, and what it leaves open. */
import { describe, expect, test } from 'vitest';
import type { BillRun } from '../../../workflows/contract/activities.js';
import {
  acceptedResends,
  acceptedSends,
  enqueue,
  ignore,
  isEmailedByOthers,
  isKnown,
  joinableSendOf,
  openJob,
  openResend,
  openSendOf,
  ownRequestId,
  pendingRequests,
  remember,
  unsettledOf,
  type EmailJob,
} from '../../../workflows/rules/job.js';
import type { Send } from '../../../workflows/rules/send.js';
import { begin, busy, cutOff, HOUR, iso, Life, NOON, POSTED, refuses, type Circumstances } from '../../support/life.js';

const ids = { workflowId: 'email-bill-run/BR-00000001', firstRunId: 'run-1', now: NOON };
const settingsOf = (input: Circumstances['input']) => new Life(input === undefined ? {} : { input }).job.settings;
const bytes = (text: string): number => Buffer.byteLength(text);
const requestOf = (requestId: string, rest: object = {}) => ({
  ...{ requestId, resend: false, requestedAt: iso(NOON) },
  ...rest,
});
const coolDown = { billRun: { lastEmailSentTime: iso(NOON) } };

/** The open send of a job that has attempted nothing. */
function waitingSend(job: EmailJob): Send {
  const send = openSendOf(job);
  if (send === undefined) throw new Error('no send is open');
  return send;
}

describe('A job begins', () => {
  const own = requestOf('run-1-0');
  const plain = {
    ...{ workflowId: ids.workflowId, firstRunId: 'run-1', startedAt: NOON },
    ...{ billRun: null, lookedAt: 0, lookWanted: false, postingFailed: false, hinted: false, hintFollowedAt: 0 },
    ...{ unreadable: null, failedLook: null, reading: null, revision: 0, incoming: [own] },
    earlier: { accepted: 0, resends: [], unreadable: [] },
    ...{ earlierNotSent: null, earlierRun: null, resetRun: null, queue: [], repeated: [] },
    requestNames: { 'first run-1-0': true },
    requestBytes: bytes(JSON.stringify(own)) + bytes('first run-1-0'),
    ...{ unnamedRequests: 0, sends: [], delivery: null, checks: 0, handedOver: [], held: false, heldBy: null },
    ...{ heldByAll: false, onHoldSince: null, finish: null, canceled: false, ignored: { count: 0, last: [] } },
    ...{ stateSince: null, notices: { question: null, notSent: 0, checkedAt: null, closed: null, counts: {} } },
    notifying: 0,
  };

  test('with nothing known, and its own request, which an earlier job may have served', () => {
    const settings = settingsOf(undefined);
    expect(openJob(settings, ids)).toStrictEqual({ settings, ...plain });
  });

  test('with what the starter knows of earlier jobs', () => {
    const job = openJob(settingsOf({}), { ...ids, earlierRun: '', accepted: 2, resends: ['T-1'], notSent: 3 });
    expect(job).toMatchObject({ earlier: { accepted: 2, resends: ['T-1'], unreadable: [] }, earlierNotSent: 3 });
    // It is the first job of its id, so nothing has to be looked up. The last one gave notice of the documents.
    expect(job).toMatchObject({ queue: [own], incoming: [], notices: { notSent: 3 } });
  });

  test('on hold by its own input, and says by whom and since when', () => {
    const note = { requestedBy: 'Anna Müller', reason: 'month end' };
    const job = openJob(settingsOf({ hold: true, ...note }), ids);
    expect(job).toMatchObject({ held: true, heldBy: { ...note, at: NOON }, onHoldSince: NOON });
    const request = requestOf('run-1-0', note);
    expect(job.incoming).toEqual([request]);
    // In bytes: the ü has two.
    expect(job.requestBytes).toBe(JSON.stringify(request).length + 1 + 'first run-1-0'.length);
  });

  test.each([
    [{ requestId: 'T-1' }, 'T-1', {}, { 'first T-1': true }],
    [{ requestId: 'T-1', resend: true }, 'T-1', { resend: true }, { 'resend T-1': true }],
    // The same name as the `retry` that asks for it.
    [{ missing: true, requestId: 'R' }, 'R', { missing: true }, { 'first R': true, 'retry R': true }],
    [{ missing: true }, 'run-1-0', { missing: true }, { 'first run-1-0': true, 'retry run-1-0': true }],
  ])('with the request of %j', (input, requestId, rest, names) => {
    const job = openJob(settingsOf(input), ids);
    expect(ownRequestId(job)).toBe(requestId);
    expect(job.incoming).toStrictEqual([requestOf(requestId, rest)]);
    expect(job.requestNames).toStrictEqual(names);
  });
});

describe('A request', () => {
  test.each<readonly [string, () => Life, boolean, 'queue' | 'incoming']>([
    ['that is plain, after a first send', begin, false, 'incoming'],
    ['for what a first send with an attempt missed', begin, true, 'queue'],
    ['for what was missed, before any attempt', () => begin(coolDown), true, 'incoming'],
    ['for what was missed, after a resend', () => begin({ input: { resend: true, requestId: 'T' } }), true, 'incoming'],
  ])('%s waits in the right list, since earlier jobs may have served it', (_, begins, missing, list) => {
    const { job } = begins();
    const before = job.requestBytes;
    enqueue(job, { reason: 'why' }, { requestId: 'N', resend: false, ...(missing ? { missing } : {}), now: NOON });
    const request = requestOf('N', { ...(missing ? { missing } : {}), reason: 'why' });
    expect({ queue: job.queue, incoming: job.incoming }).toStrictEqual({ queue: [], incoming: [], [list]: [request] });
    expect(job.requestBytes).toBe(before + bytes(JSON.stringify(request)) + bytes('first N'));
  });

  test('is known by its kind and its id', () => {
    const { job } = new Life();
    remember(job, 'retry', 'T-1');
    expect(job.requestNames).toEqual({ 'first first-run-0': true, 'retry T-1': true });
    expect(isKnown(job, 'retry', 'T-1')).toBe(true);
    expect(isKnown(job, 'resend', 'T-1')).toBe(false);
    expect(isKnown(job, 'retry', 'T-2')).toBe(false);
  });

  test('is pending until a send serves it, in the order of arrival', () => {
    const { job } = new Life();
    const [A, B, C, D] = ['A', 'B', 'C', 'D'].map((id) => requestOf(id));
    if (A === undefined || B === undefined || C === undefined || D === undefined) throw new Error('four requests');
    Object.assign(job, { incoming: [D], queue: [C], repeated: [{ requests: [A, B], attempts: [] }] });
    expect(pendingRequests(job)).toEqual([A, B, C, D]);
  });

  test('joins only a resend without an attempt', () => {
    const resend = { resend: true, requestId: 'T-1' };
    const held = begin({ input: { ...resend, hold: true } });
    expect(joinableSendOf(held.job)).toBe(held.job.sends[0]);
    expect(joinableSendOf(begin({ input: { hold: true } }).job)).toBeUndefined();
    expect(joinableSendOf(begin({ input: resend, answers: [busy(HOUR)] }).job)).toBeUndefined();
    expect(joinableSendOf(begin({ input: resend }).job)).toBeUndefined();
    expect(joinableSendOf(new Life().job)).toBeUndefined();
  });
});

test('An ignored message is kept with 60 characters of its name and 500 of the reason: the last 50, and the count of all', () => {
  const { job } = new Life();
  ignore(job, 'm'.repeat(61), 'r'.repeat(501), NOON);
  const first = { message: 'm'.repeat(60), at: iso(NOON), reason: 'r'.repeat(500) };
  expect(job.ignored).toEqual({ count: 1, last: [first] });
  for (let index = 2; index <= 50; index++) ignore(job, 'hold', `reason ${index}`, NOON);
  expect(job.ignored.last).toHaveLength(50);
  expect(job.ignored.last[0]).toEqual(first);
  ignore(job, 'hold', 'reason 51', NOON);
  expect(job.ignored.count).toBe(51);
  expect(job.ignored.last.map(({ reason }) => reason)).toEqual(
    Array.from({ length: 50 }, (_, index) => `reason ${index + 2}`),
  );
});

describe('Accepted sends', () => {
  test('are those of earlier jobs and of this one, each once', () => {
    const life = begin().resend({ requestId: 'T-1' });
    life.willAnswer(busy(HOUR)).resend({ requestId: 'T-2' });
    const { job } = life;
    expect(acceptedSends(job)).toBe(2);
    job.earlier = { ...job.earlier, accepted: 3 };
    expect(acceptedSends(job)).toBe(5);
    // An earlier job made the attempt, so the earlier ones count it.
    const [send] = job.sends;
    const [attempt] = send?.attempts ?? [];
    if (send === undefined || attempt === undefined) throw new Error('no attempt');
    send.attempts.splice(0, 1, { ...attempt, runId: 'earlier-run' });
    expect(acceptedSends(job)).toBe(4);
    // The attempt that Zuora accepted decides.
    send.attempts.push({ ...attempt, verdict: 'refused' });
    expect(acceptedSends(job)).toBe(4);
    send.attempts.unshift({ ...attempt, verdict: 'unknown', runId: 'earlier-run' });
    send.attempts.splice(1, 1, attempt);
    expect(acceptedSends(job)).toBe(5);
  });

  test.each<readonly [string, BillRun | null, boolean]>([
    ['unknown', null, false],
    ['not emailed', POSTED, false],
    ['emailed by Zuora', { ...POSTED, autoEmail: true }, true],
    ['emailed by somebody', { ...POSTED, invoicesEmailed: true }, true],
    ['not emailed, and Zuora says so', { ...POSTED, autoEmail: false, invoicesEmailed: false }, false],
  ])('tell our emails from those of others: a bill run that is %s', (_, billRun, expected) => {
    const { job } = begin(coolDown);
    job.billRun = billRun;
    expect(isEmailedByOthers(job)).toBe(expected);
    const send = waitingSend(job);
    job.sends.push({ ...send });
    send.outcome = 'accepted';
    expect(isEmailedByOthers(job)).toBe(false);
  });

  test('of resends count up to the last accepted one, which took the place of those before it', () => {
    const { job } = begin();
    job.earlier = { ...job.earlier, resends: ['E-1', 'T-1'] };
    const [template] = job.sends;
    const add = (outcome: Send['outcome'], resend: boolean, ...requestIds: readonly string[]): void => {
      const requests = requestIds.map((id) => requestOf(id, { resend: id.startsWith('T-') }));
      Object.assign(job, { sends: [...job.sends, { ...template, outcome, resend, requests }] });
    };
    expect(acceptedResends(job)).toEqual(['E-1', 'T-1']);
    add('superseded', true, 'T-1', 'T-2');
    expect(acceptedResends(job)).toEqual(['E-1', 'T-1']);
    add('accepted', true, 'F-1', 'T-3');
    add('accepted', false, 'F-2', 'T-9');
    add('pending', true, 'T-4');
    expect(acceptedResends(job)).toEqual(['E-1', 'T-1', 'T-2', 'T-3']);
    job.earlier = { ...job.earlier, resends: Array.from({ length: 50 }, (_, index) => `E-${index}`) };
    expect(acceptedResends(job)).toHaveLength(50);
    expect(acceptedResends(job).slice(46)).toEqual(['E-49', 'T-1', 'T-2', 'T-3']);
  });
});

describe('What a job leaves open', () => {
  const resend = { resend: true, requestId: 'T-1' };

  test.each<readonly [string, Life, readonly string[], string | undefined]>([
    ['nothing of an accepted send', begin(), [], undefined],
    ['nothing of what needs no send', begin({ billRun: { autoEmail: true } }), [], undefined],
    [
      'a send that was not executed',
      begin(coolDown),
      ['send 1 (first send): it was not executed, and nothing was sent'],
      undefined,
    ],
    [
      'a send that Zuora refused, while the resend before it was accepted',
      begin({ input: resend }).willAnswer(refuses()).resend({ requestId: 'T-2' }),
      ['send 2 (resend): Zuora refused it, and nothing was sent'],
      'T-2',
    ],
    [
      'only the last of its sends',
      begin({ answers: [busy(HOUR), refuses()] }).resend({ requestId: 'T-2' }),
      ['send 2 (resend): Zuora refused it, and nothing was sent'],
      'T-2',
    ],
    [
      'a send whose attempts have no clear answer',
      begin({ input: resend, answers: [cutOff()] }),
      ['send 1 (resend): it is not known whether the documents were emailed'],
      'T-1',
    ],
    [
      'a send that is closed as unknown',
      begin({ answers: [cutOff()] }).finish(),
      ['send 1 (first send): it is not known whether the documents were emailed'],
      undefined,
    ],
    [
      'requests for which no send was begun',
      begin({ billRun: { status: 'Completed' } })
        .resend({ requestId: 'T-1' })
        .resend({ requestId: 'T-2' }),
      [
        'request first-run-0 (first send): no send was begun for it',
        'request T-1 (resend): no send was begun for it',
        'request T-2 (resend): no send was begun for it',
      ],
      'T-2',
    ],
  ])('%s', (_, { job }, unsettled, requestId) => {
    expect(unsettledOf(job)).toEqual(unsettled);
    expect(openResend(job)?.requestId).toBe(requestId);
  });

  test('also for a reset that a person has not decided about', () => {
    const { job } = begin(coolDown);
    Object.assign(waitingSend(job), { outcome: 'unknown' });
    expect(unsettledOf(job)).toEqual(['send 1 (first send): it is not known whether the documents were emailed']);
  });

  test('of the requests that it handed over: those that a person stopped, and all during a hold', () => {
    const { job } = begin({ workflowId: 'email-bill-run/8ad09e208b1a' });
    expect(unsettledOf(job)).toEqual([]);
    job.handedOver.push({ requestId: 'S', result: 'stopped' });
    const stopped = 'request S: a person stopped email-bill-run/BR-00000001; start it with "again" to go on';
    expect(unsettledOf(job)).toEqual([stopped]);
    job.held = true;
    const hold = 'the hold came after the requests were handed over; hold email-bill-run/BR-00000001';
    expect(unsettledOf(job)).toEqual([stopped, hold]);
    job.handedOver.splice(0);
    expect(unsettledOf(job)).toEqual([]);
  });
});
