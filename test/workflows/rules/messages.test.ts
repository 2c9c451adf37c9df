/** What each message does, what it answers, and why it is rejected or ignored. */
import { describe, expect, test } from 'vitest';
import { enqueue, openSendOf, pendingRequests, type EmailJob } from '../../../workflows/rules/job.js';
import * as messages from '../../../workflows/rules/messages.js';
import type { Send } from '../../../workflows/rules/send.js';
import {
  begin,
  breaks,
  busy,
  cutOff,
  during,
  HOUR,
  iso,
  Life,
  MINUTE,
  NOON,
  refuses,
  repeats,
  replies,
} from '../../support/life.js';

const coolDown = { billRun: { lastEmailSentTime: iso(NOON) } };
const unposted = { billRun: { status: 'Completed' } };
const RISK = { sendAnyway: true, requestedBy: 'ann', reason: 'checked' };
const FULL = 'the job has as many requests as it can keep; finish it, and ask again';
const NO_QUESTION = 'no question is open';

const idsOf = (job: EmailJob) => pendingRequests(job).map(({ requestId }) => requestId);
const lastIgnored = ({ ignored }: EmailJob) => ignored.last.at(-1);

function openSend({ job }: Pick<Life, 'job'>): Send {
  const send = openSendOf(job);
  if (send === undefined) throw new Error('no send is open');
  return send;
}

/** A job with so many bytes of requests. */
function filled(bytes: number, life = begin(unposted)): Life {
  life.job.requestBytes = bytes;
  return life;
}

/** A new job for what the last one left, which cannot look anything up. */
function waitingForMissing(): Life {
  const life = begin().finish();
  life.unreadable.add('lookUp');
  return life.startAgain({ missing: true, requestId: 'R-1' });
}

const partly = (counts: Parameters<Life['check']>[0] = { notSent: 1 }): Life =>
  begin().pass(MINUTE).check(counts).pass(MINUTE);

describe('A signal resend', () => {
  test('asks for one, and may change what comes next', () => {
    const { job } = begin(unposted);
    const { revision } = job;
    messages.receiveResend(job, { requestId: 'T-1', reason: 'lost' }, NOON);
    const request = { requestId: 'T-1', resend: true, reason: 'lost', requestedAt: iso(NOON) };
    expect(job.incoming.at(-1)).toStrictEqual(request);
    expect([job.revision, job.ignored.count]).toEqual([revision + 1, 0]);
  });

  test('without a name gets one that no caller has used', () => {
    const { job } = begin(unposted);
    for (const requestId of ['first-run-2', undefined, undefined]) messages.receiveResend(job, { requestId }, NOON);
    expect(idsOf(job)).toEqual(['first-run-0', 'first-run-2', 'first-run-1', 'first-run-3']);
  });

  test.each([
    [
      'of a name that was used',
      { requestId: 'T-1' },
      'request T-1 was made before; to email again, name a new request',
    ],
    ['that nobody can read', 7, 'the argument must be an object, such as {"requestId": …}'],
    [
      'with several faults, which it names',
      { requestId: '', why: 1 },
      expect.stringMatching(/^requestId must be .*; "why" is unknown; the fields are /) as string,
    ],
  ])('%s is ignored', (_, argument, reason) => {
    const { job } = begin(unposted).resend({ requestId: 'T-1' });
    const [before, revision] = [idsOf(job), job.revision];
    messages.receiveResend(job, argument, NOON);
    expect([idsOf(job), job.revision]).toEqual([before, revision]);
    expect(lastIgnored(job)).toEqual({ message: 'resend', at: iso(NOON), reason });
  });

  test('with which a job was started says the same twice, and a first send of the same name does not', () => {
    const resent = begin({ ...unposted, input: { resend: true, requestId: 'T-1' } }).resend({ requestId: 'T-1' });
    expect([idsOf(resent.job), resent.ignored]).toEqual([['T-1'], []]);
    const first = begin({ ...unposted, input: { requestId: 'T-1' } }).resend({ requestId: 'T-1' });
    expect([idsOf(first.job), first.ignored]).toEqual([['T-1', 'T-1'], []]);
  });

  test('is ignored once the requests have more than a million bytes', () => {
    expect(filled(1_000_000).resend({ requestId: 'T-1' }).ignored).toEqual([]);
    expect(filled(1_000_001).resend({ requestId: 'T-1' }).ignored).toEqual([FULL]);
  });
});

