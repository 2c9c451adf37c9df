/** `--address`, `--namespace` and `--profile`, on a real server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { BillRunDocuments, Diagnosis } from '../../../client/index.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { cliGiven, json, jsonLines, type Ended } from '../../support/command-line.js';
import { newNamespace, openRig, type Rig } from '../../support/rig.js';

let rig: Rig;
let namespace: string;
let folder: string;
/** They lead nowhere, and the options win over them. */
let env: Record<string, string>;
beforeAll(async () => {
  namespace = await newNamespace();
  rig = await openRig({ namespace });
  folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-options-'));
  const file = join(folder, 'temporal.toml');
  const address = inject('temporalAddress');
  writeFileSync(file, `[profile.here]\naddress = "${address}"\nnamespace = "${namespace}"\n`);
  env = {
    ...simulatorEnvironment(rig.simulatorUrl),
    ...{ TEMPORAL_ADDRESS: '127.0.0.1:1', TEMPORAL_NAMESPACE: 'nowhere', TEMPORAL_PROFILE: '' },
    ...{ TEMPORAL_CONFIG_FILE: file, BILL_RUN_TASK_QUEUE: rig.taskQueue },
  };
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  await rig.close();
  rmSync(folder, { recursive: true });
});

const cli = (...args: string[]): Promise<Ended> => cliGiven({ env }, ...args);
const options = (): string[] => ['--address', inject('temporalAddress'), '--namespace', namespace];

test('every command that reaches Temporal takes them after its name, and they win over the variables', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  expect((await cli('start', number)).code).toBe(6);
  const started = await json(cli('start', number, '--requested-by', 'alice', '--json', ...options()));
  expect(started).toMatchObject({ result: 'started', workflowId: `email-bill-run/${number}` });
  await rig.state(rig.own(number), 'Waiting');
  expect(await json(cli('status', ...options(), number, '--json'))).toMatchObject({ state: 'Waiting' });
  expect(jsonLines(await cli('list', ...options(), '--number', number, '--json'))).toHaveLength(1);
  for (const [message, state] of [
    ['hold', 'Held'],
    ['release', 'Waiting'],
    ['finish', 'Stopped'],
  ] as const) {
    expect(await json(cli(message, number, '--json', ...options())), message).toMatchObject({ state });
  }
  // A finish is answered a moment before the job closes.
  await rig.result(rig.own(number));
  expect(await cli('retry', number, ...options())).toMatchObject({ code: 4 });
  const resend = ['resend', number, '--request-id', 'T-1', '--reason', 'wrong template', '--yes'];
  expect(await json(cli(...resend, '--json', ...options()))).toMatchObject({ result: 'started' });
  expect(await json(cli('audit', number, '--json', ...options()))).toMatchObject({ ok: true });
  await json(cli('finish', number, '--json', ...options()));

  expect(await json(cli('setup', '--json', ...options()))).toMatchObject({ namespace, registered: [] });
  const { warnings } = await json<BillRunDocuments>(cli('documents', number, '--json', ...options()));
  expect(warnings.filter((warning) => warning.includes('Without Temporal'))).toEqual([]);
  const { checks } = JSON.parse((await cli('doctor', '--json', ...options())).stdout) as Diagnosis;
  expect(checks[0]?.text).toContain(`${inject('temporalAddress')}, namespace ${namespace}, `);
  expect(checks.find(({ name }) => name === 'namespace')?.result).not.toBe('error');
});

test('they may stand before the name of the command; those after it win', async () => {
  const list = ['list', '--json'];
  expect(await cli(...options(), ...list)).toMatchObject({ code: 0, stderr: '' });
  expect(await cli('--namespace', 'not-there', ...list, ...options())).toMatchObject({ code: 0, stderr: '' });
  expect(await cli(...options(), ...list, '--namespace', 'not-there')).toMatchObject({ code: 6 });
});

test('a profile names the address and the namespace, unless variables do', async () => {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...rest } = env;
  const unset = { ...rest, TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '', TEMPORAL_PROFILE: 'elsewhere' };
  const setup = (given: Record<string, string>) => cliGiven({ env: given }, 'setup', '--json', '--profile', 'here');
  expect(await json(setup(unset))).toMatchObject({ namespace });
  expect((await setup({ ...unset, TEMPORAL_NAMESPACE: TEMPORAL_NAMESPACE ?? '' })).stderr).toContain('nowhere');
  const unknown = await cliGiven({ env: unset }, 'setup');
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('elsewhere') as string });
});

test.each([
  ['--address', 'list'],
  ['--namespace=', 'doctor'],
  ['--profile', 'documents', 'BR-1'],
])('an empty %s is a mistake', async (flag, ...command) => {
  const empty = flag.endsWith('=') ? [flag] : [flag, ' '];
  for (const args of [
    [...empty, ...command],
    [...command, ...empty],
  ]) {
    const { code, stderr, stdout } = await cli(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`option '${flag.replace('=', '')} <`);
    expect(stderr).toContain('It must not be empty.');
  }
});

test('after the name of a command, the value of an option may look like an option of the program', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  await rig.start({ billRunKey: number });
  expect(await cli('hold', number, '--reason', '-v', '--requested-by', '--profile', ...options())).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout: expect.stringContaining('hold taken') as string,
  });
  const { stdout } = await cli('audit', number, ...options());
  expect(stdout).toContain('{"reason":"-v","requestedBy":"--profile"}');
  await cli('finish', number, ...options());
});
