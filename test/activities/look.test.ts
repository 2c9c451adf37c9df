import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { billRunReader } from '../../activities/look.js';
import type { BillRun } from '../../workflows/contract/activities.js';
import { ZuoraFailure, type Scope, type Zuora } from '../../zuora/client.js';

const MINUTE = 60_000;
const POSTED = { id: '8ad0', number: 'BR-00000001', status: 'Posted' };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => vi.useRealTimers());

function open(postedNotifications: Zuora['postedNotifications'], status = 'Posted') {
  const getBillRun = () => Promise.resolve({ ...POSTED, status });
  const readBillRun = billRunReader({ getBillRun, postedNotifications } as unknown as Zuora);
  const warnings: LogEntry[] = [];
  const logger = new DefaultLogger('WARN', (entry) => warnings.push(entry));
  const read = (scope: Scope = {}): Promise<BillRun> =>
    new MockActivityEnvironment({}, { logger }).run(() => readBillRun('BR-1', scope));
  return { read, warnings };
}

const names = (...all: string[]) => vi.fn<Zuora['postedNotifications']>().mockResolvedValue(all);

describe('A look at a posted bill run', () => {
  test('names the notifications by which Zuora emails at the post, a few of them', async () => {
    expect(await open(names('Invoice Posted')).read()).toEqual({ ...POSTED, postedNotifications: ['Invoice Posted'] });
    expect((await open(names('a', 'b', 'c', 'd', 'e', 'f')).read()).postedNotifications).toHaveLength(5);
    expect(await open(names()).read()).toEqual(POSTED);
  });

  test('reads them once in five minutes for each entity and its orgs, however many bill runs there are', async () => {
    const notifications = names('Invoice Posted');
    const { read } = open(notifications);
    await Promise.all(Array.from({ length: 100 }, () => read()));
    await Promise.all([read({ entityId: 'e-1' }), read({ entityId: 'e-1' }), read({ orgIds: ['o-1'] })]);
    expect(notifications.mock.calls).toEqual([[{}], [{ entityId: 'e-1' }], [{ orgIds: ['o-1'] }]]);
    vi.advanceTimersByTime(5 * MINUTE + 1);
    await read();
    expect(notifications).toHaveBeenCalledTimes(4);
  });

  test('goes on without them where they cannot be read, warns once, and tries again after a minute', async () => {
    const refused = new ZuoraFailure('refused', 'Zuora answered HTTP 403: Forbidden', 403);
    const notifications = names('Invoice Posted').mockRejectedValueOnce(refused);
    const { read, warnings } = open(notifications);
    expect(await Promise.all([read(), read()])).toEqual([POSTED, POSTED]);
    expect(warnings).toMatchObject([{ level: 'WARN', meta: { error: 'Zuora answered HTTP 403: Forbidden' } }]);
    vi.advanceTimersByTime(MINUTE + 1);
    expect(await read()).toHaveProperty('postedNotifications');
    expect(warnings).toHaveLength(1);
  });
});

test('A look at a bill run that is not posted reads no notifications', async () => {
  const notifications = names('Invoice Posted');
  expect(await open(notifications, 'PostInProgress').read()).toEqual({ ...POSTED, status: 'PostInProgress' });
  expect(notifications).not.toHaveBeenCalled();
});
