/** What reads, attempts, earlier jobs, holds and hints change in the record of a job. */
import { describe, expect, test } from 'vitest';
import type {
  AttemptResult,
  BillRun,
  DeliveryCheck,
  EarlierAttempt,
  EarlierSend,
} from '../../../workflows/contract/activities.js';
import type { EmailRequest } from '../../../workflows/contract/contract.js';
import {
  beginRead,
  canonicalIdOf,
  followHint,
  hintDueAt,
  isAlias,
  isMisnamed,
  openSendOf,
  recordAttempt,
  recordEarlier,
  recordFailedLook,
  recordHandover,
  recordHold,
  recordLook,
  recordUnread,
  type EmailJob,
} from '../../../workflows/rules/job.js';
import type { Send } from '../../../workflows/rules/send.js';
import {
  begin,
  busy,
  cutOff,
  HOUR,
  iso,
  Life,
  MINUTE,
  NOON,
  POSTED,
  refuses,
  SECOND,
  type Circumstances,
} from '../../support/life.js';

const KEY = `bill-run-email/${POSTED.id}`;
const coolDown = { billRun: { lastEmailSentTime: iso(NOON) } };

/** The open send of a job. */
function openSend({ job }: Life): Send {
  const send = openSendOf(job);
  if (send === undefined) throw new Error('no send is open');
  return send;
}

describe('The workflow id', () => {
  const jobWith = (
    workflowId: string,
    input: Circumstances['input'] = {},
    billRun: BillRun | null = POSTED,
  ): EmailJob => {
    const { job } = new Life({ workflowId, input });
    return Object.assign(job, { billRun });
  };

  test.each([
    ['email-bill-run/BR-00000001', {}, 'canonical'],
    ['email-bill-run/8ad09e208b1a', {}, 'alias'],
    ['email-bill-run/as-in-the-input', { billRunKey: 'as-in-the-input' }, 'alias'],
    ['email-bill-run/BR-00000001', { entityId: 'E1' }, 'alias'],
    ['email-bill-run/E1/BR-00000001', { entityId: 'E1' }, 'canonical'],
    ['email-bill-run/E2/BR-00000001', { entityId: 'E1' }, 'misnamed'],
    ['email-bill-run/E1/BR-00000001', {}, 'misnamed'],
    ['email-bill-run/E/1/BR-00000001', { entityId: 'E1' }, 'misnamed'],
    ['email-bill-run/BR-00000002', {}, 'misnamed'],
    ['email-bill-run/BR-00000001/BR-00000002', {}, 'misnamed'],
    ['email-bill-run/', {}, 'misnamed'],
    // A caller's own names say nothing about a bill run.
    ['email-bill-run', {}, 'alias'],
    ['my-jobs/BR-00000002', {}, 'alias'],
    ['BR-00000002', {}, 'alias'],
  ])('%j of a job with %j is %s', (workflowId, input, kind) => {
    const job = jobWith(workflowId, input);
    expect([isAlias(job), isMisnamed(job)]).toEqual([kind !== 'canonical', kind === 'misnamed']);
  });

  test('of the canonical job is known with the number of the bill run, and so is whether another job emails', () => {
    const unseen = jobWith('email-bill-run/BR-00000002', {}, null);
    expect([canonicalIdOf(unseen), isAlias(unseen), isMisnamed(unseen)]).toEqual([null, false, false]);
    expect(canonicalIdOf(jobWith('any'))).toBe('email-bill-run/BR-00000001');
    expect(canonicalIdOf(jobWith('any', { entityId: 'E1' }))).toBe('email-bill-run/E1/BR-00000001');
  });
});

