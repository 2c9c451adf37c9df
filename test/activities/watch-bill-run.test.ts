import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createActivities } from '../../activities/index.js';
import type { BillRun, CannotRead, WatchInput } from '../../workflows/contract/activities.js';
import { DEFAULT_POLLING, type Polling } from '../../activities/budget.js';
import { pollInterval } from '../../activities/watch-bill-run.js';
import { ZuoraFailure, type Zuora } from '../../zuora/client.js';
import { NeverLeft } from '../../zuora/transport.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Far from the worker's clock: nothing may depend on the two being alike. */
const SCHEDULED_AT = Date.UTC(2001, 0, 1);

const POSTED: BillRun = { id: '8ad0', number: 'BR-00000001', status: 'Posted', numberOfInvoices: 3 };
const INPUT: WatchInput = { billRunKey: 'BR-00000001' };

interface Setting {
  readonly input?: WatchInput;
  /** By the server's clock, since the activity was scheduled. */
  readonly elapsedMs?: number;
  readonly attempt?: number;
  readonly multiEntity?: boolean;
  readonly polling?: Polling;
  /** What the attempt before said in its heartbeat. */
  readonly heartbeatDetails?: unknown;
  readonly onHeartbeat?: (details: unknown) => void;
  readonly postedNotifications?: Zuora['postedNotifications'];
}

/** One attempt at watching a bill run whose reads are scripted. */
function watch(
  getBillRun: Zuora['getBillRun'],
  {
    input = INPUT,
    elapsedMs = 0,
    attempt = input.lastSeenStatus === undefined ? 1 : 2,
    multiEntity = false,
    polling,
    heartbeatDetails,
    onHeartbeat,
    postedNotifications = () => Promise.resolve([]),
  }: Setting = {},
): Promise<BillRun | CannotRead> {
  const zuora: Zuora = {
    getBillRun,
    emailBillRunDocuments: vi.fn(),
    authenticate: vi.fn(),
    probe: vi.fn(),
    postedNotifications,
    get: vi.fn(),
    close: vi.fn(),
  };
  const activities = createActivities({ zuora, multiEntity, ...(polling === undefined ? {} : { polling }) });
  const environment = new MockActivityEnvironment(
    {
      attempt,
      scheduledTimestampMs: SCHEDULED_AT,
      currentAttemptScheduledTimestampMs: SCHEDULED_AT + elapsedMs,
      heartbeatDetails,
    },
    { logger: new DefaultLogger('ERROR') },
  );
  if (onHeartbeat !== undefined) environment.on('heartbeat', onHeartbeat);
  return environment.run((watched: WatchInput) => activities.watchBillRun(watched), input);
}

const reads = (billRun: BillRun) => vi.fn<Zuora['getBillRun']>().mockResolvedValue(billRun);
const fails = (error: Error) => vi.fn<Zuora['getBillRun']>().mockRejectedValue(error);

async function failureOf(watching: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await watching.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  return failure as ApplicationFailure;
}

afterEach(() => vi.restoreAllMocks());

describe('a bill run is watched', () => {
  test('the record is the answer at once when no status was seen before', async () => {
    expect(await watch(reads(POSTED))).toEqual(POSTED);
  });

  test('the record is the answer when the status is another than the one last seen', async () => {
    expect(await watch(reads(POSTED), { input: { ...INPUT, lastSeenStatus: 'PostInProgress' } })).toEqual(POSTED);
  });

  test('a status that is new to us is a change like any other', async () => {
    const odd = { ...POSTED, status: 'BeingInvented' };
    expect(await watch(reads(odd), { input: { ...INPUT, lastSeenStatus: 'Completed' } })).toEqual(odd);
  });

  test('it is read once, by its key, in its entity and orgs', async () => {
    const getBillRun = reads(POSTED);
    const input = { billRunKey: '8ad0', entityId: 'e-1', orgIds: ['o-1'], lastSeenStatus: 'Completed' };
    await watch(getBillRun, { input, multiEntity: true });
    expect(getBillRun).toHaveBeenCalledExactlyOnceWith(
      '8ad0',
      expect.objectContaining({ entityId: 'e-1', orgIds: ['o-1'] }),
    );
  });
});

