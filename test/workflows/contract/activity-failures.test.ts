/** What is known about an activity that gave no result. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  RetryState,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type { FinalFailures } from '../../../workflows/contract/activities.js';
import {
  activityEnd,
  attemptResult,
  isBillRun,
  isCannotRead,
  isDeliveryCheck,
  isEarlier,
  isReceipt,
  lostAttempt,
} from '../../../workflows/contract/activity-failures.js';

/** As a workflow catches it, and as history holds it. */
function bothWays<T>(read: (error: unknown) => T, cause: Error): readonly T[] {
  const caught = new ActivityFailure('failed', 'anActivity', '1', RetryState.NON_RETRYABLE_FAILURE, 'w', cause);
  return [caught, cause].map(read);
}

function timeout(type: TimeoutType): Error {
  return new TimeoutFailure('activity timeout', undefined, type);
}

/** A new type does not compile until this test has it. */
const declared: { readonly [A in keyof FinalFailures]: Readonly<Record<FinalFailures[A], string>> } = {
  watchBillRun: { BillRunNotFound: 'there is no such bill run', InvalidInput: 'the key is invalid' },
  emailBillRunDocuments: {
    NeverLeft: 'nothing was sent',
    AttemptFailed: 'a defect',
    PayloadUndecodable: 'the input cannot be decoded',
  },
  earlierSends: {},
  handOver: { InvalidInput: 'the canonical job rejected the requests' },
  watchDelivery: {},
};
const activities = Object.keys(declared) as (keyof FinalFailures)[];

describe('The end of an activity', () => {
  test.each(activities.flatMap((activity) => Object.entries(declared[activity]).map((each) => [activity, ...each])))(
    '%s with its declared failure %s has that type, the message and the details',
    (activity, type, message) => {
      const end = (error: unknown) => activityEnd(activity as keyof FinalFailures, error);
      const details = { code: 'X', message: 'x' };
      const expected = { kind: 'failed', type, message, details };
      expect(bothWays(end, ApplicationFailure.nonRetryable(message, type, details, 'more'))).toEqual([
        expected,
        expected,
      ]);
      expect(end(ApplicationFailure.nonRetryable(message, type))).toEqual({ ...expected, details: undefined });
      expect(end(new ApplicationFailure(message, type, true, null))).toEqual({ ...expected, details: undefined });
    },
  );

  test.each(activities)(
    '%s does not take a failure of another activity, or an inherited name, for its own',
    (activity) => {
      const own = Object.keys(declared[activity]);
      const others = activities.flatMap((each) => Object.keys(declared[each])).filter((type) => !own.includes(type));
      for (const type of [...others, 'TypeError', 'toString', '__proto__', '', undefined]) {
        const failure = ApplicationFailure.nonRetryable('as it says', type);
        const other = { kind: 'other', message: 'as it says' };
        expect(bothWays((error) => activityEnd(activity, error), failure)).toEqual([other, other]);
      }
    },
  );

  test.each(activities)('%s by a timeout says whether a worker had begun it', (activity) => {
    const end = (error: unknown) => activityEnd(activity, error);
    for (const type of [TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT, TimeoutType.SCHEDULE_TO_CLOSE]) {
      const begun = expect.objectContaining({ kind: 'timedOut', neverStarted: false }) as unknown;
      expect(bothWays(end, timeout(type))).toEqual([begun, begun]);
    }
    const notBegun = expect.objectContaining({ kind: 'timedOut', neverStarted: true }) as unknown;
    expect(bothWays(end, timeout(TimeoutType.SCHEDULE_TO_START))).toEqual([notBegun, notBegun]);
  });

  test('by a timeout has the words of the last try, if one has ended', () => {
    const end = (error: unknown) => activityEnd('handOver', error);
    const scheduleToClose = timeout(TimeoutType.SCHEDULE_TO_CLOSE);
    const noneEnded = { kind: 'timedOut', neverStarted: false };
    expect(end(scheduleToClose)).toStrictEqual(noneEnded);
    expect(end(Object.assign(timeout(TimeoutType.SCHEDULE_TO_CLOSE), { failure: {} }))).toStrictEqual(noneEnded);
    expect(end(timeout(TimeoutType.START_TO_CLOSE))).toMatchObject({ message: 'activity timeout' });
    const failure = { cause: { message: 'HTTP 503' } };
    expect(end(Object.assign(scheduleToClose, { failure }))).toMatchObject({ message: 'HTTP 503' });
  });

  test.each(activities)('%s by cancellation is not a failure', (activity) => {
    const canceled = { kind: 'canceled' };
    expect(bothWays((error) => activityEnd(activity, error), new CancelledFailure('canceled'))).toEqual([
      canceled,
      canceled,
    ]);
  });

  test('by anything else has a message', () => {
    expect(activityEnd('handOver', new Error('a defect'))).toEqual({ kind: 'other', message: 'a defect' });
    for (const thrown of [undefined, null, 'a text', { type: 'InvalidInput' }]) {
      const message = 'the activity failed without a message';
      expect(activityEnd('handOver', thrown)).toEqual({ kind: 'other', message });
    }
    const empty = new ActivityFailure('failed', 'handOver', '1', RetryState.NON_RETRYABLE_FAILURE, 'w');
    expect(activityEnd('handOver', empty)).toMatchObject({ kind: 'other' });
  });
});

