/** Pipelines start many bill runs by one command, or one call, and may repeat it as a whole. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import { BillRunEmails } from '../../../client/index.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { cli, cliGiven, jsonLines } from '../../support/command-line.js';
import { emailsPerDocument, openRig, type Rig } from '../../support/rig.js';

let rig: Rig;
let folder: string;
beforeAll(async () => {
  rig = await openRig();
  // Other test files use the same server.
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
  folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-files-'));
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await rig.close();
});

const numbersOf = async (count: number, status: string): Promise<readonly string[]> => {
  const created = await Promise.all(Array.from({ length: count }, () => rig.billRun.create({ status })));
  return created.map(({ number }) => number);
};

function fileOf(name: string, ...lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

test('each line of a CSV file is started with its fields, a wrong one is reported, and the file may be repeated', async () => {
  const [plain = '', quick = '', stopped = ''] = await numbersOf(3, 'Posted');
  const file = fileOf(
    'runs.csv',
    'billRunKey,requestedBy,reason,openFor',
    `${plain},alice,"October, late",`,
    `../x,,,`,
    `${quick},,,0s`,
    `${stopped},,,forever`,
  );
  const first = await cli('start', '--file', file, '--requested-by', 'pipeline', '--json');
  const id = (number: string) => `email-bill-run/${number}`;
  const runId = expect.any(String) as string;
  const invalid = (text: string) => ({
    ...{ ok: false, workflowId: null },
    error: { type: 'InvalidInput', message: expect.stringContaining(text) as string },
  });
  expect(first.code).toBe(2);
  expect(first.stderr).toBe('4 bill runs: 2 started, 2 invalid.\n');
  expect(jsonLines(first)).toEqual([
    { line: 2, billRunKey: plain, ok: true, workflowId: id(plain), runId, result: 'started', state: 'Waiting' },
    { line: 3, billRunKey: '../x', ...invalid('billRunKey must be') },
    { line: 4, billRunKey: quick, ok: true, workflowId: id(quick), runId, result: 'started', state: 'Waiting' },
    { line: 5, billRunKey: stopped, ...invalid('openFor must be a duration') },
  ]);
  await rig.state(rig.own(plain), 'Delivering');
  await rig.result(rig.own(quick));
  const by = async (number: string) => (await rig.sends(rig.own(number)))[0]?.requests[0];
  expect(await by(plain)).toMatchObject({ requestedBy: 'alice', reason: 'October, late' });
  expect(await by(quick)).toMatchObject({ requestedBy: 'pipeline' });

  const again = await cli('start', '--file', file);
  expect(again.code).toBe(2);
  const lines = again.stdout.split('\n');
  expect(lines[0]).toBe(`${plain}: alreadyEmailed`);
  expect(lines[1]).toMatch(/^\.\.\/x: invalid input: billRunKey must be/);
  expect(lines[2]).toBe(`${quick}: alreadyEmailed`);
  expect(lines.slice(4)).toEqual(['4 bill runs: 2 alreadyEmailed, 2 invalid.', '']);
  expect(emailsPerDocument([...(await rig.mailbox(plain)), ...(await rig.mailbox(quick))])).toEqual({ min: 1, max: 1 });
});

test('a bill run whose job a person closed is not started, and the exit code says so', async () => {
  const [number = ''] = await numbersOf(1, 'Completed');
  await cli('start', number);
  await rig.state(rig.own(number), 'Waiting');
  expect((await cli('finish', number)).code).toBe(0);
  await rig.result(rig.own(number));
  expect(await cli('start', number)).toMatchObject({ code: 5, stdout: expect.stringContaining('--again') as string });
  expect(jsonLines(await cli('start', number, '--hold', '--again', '--json'))).toMatchObject([
    { billRunKey: number, ok: true, result: 'started', state: 'Held' },
  ]);
});

test('JSON lines from stdin, keys as arguments, and the library do the same', async () => {
  const numbers = await numbersOf(40, 'Completed');
  const stdin = numbers.map((billRunKey) => JSON.stringify({ billRunKey, reason: 'October' })).join('\n');
  const started = await cliGiven({ stdin }, 'start', '--file', '-', '--json');
  expect(started.code).toBe(0);
  expect(jsonLines(started)).toEqual(
    numbers.map(
      (billRunKey, index) => expect.objectContaining({ line: index + 1, billRunKey, result: 'started' }) as object,
    ),
  );
  const [one = '', other = ''] = numbers;
  expect(jsonLines(await cli('start', one, other, '--json'))).toMatchObject([
    { billRunKey: one, result: 'joined' },
    { billRunKey: other, result: 'joined' },
  ]);
  const results = [];
  const inputs = [{ billRunKey: one }, { billRunKey: 'no key' }, { billRunKey: other }];
  const emails = new BillRunEmails(rig.client, { taskQueue: rig.taskQueue });
  for await (const each of emails.startMany(inputs)) results.push(each);
  expect(results).toMatchObject([
    { input: inputs[0], ok: true, value: { result: 'joined' } },
    { input: inputs[1], ok: false, error: { type: 'InvalidInput' } },
    { input: inputs[2], ok: true, value: { result: 'joined' } },
  ]);
});

test('a bill run that is there more than once is started by one line and joined by the others', async () => {
  const [number = '', other = ''] = await numbersOf(2, 'Completed');
  const stdin = [number, other, ...Array.from({ length: 20 }, () => number), other].join('\r\n');
  const lines = jsonLines(await cliGiven({ stdin }, 'start', '--file', '-', '--json'));
  const results = (lines as { billRunKey: string; result: string }[]).map(
    (line) => `${line.billRunKey} ${line.result}`,
  );
  const joined = [`${other} joined`, ...Array.from({ length: 20 }, () => `${number} joined`)];
  expect(results.sort()).toEqual([`${number} started`, `${other} started`, ...joined].sort());
});

test('an interrupted start has printed whole lines only, and the whole file may be started again', async () => {
  const namespace = `interrupted-${randomUUID()}`;
  const workflowExecutionRetentionPeriod = msToTs('1 day');
  await rig.connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  const numbers = Array.from({ length: 300 }, (_, index) => `BR-${index}`);
  const file = fileOf('many.txt', ...numbers);
  const env = { TEMPORAL_ADDRESS: inject('temporalAddress'), TEMPORAL_NAMESPACE: namespace };
  const command = [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'start', '--file', file, '--json'];
  const child = spawn(process.execPath, command, { env: { ...process.env, ...env } });
  child.stdout.once('data', () => child.kill('SIGINT'));
  const [stdout, ended] = await Promise.all([text(child.stdout), once(child, 'close')]);
  // A shell makes 130 of it.
  expect(ended).toEqual([null, 'SIGINT']);
  expect(stdout).toMatch(/\n$/);
  const printed = jsonLines({ code: 130, stdout, stderr: '' }) as { billRunKey: string }[];
  expect(printed.map(({ billRunKey }) => billRunKey)).toEqual(numbers.slice(0, printed.length));
  expect(printed.length).toBeLessThan(numbers.length);

  const again = await cliGiven({ env }, ...command.slice(1));
  expect(again.code).toBe(0);
  const results = (jsonLines(again) as { result: string }[]).map(({ result }) => result);
  expect(results).toHaveLength(300);
  expect(new Set(results.slice(0, printed.length))).toEqual(new Set(['joined']));
  expect(results.at(-1)).toBe('started');
  // On no terminal, there is no progress.
  expect(again.stderr).toMatch(/^300 bill runs: \d+ joined, \d+ started\.\n$/);
});

test('a file that cannot be read as a whole starts nothing, and one without bill runs is a mistake', async () => {
  const [number = ''] = await numbersOf(1, 'Completed');
  const wrong = await cli('start', '--file', fileOf('wrong.csv', 'number,reason', `${number},x`), '--json');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('one is billRunKey') as string });
  expect((await cli('status', number)).code).toBe(3);
  const empty = fileOf('empty.txt', '# none today');
  for (const file of [empty, fileOf('header.csv', 'billRunKey,reason')]) {
    expect(await cli('start', '--file', file)).toEqual({
      ...{ code: 2, stdout: '' },
      stderr: `Error: ${file} names no bill run to start\n`,
    });
  }
  expect(await cli('start', '--file', join(folder, 'none.csv'))).toMatchObject({
    ...{ code: 2, stdout: '' },
    stderr: expect.stringMatching(/none\.csv cannot be read: ENOENT.*\n$/) as string,
  });
  expect(await cli('start', number, '--file', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not both') as string,
  });
});