describe('A read', () => {
  const failed = { at: NOON - HOUR, words: 'HTTP 503' };

  test.each([
    ['is tried for 15 minutes', null, NOON, 15 * MINUTE],
    ['goes on after an interruption', { what: 'look', since: NOON - MINUTE, failed: null }, NOON - MINUTE, 14 * MINUTE],
    [
      'is tried for a minute at least',
      { what: 'look', since: NOON - 14 * MINUTE - 1, failed: null },
      NOON - 14 * MINUTE - 1,
      MINUTE,
    ],
    ['begins anew after it failed', { what: 'look', since: NOON - MINUTE, failed }, NOON, 15 * MINUTE],
    ['begins anew after another one', { what: 'lookUp', since: NOON - MINUTE, failed: null }, NOON, 15 * MINUTE],
  ] as const)('%s', (_, reading, since, duration) => {
    const { job } = new Life();
    job.reading = reading;
    expect(beginRead(job, 'look', NOON)).toBe(duration);
    expect(job.reading).toEqual({ what: 'look', since, failed: null });
  });

  test.each([
    ['asks a person', 'HTTP 503', { what: 'look', since: NOON, failed: { at: NOON + HOUR, words: 'HTTP 503' } }],
    ['begins anew without words', undefined, null],
  ])('that does not work %s', (_, words, reading) => {
    const { job } = new Life();
    job.reading = { what: 'look', since: NOON, failed: null };
    recordUnread(job, words, NOON + HOUR);
    expect(job.reading).toEqual(reading);
  });

  test('that nobody needs any more asks nobody', () => {
    const { job } = new Life();
    recordUnread(job, 'HTTP 503', NOON);
    expect(job.reading).toBeNull();
  });

  test('that failed for good is kept with its type', () => {
    const { job } = new Life();
    recordFailedLook(job, 'InvalidInput', 'no such bill run');
    expect(job.failedLook).toEqual({ type: 'InvalidInput', message: 'no such bill run' });
  });
});

describe('A look at the bill run', () => {
  test('is kept with its time, and ends what was wanted or did not work', () => {
    const { job } = new Life();
    const unreadable = { cannotRead: 'HTTP 503', since: NOON };
    Object.assign(job, { lookWanted: true, reading: { what: 'look', since: NOON, failed: null }, unreadable });
    recordLook(job, POSTED, NOON + SECOND);
    const look = { billRun: POSTED, lookedAt: NOON + SECOND };
    expect(job).toMatchObject({ ...look, lookWanted: false, reading: null, unreadable: null, postingFailed: false });
  });

  test.each([
    [null, 'Completed', false, false],
    ['PostInProgress', 'Completed', false, true],
    ['PostInProgress', 'Posted', false, false],
    ['PostInProgress', 'PostInProgress', false, false],
    ['Completed', 'Completed', false, false],
    // It stays so until somebody posts again.
    ['Completed', 'Completed', true, true],
    ['Completed', 'PostInProgress', true, false],
    ['Completed', 'Posted', true, false],
  ])('sees that posting failed: from %s to %s', (before, status, failedBefore, failed) => {
    const { job } = new Life();
    job.billRun = before === null ? null : { ...POSTED, status: before };
    job.postingFailed = failedBefore;
    recordLook(job, { ...POSTED, status }, NOON);
    expect(job.postingFailed).toBe(failed);
  });
});