describe('An update resend', () => {
  test('answers with the state, and with the send that serves it once there is one', () => {
    const waits = begin(unposted);
    const { revision } = waits.job;
    const answer = { requestId: 'T-1', state: 'Waiting' };
    expect(waits.update('resend', { requestId: 'T-1' })).toStrictEqual(answer);
    expect([idsOf(waits.job), waits.job.revision]).toEqual([['first-run-0', 'T-1'], revision + 1]);
    expect(waits.job.incoming.at(-1)?.resend).toBe(true);
    expect(waits.update('resend', { requestId: 'T-1' })).toStrictEqual(answer);
    expect([idsOf(waits.job), waits.job.revision]).toEqual([['first-run-0', 'T-1'], revision + 1]);
  });

  test('names the resend that serves it, beside a first send of the same name and other requests', () => {
    const life = begin({ input: { requestId: 'T-2' } }).hold();
    life.resend({ requestId: 'T-1' }).resend({ requestId: 'T-2' });
    expect(life.sends.map(({ requests }) => requests.map(({ requestId }) => requestId))).toEqual([
      ['T-2'],
      ['T-1', 'T-2'],
    ]);
    const answer = { requestId: 'T-2', ordinal: 2, state: 'Held' };
    expect(life.update('resend', { requestId: 'T-2' })).toStrictEqual(answer);
  });

  test('names the one of two resends that serves it', () => {
    const life = begin({ input: { resend: true, requestId: 'T-1' } }).resend({ requestId: 'T-2' });
    for (const [requestId, ordinal] of [
      ['T-1', 1],
      ['T-2', 2],
    ] as const) {
      expect(life.update('resend', { requestId })).toStrictEqual({ requestId, ordinal, state: 'Delivering' });
    }
  });

  test.each([
    [begin(unposted), {}, 'requestId is missing; name the resend, for example by a ticket number'],
    [begin(unposted), 7, 'the argument must be an object, such as {"requestId": …}'],
    [
      begin(unposted),
      { requestId: '', why: 1 },
      expect.stringMatching(/^requestId must be .*; "why" is unknown; the fields are /) as string,
    ],
    [filled(1_000_001), { requestId: 'T-1' }, FULL],
    [filled(1_000_000), { requestId: 'T-1' }, undefined],
  ])('is rejected with its fault: %#', ({ job }, argument, fault) => {
    expect(messages.resendFault(job, argument)).toEqual(fault);
  });

  test('is rejected while the job closes, unless it was made before', () => {
    const closing = 'the job is closing; ask again, and a new job takes the resend';
    const [finished, canceled] = [begin(unposted), begin(unposted)];
    for (const { job } of [finished, canceled]) enqueue(job, {}, { requestId: 'T-1', resend: true, now: NOON });
    finished.job.finish = {};
    canceled.job.canceled = true;
    for (const { job } of [finished, canceled]) {
      expect(messages.resendFault(job, { requestId: 'T-1' })).toBeUndefined();
      expect(messages.resendFault(job, { requestId: 'T-2' })).toBe(closing);
    }
  });
});

