/** The command lines that operators use: ours, and Temporal's own, which needs nothing of ours. */
import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { projectRoot } from '../../../scripts/project-root.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { temporalCli } from '../../../scripts/temporal-server.js';
import type { JobStatus, SendRecord } from '../../../workflows/contract/contract.js';
import type { Audit, Diagnosis } from '../../../client/index.js';
import { cli, cliGiven, json, run, type Ended } from '../../support/command-line.js';
import { emailsPerDocument, openRig, until, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
  // Other test files use the same server.
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  vi.unstubAllEnvs();
  await rig.close();
});

const sendsOf = async (number: string): Promise<readonly SendRecord[]> =>
  (await json<{ sendRecords: readonly SendRecord[] }>(cli('status', number, '--json'))).sendRecords;

const temporal = (...args: string[]): Promise<Ended> => run(temporalCli(), args);

describe('bill-run-emails', () => {
  test('starts, joins, shows and audits a bill run, each with one JSON line on stdout', async () => {
    const { number } = await rig.billRun.create();
    const started = await json<{ workflowId: string; result: string }>(
      cli('start', number, '--requested-by', 'pipeline', '--reason', 'month end', '--json'),
    );
    expect(started).toMatchObject({
      ...{ billRunKey: number, workflowId: `email-bill-run/${number}`, ok: true },
      ...{ result: 'started', state: 'Waiting' },
    });
    await until(
      () => json<JobStatus>(cli('status', number, '--json')),
      ({ state }) => state === 'Delivering',
    );
    expect(await json(cli('start', number, '--json'))).toMatchObject({ result: 'alreadyEmailed', state: 'Delivering' });
    const resend = await json<{ requestId: string }>(
      cli(
        'resend',
        number,
        '--request-id',
        'T-0',
        '--requested-by',
        'alice',
        '--reason',
        'wrong template',
        '--yes',
        '--json',
      ),
    );
    const sends = await until(
      () => sendsOf(number),
      (all) => all.length === 2 && all[1]?.outcome === 'accepted',
    );
    expect(sends[1]?.requests).toMatchObject([{ requestId: resend.requestId, requestedBy: 'alice', resend: true }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });

    const audit = await json<Audit>(cli('audit', number, '--json'));
    expect(audit.entries.map(({ event }) => event).filter((event) => event !== 'state')).toEqual([
      ...['started', 'status', 'attempt', 'attemptEnded', 'update', 'attempt', 'attemptEnded'],
    ]);
    expect(audit.entries[0]).toMatchObject({
      requestedBy: 'pipeline',
      identity: `bill-run-emails:${userInfo().username}@${hostname()}`,
    });
    expect((await cli('audit', number)).stdout).toContain('requestedBy says alice');
  });

  test('a bill run that was emailed is not started again, and a resend of it starts a job that sends only the resend', async () => {
    const { number } = await rig.billRun.create();
    const args = ['start', number, '--open-for', '0s', '--json'];
    const { workflowId } = await json<{ workflowId: string }>(cli(...args));
    await rig.client.workflow.getHandle(workflowId).result();
    expect(await json(cli(...args))).toMatchObject({ result: 'alreadyEmailed', state: 'Delivering' });

    await json(cli('resend', number, '--request-id', 'T-1', '--reason', 'wrong template', '--yes', '--json'));
    const sends = await until(
      () => sendsOf(number),
      (all) => all[0]?.outcome === 'accepted',
    );
    expect(sends.map(({ resend, requests }) => [resend, requests.map(({ requestId }) => requestId)])).toEqual([
      [true, ['T-1']],
    ]);
    expect((await json<JobStatus>(cli('status', number, '--json'))).ignored.count).toBe(0);
    await cli('finish', number);
  });

  test('a canceled job is started anew only with --again', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const { workflowId } = await json<{ workflowId: string }>(cli('start', number, '--json'));
    const handle = rig.client.workflow.getHandle(workflowId);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    const refused = await cli('start', number, '--json');
    expect(refused.code).toBe(5);
    expect(JSON.parse(refused.stdout)).toMatchObject({ ok: true, result: 'stopped', state: 'Stopped' });
    expect(await json(cli('start', number, '--again', '--json'))).toMatchObject({ result: 'started' });
    await cli('finish', number);
  });

  test('exit codes differ for usage, unknown bill runs, questions to a person, and a Temporal that is away', async () => {
    expect((await cli('status', '../x')).code).toBe(2);
    expect((await cli('stat')).code).toBe(2);
    expect((await cli('start')).code).toBe(2);
    const unknown = await cli('status', 'BR-00999999');
    expect(unknown.code).toBe(3);
    expect(unknown.stderr).toContain('email-bill-run/BR-00999999');
    expect(unknown.stderr.trim().split('\n')).toHaveLength(1);
    const away = await run(
      process.execPath,
      [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'status', 'BR-1'],
      {
        TEMPORAL_ADDRESS: '127.0.0.1:1',
      },
    );
    expect(away.code).toBe(6);
    expect(away.stderr).toContain('127.0.0.1:1');

    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 400, body: { success: false, reasons: [{ code: 58730020 }] } });
    await cli('start', number);
    await rig.state(rig.client.workflow.getHandle(`email-bill-run/${number}`), 'NeedsAttention');
    // The start did not fail, but its caller should know.
    const joined = await cli('start', number);
    expect(joined).toMatchObject({ code: 0, stdout: expect.stringContaining('it is NeedsAttention') as string });
    const asking = await cli('status', number);
    expect(asking.code).toBe(4);
    expect(asking.stdout).toContain('bill-run-emails retry');
    await cli('retry', number, '--ordinal', '1', '--requested-by', 'alice');
    await rig.state(rig.client.workflow.getHandle(`email-bill-run/${number}`), 'Delivering');
  });

  test('help has commands in groups, and every command explains itself with examples, within 80 columns', async () => {
    const { stdout } = await cli('--help');
    const groups = [...stdout.matchAll(/^(\w[\w ]+:)\n((?: {2}.+\n)+)/gm)].map(([, name, lines = '']) => {
      return [name, lines.match(/(?<=^ {2})[a-z]+(?= {2})/gm) ?? []] as const;
    });
    expect(Object.fromEntries(groups)).toMatchObject({
      'Send:': ['start', 'resend', 'retry'],
      'Look:': ['status', 'list', 'sweep', 'documents', 'audit'],
      'Stop:': ['hold', 'release', 'finish'],
      'Set up:': ['doctor', 'setup', 'help'],
    });
    expect(stdout).toContain('Exit codes:');
    const tooLong = (text: string) => text.split('\n').filter((line) => line.length > 80);
    expect(tooLong(stdout)).toEqual([]);
    for (const command of groups.flatMap(([, names]) => names).filter((name) => name !== 'help')) {
      const help = await cli(command, '--help');
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`\nExamples:\n  bill-run-emails ${command}`);
      expect(help.stdout).toContain('\nTemporal:\n  --address <host:port>');
      expect(tooLong(help.stdout), command).toEqual([]);
    }
  });

  test('doctor finds nothing wrong where a worker runs', async () => {
    const zuora = simulatorEnvironment(rig.simulatorUrl);
    const command = [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'doctor', '--json'];
    const { checks } = await json<Diagnosis>(run(process.execPath, command, zuora));
    expect(checks.filter(({ result }) => result !== 'ok')).toEqual([]);
  });

  test('setup is safe to repeat', async () => {
    expect(await json(cli('setup', '--json'))).toMatchObject({ namespace: 'default', registered: [] });
  });

  test('setup registers the search attributes once, in a namespace that is there', async () => {
    const namespace = `of-${randomUUID()}`;
    const env = { TEMPORAL_NAMESPACE: namespace };
    const setup = (): Promise<Ended> => cliGiven({ env }, 'setup', '--json');
    expect(await setup()).toMatchObject({ code: 6, stderr: expect.stringContaining('register it first') as string });
    expect((await temporal('operator', 'namespace', 'create', '--namespace', namespace)).code).toBe(0);
    const names = [
      ...['BillRunNumber', 'BillRunId', 'BillRunStatus'],
      ...['EmailState', 'EmailReason', 'EmailStateSince', 'EmailSends', 'DocumentsNotSent'],
    ];
    const done = await until(setup, ({ code }) => code === 0);
    expect(JSON.parse(done.stdout)).toEqual({ namespace, registered: names, present: [] });
    expect(await json(setup())).toEqual({ namespace, registered: [], present: names });
  });
});