describe('What earlier jobs did', () => {
  const request = (requestId: string, rest: Partial<EmailRequest> = {}): EmailRequest => ({
    ...{ requestId, resend: false, requestedAt: iso(NOON) },
    ...rest,
  });
  const [first, resend, other] = [request('F'), request('T', { resend: true }), request('U', { resend: true })];
  const missing = request('M', { missing: true });
  const all = [first, resend, other, missing];

  const attempt = (verdict: 'accepted' | 'unknown' | 'notExecuted', key: string): EarlierAttempt => ({
    ...{ runId: 'earlier-run', idempotencyKey: `${KEY}/${key}`, trackId: 'bre-1', startedAt: NOON - HOUR },
    result: {
      ...{ called: true, startedAt: iso(NOON - HOUR), durationMs: SECOND, verdict, reasons: [], httpStatus: 200 },
      ...{ zuoraRequestId: 'z-1', echoedTrackId: null, retryAfterMs: null },
    },
  });
  const accepted = [attempt('accepted', 'first/1')];
  const unknown = [attempt('unknown', 'first/2')];
  const [resent, resentLater] = [[attempt('accepted', 'resend/T/1')], [attempt('unknown', 'resend/U/1')]];
  const sendOf = (send: Partial<EarlierSend>): EarlierSend => ({
    ...{ requestIds: [], first: false, attempts: accepted },
    ...send,
  });

  function recorded(sends: readonly EarlierSend[], requests: readonly EmailRequest[] = all): EmailJob {
    const { job } = new Life();
    job.incoming = [...all];
    recordEarlier(job, requests, { sends, accepted: 0, resends: [], unreadable: [] });
    return job;
  }

  test('may be nothing: then the requests are new, and others still wait for their look-up', () => {
    const job = recorded([], [first, missing]);
    expect(job).toMatchObject({ queue: [first, missing], incoming: [resend, other], repeated: [] });
  });

  test.each<readonly [string, readonly EarlierSend[], EmailJob['repeated']]>([
    ['a send of another request', [sendOf({ requestIds: ['X'], missing: ['Y'] })], []],
    [
      'a resend, for the requests that it names',
      [sendOf({ requestIds: ['T', 'F', 'M'] })],
      [{ requests: [resend], attempts: accepted }],
    ],
    [
      'what an unknown first send began, for all that a first send serves',
      [sendOf({ first: true, attempts: unknown })],
      [{ requests: [first, missing], attempts: unknown }],
    ],
    [
      'an accepted first send, but not for what it missed',
      [sendOf({ first: true })],
      [{ requests: [first], attempts: accepted }],
    ],
    [
      'a send for what was missed, for the requests that it names',
      [sendOf({ missing: ['M', 'F'] })],
      [{ requests: [missing], attempts: accepted }],
    ],
    [
      'an accepted first send that was for what was missed',
      [sendOf({ first: true, missing: ['M'] })],
      [{ requests: [first, missing], attempts: accepted }],
    ],
    [
      'the first of two sends that served the same request',
      [sendOf({ requestIds: ['T'], attempts: resent }), sendOf({ requestIds: ['T', 'U'], attempts: resentLater })],
      [
        { requests: [resend], attempts: resent },
        { requests: [other], attempts: resentLater },
      ],
    ],
  ])('was %s', (_, sends, repeated) => {
    const job = recorded(sends);
    expect(job.repeated).toEqual(repeated);
    const served = repeated.flatMap(({ requests }) => requests);
    expect(job.queue).toEqual(all.filter((each) => !served.includes(each)));
    expect(job).toMatchObject({ incoming: [], reading: null });
  });

  test('is known beside what the starter knew: Temporal may have forgotten some jobs', () => {
    const { job } = new Life();
    const check = { since: NOON, memory: {} as DeliveryCheck['memory'] };
    job.earlier = { accepted: 3, resends: ['T-1', 'T-2'], unreadable: ['run-1'] };
    recordEarlier(job, [], { sends: [], accepted: 2, resends: ['T-2', 'T-3'], unreadable: ['run-2'], check });
    const resends = ['T-1', 'T-2', 'T-3'];
    expect(job.earlier).toStrictEqual({ accepted: 3, resends, unreadable: ['run-2'], check });
    recordEarlier(job, [], { sends: [], accepted: 4, resends: [], unreadable: [] });
    expect(job.earlier).toStrictEqual({ accepted: 4, resends, unreadable: [] });
  });

  describe('is joined with', () => {
    const again = [attempt('unknown', 'resend/T/1')];
    const served = (life: Life): EmailJob => {
      recordEarlier(life.job, [resend], {
        ...{ sends: [sendOf({ requestIds: ['T'], attempts: again })], accepted: 0, resends: [], unreadable: [] },
      });
      return life.job;
    };
    const resends = (answers: Circumstances['answers'] = []): Life =>
      begin({ input: { resend: true, requestId: 'T' }, answers });

    test.each([
      ['an open send of this job', [cutOff()]],
      ['an accepted one', []],
    ])('%s for the same', (_, answers) => {
      const job = served(resends(answers));
      expect(job.sends[0]?.requests).toEqual([{ ...resend, requestedAt: iso(NOON) }, resend]);
      expect(job.repeated).toEqual([]);
    });

    test.each([
      ['one that was closed', () => resends([refuses()]).finish()],
      ['a send for something else', () => begin({ answers: [cutOff()] })],
    ])('no send of this job if there is only %s', (_, begins) => {
      const life = begins();
      const [send] = life.sends;
      const job = served(life);
      expect(job.sends[0]?.requests).toEqual(send?.requests);
      expect(job.repeated).toEqual([{ requests: [resend], attempts: again }]);
    });

    test('others that wait for the same, by the attempts that are known last', () => {
      const life = new Life();
      const before = { requests: [other], attempts: [attempt('unknown', 'resend/T/1')] };
      const elsewhere = { requests: [first], attempts: accepted };
      life.job.repeated = [before, elsewhere];
      expect(served(life).repeated).toEqual([elsewhere, { requests: [other, resend], attempts: again }]);
    });
  });

  test('is known of requests that another job took over', () => {
    const { job } = new Life();
    Object.assign(job, { queue: [first, resend], incoming: [other, missing] });
    job.reading = { what: 'handOver', since: NOON, failed: null };
    job.handedOver.push({ requestId: 'A', result: 'started' });
    recordHandover(job, [first, other], [{ requestId: 'F', result: 'joined' }]);
    expect(job).toMatchObject({ queue: [resend], incoming: [missing], reading: null });
    expect(job.handedOver).toEqual([
      { requestId: 'A', result: 'started' },
      { requestId: 'F', result: 'joined' },
    ]);
  });
});