describe('An attempt without a receipt', () => {
  test('does not count if no worker took it', () => {
    const results = bothWays(lostAttempt, timeout(TimeoutType.SCHEDULE_TO_START));
    expect(results).toEqual(['neverTaken', 'neverTaken']);
  });

  test.each([TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT, TimeoutType.SCHEDULE_TO_CLOSE])(
    'is unknown after its timeout %s, because the worker may have sent it',
    (type) => {
      const lost = {
        verdict: 'unknown',
        reasons: [{ code: 'WORKER_LOST', message: 'the worker was lost while its request may have been under way' }],
      };
      expect(bothWays(lostAttempt, timeout(type))).toEqual([lost, lost]);
    },
  );

  test('was not executed if it provably never left, with the reason of the activity', () => {
    const reason = { code: 'ECONNREFUSED', message: 'nothing was sent' };
    const lost = { verdict: 'notExecuted', reasons: [reason] };
    expect(bothWays(lostAttempt, ApplicationFailure.retryable('no', 'NeverLeft', reason))).toEqual([lost, lost]);
    const silent = { verdict: 'notExecuted', reasons: [] };
    expect(bothWays(lostAttempt, ApplicationFailure.retryable('no', 'NeverLeft'))).toEqual([silent, silent]);
    for (const details of [null, 'a text', { code: 'X' }, { message: 'x' }]) {
      expect(lostAttempt(ApplicationFailure.retryable('no', 'NeverLeft', details))).toEqual(silent);
    }
    expect(lostAttempt(new ApplicationFailure('no', 'NeverLeft', false, null))).toEqual(silent);
  });

  test('was not executed if its worker could not decode the input', () => {
    const message = 'a codec failed: no key';
    const lost = { verdict: 'notExecuted', reasons: [{ code: 'PAYLOAD_UNDECODABLE', message }] };
    const failure = ApplicationFailure.retryable(message, 'PayloadUndecodable');
    expect(bothWays(lostAttempt, failure)).toEqual([lost, lost]);
  });

  test.each([
    ApplicationFailure.nonRetryable('a defect', 'AttemptFailed'),
    ApplicationFailure.nonRetryable('a defect', 'TypeError', { code: 'X', message: 'x' }),
    Object.assign(new Error('a foreign failure'), { type: 'NeverLeft' }),
  ])('is unknown after any other end: %s', (cause) => {
    const lost = {
      verdict: 'unknown',
      reasons: [{ code: 'ATTEMPT_FAILED', message: 'the attempt failed without a receipt' }],
    };
    expect(bothWays(lostAttempt, cause)).toEqual([lost, lost]);
  });

  test('was taken back if it was canceled: the activity itself never ends so', () => {
    expect(bothWays(lostAttempt, new CancelledFailure('canceled'))).toEqual(['neverTaken', 'neverTaken']);
  });
});

