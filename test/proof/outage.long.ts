/** A thousand waiting jobs while Zuora fails for ten minutes, on real parts. It prints the figures of docs/reliability.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Child } from '../../scripts/processes.js';
import { startWorker } from '../../scripts/worker-process.js';
import { newNamespace, openRig, until, type Rig, type SeenRequest } from '../support/rig.js';

const JOBS = 1_000;
const MINUTES = 10;
const PER_MINUTE = 60;
const MINUTE = 60_000;
const READ = { method: 'GET', path: '/object-query/billing-runs/*' } as const;
const LOGIN = { method: 'POST', path: '/oauth/token' } as const;

let rig: Rig;
let worker: Child;
beforeAll(async () => {
  const namespace = await newNamespace();
  const polling = { first: MINUTE, longest: MINUTE, afterAnHour: 15 * MINUTE };
  rig = await openRig({ namespace, keepsJobs: true, polling });
  for (let count = 0; count < JOBS; count += 1) await rig.billRun.create({ status: 'Completed' });
  const billRuns = await rig.control<{ number: string }[]>('GET', '/bill-runs');
  for await (const each of rig.emails.startMany(billRuns.map(({ number: billRunKey }) => ({ billRunKey })))) {
    expect(each.ok).toBe(true);
  }
  // Their first reads do not count here, so this worker has no budget.
  await until(
    () => rig.client.workflow.count("BillRunStatus = 'Completed'"),
    ({ count }) => count === JOBS,
  );
  await rig.stopWorker();
  worker = await startWorker({
    temporal: { address: inject('temporalAddress'), namespace },
    simulatorUrl: rig.simulatorUrl,
    taskQueue: rig.taskQueue,
    logLevel: 'error',
    env: { BILL_RUN_POLLS_PER_MINUTE: String(PER_MINUTE) },
  });
  // What the other worker had planned for its next minute.
  const from = new Date().toISOString();
  await until(
    async () => {
      const requests = await rig.control<(SeenRequest & { readonly at: string })[]>('GET', '/requests');
      return new Set(requests.filter(({ at }) => at > from).map(({ path }) => path));
    },
    ({ size }) => size >= JOBS,
  );
}, 900_000);
afterAll(async () => {
  await worker.stop(0);
  await rig.startWorker();
  await rig.close();
});

async function countOf(method: string, path: string): Promise<number> {
  const requests = await rig.control<SeenRequest[]>('GET', '/requests');
  return requests.filter((each) => each.method === method && each.path.startsWith(path)).length;
}

test.each([
  ['Zuora answers 503', 503, [READ, LOGIN]],
  ['Zuora refuses every token that it gives', 401, [READ]],
  ['Zuora refuses the client secret', 401, [LOGIN]],
])(
  `${JOBS} jobs make ${PER_MINUTE} reads a minute at most while %s`,
  { timeout: 1_200_000 },
  async (how, status, paths) => {
    const counts = async (): Promise<readonly [reads: number, tokens: number]> => [
      await countOf('GET', '/object-query/billing-runs/'),
      await countOf('POST', '/oauth/token'),
    ];
    for (const path of paths) {
      await rig.control('POST', '/faults', { ...path, status, when: 'before', fault: 'respond', times: 1_000_000 });
    }
    await rig.control('DELETE', '/tokens');
    const before = await counts();
    await delay(MINUTES * MINUTE);
    const after = await counts();
    const [reads = 0, tokens = 0] = after.map((count, index) => count - (before[index] ?? 0));
    const unreadable = await rig.client.workflow.count("EmailReason = 'cannotRead'");
    console.log(
      `${how}: ${reads} reads and ${tokens} token calls in ${MINUTES} minutes; ${unreadable.count} jobs say so`,
    );
    await rig.control('DELETE', '/faults');
    expect(reads).toBeLessThanOrEqual(MINUTES * PER_MINUTE);
    expect(tokens).toBeLessThanOrEqual(20);
    expect(reads + tokens).toBeGreaterThan(0);
  },
);