describe('An attempt', () => {
  const plan = { resend: false, idempotencyKey: `${KEY}/first/1`, trackId: 'bre-1', notAfter: NOON + HOUR };

  /** After this result of an attempt of the open send. */
  function after(result: AttemptResult | 'neverTaken', life = begin(coolDown)): { job: EmailJob; send: Send } {
    const send = openSend(life);
    recordAttempt(life.job, send, plan, result, { startedAt: NOON, now: NOON + MINUTE, jitter: 0.5 });
    return { job: life.job, send };
  }

  const noCall = (why: 'keyTooOld' | 'heldByAll' | 'takenBack') => ({ called: false, why }) as const;
  const afterReset = (runId: string) => ({ called: false, why: 'afterReset', runId }) as const;

  test('that no worker took is due again at once', () => {
    const { send } = after('neverTaken');
    expect(send).toMatchObject({ attempts: [], nextAttemptAt: NOON + MINUTE });
  });

  test('with a receipt is kept', () => {
    const receipt = {
      startedAt: iso(NOON),
      durationMs: SECOND,
      verdict: 'accepted',
      reasons: [],
      httpStatus: 200,
    } as const;
    const { job, send } = after({
      called: true,
      ...receipt,
      zuoraRequestId: null,
      echoedTrackId: null,
      retryAfterMs: null,
    });
    expect(send).toMatchObject({ outcome: 'accepted', attempts: [receipt] });
    expect([job.heldByAll, job.resetRun, job.lookedAt]).toEqual([false, null, NOON]);
  });

  test('that met the hold on all puts the job on hold', () => {
    expect(after(noCall('heldByAll')).job).toMatchObject({ heldByAll: true, onHoldSince: NOON + MINUTE });
    const goesOn = { sends: [{ outcome: 'pending', attempts: [] }], heldByAll: false, onHoldSince: null };
    expect(after(noCall('takenBack')).job).toMatchObject(goesOn);
    expect(after(noCall('keyTooOld')).job).toMatchObject({ heldByAll: false, lookedAt: NOON });
  });

  test('that looked at the bill run leaves what it saw', () => {
    const billRun = { ...POSTED, autoEmail: true };
    const { job } = after({ called: false, why: 'looked', billRun });
    expect(job).toMatchObject({ billRun, lookedAt: NOON + MINUTE, heldByAll: false });
  });

  test('that a reset may have made before ends a new send: its requests are looked up, before others', () => {
    const life = begin({ ...coolDown, earlierRun: '' });
    const [own] = openSend(life).requests;
    const later = { requestId: 'T', resend: true, requestedAt: iso(NOON) };
    life.job.incoming = [later];
    const { job } = after(afterReset('reset-run'), life);
    expect(job).toMatchObject({ sends: [], incoming: [own, later], resetRun: 'reset-run', earlierRun: null });
  });

  test('of the second of two sends leaves the first one', () => {
    const life = begin().hold().resend({ requestId: 'T' });
    const [first] = life.job.sends;
    expect(after(afterReset('reset-run'), life).job.sends).toEqual([first]);
  });

  test('after a reset leaves the send if it has attempts, or if all was looked up for that reset', () => {
    const tried = after(afterReset('reset-run'), begin({ answers: [busy(HOUR)] }));
    expect(tried.job).toMatchObject({ sends: [{ attempts: [{}] }], resetRun: null });
    const life = begin(coolDown);
    life.job.resetRun = 'reset-run';
    expect(after(afterReset('reset-run'), life).job.sends).toHaveLength(1);
    // A further reset is another one.
    expect(after(afterReset('reset-run-2'), life).job).toMatchObject({ sends: [], resetRun: 'reset-run-2' });
  });
});

