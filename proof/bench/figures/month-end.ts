import { setTimeout as delay } from 'node:timers/promises';
import { atOnce, billRuns, jobs, withWorkers, type Parts } from '../parts.js';
import { rounded } from '../statistics.js';

/** Zuora's limit for a tenant. */
const CALLS_AT_ONCE = 40;
const SLOW = [
  { method: 'GET', path: '/object-query/billing-runs/*' },
  { method: 'POST', path: '/v1/bill-runs/*/emails' },
] as const;

/** `monthEnd`: all bill runs post at once, callouts say so, and Zuora takes long over each read and each email call. */
export function monthEnd(parts: Parts) {
  const { control, emails, quick } = parts;
  const count = quick ? 40 : 1_000;
  const answerMs = quick ? 300 : 3_000;
  // One worker makes all the calls that Zuora takes.
  const worker = { floor: false, env: { ZUORA_CONNECTIONS: String(CALLS_AT_ONCE) } };
  return withWorkers(parts, worker, async () => {
    const openBefore = await jobs(parts, 'open');
    // Another figure may have left some.
    const waitingBefore = await jobs(parts, 'waiting');
    const numbers = await billRuns(parts, count, { status: 'Completed', invoices: 2, creditMemos: 1 });
    await atOnce(CALLS_AT_ONCE, numbers, async (billRunKey) => {
      await emails.start({ billRunKey, openFor: '0s' });
    });
    while ((await jobs(parts, 'waiting')) < waitingBefore + count) await delay(200);
    for (const call of SLOW) {
      const times = 100 * count;
      await control('POST', '/faults', { ...call, when: 'before', fault: 'stall', afterMs: answerMs, times });
    }
    await atOnce(CALLS_AT_ONCE, numbers, (number) => control('PATCH', `/bill-runs/${number}`, { status: 'Posted' }));

    const postedAt = Date.now();
    await atOnce(CALLS_AT_ONCE, numbers, async (billRunKey) => {
      await emails.billRunPosted({ billRunKey });
    });
    while ((await jobs(parts, 'open')) > openBefore) await delay(200);
    await control('DELETE', '/faults');

    const calls = (await control<{ at: string }[]>('GET', '/requests'))
      .map(({ at }) => Date.parse(at))
      .filter((at) => at >= postedAt);
    const ms = Math.max(...calls) + answerMs - postedAt;
    const allowedMs = (calls.length * answerMs) / CALLS_AT_ONCE;
    return {
      ratio: rounded(ms / allowedMs),
      seconds: { ours: rounded(ms / 1_000), allowed: rounded(allowedMs / 1_000) },
      ...{ billRuns: count, calls: calls.length, answerMs, callsAtOnce: CALLS_AT_ONCE },
    };
  });
}