describe('retry is rejected', () => {
  const afterUnknown = (): Life =>
    begin({ answers: [breaks(), repeats(1, { verdict: 'unknown', httpStatus: 500 })], input: { sendBudget: '1h' } });

  test.each<readonly [string, Life, unknown, string | undefined]>([
    ['if nobody can read it', begin(), 7, 'the argument must be an object, such as {"ordinal": …}'],
    [
      'with all its faults',
      begin(),
      { ordinal: 0, sendAnyway: 'yes' },
      expect.stringMatching(
        /ordinal must be .*; sendAnyway must be true or false$|sendAnyway must be .*; ordinal/,
      ) as string,
    ],
    ['before the post', begin(unposted), {}, NO_QUESTION],
    ['while attempts go on by themselves', begin().willAnswer(busy(HOUR)).resend({ requestId: 'T' }), {}, NO_QUESTION],
    ['while those for what was missed go on', partly().willAnswer(busy(HOUR)).retry(RISK), {}, NO_QUESTION],
    ['of a job that stopped without an acceptance', begin(coolDown).finish(), {}, NO_QUESTION],
    [
      'for another send than the open one',
      begin({ answers: [refuses()] }),
      { ordinal: 2 },
      'send 1 is open, not send 2',
    ],
    ['for another send than that in a cool-down', begin(coolDown), { ordinal: 2 }, 'send 1 is open, not send 2'],
    ['for another send than the accepted one', partly().retry().check(), { ordinal: 2 }, 'send 1 is open, not send 2'],
    ['for another send than the next one', waitingForMissing(), { ordinal: 2 }, 'send 1 is open, not send 2'],
    [
      'if the key protects no further attempt and nobody takes the risk',
      afterUnknown().pass(MINUTE),
      {},
      'retry must say sendAnyway: true here, because the idempotency key does not protect another attempt',
    ],
    ['never if somebody takes the risk', afterUnknown().pass(MINUTE), RISK, undefined],
    ['for too many requests, with a question', filled(1_000_001, begin({ answers: [refuses()] })), {}, FULL],
    ['for too many requests, in a cool-down', filled(1_000_001, begin(coolDown)), {}, FULL],
    ['for too many requests, for what was missed', filled(1_000_001, partly()), {}, FULL],
    ['for no request that fits', filled(1_000_000, begin({ answers: [refuses()] })), {}, undefined],
    ['for nothing that is asked for already', waitingForMissing(), { ordinal: 1 }, undefined],
    ['for nothing that is asked for beside a resend', waitingForMissing().resend({ requestId: 'T' }), {}, undefined],
  ])('%s', (_, { job, now }, argument, fault) => {
    expect(messages.retryFault(job, argument, now)).toEqual(fault);
  });

  const nothing = 'nothing is missing: every document was sent, or is left out on purpose';
  const unclear =
    'no document is known to be not sent; wait, or retry with sendAnyway to send what Zuora takes for never emailed';

  test.each([
    [{}, {}, nothing],
    [{}, RISK, nothing],
    [{ leftOut: 1 }, RISK, nothing],
    [{ waiting: 1 }, {}, unclear],
    [{ unknown: 1 }, {}, unclear],
    [{ waiting: 1, unknown: 1 }, {}, unclear],
    [{ waiting: 1 }, RISK, undefined],
    [{ unknown: 1 }, RISK, undefined],
    [{ waiting: 1, unknown: 1 }, RISK, undefined],
    [{ notSent: 1 }, {}, undefined],
  ])('unless something is missing: with %j, by %j', (counts, argument, fault) => {
    const { job, now } = partly(counts);
    const text = fault === undefined ? undefined : `${NO_QUESTION}, and ${fault}`;
    expect(messages.retryFault(job, argument, now)).toBe(text);
  });

  test('before the documents are checked, unless somebody takes the risk', () => {
    const { job, now } = begin();
    const text = `${NO_QUESTION}, and the documents are not checked yet; wait`;
    expect(messages.retryFault(job, {}, now)).toBe(text);
    expect(messages.retryFault(job, RISK, now)).toBeUndefined();
    job.delivery = null;
    expect(messages.retryFault(job, {}, now)).toBe(text);
  });

  test('while an attempt is under way, whatever keeps a send back meanwhile', () => {
    const faults: (string | undefined)[] = [];
    const meanwhile = ({ job, now }: Life): void => {
      job.billRun = job.billRun === null ? null : { ...job.billRun, autoEmail: true };
      faults.push(messages.retryFault(job, {}, now));
    };
    begin({ answers: [during(meanwhile, replies({ verdict: 'accepted' }))] });
    expect(faults).toEqual([NO_QUESTION]);
  });

  test('not if a read failed, even if the key of the send would not protect it: only the read is made again', () => {
    const life = afterUnknown().pass(MINUTE);
    life.willAnswer(busy(HOUR)).retry(RISK);
    expect(life.keys.at(-1)).toBe('first/2');
    life.unreadable.add('lookUp');
    life
      .resend({ requestId: 'T' })
      .hold()
      .pass(20 * MINUTE)
      .release();
    expect(life.question?.kind).toBe('cannotRead');
    expect(messages.retryFault(life.job, {}, life.now)).toBeUndefined();
    expect(messages.retryFault(filled(1_000_001, life).job, {}, life.now)).toBe(FULL);
  });
});

