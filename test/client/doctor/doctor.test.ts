/** What the doctor finds, on a real Temporal server, a simulated Zuora, and some that are ill. */
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails, diagnose, type Check, type Diagnosis } from '../../../client/index.js';
import { msToTs } from '@temporalio/common/lib/time.js';
import { runChecks } from '../../../client/doctor/checkup.js';
import { zuoraChecks } from '../../../client/doctor/zuora.js';
import { faultOfSearchAttributes, indexedTypes, setup } from '../../../client/temporal/setup.js';
import { exitCodeOfDiagnosis } from '../../../client/doctor/doctor.js';
import { doctorTable } from '../../../client/cli/doctor-table.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { temporalCli } from '../../../scripts/temporal-server.js';
import { run } from '../../support/command-line.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { SIMULATOR_CREDENTIALS } from '../../../simulator/index.js';
import { json, openLoopbackZuora } from '../../support/loopback-zuora.js';
import { newNamespace, openRig, until, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

beforeEach(() => {
  environment({
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    BILL_RUN_TASK_QUEUE: rig.taskQueue,
    ...simulatorEnvironment(rig.simulatorUrl),
  });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rig.afterTest();
});

function environment(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
}

/** Temporal's own command line, which must do as asked. */
async function temporal(...args: string[]): Promise<void> {
  const { code, stderr } = await run(temporalCli(), args);
  if (code !== 0) throw new Error(stderr);
}

const of = ({ checks }: Diagnosis, name: Check['name']): Check | undefined =>
  checks.find((check) => check.name === name);

const results = ({ checks }: Diagnosis): Record<string, string> =>
  Object.fromEntries(checks.map(({ name, result }) => [name, result]));

/** Only what is not as it should be. */
const ills = (diagnosis: Diagnosis): Record<string, string> =>
  Object.fromEntries(Object.entries(results(diagnosis)).filter(([, result]) => result !== 'ok'));

const TEMPORAL_IS_AWAY = {
  temporal: 'error',
  temporalVersion: 'skipped',
  namespace: 'skipped',
  searchAttributes: 'skipped',
  workflowWorkers: 'skipped',
  activityWorkers: 'skipped',
  holdAll: 'skipped',
  paused: 'skipped',
  sweep: 'skipped',
};

describe('The doctor', () => {
  test('finds nothing wrong where all is well, and changes nothing', async () => {
    const diagnosis = await until(diagnose, ({ ok }) => ok);
    expect(ills(diagnosis)).toEqual({});
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(0);
    expect(of(diagnosis, 'temporalVersion')?.text).toMatch(/^server \d+\.\d+\.\d+.*, client SDK 1\.\d+\.\d+$/);
    expect(of(diagnosis, 'workflowWorkers')?.text).toContain(`1 worker takes workflow tasks of ${rig.taskQueue}`);
    const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
    for (const secret of [clientId, clientSecret]) expect(JSON.stringify(diagnosis)).not.toContain(secret);
    const calls = (await rig.requests()).map(({ method, path }) => `${method} ${path}`);
    expect(new Set(calls)).toEqual(
      new Set([
        ...['POST /oauth/token', 'GET /object-query/billing-runs', 'GET /notifications/notification-definitions'],
        'GET /settings/communication-profiles',
      ]),
    );
  });

  test('reports all checks in the same order, skipped ones too', async () => {
    const names = (await diagnose()).checks.map(({ name }) => name);
    environment({ TEMPORAL_ADDRESS: '127.0.0.1:1', ZUORA_CLIENT_SECRET: '' });
    const diagnosis = await diagnose();
    expect(diagnosis.checks.map(({ name }) => name)).toEqual(names);
    expect(ills(diagnosis)).toEqual({
      ...TEMPORAL_IS_AWAY,
      zuoraConfiguration: 'error',
      zuoraToken: 'skipped',
      zuoraRead: 'skipped',
      postedNotifications: 'skipped',
      emailNotifications: 'skipped',
    });
    expect(of(diagnosis, 'zuoraToken')?.text).toContain('zuoraConfiguration');
    expect(of(diagnosis, 'zuoraConfiguration')?.text).toContain('ZUORA_CLIENT_SECRET is missing');
    // The exit code names the first thing to fix.
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(2);
    for (const { result, todo } of diagnosis.checks) if (result === 'error') expect(todo).toBeTruthy();
  });

  test('goes on with Zuora where Temporal is away', async () => {
    environment({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const diagnosis = await diagnose();
    expect(ills(diagnosis)).toEqual(TEMPORAL_IS_AWAY);
    expect(of(diagnosis, 'temporal')?.text).toContain('127.0.0.1:1');
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(6);
  });

  test.each(['grpc_proxy', 'https_proxy', 'http_proxy'])(
    'names the variable of a proxy that leads nowhere: %s',
    async (variable) => {
      environment({ grpc_proxy: '', https_proxy: '', http_proxy: '', no_proxy: '', no_grpc_proxy: '' });
      environment({ [variable]: 'http://user:hunter2@127.0.0.1:9' });
      const via = ` through the proxy of ${variable} (no_proxy excepts hosts): `;
      const diagnosis = await diagnose();
      expect(of(diagnosis, 'temporal')?.text).toContain(via);
      expect(of(diagnosis, 'temporal')?.text).toMatch(/: No connection established$/);
      await expect(BillRunEmails.connect()).rejects.toThrow(via);
      expect(JSON.stringify(diagnosis)).not.toContain('hunter2');
    },
  );

  test('tells a namespace that is not there from a server that is not there', async () => {
    environment({ TEMPORAL_NAMESPACE: 'nowhere' });
    const diagnosis = await diagnose();
    expect(of(diagnosis, 'temporal')?.result).toBe('ok');
    expect(of(diagnosis, 'namespace')).toMatchObject({
      result: 'error',
      todo: expect.stringContaining('temporal operator namespace create') as string,
    });
    expect(of(diagnosis, 'searchAttributes')).toMatchObject({ result: 'skipped' });
  });

  test('says who holds all jobs, since when and why', async () => {
    const namespace = await newNamespace();
    environment({ TEMPORAL_NAMESPACE: namespace });
    expect(of(await diagnose(), 'holdAll')).toMatchObject({ result: 'ok' });
    const emails = await BillRunEmails.connect();
    await emails.holdAll({ requestedBy: 'alice', reason: 'wrong template' });
    await emails.close();
    expect(of(await diagnose(), 'holdAll')).toMatchObject({
      result: 'warning',
      text: expect.stringMatching(/by alice since \d{4}-\S+ \(wrong template\), so nothing is sent$/) as string,
      todo: expect.stringContaining('release --all') as string,
    });
  });

  test('says so where the hold on all is paused or canceled in Temporal: it holds all the same', async () => {
    const namespace = await newNamespace();
    environment({ TEMPORAL_NAMESPACE: namespace });
    const emails = await BillRunEmails.connect();
    onTestFinished(() => emails.close());
    await emails.holdAll({ requestedBy: 'alice', reason: 'wrong template' });
    const hold = emails.client.workflow.getHandle('bill-run-emails/hold-all');
    await hold.cancel();
    const held = {
      result: 'warning',
      text: expect.stringMatching(/by alice since .*, so nothing is sent$/) as string,
    };
    expect(of(await diagnose(), 'holdAll')).toMatchObject(held);
    await temporal('workflow', 'pause', '--namespace', namespace, '--workflow-id', hold.workflowId);
    expect(of(await diagnose(), 'holdAll')).toMatchObject(held);
    await hold.terminate();
    expect(of(await diagnose(), 'holdAll')).toMatchObject({ result: 'ok' });
  });

  test('names jobs that somebody paused in Temporal, with the commands that unpause them', async () => {
    const namespace = await newNamespace();
    const own = await openRig({ namespace });
    onTestFinished(() => own.close());
    environment({ TEMPORAL_NAMESPACE: namespace, BILL_RUN_TASK_QUEUE: own.taskQueue });
    expect(of(await diagnose(), 'paused')).toMatchObject({ result: 'ok' });
    const create = async (): Promise<string> => {
      const { number } = await own.billRun.create({ status: 'Completed' });
      await own.emails.start({ billRunKey: number });
      await own.state(own.own(number), 'Waiting');
      return `email-bill-run/${number}`;
    };
    const [whole, part] = [await create(), await create()];
    await temporal('workflow', 'pause', '--namespace', namespace, '--workflow-id', whole);
    const watch = await until(
      async () => (await own.client.workflow.getHandle(part).describe()).raw.pendingActivities?.[0]?.activityId ?? '',
      (id) => id !== '',
    );
    const activity = ['--workflow-id', part, '--activity-id', watch];
    await temporal('activity', 'pause', '--namespace', namespace, ...activity);
    const diagnosis = await until(diagnose, (found) => of(found, 'paused')?.text.startsWith('2 open jobs') === true);
    const found = of(diagnosis, 'paused');
    expect(found?.result).toBe('warning');
    for (const id of [whole, part]) expect(found?.text).toContain(id);
    const commands = [
      `temporal workflow unpause --workflow-id ${whole}`,
      `temporal activity unpause ${activity.join(' ')}`,
    ];
    for (const command of commands) {
      expect(found?.todo).toContain(command);
      const [, ...words] = command.split(' ');
      await temporal(...words, '--namespace', namespace);
    }
    await until(diagnose, (now) => of(now, 'paused')?.result === 'ok');
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(0);
  });

  test.each([
    [1, 'warning'],
    [29, 'warning'],
    [30, 'ok'],
    [90, 'ok'],
  ])('a namespace that keeps closed jobs for %s days is a %s', async (days, result) => {
    const namespace = `kept-${randomUUID()}`;
    environment({ TEMPORAL_NAMESPACE: namespace });
    await rig.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs(days * 86_400_000),
    });
    const command = `temporal operator namespace update --namespace ${namespace} --retention 90d`;
    expect(of(await diagnose(), 'namespace')).toEqual({
      ...{ name: 'namespace', result },
      text: expect.stringContaining(`closed jobs and their audit for ${days} day`) as string,
      ...(result === 'ok' ? {} : { todo: expect.stringContaining(command) as string }),
    });
    if (result === 'ok') return;
    await until(
      () =>
        temporal(...command.split(' ').slice(1)).then(
          () => true,
          () => false,
        ),
      (done) => done,
    );
    expect(of(await diagnose(), 'namespace')).toMatchObject({ result: 'ok' });
  });

  test.each([
    ['https://rest.zuora.com', 'which is production'],
    ['https://rest.na.zuora.com', 'which is production'],
    ['https://REST.EU.zuora.com/', 'which is production'],
    ['https://rest.ap.zuora.com', 'which is production'],
    ['https://rest.apisandbox.zuora.com', 'which is a sandbox'],
    ['https://rest.sandbox.na.zuora.com', 'which is a sandbox'],
    ['https://rest.sandbox.eu.zuora.com', 'which is a sandbox'],
    ['https://rest.test.zuora.com', 'which is a sandbox'],
    ['https://rest.test.ap.zuora.com', 'which is a sandbox'],
    ['https://other.zuora.com', 'not a known host of Zuora'],
    ['http://127.0.0.1:1', 'not a known host of Zuora'],
  ])('says what kind of host %s is', async (url, words) => {
    // Nothing is called: the checks that call Zuora lack an entity, or a token.
    const checks = zuoraChecks(undefined, 1);
    environment({ ZUORA_BASE_URL: url });
    const configuration = checks.checks.find(({ name }) => name === 'zuoraConfiguration');
    expect(await configuration?.run()).toEqual({ result: 'ok', text: expect.stringContaining(words) as string });
    await checks.close();
  });

  test('tells search attributes that are missing, or registered with another type', async () => {
    const namespace = `of-${randomUUID()}`;
    environment({ TEMPORAL_NAMESPACE: namespace });
    await rig.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    const bare = await until(diagnose, (found) => of(found, 'searchAttributes')?.text.includes('lacks') === true);
    expect(of(bare, 'searchAttributes')).toMatchObject({
      result: 'error',
      text: expect.stringContaining('BillRunNumber, BillRunId') as string,
      todo: expect.stringContaining('setup') as string,
    });
    const emails = await BillRunEmails.connect();
    // A start does not depend on them; a worker would not take it before they are there.
    expect(await emails.start({ billRunKey: 'BR-00000001' })).toMatchObject({ result: 'started' });
    await emails.close();
    const { EmailSends: int = 0, ...keywords } = indexedTypes();
    const searchAttributes = { ...keywords, BillRunId: int, EmailSends: int };
    await rig.connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    const mistyped = await until(diagnose, (found) => of(found, 'searchAttributes')?.text.includes('lacks') === false);
    expect(of(mistyped, 'searchAttributes')).toMatchObject({
      result: 'error',
      text: expect.stringMatching(/^BillRunId is registered with another type/) as string,
      todo: expect.stringContaining('one with BillRunId KEYWORD') as string,
    });
    await expect(setup(rig.connection, namespace)).rejects.toThrow(/another type for BillRunId/);
    expect(await faultOfSearchAttributes(rig.connection, namespace)).toMatchObject({
      text: of(mistyped, 'searchAttributes')?.text,
    });
    // What it says to do helps.
    await temporal('operator', 'search-attribute', 'remove', '--namespace', namespace, '--name', 'BillRunId', '--yes');
    await until(
      () => setup(rig.connection, namespace).catch(() => undefined),
      (done) => done !== undefined,
    );
    await until(diagnose, (found) => of(found, 'searchAttributes')?.result === 'ok');
  });

  test('misses workers that do not run', async () => {
    environment({ BILL_RUN_TASK_QUEUE: `nobody-${randomUUID()}` });
    const diagnosis = await diagnose();
    expect(ills(diagnosis)).toEqual({ workflowWorkers: 'error', activityWorkers: 'error' });
    expect(of(diagnosis, 'activityWorkers')?.text).toContain('nobody-');
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(6);
  });

  test('shows no line of a configuration file that cannot be read: it may hold a key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-doctor-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    writeFileSync(join(folder, 'temporal.toml'), '[profile.default]\napi_key = "hunter2\naddress = "x"\n');
    environment({ TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml') });
    const diagnosis = await diagnose();
    expect(of(diagnosis, 'temporalConfiguration')).toMatchObject({ result: 'error' });
    expect(JSON.stringify(diagnosis)).not.toContain('hunter2');
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(2);
  });

  test('tells credentials that Zuora does not take, without showing them', async () => {
    environment({ ZUORA_CLIENT_SECRET: 'hunter2' });
    const diagnosis = await until(diagnose, (found) => of(found, 'activityWorkers')?.result === 'ok');
    expect(ills(diagnosis)).toEqual({
      ...{ zuoraToken: 'error', zuoraRead: 'skipped' },
      ...{ postedNotifications: 'skipped', emailNotifications: 'skipped' },
    });
    expect(of(diagnosis, 'zuoraToken')?.todo).toContain('ZUORA_CLIENT_SECRET');
    expect(JSON.stringify(diagnosis)).not.toContain('hunter2');
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(7);
  });

  test('tells a read that Zuora refuses', async () => {
    await rig.fault({ method: 'GET', path: '/object-query/billing-runs', fault: 'respond', status: 403, body: {} });
    expect(of(await diagnose(), 'zuoraRead')).toMatchObject({
      result: 'error',
      text: expect.stringContaining('403') as string,
      todo: expect.stringContaining('permissions') as string,
    });
  });

  test('names the notifications by which Zuora emails at the post, which is a reason to switch them off', async () => {
    await rig.control('PATCH', '/settings', { postedNotificationActive: true });
    const diagnosis = await until(diagnose, ({ ok }) => ok);
    expect(ills(diagnosis)).toEqual({ postedNotifications: 'warning' });
    expect(of(diagnosis, 'postedNotifications')).toMatchObject({
      text: expect.stringContaining('by its notification Invoice Posted, Credit Memo Posted') as string,
      todo: expect.stringContaining('Switch off the email of Invoice Posted, Credit Memo Posted') as string,
    });
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(0);
  });

  test('names the profiles whose accounts would get no email, the default first, and those that are muted', async () => {
    const { documents } = await rig.control<{ documents: { number: string }[] }>('POST', '/bill-runs', { invoices: 1 });
    const { number = '' } = documents[0] ?? {};
    await rig.control('PATCH', `/documents/${number}`, { communicationProfile: 'bare' });
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false, profileMuted: true });
    const diagnosis = await until(diagnose, ({ ok }) => ok);
    await rig.control('PATCH', `/documents/${number}`, { communicationProfile: 'default' });
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: true, profileMuted: false });
    expect(ills(diagnosis)).toEqual({ emailNotifications: 'warning' });
    const nothing = 'emails nothing for accounts with the communication profile';
    expect(of(diagnosis, 'emailNotifications')).toMatchObject({
      text:
        `Zuora says success and sends nothing: Manual Email For Invoice ${nothing} Bare Profile; ` +
        `Email Credit Memo ${nothing} Default Profile (the default), Bare Profile; ` +
        'communication profiles are muted, so nothing is emailed: Default Profile (the default)',
      todo: expect.stringContaining('have Manual Email For Invoice and Email Credit Memo email') as string,
    });
    expect(exitCodeOfDiagnosis(diagnosis)).toBe(0);
  });

  test('warns if it cannot read the notifications, and goes on', async () => {
    await rig.control('PATCH', '/settings', { missingPermissions: ['notificationDefinitions'] });
    const diagnosis = await diagnose();
    await rig.control('PATCH', '/settings', { missingPermissions: [] });
    expect(of(diagnosis, 'postedNotifications')).toMatchObject({
      result: 'warning',
      text: expect.stringMatching(/cannot be read, so a first send does not wait .*403/) as string,
      todo: expect.stringContaining('Allow') as string,
    });
    expect(of(diagnosis, 'emailNotifications')).toMatchObject({
      result: 'warning',
      text: expect.stringMatching(/it is not known whether .*403/) as string,
      todo: expect.stringContaining('notification definitions and communication profiles') as string,
    });
  });

  test('takes only a list for an answer', async () => {
    const other = await openLoopbackZuora({ call: json(200, { success: true }) });
    environment({ ZUORA_BASE_URL: other.baseUrl.href });
    expect(of(await diagnose(), 'zuoraRead')).toMatchObject({ result: 'error' });
  });

  test('reads in an entity only with Multi-entity, and asks for one there', async () => {
    expect(of(await diagnose({ entityId: 'e-1' }), 'zuoraConfiguration')).toMatchObject({ result: 'error' });
    environment({ ZUORA_MULTI_ENTITY: 'true' });
    const unnamed = await diagnose();
    expect(of(unnamed, 'zuoraRead')).toMatchObject({
      result: 'skipped',
      todo: expect.stringContaining('--entity') as string,
    });
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(200, { data: [] }) });
    environment({ ZUORA_BASE_URL: baseUrl.href });
    expect(of(await diagnose({ entityId: 'e-1' }), 'zuoraRead')).toMatchObject({ result: 'ok' });
    expect(calls[0]?.headers['zuora-entity-ids']).toBe('e-1');
  });

  test('waits for no answer longer than its deadline', async () => {
    const explain = (error: unknown) => ({ text: String(error), todo: 'wait' });
    const run = () => new Promise<never>(() => undefined);
    const checks = await runChecks([{ name: 'zuoraToken', run, explain }], 10);
    expect(checks).toMatchObject([{ result: 'error', text: expect.stringContaining('0.01 s') as string }]);
  });
});

describe('bill-run-emails doctor', () => {
  test('prints a line for each check with what to do, or one JSON object, and ends with the code of the first thing to fix', async () => {
    const cli = (...args: string[]) =>
      new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
        const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
        const command = [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'doctor', ...args];
        execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
          resolve({ code: error?.code ?? 0, stdout, stderr });
        });
      });
    const printed = await cli('--json');
    expect(printed).toMatchObject({ code: 6, stderr: '' });
    const diagnosis = JSON.parse(printed.stdout) as Diagnosis;
    expect(diagnosis.ok).toBe(false);
    expect(ills(diagnosis)).toEqual(TEMPORAL_IS_AWAY);
    const { stdout } = await cli();
    expect(stdout).toMatch(/^error +temporal +Temporal cannot be reached at 127\.0\.0\.1:1/m);
    expect(stdout).toMatch(/^ok +zuoraRead /m);
    expect(stdout).toContain('→ Check TEMPORAL_ADDRESS');
    expect(stdout).toContain('Errors: 1. Warnings: 0.');
  });

  test('says so where nothing is wrong', () => {
    expect(doctorTable({ ok: true, checks: [] })).toContain('Nothing is wrong.');
  });
});
