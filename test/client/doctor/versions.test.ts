/** Workers of versions, as the doctor and a start see them: docs/deploy.md. Those of the version that is not current get no work. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { diagnose, type Check } from '../../../client/index.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { temporalCli } from '../../../scripts/temporal-server.js';
import { startWorker } from '../../../scripts/worker-process.js';
import { run } from '../../support/command-line.js';
import { openParts, type Parts } from '../../support/parts.js';
import { until } from '../../support/rig.js';

let parts: Parts;
beforeAll(async () => {
  // So that the server soon forgets a worker that has stopped; else it lists it for five minutes.
  parts = await openParts({ 'matching.longPollExpirationInterval': '2s', 'matching.pollerHistoryTTL': '6s' });
});
afterAll(() => parts.close());
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A task queue, with a deployment of the same name. */
function openQueue() {
  const taskQueue = `versions-${randomUUID()}`;
  const given = {
    TEMPORAL_ADDRESS: parts.temporal.address,
    BILL_RUN_TASK_QUEUE: taskQueue,
    ...simulatorEnvironment(parts.simulator.url),
  };
  for (const [name, value] of Object.entries(given)) vi.stubEnv(name, value);
  const worker = async (env: Record<string, string>) => {
    const { temporal, simulator } = parts;
    const child = await startWorker({ temporal, simulatorUrl: simulator.url, taskQueue, env });
    onTestFinished(async () => {
      await child.stop(60_000);
    });
    return child;
  };
  return {
    taskQueue,
    unversioned: () => worker({}),
    version: (buildId: string) => worker({ TEMPORAL_DEPLOYMENT_NAME: taskQueue, TEMPORAL_WORKER_BUILD_ID: buildId }),
  };
}

async function temporal(command: string): Promise<void> {
  const [, ...args] = command.split(' ');
  await until(
    () => run(temporalCli(), args, { TEMPORAL_ADDRESS: parts.temporal.address }),
    ({ code }) => code === 0,
  );
}

const setCurrent = (taskQueue: string, which: string): string =>
  `temporal worker deployment set-current-version --deployment-name ${taskQueue} ${which} --yes`;

/** Both checks of workers, once they have that result. */
async function workersOnce(expected: Check['result'], text = ''): Promise<readonly Check[]> {
  const checks = async () => (await diagnose()).checks.filter(({ name }) => name.endsWith('Workers'));
  return until(checks, (all) => all.every((each) => each.result === expected && each.text.includes(text)));
}

test('A version that is not current gets no work: the doctor says so, and its command helps', async () => {
  const { taskQueue, version } = openQueue();
  await version('build-1');
  const found = await workersOnce('error', 'are not taken');
  const command = setCurrent(taskQueue, '--build-id build-1');
  expect(found).toEqual(
    ['workflow', 'activity'].map((kind) => ({
      ...{ name: `${kind}Workers`, result: 'error' },
      text: `${kind} tasks of ${taskQueue} are not taken: they go to workers without a version, but only workers of version build-1 of ${taskQueue} poll`,
      todo: `Make current what polls: ${command}`,
    })),
  );
  await temporal(command);
  await workersOnce('ok', '1 worker takes');
});

test('Beside the current version, one that waits is fine; one that must take a share and does not poll is', async () => {
  const { taskQueue, version } = openQueue();
  await version('build-1');
  const second = await version('build-2');
  await workersOnce('error', 'are not taken');
  await temporal(setCurrent(taskQueue, '--build-id build-1'));
  await workersOnce('ok', '1 worker takes');
  await temporal(
    setCurrent(taskQueue, '--build-id build-2 --percentage 20').replace('set-current-version', 'set-ramping-version'),
  );
  await workersOnce('ok', '2 workers take');
  await second.stop(60_000);
  for (const { text, todo } of await workersOnce('error')) {
    expect(text).toContain(
      `they go to workers of version build-1 of ${taskQueue} and, for 20 %, to workers of version build-2 of ${taskQueue}, but only workers of version build-1`,
    );
    expect(todo).toBe(`Start workers of version build-2 of ${taskQueue}`);
  }
});

test('A worker without a version gets no work where a version is current: the command helps', async () => {
  const { taskQueue, version, unversioned } = openQueue();
  const versioned = await version('build-1');
  await temporal(setCurrent(taskQueue, '--build-id build-1'));
  await workersOnce('ok', '1 worker takes');
  await unversioned();
  await versioned.stop(60_000);
  const [found] = await workersOnce(
    'error',
    `they go to workers of version build-1 of ${taskQueue}, but only workers without`,
  );
  const command = setCurrent(taskQueue, '--unversioned');
  expect(found?.todo).toBe(`Make current what polls: ${command}`);
  await temporal(command);
  await workersOnce('ok', '1 worker takes');
});
