/** The gate before a deployment: live histories on the workflow code that is about to run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { run, type Ended } from '../support/command-line.js';
import { openRig, until, type Rig } from '../support/rig.js';

const shipped = join(projectRoot, 'dist', 'workflow-bundle.js');
const replay = (...args: string[]): Promise<Ended> =>
  run(process.execPath, [join(projectRoot, 'dist', 'worker', 'replay.js'), ...args]);

let rig: Rig;
let folder: string;
beforeAll(async () => {
  rig = await openRig();
  folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-replay-'));
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rig.close();
});

test('open runs replay on the code as it is; on code that breaks them the gate closes, and names them', async () => {
  const { number } = await rig.billRun.create();
  const handle = await rig.start({ billRunKey: number });
  await rig.state(handle, 'Delivering');
  const query = `BillRunNumber = '${number}' AND ExecutionStatus = 'Running'`;
  await until(
    () => rig.client.workflow.count(query),
    ({ count }) => count === 1,
  );

  const good = await replay('--query', query, '--json');
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(good.stdout)).toEqual({ query, replayed: 1, failed: [] });

  const changed = join(folder, 'changed.js');
  const code = readFileSync(shipped, 'utf8');
  const calls = /return attempt(\(job, step\.send\));/g;
  expect([...code.matchAll(calls)]).toHaveLength(1);
  writeFileSync(changed, code.replace(calls, 'return look(job, {}).then(() => attempt$1);'));
  const bad = await replay('--query', query, '--bundle', changed, '--json');
  const { runId } = await handle.describe();
  expect(bad).toMatchObject({ code: 1, stderr: '' });
  expect(JSON.parse(bad.stdout)).toEqual({
    ...{ query, replayed: 1 },
    failed: [{ workflowId: handle.workflowId, runId, error: expect.stringContaining('TMPRL1100') as string }],
  });
  expect((await replay('--query', query, '--bundle', changed)).stdout).toMatch(
    new RegExp(`^${handle.workflowId} \\(run ${runId}\\) does not replay: .*\\n1 replayed, 1 of them failed\\.\\n$`),
  );
});

test('mistakes are reported in one line', async () => {
  expect(await replay('--query', "BillRunNumber = 'BR-NOT-THERE'")).toEqual({
    code: 0,
    stderr: '',
    stdout: "0 replayed, 0 of them failed. No job matches BillRunNumber = 'BR-NOT-THERE'\n",
  });
  const oneLine = expect.stringMatching(/^.+\n$/) as string;
  expect(await replay('--query', 'no query at all')).toMatchObject({ code: 6, stderr: oneLine });
  expect(await replay('--bundel', 'x')).toMatchObject({ code: 2, stdout: '' });
  expect(await replay('--bundle', 'not-there.js')).toMatchObject({ code: 2, stderr: oneLine });
});