describe('retry', () => {
  test('waits for its attempt with its decision, and may change what comes next', () => {
    const life = begin({ answers: [refuses()] }).hold();
    const { revision } = life.job;
    const answer = { requestId: 'R-1', ordinal: 1, state: 'Held' };
    expect(life.update('retry', { requestId: 'R-1', reason: 'fixed' })).toStrictEqual(answer);
    expect(openSend(life).retry).toEqual({ sendAnyway: false, begun: false, at: NOON });
    const decision = { decision: 'retry', at: iso(NOON), requestId: 'R-1', reason: 'fixed' };
    expect(openSend(life).decisions).toStrictEqual([decision]);
    expect(life.job.revision).toBe(revision + 1);
    // The same again changes nothing.
    expect(life.update('retry', { requestId: 'R-1', reason: 'fixed' })).toStrictEqual(answer);
    expect([openSend(life).decisions.length, life.job.revision]).toEqual([1, revision + 1]);
    life.retry({ requestId: 'R-1' });
    expect([openSend(life).decisions.length, life.ignored]).toEqual([1, []]);
  });

  test('without a name leaves no name, and is not the same as another one', () => {
    const life = begin(coolDown);
    const answer = { ordinal: 1, state: 'Waiting' };
    expect(life.update('retry', {})).toStrictEqual(answer);
    expect(Object.keys(life.job.requestNames)).toEqual(['first first-run-0']);
    // A name may be any text.
    life.update('retry', { requestId: 'undefined' });
    expect(life.update('retry', {})).toStrictEqual(answer);
    expect(openSend(life).decisions).toHaveLength(3);
  });

  test('names the send that it decided about, among others with other decisions', () => {
    const life = begin({ answers: [refuses(), refuses()] }).retry({ requestId: 'R-0' });
    life.retry({ requestId: 'R-1' });
    expect(life.send.decisions).toHaveLength(2);
    life.willAnswer(refuses()).resend({ requestId: 'T' }).retry({ requestId: 'R-2' });
    for (const [requestId, ordinal] of [
      ['R-0', 1],
      ['R-1', 1],
      ['R-2', 2],
    ] as const) {
      expect(life.update('retry', { requestId })).toStrictEqual({ requestId, ordinal, state: 'Delivering' });
    }
  });

  test('repeated before its send has begun names none', () => {
    const life = waitingForMissing();
    expect(life.update('retry', { requestId: 'R-1' })).toStrictEqual({ requestId: 'R-1', state: 'Sending' });
  });

  test('in a cool-down looks again, and leaves a plain first send', () => {
    const { job } = begin(coolDown);
    messages.receiveRetry(job, { reason: 'why' }, NOON);
    expect(job).toMatchObject({ lookWanted: true, sends: [{ decisions: [{ decision: 'retry', reason: 'why' }] }] });
    expect(openSend({ job })).not.toHaveProperty('missingSince');
    expect(openSend({ job })).toMatchObject({ retry: null, overriddenAt: null });
  });

  test.each([
    ['was emailed by somebody else', { invoicesEmailed: true }, MINUTE],
    ['has no documents', { numberOfInvoices: 0, numberOfCreditMemos: 0 }, undefined],
  ])('of a bill run that %s: only what was missed is to be sent, if there is anything', (_, billRun, since) => {
    const { job } = begin({ billRun, input: { hold: true } });
    messages.receiveRetry(job, {}, NOON + MINUTE);
    expect(openSend({ job }).missingSince).toBe(since === undefined ? undefined : NOON + since);
    expect(job.lookWanted).toBe(true);
  });

  test('again for what was missed wants a check that is newer still', () => {
    const life = partly().hold().retry();
    expect(openSend(life).missingSince).toBe(NOON + 2 * MINUTE);
    life.pass(MINUTE).retry();
    expect(openSend(life).missingSince).toBe(NOON + 3 * MINUTE);
  });

  test('for what was missed is a request of its own, unless one waits already', () => {
    const waits = waitingForMissing();
    expect(waits.retry({ requestId: 'R-2' }).ignored).toEqual([]);
    expect(idsOf(waits.job)).toEqual(['R-1']);
    const { job, now } = partly();
    messages.receiveRetry(job, { requestId: 'R-3' }, now);
    const request = { requestId: 'R-3', resend: false, missing: true, requestedAt: iso(now) };
    expect(pendingRequests(job)).toStrictEqual([request]);
  });

  test('that takes the risk of a look-up that fails goes on as if there were no earlier jobs', () => {
    const life = new Life();
    life.unreadable.add('lookUp');
    life.go().pass(20 * MINUTE);
    messages.receiveRetry(life.job, RISK, life.now);
    expect(life.job.earlier).toEqual({ accepted: 0, resends: [], unreadable: [] });
    expect(life.job).toMatchObject({ incoming: [], queue: [{}], reading: null, decided: { ...RISK, at: life.now } });
  });

  test('that cannot be followed is ignored with its fault', () => {
    const { job } = begin(unposted);
    messages.receiveRetry(job, {}, NOON);
    expect(lastIgnored(job)).toEqual({ message: 'retry', at: iso(NOON), reason: NO_QUESTION });
  });
});

