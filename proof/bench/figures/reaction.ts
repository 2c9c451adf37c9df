import { atOnce, billRuns, ours, withWorkers, type Parts } from '../parts.js';
import { percentile } from '../statistics.js';
import { billRunPostedSignal, statusQuery } from '../../../workflows/contract/contract.js';

/** `reaction`: milliseconds from the signal `billRunPosted` to the call in the simulator's log, one bill run at a time. */
export function reaction(parts: Parts) {
  const signals = parts.quick ? 5 : 200;
  const warmUp = parts.quick ? 1 : 10;
  return withWorkers(parts, { floor: false }, async () => {
    const ms: number[] = [];
    await atOnce(1, await billRuns(parts, warmUp + signals, { invoices: 2, creditMemos: 1 }), async (number) => {
      const job = await ours(parts).start(number);
      // The job has read the bill run and waits for its next poll, seconds later.
      while ((await job.query(statusQuery)).billRunStatus !== 'Completed') continue;
      await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
      const signaledAt = Date.now();
      await job.signal(billRunPostedSignal);
      await job.result();
      const requests = await parts.control<{ at: string; method: string }[]>('GET', `/requests?billRun=${number}`);
      const call = requests.find(({ method }) => method === 'POST');
      ms.push(Date.parse(call?.at ?? '') - signaledAt);
    });
    const measured = ms.slice(warmUp);
    return { p50: percentile(measured, 50), p99: percentile(measured, 99), max: Math.max(...measured), signals };
  });
}
