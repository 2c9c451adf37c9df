/** `--wait` of `start`, `status` and `retry`, for one bill run and for many; `resend --wait` is in resend.test.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import type { Settled } from '../../../client/index.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { cli, cliGiven, jsonLines, type Ended } from '../../support/command-line.js';
import { openRig, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ deliveryIntervalMs: 400 });
  // Other test files use the same server.
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  vi.unstubAllEnvs();
  await rig.close();
});

interface BillRun {
  readonly id: string;
  readonly number: string;
  readonly documents: readonly { readonly number: string }[];
}

const create = (wanted: object = {}) => rig.billRun.create(wanted) as Promise<BillRun>;
const settled = ({ code, stdout, stderr }: Ended) => ({ code, stderr, ...(JSON.parse(stdout) as Settled) });

test('start waits until Zuora has accepted it or, if asked so, until the documents are emailed', async () => {
  const { number } = await create();
  const { workflowId } = rig.own(number);
  expect(settled(await cli('start', number, '--wait', '--json'))).toMatchObject({
    ...{ code: 0, stderr: '', billRunKey: number, workflowId, ok: true, result: 'started' },
    ...{ outcome: 'accepted', sends: 1, text: 'Zuora accepted the request.' },
  });
  expect(settled(await cli('start', number, '--wait', '--until', 'emailed', '--json'))).toMatchObject({
    ...{ code: 0, result: 'alreadyEmailed', outcome: 'emailed', state: 'Emailed', documentsNotSent: 0 },
  });
  // People read at once what was done, and then what came of it.
  const { code, stdout, stderr } = await cli('start', number, '--wait');
  expect([code, stdout]).toEqual([0, `accepted. Zuora accepted the request.\nSee: bill-run-emails status ${number}\n`]);
  expect(stderr).toContain(`${workflowId} was emailed before`);
  expect(await cli('status', number, '--wait')).toEqual({ code: 0, stdout, stderr: '' });
});

test('documents that were not sent end with 4, by number, and a retry waits for them', async () => {
  const { number, documents } = await create();
  const [failing] = documents;
  await rig.control('PATCH', `/documents/${failing?.number ?? ''}`, { email: 'failed', reason: 'unknown SMTP host' });
  rig.own(number);
  const notSent = settled(await cli('start', number, '--wait', '--until', 'emailed', '--json'));
  expect(notSent).toMatchObject({
    ...{ code: 4, outcome: 'notSent', documentsNotSent: 1 },
    documents: [{ number: failing?.number, outcome: 'notSent', reason: 'failed: unknown SMTP host' }],
  });
  const inWords = await cli('status', number, '--wait');
  expect(inWords.code).toBe(4);
  expect(inWords.stdout).toMatch(
    /^notSent\. 1 of 3 documents was not sent: "INV\d+" \("failed: unknown SMTP host"\)\. .*\nSee: bill-run-emails status /,
  );
  await rig.control('PATCH', `/documents/${failing?.number ?? ''}`, { email: 'sent' });
  const retry = ['retry', number, '--request-id', 'R-1', '--wait', '--until', 'emailed', '--json'];
  expect(settled(await cli(...retry))).toMatchObject({ code: 0, outcome: 'emailed', sends: 2 });
  // It changes nothing, and waits for nothing.
  expect(settled(await cli(...retry))).toMatchObject({ code: 0, outcome: 'emailed', sends: 2 });
});

test('a hold ends the wait with 4, a job that closed with 5, a bill run without a job with 3', async () => {
  const { number } = await create({ status: 'Completed' });
  rig.own(number);
  const held = settled(await cli('start', number, '--hold', '--wait', '--json'));
  expect(held).toMatchObject({ code: 4, result: 'started', outcome: 'needsPerson', state: 'Held' });
  await rig.own(number).terminate();
  const start = ['start', number, '--wait', '--json'];
  expect(settled(await cli(...start))).toMatchObject({ code: 5, result: 'stopped', outcome: 'notEmailed' });
  expect(settled(await cli(...start.toSpliced(2, 1, '--again', '--wait=1s')))).toMatchObject({
    ...{ code: 4, result: 'started', outcome: 'waiting', state: 'Waiting' },
  });
  expect(jsonLines(await cli('status', 'BR-NONE', '--wait', '--json'))).toMatchObject([
    { billRunKey: 'BR-NONE', ok: false, error: { type: 'NotFound' } },
  ]);
  expect((await cli('status', 'BR-NONE', '--wait')).code).toBe(3);
  const away = { env: { TEMPORAL_ADDRESS: '127.0.0.1:1' } };
  expect((await cliGiven(away, 'status', number, '--wait', '--json')).code).toBe(6);
  // What does not exist is not waited for.
  for (const numbers of [[number], [number, 'BR-NONE']]) {
    const { code, stdout, stderr } = await cli('status', ...numbers, '--wait=1h', '--namespace', 'wrong');
    expect(code).toBe(6);
    expect(stdout + stderr).toContain('no namespace wrong');
  }
});

test('many are started, and each has its line once it settles', async () => {
  const [one, other, held] = await Promise.all([create(), create(), create()]);
  await rig.start({ billRunKey: held.number, hold: true });
  const lines = [one, other, held, one].map(({ number }) => number);
  const given = { stdin: [...lines, 'no key'].join('\n') };
  for (const { number } of [one, other, held]) rig.own(number);
  const waited = await cliGiven(given, 'start', '--file', '-', '--wait', '--json');
  expect(waited.code).toBe(4);
  const [, ...counts] = /^5 bill runs: (.*), (.*), (.*)\.\n$/.exec(waited.stderr) ?? [];
  expect(counts.toSorted()).toEqual(['1 invalid', '1 needsPerson', '3 accepted']);
  const found = jsonLines(waited) as (Settled & { line: number })[];
  expect(found.toSorted((a, b) => a.line - b.line)).toMatchObject([
    { line: 1, billRunKey: one.number, outcome: 'accepted' },
    { line: 2, billRunKey: other.number, result: 'started', outcome: 'accepted' },
    { line: 3, billRunKey: held.number, result: 'joined', outcome: 'needsPerson' },
    { line: 4, billRunKey: one.number, outcome: 'accepted' },
    { line: 5, ok: false, error: { type: 'InvalidInput' } },
  ]);
  const inWords = await cli('status', one.number, other.number, '--wait', '--until', 'emailed');
  expect(inWords).toMatchObject({ code: 0, stderr: '' });
  expect(inWords.stdout.split('\n').toSorted()).toEqual(
    [
      ...[one, other].map(({ number }) => `${number}: emailed. Every document was sent, or left out on purpose.`),
      ...['2 bill runs: 2 emailed.', ''],
    ].toSorted(),
  );
});

test('a bill run in the place of the duration, and --until alone, are refused', async () => {
  const { number } = await create();
  for (const [args, words] of [
    [['start', '--wait', number], '--wait last'],
    [['start', number, '--wait', 'long'], '--wait last'],
    [['start', number, '--until', 'emailed'], 'needs --wait'],
    [['start', number, '--wait', '--until', 'posted'], 'Allowed choices are accepted, emailed'],
    [['status', number, '--until', 'emailed'], 'needs --wait'],
    [['hold', number, '--wait'], "unknown option '--wait'"],
  ] as const) {
    expect(await cli(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) as string });
  }
  expect((await cli('status', number)).code).toBe(3);
});

test('Ctrl-C ends only the wait, and at once', async () => {
  const { number } = await create({ status: 'Completed' });
  const command = [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'start', number, '--wait=1h'];
  const env = { ...process.env, TEMPORAL_ADDRESS: inject('temporalAddress') };
  const child = spawn(process.execPath, command, { env });
  await once(child.stderr, 'data');
  await rig.state(rig.own(number), 'Waiting', 'notPosted');
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
  expect(await rig.listed(rig.own(number))).toMatchObject({ state: 'Waiting' });
});
