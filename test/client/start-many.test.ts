/** Pipelines start many bill runs by one command, or one call, and may repeat it as a whole. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BillRunEmails } from '../../client/index.js';
import { TASK_QUEUE } from '../../workflows/contract.js';
import { cli, cliGiven, jsonLines } from '../support/command-line.js';
import { emailsPerDocument, openRig, type Rig } from '../support/rig.js';

let rig: Rig;
let folder: string;
beforeAll(async () => {
  rig = await openRig({ server: 'real', taskQueue: TASK_QUEUE });
  folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-files-'));
});
afterEach(() => rig.afterTest());
afterAll(async () => {
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

test('each line of a CSV file is started as it says, one that is wrong is told, and all of it may be repeated', async () => {
  const [plain = '', quick = '', stopped = ''] = await numbersOf(3, 'Posted');
  const file = fileOf(
    'runs.csv',
    'billRunKey,requestedBy,reason,escalationWindow',
    `${plain},alice,"October, late",`,
    `../x,,,`,
    `${quick},,,0s`,
    `${stopped},,,forever`,
    `${plain},,,`,
  );
  const first = await cli('start', '--file', file, '--requested-by', 'pipeline', '--json');
  const id = (number: string) => `email-bill-run/${number}`;
  const runId = expect.any(String) as string;
  const invalid = (text: string) => ({
    ...{ ok: false, workflowId: null, runId: null, result: 'invalid' },
    error: { type: 'InvalidInput', message: expect.stringContaining(text) as string },
  });
  expect(first.code).toBe(2);
  expect(first.stderr).toBe('5 bill runs: 2 started, 2 invalid, 1 joined.\n');
  expect(jsonLines(first)).toEqual([
    { line: 2, billRunKey: plain, ok: true, workflowId: id(plain), runId, result: 'started' },
    { line: 3, billRunKey: '../x', ...invalid('billRunKey must be') },
    { line: 4, billRunKey: quick, ok: true, workflowId: id(quick), runId, result: 'started' },
    { line: 5, billRunKey: stopped, ...invalid('escalationWindow must be a duration') },
    expect.objectContaining({ line: 6, billRunKey: plain, ok: true, result: 'joined' }),
  ]);
  await rig.state(rig.own(plain), 'Emailed');
  await rig.result(rig.own(quick));
  const by = async (number: string) => (await rig.sends(rig.own(number)))[0]?.requests[0];
  expect(await by(plain)).toMatchObject({ requestedBy: 'alice', reason: 'October, late' });
  expect(await by(quick)).toMatchObject({ requestedBy: 'pipeline' });

  await rig.own(plain).cancel();
  await rig
    .own(plain)
    .result()
    .catch(() => undefined);
  const again = await cli('start', '--file', file);
  expect(again.code).toBe(5);
  const lines = again.stdout.split('\n');
  expect(lines[0]).toBe(`line 2, ${plain}: canceled`);
  expect(lines[1]).toMatch(/^line 3, \.\.\/x: invalid, invalid input: billRunKey must be/);
  expect(lines[2]).toBe(`line 4, ${quick}: alreadyEmailed`);
  expect(lines.slice(4)).toEqual([
    `line 6, ${plain}: canceled`,
    '5 bill runs: 2 canceled, 2 invalid, 1 alreadyEmailed.',
    '',
  ]);
  expect(emailsPerDocument([...(await rig.mailbox(plain)), ...(await rig.mailbox(quick))])).toEqual({ min: 1, max: 1 });
});

test('JSON lines from stdin, keys as arguments, and the library do the same', async () => {
  const numbers = await numbersOf(40, 'Completed');
  const stdin = numbers.map((billRunKey) => JSON.stringify({ billRunKey, reason: 'October' })).join('\n');
  const started = await cliGiven({ stdin }, 'start', '--file', '-', '--concurrency', '7', '--json');
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
  for await (const each of new BillRunEmails(rig.client).startMany(inputs, { concurrency: 2 })) results.push(each);
  expect(results).toMatchObject([
    { input: inputs[0], ok: true, value: { result: 'joined' } },
    { input: inputs[1], ok: false, error: { type: 'InvalidInput' } },
    { input: inputs[2], ok: true, value: { result: 'joined' } },
  ]);
});

test('a file that cannot be read as a whole starts nothing, and one without bill runs is done at once', async () => {
  const [number = ''] = await numbersOf(1, 'Completed');
  const wrong = await cli('start', '--file', fileOf('wrong.csv', 'number,reason', `${number},x`), '--json');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('one is billRunKey') as string });
  expect((await cli('status', number)).code).toBe(3);
  const empty = await cli('start', '--file', fileOf('empty.txt', '# none today'));
  expect(empty).toEqual({ code: 0, stdout: '0 bill runs: nothing to start.\n', stderr: '' });
  expect(await cli('start', number, '--file', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not both') as string,
  });
});