describe('finish', () => {
  test('answers with the state, and the first note counts', () => {
    const { job } = begin({ answers: [cutOff()] });
    const { revision } = job;
    expect(messages.finish(job, { reason: 'one' }, NOON)).toStrictEqual({ state: expect.any(String) as string });
    messages.receiveFinish(job, { reason: 'two' }, NOON);
    expect([job.finish, job.revision]).toEqual([{ reason: 'one' }, revision + 2]);
  });

  test.each([
    [undefined, undefined],
    [{ reason: 'why' }, undefined],
    [{ reason: '', why: 1 }, expect.stringMatching(/^reason must be .*; "why" is unknown; the fields are /) as string],
  ])('with %j is rejected with its faults: %j', (argument, fault) => {
    const { job } = begin();
    expect(messages.finishFault(argument)).toEqual(fault);
    messages.receiveFinish(job, argument, NOON);
    expect(lastIgnored(job)).toEqual(
      fault === undefined ? undefined : { message: 'finish', at: iso(NOON), reason: fault },
    );
  });
});

describe('hold and release', () => {
  test('change what comes next, once each', () => {
    const { job } = begin();
    const { revision } = job;
    messages.receiveHold(job, { reason: 'why' }, NOON);
    messages.receiveHold(job, { reason: 'again' }, NOON + 1);
    expect(job).toMatchObject({ held: true, heldBy: { reason: 'why', at: NOON }, revision: revision + 1 });
    expect(lastIgnored(job)).toEqual({ message: 'hold', at: iso(NOON + 1), reason: 'the job is on hold already' });
    messages.receiveRelease(job, { requestedBy: '<who>' }, NOON + 2);
    const placeholder = 'write your own text instead of the placeholder <who>';
    expect(lastIgnored(job)).toEqual({ message: 'release', at: iso(NOON + 2), reason: placeholder });
    expect([job.held, job.revision]).toEqual([true, revision + 1]);
    messages.receiveRelease(job, 'anything', NOON + 3);
    expect(job).toMatchObject({ held: false, heldBy: null, revision: revision + 2 });
    messages.receiveRelease(job, {}, NOON + 4);
    expect(lastIgnored(job)).toEqual({ message: 'release', at: iso(NOON + 4), reason: 'the job is not on hold' });
    expect([job.ignored.count, job.revision]).toEqual([3, revision + 2]);
  });

  test('stop first: a note that is malformed is kept as text of at most 1,000 characters', () => {
    const kept = (argument: unknown) => begin().hold(argument).job.heldBy;
    expect(kept('stop \ud83d')).toEqual({ reason: '"stop \\ud83d"', at: NOON });
    expect(kept({ why: 'x'.repeat(2_000) })?.reason).toBe(`{"why":"${'x'.repeat(992)}`);
    expect(kept(undefined)).toEqual({ at: NOON });
  });
});

test('A hint is kept until it is followed, and an unknown signal is ignored', () => {
  const { job } = begin(unposted);
  messages.receiveHint(job);
  expect(job.hinted).toBe(true);
  messages.receiveUnknown(job, 'pause', NOON);
  const reason = 'there is no such signal; there are resend, retry, finish, hold, release and billRunPosted';
  expect(lastIgnored(job)).toEqual({ message: 'pause', at: iso(NOON), reason });
});