describe('A hold', () => {
  const note = { requestedBy: 'ann', reason: 'wait', at: NOON };

  test('counts from its beginning, also if a second one comes', () => {
    const { job } = new Life();
    recordHold(job, { held: true, heldBy: note }, NOON);
    expect(job).toMatchObject({ held: true, heldBy: note, heldByAll: false, onHoldSince: NOON });
    recordHold(job, { heldByAll: true }, NOON + HOUR);
    recordHold(job, { held: false, heldBy: null }, NOON + 2 * HOUR);
    expect(job).toMatchObject({ held: false, heldBy: null, heldByAll: true, onHoldSince: NOON });
    recordHold(job, { heldByAll: false }, NOON + 3 * HOUR);
    expect(job).toMatchObject({ heldByAll: false, onHoldSince: null });
  });

  test('does not use up the limits of the last send, nor the time for a question about a read', () => {
    const life = begin({ answers: [busy(HOUR)] }).resend({ requestId: 'T' });
    const [before, last] = life.job.sends;
    const [heldMs, lastHeldMs] = [before?.heldMs ?? -1, last?.heldMs ?? -1];
    life.job.reading = { what: 'lookUp', since: NOON, failed: { at: NOON, words: 'HTTP 503' } };
    recordHold(life.job, { held: true }, NOON + MINUTE);
    expect(last?.heldMs).toBe(lastHeldMs);
    recordHold(life.job, { held: false }, NOON + HOUR);
    expect([before?.heldMs, last?.heldMs]).toEqual([heldMs, lastHeldMs + 59 * MINUTE]);
    expect(life.job.reading.failed?.at).toBe(NOON + 59 * MINUTE);
  });

  test('changes no limit if there was none, or nothing was sent', () => {
    const { job } = begin();
    job.reading = { what: 'lookUp', since: NOON, failed: null };
    recordHold(job, { held: false }, NOON + HOUR);
    expect(job).toMatchObject({ onHoldSince: null, reading: { since: NOON, failed: null }, sends: [{ heldMs: 0 }] });
    recordHold(job, { held: true }, NOON + HOUR);
    recordHold(job, { held: false }, NOON + 2 * HOUR);
    expect(job.sends).toMatchObject([{ heldMs: HOUR }]);
    const empty = new Life().job;
    recordHold(empty, { held: false }, NOON + HOUR);
    expect(empty).toMatchObject({ held: false, onHoldSince: null, sends: [], reading: null });
  });
});

test('A hint that the bill run posted is followed once, and the next one five seconds later', () => {
  const { job } = new Life();
  followHint(job, NOON);
  expect(job).toMatchObject({ hinted: false, hintFollowedAt: 0 });
  job.hinted = true;
  followHint(job, NOON);
  expect(job).toMatchObject({ hinted: false, hintFollowedAt: NOON });
  expect(hintDueAt(job)).toBe(NOON + 5 * SECOND);
});
