/** Zuora's limits: the calls that many bill runs make at once, because other clients share the tenant. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import fc from 'fast-check';
import { pollBudget } from '../../../activities/budget.js';
import { startWorker } from '../../../scripts/worker-process.js';
import { openParts, type Parts } from '../../support/parts.js';
import { emailsPerDocument, until, type Email } from '../../support/rig.js';

interface Logged {
  readonly at: string;
  readonly answeredAt: string | null;
  readonly path: string;
  readonly billRun: string | null;
}

let parts: Parts;
beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());

const worker = (env: Record<string, string>) =>
  startWorker({ temporal: parts.temporal, simulatorUrl: parts.simulator.url, pollInterval: '10s', env });

async function billRuns(count: number, status: string): Promise<readonly string[]> {
  const created = Array.from({ length: count }, () =>
    parts.control<{ number: string }>('POST', '/bill-runs', { status, invoices: 1 }),
  );
  return (await Promise.all(created)).map(({ number }) => number);
}

/** The calls of Zuora's API, without tokens. */
async function callsSince(since: number): Promise<readonly Logged[]> {
  const requests = await parts.control<Logged[]>('GET', '/requests');
  return requests.filter(({ path, at }) => path !== '/oauth/token' && Date.parse(at) >= since);
}

/** The most that were open at the same time. */
function atOnce(calls: readonly Logged[]): number {
  const changes = calls.flatMap(({ at, answeredAt }) => [
    { at: Date.parse(at), by: 1 },
    { at: Date.parse(answeredAt ?? at), by: -1 },
  ]);
  let open = 0;
  return Math.max(...changes.sort((a, b) => a.at - b.at || a.by - b.by).map(({ by }) => (open += by)));
}

test('Bill runs that post at once are emailed once each, within the concurrent calls of two workers', async () => {
  const env = { ZUORA_CONNECTIONS: '8' };
  const workers = await Promise.all([worker(env), worker(env)]);
  // Four times as many as the two may email at once.
  const count = 64;
  const numbers = await billRuns(count, 'Completed');
  await Promise.all(numbers.map((billRunKey) => parts.emails.start({ billRunKey })));
  const waiting = `BillRunStatus = 'Completed' AND EmailState = 'Waiting'`;
  const { workflow } = parts.emails.client;
  await until(
    () => workflow.count(waiting),
    (listed) => listed.count === count,
  );
  // Zuora's calls take time, too.
  const slow = { when: 'before', fault: 'stall', afterMs: 1_000, times: count };
  await parts.control('POST', '/faults', { method: 'POST', path: '/v1/bill-runs/*/emails', ...slow });
  const postedAt = Date.now();
  await Promise.all(numbers.map((number) => parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' })));
  await Promise.all(numbers.map((billRunKey) => parts.emails.billRunPosted({ billRunKey })));
  await until(
    () => workflow.count(`EmailState = 'Delivering'`),
    (listed) => listed.count === count,
  );
  const calls = await callsSince(postedAt);
  await Promise.all(workers.map((each) => each.stop()));

  expect(calls.filter(({ path }) => path.endsWith('/emails'))).toHaveLength(count);
  expect(emailsPerDocument(await parts.control<Email[]>('GET', '/mailbox'))).toEqual({ min: 1, max: 1 });
  const most = atOnce(calls);
  expect(most).toBeLessThanOrEqual(16);
  expect(most, 'both workers had more to do than they may').toBeGreaterThan(8);
});

test('A worker reads waiting bill runs within its budget', async () => {
  const perMinute = 300;
  const began = Date.now();
  const numbers = new Set(await billRuns(60, 'Completed'));
  const reader = await worker({ BILL_RUN_POLLS_PER_MINUTE: String(perMinute), BILL_RUN_POLL_INTERVAL: '100ms' });
  await Promise.all([...numbers].map((billRunKey) => parts.emails.start({ billRunKey })));
  const reads = await until(
    async () => (await callsSince(began)).filter(({ billRun }) => numbers.has(billRun ?? '')),
    // The looks at the start, and some of those after.
    ({ length }) => length >= 60 + 60 + 20,
  );
  await reader.stop(0);
  const minutes = (Date.parse(reads.at(-1)?.at ?? '') - began) / 60_000;
  // One look at once, and one more that begins the wait.
  expect(reads.length - 2 * numbers.size).toBeLessThanOrEqual(Math.ceil(perMinute * minutes));
});

test('With any number of waiting bill runs and any interval, the budget is never exceeded', () => {
  const lives = fc.array(fc.record({ intervalMs: fc.integer({ min: 1, max: 100_000 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6_000 }), lives, (perMinute, waiting) => {
      const delayed = pollBudget({ perMinute });
      // When each is read next; the earliest is read, and gets its next time.
      const next = waiting.map(() => 1_000_000);
      const reads: number[] = [];
      for (let read = 0; read < 300; read++) {
        const at = Math.min(...next);
        const which = next.indexOf(at);
        reads.push(at);
        const delayMs = delayed(waiting[which]?.intervalMs ?? 0, at);
        expect(delayMs).toBeGreaterThanOrEqual(waiting[which]?.intervalMs ?? 0);
        next[which] = at + delayMs;
      }
      for (const [index, at] of reads.slice(waiting.length).entries()) {
        expect(index).toBeLessThanOrEqual(((at - 1_000_000) * perMinute) / 60_000 + 1);
      }
    }),
  );
});
