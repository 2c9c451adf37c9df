/** A new version of the worker takes over, as docs/deploy.md says: nothing is lost, and nothing is emailed twice. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { temporalCli } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { run } from '../support/command-line.js';
import { openParts, type Parts } from '../support/parts.js';
import { emailsPerDocument, until, type Email } from '../support/rig.js';

const DEPLOYMENT = 'bill-run-emails';
/** Many enough that some wait, read and send at any moment of a change. */
const WAITING = 30;
const SENDING = 12;
const ALL = WAITING + SENDING;
/** Three workers, on a machine that may have other work. */
const timeout = 300_000;

let parts: Parts;
beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());

const worker = (env: Record<string, string> = {}) =>
  startWorker({ temporal: parts.temporal, simulatorUrl: parts.simulator.url, pollInterval: '5s', env });
const workerOf = (buildId: string) =>
  worker({ TEMPORAL_DEPLOYMENT_NAME: DEPLOYMENT, TEMPORAL_WORKER_BUILD_ID: buildId, ZUORA_CONNECTIONS: '20' });

/** Temporal knows the version once its worker has asked for work. */
async function makeCurrent(buildId: string): Promise<void> {
  const names = ['--deployment-name', DEPLOYMENT, '--build-id', buildId, '--yes'];
  const command = ['worker', 'deployment', 'set-current-version', ...names];
  await until(
    () => run(temporalCli(), command, { TEMPORAL_ADDRESS: parts.temporal.address }),
    ({ code }) => code === 0,
  );
}

async function started(count: number, status: string): Promise<readonly string[]> {
  const created = Array.from({ length: count }, () =>
    parts.control<{ number: string }>('POST', '/bill-runs', { status, invoices: 1 }),
  );
  const numbers = (await Promise.all(created)).map(({ number }) => number);
  await Promise.all(numbers.map((billRunKey) => parts.emails.start({ billRunKey })));
  return numbers;
}

const inState = (query: string, wanted: number) =>
  until(
    () => parts.emails.client.workflow.count(query),
    ({ count }) => count === wanted,
  );

/** The build that did the last workflow task of a run; null for a worker without a version. */
async function buildOf(number: string): Promise<string | null> {
  const { raw } = await parts.emails.client.workflow.getHandle(`email-bill-run/${number}`).describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? null;
}

async function drained(old: Child): Promise<void> {
  expect(await old.stop(160_000)).toMatchObject({ code: 0 });
}

test('Versions take over while bill runs wait and are being sent', { timeout }, async () => {
  const unversioned = await worker();
  const waiting = await started(WAITING, 'Completed');
  await inState(`BillRunStatus = 'Completed' AND EmailState = 'Waiting'`, WAITING);

  // From a worker without a version to the first one.
  const first = await workerOf('build-1');
  await makeCurrent('build-1');
  await drained(unversioned);
  const path = '/v1/bill-runs/*/emails';
  const slow = { when: 'before', fault: 'stall', afterMs: 30_000, times: SENDING };
  await parts.control('POST', '/faults', { method: 'POST', path, ...slow });
  const sending = await started(SENDING, 'Posted');
  const calls = async () => {
    const requests = await parts.control<{ path: string; answeredAt: string | null }[]>('GET', '/requests');
    return requests.filter((each) => each.path.endsWith('/emails'));
  };
  await until(calls, ({ length }) => length === SENDING);
  expect(new Set(await Promise.all(sending.map(buildOf)))).toEqual(new Set(['build-1']));

  const gate = await run(process.execPath, [join(projectRoot, 'dist', 'worker', 'replay.js'), '--json'], {
    TEMPORAL_ADDRESS: parts.temporal.address,
  });
  expect(JSON.parse(gate.stdout)).toMatchObject({ replayed: ALL, failed: [] });

  const second = await workerOf('build-2');
  await makeCurrent('build-2');
  await drained(first);
  const cut = (await calls()).filter(({ answeredAt }) => answeredAt === null);
  expect(cut, 'no call of the first version is open when it has ended').toEqual([]);
  for (const number of waiting) await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
  await inState(`EmailState = 'Delivering'`, ALL);

  const emails = await parts.control<Email[]>('GET', '/mailbox');
  expect(emailsPerDocument(emails)).toEqual({ min: 1, max: 1 });
  expect(new Set(emails.map(({ billRunNumber }) => billRunNumber)).size).toBe(ALL);
  const records = await Promise.all(sending.map((billRunKey) => parts.emails.sends({ billRunKey })));
  expect(records.flat().map(({ attempts }) => attempts.map(({ verdict }) => verdict))).toEqual(
    sending.map(() => ['accepted']),
  );
  expect(new Set(await Promise.all(waiting.map(buildOf)))).toEqual(new Set(['build-2']));
  await drained(second);
});

test('A version that is not current gets no work', async () => {
  const current = await workerOf('build-3');
  await makeCurrent('build-3');
  const idle = await workerOf('build-4');
  const [number = ''] = await started(1, 'Posted');
  await inState(`BillRunNumber = '${number}' AND EmailState = 'Delivering'`, 1);
  expect(await buildOf(number)).toBe('build-3');
  await drained(idle);
  await drained(current);
});
