/** A Temporal that does not answer, as the command line and the library meet it. */
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { forEach } from '../../../client/cli/bill-runs.js';
import type { Tried } from '../../../client/many.js';
import { BillRunEmails, BillRunEmailsError } from '../../../client/index.js';
import { snapshotOf } from '../../../client/resend-outcome.js';

test('many bill runs are given up when one after the other gets no answer, and each of them is reported', async () => {
  const items = Array.from({ length: 500 }, (_, index) => index);
  const tried: number[] = [];
  const results: (readonly [number, Tried<unknown>])[] = [];
  await forEach(
    items,
    (item) => {
      tried.push(item);
      return Promise.reject(new BillRunEmailsError('TemporalUnavailable', 'away'));
    },
    (item, tried) => results.push([item, tried]),
    'asked',
  );
  expect(tried.length).toBeLessThan(25);
  expect(results.map(([item]) => item)).toEqual(items);
  expect(results.at(-1)?.[1]).toMatchObject({ ok: false, error: { type: 'TemporalUnavailable' } });
});

test('some that get no answer do not keep the others from it', async () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  let done = 0;
  await forEach(
    items,
    (item) =>
      item % 5 === 0 ? Promise.resolve() : Promise.reject(new BillRunEmailsError('TemporalUnavailable', 'away')),
    (_, { ok }) => (done += ok ? 1 : 0),
    'asked',
  );
  expect(done).toBe(20);
});

test('a call that the server cancels at its deadline is a Temporal that is away', async () => {
  const cancelled = Object.assign(new Error('1 CANCELLED: Call cancelled'), {
    ...{ code: 1, details: 'Call cancelled', metadata: {} },
  });
  const client = { withDeadline: () => Promise.reject(cancelled) } as unknown as Client;
  await expect(new BillRunEmails(client).status({ billRunKey: 'BR-1' })).rejects.toMatchObject({
    type: 'TemporalUnavailable',
    message: expect.stringContaining('Call cancelled') as string,
  });
});

test('nothing is still being asked for when a question failed: the connection may be closed then', async () => {
  let underWay = 0;
  let most = 0;
  const query = async (): Promise<never> => {
    most = Math.max(most, (underWay += 1));
    await Promise.resolve();
    underWay -= 1;
    throw new Error('no answer');
  };
  const describe = () => Promise.resolve({ status: { name: 'RUNNING' }, runId: 'r', type: 'emailBillRun' });
  const client = { workflow: { getHandle: () => ({ describe, query }) } } as unknown as Client;
  await expect(snapshotOf(client, 'email-bill-run/BR-1')).rejects.toThrow('no answer');
  expect([most, underWay]).toEqual([1, 0]);
});
