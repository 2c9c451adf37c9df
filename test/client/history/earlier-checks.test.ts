import { defaultDataConverter as converter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { attemptsAndCheck } from '../../../client/history/earlier-checks.js';
import { made, payloads, UNDECODABLE, type KnownRun } from '../../support/histories.js';

const counts = { sent: 0, waiting: 0, notSent: 1, leftOut: 0, unknown: 0 };
const memory = (name: string) => ({ dropped: { [name]: 'notification inactive' } });
const check = (at: number, name: string) => ({
  ...{ documents: { complete: true, total: 1, ...counts, list: [] }, kinds: {}, otherFailures: 0 },
  ...{ at, next: null, memory: memory(name) },
});

function watched(result: unknown, { since = 1_000, input = payloads({ since }), name = 'watchDelivery' } = {}) {
  return [
    { activityTaskScheduledEventAttributes: { activityType: { name }, input } },
    { activityTaskCompletedEventAttributes: { scheduledEventId: '1', result } },
  ];
}

async function noted(...runs: readonly KnownRun[]): Promise<unknown> {
  // eslint-disable-next-line @typescript-eslint/require-await -- as histories come
  async function* histories() {
    yield* runs;
  }
  const { check } = await attemptsAndCheck(histories(), converter, () => undefined);
  return check;
}

test('the last check of all runs counts, with the send that it followed', async () => {
  const one = made(watched(payloads(check(2_000, 'A'))), { runId: 'one' });
  const two = made(watched(payloads(check(9_000, 'B')), { since: 8_000 }), { runId: 'two' });
  expect(await noted(one, two)).toEqual({ since: 8_000, memory: memory('B') });
  expect(await noted(two, one)).toEqual({ since: 8_000, memory: memory('B') });
});

test('another result, and what cannot be decoded, is left out', async () => {
  expect(await noted(made(watched(payloads({ cannotRead: 'HTTP 503', since: 1 }))))).toBeUndefined();
  expect(await noted(made(watched(UNDECODABLE)))).toBeUndefined();
  expect(await noted(made(watched(payloads(check(1, 'A')), { input: UNDECODABLE })))).toBeUndefined();
  expect(await noted(made(watched(payloads(check(1, 'A')), { name: 'watchBillRun' })))).toBeUndefined();
});
