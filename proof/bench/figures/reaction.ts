import { atOnce, billRuns, ours, withWorkers, type Parts } from '../parts.js';
import { percentile } from '../statistics.js';
import { billRunPostedSignal, statusQuery } from '../../../workflows/contract/contract.js';

/** `reaction`: from the signal `billRunPosted` to the moment at which the simulator gets the call, one at a time. */
export function reaction(parts: Parts) {
  const signals = parts.quick ? 5 : 200;
  const warmUp = parts.quick ? 1 : 10;
  return withWorkers(parts, { floor: false }, async () => {
    const ms: number[] = [];
    await atOnce(1, await billRuns(parts, warmUp + signals, { invoices: 2, creditMemos: 1 }), async (number) => {
      const run = await ours(parts).start(number);
      // It has read the bill run, and waits for its next poll, which is seconds away.
      while ((await run.query(statusQuery)).billRunStatus !== 'Completed') continue;
      await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
      const toldAt = Date.now();
      await run.signal(billRunPostedSignal);
      await run.result();
      const seen = await parts.control<{ at: string; method: string }[]>('GET', `/requests?billRun=${number}`);
      const call = seen.find(({ method }) => method === 'POST');
      ms.push(Date.parse(call?.at ?? '') - toldAt);
    });
    const measured = ms.slice(warmUp);
    return { p50: percentile(measured, 50), p99: percentile(measured, 99), max: Math.max(...measured), signals };
  });
}