describe("Temporal's own command line", () => {
  test('can do everything an operator needs', async () => {
    const { number } = await rig.billRun.create();
    const id = `email-bill-run/${number}`;
    const started = await temporal(
      ...['workflow', 'start', '--type', 'emailBillRun', '--task-queue', rig.taskQueue, '--workflow-id', id],
      ...['--input', JSON.stringify({ billRunKey: number })],
    );
    expect(started.code).toBe(0);
    const handle = rig.client.workflow.getHandle(id);
    await rig.state(handle, 'Delivering');

    const signal = (...input: string[]): Promise<Ended> =>
      temporal('workflow', 'signal', '--workflow-id', id, '--name', 'resend', ...input);
    expect((await signal()).code).toBe(0);
    await until(
      () => rig.sends(handle),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    expect((await signal('--input', '{}')).code).toBe(0);
    await until(
      () => rig.sends(handle),
      (sends) => sends[2]?.outcome === 'accepted',
    );
    expect((await signal('--input', '"nonsense"')).code).toBe(0);
    const status = await until(
      () => rig.status(handle),
      ({ ignored }) => ignored.count === 1,
    );
    expect(status.state).toBe('Delivering');

    const answer = await json<{ queryResult: JobStatus[] }>(
      temporal('workflow', 'query', '--workflow-id', id, '--type', 'status', '-o', 'json'),
    );
    expect(JSON.stringify(answer)).toContain('"Delivering"');
    const listed = await until(
      () =>
        temporal(
          'workflow',
          'list',
          '--query',
          `BillRunNumber = '${number}' AND EmailState = 'Delivering' AND EmailSends = 3`,
        ),
      ({ stdout }) => stdout.includes(id),
    );
    expect(listed.code).toBe(0);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 3, max: 3 });
  });
});