describe('a status that has not changed', () => {
  const unchanged = (setting: Setting = {}): Promise<ApplicationFailure> =>
    failureOf(watch(reads(POSTED), { input: { ...INPUT, lastSeenStatus: 'Posted' }, ...setting }));

  test('is a benign failure: the server waits and retries', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    expect(await unchanged()).toMatchObject({
      type: 'StatusUnchanged',
      message: 'bill run BR-00000001 is still Posted',
      nonRetryable: false,
      category: ApplicationFailureCategory.BENIGN,
      nextRetryDelay: 10 * SECOND,
    });
  });

  test.each([
    [0, 10 * SECOND],
    [50 * SECOND, 10 * SECOND],
    [100 * SECOND, 20 * SECOND],
    [5 * MINUTE, MINUTE],
    [30 * MINUTE, MINUTE],
    [HOUR - 1, MINUTE],
    [HOUR, 15 * MINUTE],
    [30 * 24 * HOUR, 15 * MINUTE],
  ])('after %d ms by the server is asked again in %d ms', async (elapsedMs, delay) => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    expect((await unchanged({ elapsedMs })).nextRetryDelay).toBe(delay);
  });

  test('is asked again a tenth sooner or later, so that bill runs do not stay together', async () => {
    const random = vi.spyOn(Math, 'random');
    random.mockReturnValue(0);
    expect((await unchanged()).nextRetryDelay).toBe(9 * SECOND);
    random.mockReturnValue(1 - Number.EPSILON);
    expect((await unchanged()).nextRetryDelay).toBe(11 * SECOND);
  });

  test('is asked again as an operator sets it', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const polling = { first: 100, longest: 200, afterAnHour: 300 };
    expect((await unchanged({ polling })).nextRetryDelay).toBe(100);
    expect((await unchanged({ polling, elapsedMs: MINUTE })).nextRetryDelay).toBe(200);
    expect((await unchanged({ polling, elapsedMs: HOUR })).nextRetryDelay).toBe(300);
  });

  test('is reported in whole characters, because Temporal accepts no others', async () => {
    const odd = { ...POSTED, status: 'half \ud83d' };
    const failure = await failureOf(watch(reads(odd), { input: { ...INPUT, lastSeenStatus: odd.status } }));
    expect(failure.message).toBe('bill run BR-00000001 is still half \ufffd');
  });
});

describe('the poll interval', () => {
  test('never shrinks while a bill run waits, and stays between the first and the last', () => {
    const intervals = Array.from({ length: 2 * 360 }, (_, step) => pollInterval(step * 10 * SECOND, DEFAULT_POLLING));
    expect(intervals).toEqual([...intervals].sort((a, b) => a - b));
    expect(intervals[0]).toBe(DEFAULT_POLLING.first);
    expect(intervals.at(-1)).toBe(DEFAULT_POLLING.afterAnHour);
  });

  test('makes few reads of a long wait: under 90 in the first hour, 4 in each hour after', () => {
    const readsIn = (fromMs: number, toMs: number): number => {
      let count = 0;
      for (let at = fromMs; at < toMs; at += pollInterval(at, DEFAULT_POLLING)) count++;
      return count;
    };
    expect(readsIn(0, HOUR)).toBeLessThan(90);
    expect(readsIn(HOUR, 2 * HOUR)).toBe(4);
  });
});

