/** A start says what keeps the order from being carried out, and neither fails nor waits for that. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails } from '../../client/index.js';
import { indexedTypes } from '../../client/temporal/setup.js';
import { cliGiven, json, jsonLines, type Ended } from '../support/command-line.js';
import { newNamespace, openRig, uniqueNumber, until, type Rig } from '../support/rig.js';
import { createAuthority, openDoor } from '../support/temporal-door.js';

let rig: Rig;
let namespace: string;
beforeAll(async () => {
  namespace = await newNamespace();
  rig = await openRig({ namespace });
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => rig.close());

/** No worker polls it. */
const newQueue = (): string => `nobody-${randomUUID()}`;

const cli = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> =>
  cliGiven({ env: { TEMPORAL_NAMESPACE: namespace, ...env } }, ...args);

const noWorker = (taskQueue: string): string =>
  `no worker takes workflow tasks of ${taskQueue}. Start a worker: npm run worker, with the same TEMPORAL_* variables and BILL_RUN_TASK_QUEUE`;
const HELD = 'all jobs are on hold, so nothing is sent until: bill-run-emails release --all';

describe('A start where no worker polls', () => {
  test('is taken, and says so: library, command line, and JSON', async () => {
    const taskQueue = newQueue();
    const env = { BILL_RUN_TASK_QUEUE: taskQueue };
    const emails = new BillRunEmails(rig.client, { taskQueue });
    const [first, second, third] = [uniqueNumber(), uniqueNumber(), uniqueNumber()];
    const warnings = [noWorker(taskQueue)];
    expect(await emails.start({ billRunKey: first })).toMatchObject({ result: 'started', warnings });
    expect(await emails.start({ billRunKey: first })).toMatchObject({ result: 'joined', warnings });
    expect(await cli(env, 'start', second)).toEqual({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^Started email-bill-run/${second} .*\n$`)) as string,
      stderr: `Warning: ${noWorker(taskQueue)}.\n`,
    });
    expect(await json(cli(env, 'start', third, '--json'))).toMatchObject({ ok: true, result: 'started', warnings });
    expect(await cli(env, 'start', third)).toMatchObject({ code: 0, stderr: `Warning: ${noWorker(taskQueue)}.\n` });
    const options = ['--request-id', 'T-1', '--reason', 'wrong template', '--yes'];
    const resent = await cli(env, 'resend', uniqueNumber(), ...options);
    expect(resent).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`Warning: ${noWorker(taskQueue)}.\n`) as string,
    });
  });

  test('is said once for many', async () => {
    const taskQueue = newQueue();
    const env = { BILL_RUN_TASK_QUEUE: taskQueue };
    const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-warnings-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'runs.txt');
    writeFileSync(file, Array.from({ length: 60 }, uniqueNumber).join('\n'));
    const printed = await cli(env, 'start', '--file', file);
    expect(printed).toMatchObject({ code: 0, stderr: `Warning: ${noWorker(taskQueue)}.\n` });
    expect(printed.stdout).toMatch(/\n60 bill runs: 60 started\.\n$/);
    const again = await cli(env, 'start', '--file', file, '--json');
    expect(again).toMatchObject({ code: 0, stderr: '60 bill runs: 60 joined.\n' });
    const lines = jsonLines(again) as { warnings?: string[] }[];
    expect(lines.flatMap(({ warnings }) => (warnings === undefined ? [] : [warnings]))).toEqual([
      [noWorker(taskQueue)],
    ]);
  });
});

test('A start that a worker takes has no warnings, and neither has one that does nothing', async () => {
  const { number } = await rig.billRun.create();
  const env = { BILL_RUN_TASK_QUEUE: rig.taskQueue };
  const started = await json<object>(cli(env, 'start', number, '--json'));
  expect(started).not.toHaveProperty('warnings');
  await rig.state(rig.own(number), 'Delivering');
  await rig.stopWorker();
  await rig.emails.holdAll();
  onTestFinished(() => rig.startWorker());
  onTestFinished(async () => {
    await rig.emails.releaseAll();
  });
  expect(await cli(env, 'start', number)).toMatchObject({ code: 0, stderr: '' });
});

test('A start under a hold on all says so, and how to end it', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const env = { BILL_RUN_TASK_QUEUE: rig.taskQueue };
  expect(await rig.emails.start({ billRunKey: number })).not.toHaveProperty('warnings');
  await rig.emails.holdAll({ requestedBy: 'alice' });
  expect(await rig.emails.start({ billRunKey: number })).toMatchObject({ result: 'joined', warnings: [HELD] });
  expect(await cli(env, 'start', number)).toMatchObject({ code: 0, stderr: `Warning: ${HELD}.\n` });
  expect(await json(cli(env, 'start', number, '--json'))).toMatchObject({ warnings: [HELD] });
  await rig.emails.releaseAll();
  expect(await rig.emails.start({ billRunKey: number })).not.toHaveProperty('warnings');
  expect(await cli(env, 'start', number)).toMatchObject({ code: 0, stderr: '' });
});

test.each([
  ['lacks them all', undefined, 'lacks the search attributes BillRunNumber, '],
  ['has one with another type', 'EmailState', 'EmailState is registered with another type'],
])('A start in a namespace that %s says so', async (_, wrong, words) => {
  const bare = `bare-${randomUUID()}`;
  await rig.connection.workflowService.registerNamespace({
    namespace: bare,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  const env = { TEMPORAL_NAMESPACE: bare, BILL_RUN_TASK_QUEUE: newQueue() };
  if (wrong !== undefined) {
    const searchAttributes = { ...indexedTypes(), [wrong]: indexedTypes()['EmailSends'] ?? 0 };
    await until(
      () =>
        rig.connection.operatorService.addSearchAttributes({ namespace: bare, searchAttributes }).then(
          () => true,
          () => false,
        ),
      (done) => done,
    );
  }
  const started = await until(
    () => cli(env, 'start', uniqueNumber()),
    ({ code, stderr }) => code === 0 && stderr.includes(words),
  );
  expect(started.stderr.split('\n').filter((line) => line !== '')).toHaveLength(2);
  expect(started.stderr).toContain('bill-run-emails setup');
});

describe('What a start asks for its warnings', () => {
  async function through(taskQueue: string) {
    const authority = await createAuthority();
    const door = await openDoor(inject('temporalAddress'), { identity: await authority.server('localhost') });
    const tls = { serverRootCACertificate: Buffer.from(authority.cert) };
    const connection = await Connection.connect({ address: door.address, tls });
    onTestFinished(async () => {
      await connection.close();
      await door.close();
    });
    const emails = new BillRunEmails(new Client({ connection, namespace }), { taskQueue });
    const calls = (method: string): number => door.calls.filter(({ path }) => path.endsWith(`/${method}`)).length;
    return { door, emails, calls };
  }

  const QUESTIONS = ['DescribeTaskQueue', 'ListSearchAttributes'];

  test('is asked once for many starts', async () => {
    const taskQueue = newQueue();
    const { emails, calls } = await through(taskQueue);
    const inputs = Array.from({ length: 80 }, () => ({ billRunKey: uniqueNumber() }));
    for await (const started of emails.startMany(inputs)) {
      expect(started).toMatchObject({ ok: true, value: { warnings: [noWorker(taskQueue)] } });
    }
    expect(QUESTIONS.map(calls)).toEqual([1, 1]);
    expect(calls('DescribeWorkflowExecution')).toBe(1);
  });

  test.each(['refused', 'away', 'unanswered'] as const)(
    'neither fails nor delays a start where it is %s',
    async (how) => {
      const { door, emails } = await through(newQueue());
      door.setIll(how, ...QUESTIONS);
      const began = performance.now();
      const started = await emails.start({ billRunKey: uniqueNumber() });
      expect(started.result).toBe('started');
      expect(started).not.toHaveProperty('warnings');
      expect(performance.now() - began).toBeLessThan(3_000);
      // A start that Temporal refuses leaves no question behind either: the SDK would fail outside of any call.
      await expect(emails.start({ billRunKey: 'no key' })).rejects.toMatchObject({ type: 'InvalidInput' });
      const impatient = new BillRunEmails(emails.client, { taskQueue: newQueue(), deadlineMs: 0 });
      await expect(impatient.start({ billRunKey: uniqueNumber() })).rejects.toMatchObject({
        type: 'TemporalUnavailable',
      });
    },
  );
});
