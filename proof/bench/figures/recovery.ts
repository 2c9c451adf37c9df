import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../../../scripts/processes.js';
import { atOnce, bare, billRuns, ours, startWorkers, type Parts, type Variant } from '../parts.js';
import { percentile } from '../statistics.js';

/** Zuora is still at work when the worker is killed. */
const CALL_MS = 60_000;

/**
 * `recovery`: from the kill of a worker, with all its calls under way, to the next call for each of its bill runs, which another
 * worker makes. In seconds. Ours, and the floor with the same time-out of heartbeats.
 */
export async function recovery(parts: Parts) {
  const { control, quick } = parts;
  const count = quick ? 2 : 20;
  const variants = [ours(parts), bare(parts, 'emailFloor')];
  const numbers = new Map<Variant, readonly string[]>();
  const lost = await startWorkers(parts, { floor: true, env: { ZUORA_CONNECTIONS: '40' } });
  const workers: Child[] = [...lost];
  try {
    for (const variant of variants) {
      const own = await billRuns(parts, count, { status: 'Posted', invoices: 2, creditMemos: 1 });
      numbers.set(variant, own);
      for (const number of own) {
        const path = `/v1/bill-runs/${number}/emails`;
        await control('POST', '/faults', { method: 'POST', path, when: 'before', fault: 'stall', afterMs: CALL_MS });
      }
      await atOnce(count, own, async (number) => {
        await variant.start(number);
      });
    }
    const all = [...numbers.values()].flat();
    const calls = async (number: string): Promise<readonly number[]> =>
      (await control<{ at: string; method: string }[]>('GET', `/requests?billRun=${number}`))
        .filter(({ method }) => method === 'POST')
        .map(({ at }) => Date.parse(at));
    const untilCalled = (times: number): Promise<void> =>
      atOnce(all.length, all, async (number) => {
        while ((await calls(number)).length < times) await delay(200);
      });
    await untilCalled(1);
    workers.push(...(await startWorkers(parts, { floor: true })));
    const killedAt = Date.now();
    await Promise.all(lost.map((worker) => worker.stop(0)));
    await untilCalled(2);

    const seconds: Record<string, object> = {};
    for (const [{ name }, own] of numbers) {
      const took = await Promise.all(own.map(async (number) => ((await calls(number))[1] ?? NaN) - killedAt));
      const inSeconds = took.map((ms) => ms / 1_000);
      seconds[name] = { p50: percentile(inSeconds, 50), worst: percentile(inSeconds, 100) };
    }
    return { seconds, billRuns: count };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop(0)));
  }
}