describe('a bill run that is not found', () => {
  const missing = new ZuoraFailure('notFound', 'Zuora has no bill run BR-00000001: 50000040 no such object', 404);

  test.each([0, MINUTE, 2 * MINUTE - 1])(
    'may be new, or hidden for a moment: it is looked for again, %d ms after it was first not found',
    async (elapsedMs) => {
      const onHeartbeat = vi.fn();
      const since = SCHEDULED_AT + HOUR;
      const heartbeatDetails = elapsedMs === 0 ? undefined : { notFoundSince: since };
      const watching = watch(fails(missing), { elapsedMs: HOUR + elapsedMs, heartbeatDetails, onHeartbeat });
      expect(await failureOf(watching)).toMatchObject({
        type: 'NotFoundYet',
        nonRetryable: false,
        category: ApplicationFailureCategory.BENIGN,
        nextRetryDelay: 10 * SECOND,
        message: expect.stringContaining('Zuora has no bill run BR-00000001') as string,
      });
      expect(onHeartbeat).toHaveBeenCalledExactlyOnceWith({ notFoundSince: since });
    },
  );

  test.each([2 * MINUTE, HOUR])('is not there: that is final %d ms after it was first not found', async (elapsedMs) => {
    const heartbeatDetails = { notFoundSince: SCHEDULED_AT };
    const failure = await failureOf(watch(fails(missing), { elapsedMs, heartbeatDetails }));
    expect(failure).toMatchObject({ type: 'BillRunNotFound', nonRetryable: true });
    expect(failure.message).toMatch(/^Zuora has no bill run BR-00000001: .*these credentials may not see it$/);
  });

  test('counts from the start again after it was found', async () => {
    const onHeartbeat = vi.fn();
    const input = { ...INPUT, lastSeenStatus: 'Posted' };
    const before = [{ notFoundSince: SCHEDULED_AT }, { failingSince: SCHEDULED_AT }];
    for (const heartbeatDetails of before)
      await failureOf(watch(reads(POSTED), { input, heartbeatDetails, onHeartbeat }));
    expect(onHeartbeat.mock.calls).toEqual([[{}], [{}]]);
  });

  test('is looked for again within the two minutes, however rarely an operator polls', async () => {
    const polling = { first: HOUR, longest: HOUR, afterAnHour: HOUR };
    expect((await failureOf(watch(fails(missing), { polling }))).nextRetryDelay).toBe(2 * MINUTE);
  });
});