describe('The result of an attempt', () => {
  const receipt = {
    called: true,
    startedAt: '2026-03-02T12:00:00.000Z',
    durationMs: 12,
    verdict: 'accepted',
    reasons: [{ code: 'X', message: 'x' }],
    httpStatus: 200,
    zuoraRequestId: 'zr-1',
    echoedTrackId: null,
    retryAfterMs: null,
  };
  const billRun = { id: '8ad0', number: 'BR-00000001', status: 'Posted' };

  test.each([
    receipt,
    { ...receipt, verdict: 'unknown', reasons: [], httpStatus: null, zuoraRequestId: null, retryAfterMs: 5 },
    { called: false, why: 'afterReset', runId: 'run-1' },
    ...['keyTooOld', 'heldByAll', 'takenBack'].map((why) => ({ called: false, why })),
    { called: false, why: 'looked', billRun },
  ])('counts as it is: %j', (result) => {
    expect(attemptResult(result)).toBe(result);
  });

  test('of one that could not leave is a call that was not executed, with the reason', () => {
    const reason = { code: 'ECONNREFUSED', message: 'refused' };
    expect(attemptResult({ called: false, why: 'neverLeft', reason })).toEqual({
      verdict: 'notExecuted',
      reasons: [reason],
    });
  });

  test.each<unknown>([
    ...[undefined, null, '', 'done', 7, [], {}, { called: 'true' }, { called: false }, { called: false, why: 'so' }],
    ...['toString', '__proto__'].map((why) => ({ called: false, why })),
    { called: false, why: 'afterReset' },
    ...[undefined, {}, { ...billRun, status: '' }, { ...billRun, id: 1 }].map((each) => {
      return { called: false, why: 'looked', billRun: each };
    }),
    ...[undefined, 'so', { code: 1, message: 'x' }, { code: 'X' }].map((reason) => {
      return { called: false, why: 'neverLeft', reason };
    }),
    ...Object.keys(receipt).map((field) => ({ ...receipt, [field]: field === 'called' ? 1 : undefined })),
    { ...receipt, verdict: 'toString' },
    { ...receipt, reasons: [{}] },
    { ...receipt, startedAt: 'soon' },
    { ...receipt, durationMs: null },
    { ...receipt, httpStatus: '200' },
    { ...receipt, echoedTrackId: 7 },
  ])('is unknown if no worker of ours gives it: %j', (result) => {
    expect(isReceipt(result)).toBe(false);
    const message = 'the attempt was completed with a result that no worker of ours gives';
    expect(attemptResult(result)).toEqual({ verdict: 'unknown', reasons: [{ code: 'FOREIGN_RESULT', message }] });
  });
});

/** Somebody can complete any activity in Temporal with any result. */
describe('The result of a read', () => {
  const foreign = [undefined, null, 'Posted', 7, {}, []];

  test('of a look is a bill run, or the look is repeated', () => {
    const billRun = { id: '8ad0', number: 'BR-00000001', status: 'Posted' };
    expect(isBillRun(billRun)).toBe(true);
    for (const other of [...foreign, { ...billRun, number: '' }]) expect(isBillRun(other)).toBe(false);
  });

  test('that does not work has the words of the failure, and since when', () => {
    const cannotRead = { cannotRead: 'HTTP 503', since: 1 };
    expect(isCannotRead(cannotRead)).toBe(true);
    const others = [
      { cannotRead: 'HTTP 503' },
      { ...cannotRead, since: '1' },
      { since: 1 },
      { ...cannotRead, cannotRead: 503 },
    ];
    for (const other of [...foreign, ...others]) expect(isCannotRead(other)).toBe(false);
  });

  const counts = { total: 2, sent: 1, waiting: 0, notSent: 1, leftOut: 0, unknown: 0 };
  const list = [{ number: 'INV-1', kind: 'invoice', outcome: 'notSent', reason: 'no address' }];
  const check = { documents: { complete: true, ...counts, list }, kinds: {}, at: 1, next: 2, memory: {} };
  const checkWith = (documents: object) => ({ ...check, documents: { ...check.documents, ...documents } });

  test.each([check, { ...check, next: null }, checkWith({ list: [] })])(
    'of a check counts the documents: %j',
    (own) => {
      expect(isDeliveryCheck(own)).toBe(true);
    },
  );

  test.each<unknown>([
    ...foreign,
    ...Object.keys(check).map((field) => ({ ...check, [field]: undefined })),
    ...[...Object.keys(counts), 'list'].map((field) => checkWith({ [field]: undefined })),
    ...['INV-1', null].map((each) => checkWith({ list: [...list, each] })),
    ...['invoice', null].map((kinds) => ({ ...check, kinds })),
    ...['nothing', null].map((memory) => ({ ...check, memory })),
    ...['later', NaN].map((next) => ({ ...check, next })),
    ...['1', null, 9e15].map((at) => ({ ...check, at })),
  ])('of a check does not count if no worker of ours gives it: %j', (other) => {
    expect(isDeliveryCheck(other)).toBe(false);
  });

  test('of a look-up has what earlier jobs sent, or it is repeated', () => {
    const earlier = { sends: [], accepted: 0, resends: [], unreadable: [] };
    expect(isEarlier(earlier)).toBe(true);
    const fields = Object.keys(earlier).flatMap((field) =>
      [undefined, null, 'none'].map((value) => ({ ...earlier, [field]: value })),
    );
    for (const other of [...foreign, ...fields]) expect(isEarlier(other)).toBe(false);
  });
});