describe('a read that may work later is retried, and the message says what to fix', () => {
  const failures: readonly [string, Error, string, RegExp][] = [
    ['refused', new ZuoraFailure('refused', 'Zuora answered HTTP 403', 403), 'ReadRefused', /403. Fix the permissions/],
    [
      'unauthorized',
      new ZuoraFailure('unauthorized', 'no such token', 401),
      'Unauthorized',
      /token. Fix .* credentials/,
    ],
    ['unavailable', new ZuoraFailure('unavailable', 'Zuora answered HTTP 502', 502), 'Unavailable', /^.* HTTP 502$/],
    ['no connection', new NeverLeft('the call did not leave: refused', 'ECONNREFUSED'), 'ECONNREFUSED', /: refused$/],
    ['no token', new NeverLeft('no token: HTTP 400', 'TOKEN_REFUSED'), 'TOKEN_REFUSED', /400. Fix .* credentials/],
  ];
  const LAST = { lastSeenStatus: 'Completed' };
  const jitterFree = (): unknown => vi.spyOn(Math, 'random').mockReturnValue(0.5);

  test.each(failures)(
    '%s: a watch reads again after 50 s, and remembers since when',
    async (_what, error, type, words) => {
      const onHeartbeat = vi.fn();
      const failure = await failureOf(
        watch(fails(error), { input: { ...INPUT, ...LAST }, elapsedMs: HOUR, onHeartbeat }),
      );
      expect(failure).toMatchObject({ type, nonRetryable: false, message: expect.stringMatching(words) as string });
      expect(failure.nextRetryDelay).toBeGreaterThan(49 * SECOND);
      expect(failure.nextRetryDelay).toBeLessThanOrEqual(50 * SECOND);
      expect(onHeartbeat).toHaveBeenCalledExactlyOnceWith({ failingSince: SCHEDULED_AT + HOUR });
    },
  );

  test.each(failures)('%s: the job is informed when it fails again then', async (_what, error, _type, words) => {
    for (const input of [INPUT, { ...INPUT, ...LAST }]) {
      const heartbeatDetails = { failingSince: SCHEDULED_AT + HOUR };
      const result = await watch(fails(error), { input, elapsedMs: HOUR + 50 * SECOND, heartbeatDetails });
      expect(result).toEqual({
        cannotRead: expect.stringMatching(words) as string,
        since: SCHEDULED_AT + HOUR,
      });
    }
  });

  test.each([
    [1, 0, 10 * SECOND],
    [2, 10 * SECOND, 20 * SECOND],
    [3, 30 * SECOND, 20 * SECOND],
  ])('a look reads again sooner: try %d', async (attempt, elapsedMs, delay) => {
    const error = new ZuoraFailure('unavailable', 'HTTP 503', 503);
    const heartbeatDetails = elapsedMs === 0 ? undefined : { failingSince: SCHEDULED_AT };
    const { nextRetryDelay } = await failureOf(watch(fails(error), { attempt, elapsedMs, heartbeatDetails }));
    expect(nextRetryDelay).toBeGreaterThan(delay - SECOND);
    expect(nextRetryDelay).toBeLessThanOrEqual(delay);
  });

  test('the job is informed at once if the next read would come too late', async () => {
    jitterFree();
    const limit = new ZuoraFailure('unavailable', 'HTTP 429', 429, 2 * HOUR);
    expect(await watch(fails(limit))).toMatchObject({ cannotRead: 'HTTP 429' });
    const seconds = new ZuoraFailure('unavailable', 'HTTP 429', 429, 30 * SECOND);
    expect((await failureOf(watch(fails(seconds)))).nextRetryDelay).toBe(30 * SECOND);
    const input = { ...INPUT, cannotRead: 'HTTP 429' };
    expect((await failureOf(watch(fails(limit), { input, attempt: 2 }))).nextRetryDelay).toBe(HOUR);
  });

  test('then it begins with a pause, and reads every minute until reads work', async () => {
    jitterFree();
    const input = { ...INPUT, lastSeenStatus: 'Posted', cannotRead: 'HTTP 503' };
    const getBillRun = fails(new ZuoraFailure('unavailable', 'HTTP 502', 502));
    const first = await failureOf(watch(getBillRun, { input, attempt: 1 }));
    expect(first).toMatchObject({ type: 'CannotRead', message: 'HTTP 503', nextRetryDelay: MINUTE });
    expect(getBillRun).not.toHaveBeenCalled();
    const later = await failureOf(watch(getBillRun, { input, attempt: 2, elapsedMs: 9 * HOUR }));
    expect(later).toMatchObject({ type: 'Unavailable', message: 'HTTP 502', nextRetryDelay: MINUTE });
    // Also with the status that was last seen.
    expect(await watch(reads(POSTED), { input, attempt: 3 })).toEqual(POSTED);
  });

  test('a defect of ours is not hidden', async () => {
    const defect = new TypeError('a defect');
    await expect(watch(fails(defect))).rejects.toBe(defect);
  });
});

describe('an entity', () => {
  test.each([
    ['missing where the tenant has Multi-entity', true, INPUT, /entityId is missing/],
    ['given where it has not', false, { ...INPUT, entityId: 'e-1' }, /entityId must be left out/],
  ])('%s is invalid input, and nothing is read', async (_what, multiEntity, input, words) => {
    const getBillRun = reads(POSTED);
    const failure = await failureOf(watch(getBillRun, { input, multiEntity }));
    expect(failure).toMatchObject({ type: 'InvalidInput', nonRetryable: true });
    expect(failure.message).toMatch(words);
    expect(getBillRun).not.toHaveBeenCalled();
  });

  test('is taken where the tenant has Multi-entity', async () => {
    expect(await watch(reads(POSTED), { input: { ...INPUT, entityId: 'e-1' }, multiEntity: true })).toEqual(POSTED);
  });
});
