/** What operators ask and order on the command line, for one bill run or for many. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Audit, KnownStatus } from '../../../client/index.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { SIMULATOR_CREDENTIALS } from '../../../simulator/index.js';
import { cliGiven, json, jsonLines, run, type Ended } from '../../support/command-line.js';
import { emailsPerDocument, newNamespace, openRig, until, type Rig } from '../../support/rig.js';
import { version } from '../../support/version.js';

// `--all` is about all jobs of a namespace, so this file has one of its own.
const env = { TEMPORAL_NAMESPACE: '' };
const cli = (...args: string[]): Promise<Ended> => cliGiven({ env }, ...args);

let rig: Rig;
beforeAll(async () => {
  env.TEMPORAL_NAMESPACE = await newNamespace();
  // Forty that wait, each polled ten times a second as elsewhere, would be most of the work here.
  const polling = { first: 3_000, longest: 3_000, afterAnHour: 3_000 };
  rig = await openRig({ namespace: env.TEMPORAL_NAMESPACE, polling });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** Bill runs that wait for the post. */
async function waiting(count: number): Promise<readonly string[]> {
  const one = async (): Promise<string> => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    await rig.start({ billRunKey: number });
    return number;
  };
  const numbers = await Promise.all(Array.from({ length: count }, one));
  // One after the other: forty at once would be most of the work.
  for (const number of numbers) await rig.state(rig.own(number), 'Waiting');
  return numbers;
}

/** The command line lists as many. Temporal's list lags behind by a moment, and a direct question costs no process. */
async function listed(count: number, state?: string): Promise<void> {
  const query = ["ExecutionStatus = 'Running'", ...(state === undefined ? [] : [`EmailState = '${state}'`])];
  await until(
    () => rig.client.workflow.count(query.join(' AND ')),
    (counted) => counted.count === count,
  );
  const filter = state === undefined ? [] : ['--state', state];
  expect(jsonLines(await cli('list', '--open', '--limit', '0', '--json', ...filter))).toHaveLength(count);
}

/** What `documents` says. */
async function keptBack(number: string): Promise<string> {
  const { clientId: ZUORA_CLIENT_ID, clientSecret: ZUORA_CLIENT_SECRET } = SIMULATOR_CREDENTIALS;
  const zuora = { ZUORA_BASE_URL: rig.simulatorUrl, ZUORA_CLIENT_ID, ZUORA_CLIENT_SECRET };
  return (await cliGiven({ env: { ...env, ...zuora } }, 'documents', number)).stdout;
}

const UNCHECKED = 'Accepted by Zuora; the documents are not checked so far';

const isHeld = async (number: string): Promise<boolean> => (await rig.status(rig.own(number))).state === 'Held';

const finished = async (...numbers: string[]): Promise<void> => {
  expect((await cli('finish', ...numbers)).code).toBe(0);
  for (const number of numbers) await rig.result(rig.own(number));
};

test('several bill runs get a message one by one, and a failure of one does not stop the others', async () => {
  const [one = '', other = ''] = await waiting(2);
  const id = (number: string) => `email-bill-run/${number}`;
  const held = await cli('hold', one, 'BR-00999999', other, one, '--reason', 'maintenance', '--json');
  expect(held.code).toBe(3);
  expect(jsonLines(held)).toEqual([
    { billRunKey: one, workflowId: id(one), ok: true, via: 'signal', state: 'Held' },
    {
      ...{ billRunKey: 'BR-00999999', workflowId: null, ok: false },
      error: { type: 'NotFound', message: expect.stringContaining('BR-00999999') as string },
    },
    { billRunKey: other, workflowId: id(other), ok: true, via: 'signal', state: 'Held' },
  ]);
  await until(
    async () => [await isHeld(one), await isHeld(other)],
    (both) => !both.includes(false),
  );
  const statuses = await cli('status', one, other, '--json');
  expect(statuses.code).toBe(4);
  expect(jsonLines(statuses)).toMatchObject([
    { billRunKey: one, workflowId: id(one), ok: true, state: 'Held', reason: 'job', sendRecords: [] },
    { billRunKey: other, workflowId: id(other), ok: true, state: 'Held', ignored: { count: 0 } },
  ]);

  const stdin = `# after the maintenance\n${one}\n\n  ${other} # the last\n`;
  const released = await cliGiven({ env, stdin }, 'release', '--file', '-');
  expect(released).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: `${one}: release taken, the job is Waiting\n${other}: release taken, the job is Waiting\n2 bill runs: 2 sent.\n`,
  });
  await rig.state(rig.own(one), 'Waiting');

  const wrong = await cliGiven({ env, stdin: `${one}\n../x\n` }, 'finish', '--file', '-');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('"../x"') as string });
  expect((await rig.status(rig.own(one))).state).toBe('Waiting');
  await finished(one, other);
});

test('hold --all asks nobody, and release --all names who held, never without a yes, and frees no job held by itself', async () => {
  const [one = '', other = ''] = await waiting(2);
  expect(await cli('release', '--all', '--yes')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('nothing to release') as string,
  });
  const note = ['--requested-by', 'alice', '--reason', 'wrong template'];
  const all = { billRunKey: null, workflowId: 'bill-run-emails/hold-all', ok: true };
  expect(await json(cli('hold', '--all', '--json', ...note))).toEqual(all);
  expect((await cli('hold', '--all', '--requested-by', 'bob')).stdout).toContain('All jobs are on hold');
  await cli('hold', one);

  await rig.billRun.change(one, { status: 'Posted' });
  await rig.billRun.change(other, { status: 'Posted' });
  await rig.state(rig.own(one), 'Held', 'job');
  await rig.state(rig.own(other), 'Held', 'all');
  expect((await cli('status', other)).stdout).toMatch(
    /^all held by +\S+, requestedBy says alice, \S+: wrong template$/m,
  );
  await listed(2, 'Held');
  expect(await keptBack(one)).toContain('The job is on hold, so nothing is sent until a person releases it.');
  expect(await keptBack(other)).toContain('All jobs are on hold, so nothing is sent until a release of all.');
  const onHold = /^All jobs are on hold by \S+, requestedBy says alice, \S+: wrong template\n.*says bob, \S+\n$/;
  expect((await cli('list')).stderr).toMatch(onHold);

  expect(await cli('release', '--all')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
  const released = await cli('release', '--all', '--yes', '--json');
  expect(JSON.parse(released.stdout)).toEqual({ ...all, jobs: 1 });
  expect(released.stderr).toMatch(onHold);
  await rig.state(rig.own(other), 'Delivering');
  const audited = (await cli('audit', other)).stdout;
  for (const text of ['Held (all)', '"requestedBy":"alice","reason":"wrong template"', 'requestedBy says bob']) {
    expect(audited).toContain(text);
  }
  expect(audited).toMatch(/hold on all jobs: signal release with \{"requestedBy":/);
  expect(await isHeld(one)).toBe(true);
  expect(await rig.emailCalls(one)).toEqual([]);
  expect((await cli('hold', '--all', one)).code).toBe(2);
  await finished(one, other);
});

test('whatever people write about a job, no command shows a line or a control character of theirs', async () => {
  const forged = 'alice]\n2026-11-28T00:00:00.000Z  signal   signal finish with {}  [carol@pc';
  const hidden = 'bob\x1b[1A\x1b[2K\r\x9b2K\x7f\u202etxet\u2066\u200b';
  const note = ['--requested-by', forged, '--reason', hidden];
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const outputs: string[] = [];
  const output = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await cliGiven({ env: { ...env, BILL_RUN_TASK_QUEUE: rig.taskQueue } }, ...args);
    outputs.push(stdout, stderr);
    return stdout + stderr;
  };
  await rig.start({ billRunKey: number, requestedBy: forged, reason: hidden });
  await output('hold', number, ...note);
  await rig.state(rig.own(number), 'Held');
  await rig.own(number).signal(`x\x1b[2K\n${forged}`, hidden);
  await rig.own(number).signal('retry', { requestId: hidden, requestedBy: forged, reason: hidden, ordinal: 9 });
  await output('hold', '--all', ...note);
  expect(await output('resend', number, '--request-id', 'T-1', ...note)).toMatch(
    /\\u001b.*\nError: nobody can be asked/s,
  );
  expect(await output('status', number)).toContain('says alice]\\n2026-11-28T00');
  await output('status', number, number.toLowerCase());
  expect(await output('list', '--number', number)).toContain('says alice]\\n2026-11-28T00');
  expect(await output('doctor')).toContain('alice]\\n2026-11-28T00');
  const audit = await output('audit', number);
  expect(audit).toContain('says alice]\\n2026-11-28T00');
  expect(audit).not.toMatch(/^2026-11-28T00/m);
  await output('audit', number, '--format', 'csv');
  await output('release', '--all', '--yes', ...note);
  for (const text of outputs) expect(text.replace(/\r?\n/g, '')).not.toMatch(/(?!^\uFEFF)[\p{Cc}\p{Cf}]/u);

  const line = (await cli('audit', number, '--json')).stdout;
  expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect((JSON.parse(line) as Audit).entries[0]).toMatchObject({ requestedBy: forged });
  await cli('release', number);
  await finished(number);
});

test('a retry that a job rejects is a failure, with the reason; holding twice is not', async () => {
  const [number = ''] = await waiting(1);
  const retried = await cli('retry', number, '--json');
  expect(retried).toMatchObject({ code: 2, stderr: expect.stringContaining('no question is open') as string });
  expect(JSON.parse(retried.stdout)).toMatchObject({ billRunKey: number, ok: false, error: { type: 'Ignored' } });
  // A rejected update leaves nothing behind.
  expect((await rig.status(rig.own(number))).ignored.count).toBe(0);
  const held = {
    ...{ billRunKey: number, workflowId: `email-bill-run/${number}`, ok: true },
    ...{ via: 'signal', state: 'Held' },
  };
  expect(await json(cli('hold', number, '--json'))).toEqual(held);
  expect(await cli('hold', number)).toMatchObject({ code: 0, stderr: '' });
  const finishing = await json(cli('finish', number, '--json'));
  expect(finishing).toEqual({ ...held, via: 'update', state: 'Stopped' });
});

test('status answers without a worker, from what Temporal lists', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const job = await rig.start({ billRunKey: number });
  await until(
    () => rig.listed(job),
    ({ reason }) => reason === 'notPosted',
  );
  await rig.stopWorker();
  try {
    const began = performance.now();
    const status = JSON.parse((await cli('status', number, '--json')).stdout) as KnownStatus;
    // Its deadlines are 2.8 s together.
    expect(performance.now() - began).toBeLessThan(4_500);
    expect(status).toMatchObject({ state: 'Waiting', reason: 'notPosted', unanswered: true, closedAt: null });
    const { stdout, code } = await cli('status', number);
    expect(code).toBe(0);
    expect(stdout).toContain('No worker answered in time, so only what Temporal lists is known');
    expect(stdout).toContain(`Its sends: bill-run-emails audit ${number}`);
  } finally {
    await rig.startWorker();
  }
  await job.signal('finish');
  await rig.result(job);
  const { stdout } = await cli('status', number);
  expect(stdout).toMatch(/^closed +\d{4}-/m);
  expect(stdout).toContain(`start anew    bill-run-emails start ${number} --again`);
});

test('a closed job says why, with and without a worker', async () => {
  const closedBy = async (billRun: object, input: object, close: (job: WorkflowHandle) => Promise<unknown>) => {
    const { number } = await rig.billRun.create(billRun);
    const job = await rig.start({ billRunKey: number, ...input });
    await close(job);
    await job.result().catch(() => undefined);
    return number;
  };
  const nobody = (): Promise<void> => Promise.resolve();
  const terminate = async (job: WorkflowHandle) => {
    await rig.state(job, 'Waiting');
    await job.terminate('wrong bill run');
  };
  const { number: invalid } = await rig.billRun.create();
  const broken = await rig.startAs(`email-bill-run/${invalid}`, { billRunKey: '' });
  await broken.result().catch(() => undefined);
  const cases: readonly (readonly [
    key: string,
    state: string,
    code: number,
    why: RegExp,
    sent: string,
    again: string | null,
  ])[] = [
    [await closedBy({ status: 'Canceled' }, {}, nobody), 'NotPosted', 5, /ended as Canceled/, 'Nothing sent', null],
    [await closedBy({}, { openFor: '0s' }, nobody), 'Delivering', 0, /Zuora accepted the request/, UNCHECKED, null],
    [
      await closedBy({}, { hold: true }, (job) => job.signal('finish')),
      'Stopped',
      5,
      /finished the job/,
      'Nothing sent',
      ' --again',
    ],
    [
      await closedBy({ status: 'Completed' }, {}, terminate),
      'Waiting',
      5,
      /^Terminated: wrong bill run, by /,
      'Nothing sent',
      ' --again',
    ],
    [invalid, 'NotPosted', 5, /invalid input: .*billRunKey/, 'Nothing sent', ''],
  ];
  const check = async (): Promise<void> => {
    for (const [key, state, code, why, sent, again] of cases) {
      const { stdout, ...ended } = await cli('status', key);
      const status = await rig.emails.status({ billRunKey: key });
      expect(ended).toEqual({ code, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^sent +${sent}$`, 'm'));
      expect(stdout).toMatch(/^why /m);
      const startAnew = new RegExp(`^start anew +bill-run-emails start ${key}${again ?? ''} --requested`, 'm');
      expect(startAnew.test(stdout)).toBe(again !== null);
      expect(status).toMatchObject({ state, text: expect.stringMatching(why) as string });
    }
  };
  await check();
  await rig.stopWorker();
  await check();
  const { number: unbegun } = await rig.billRun.create();
  await (await rig.start({ billRunKey: unbegun })).terminate('no worker had begun it');
  const { text } = await rig.emails.status({ billRunKey: unbegun });
  expect(text).toMatch(/^Terminated: no worker had begun it, by /);
  const { stdout } = await cli('status', ...cases.map(([key]) => key));
  for (const [, , , why] of cases) expect(stdout).toMatch(new RegExp(why.source.replace('^', '')));
  await rig.startWorker();
  const { entries } = await rig.emails.audit({ billRunKey: cases[1]?.[0] ?? '' });
  expect(entries.at(-1)?.text).toBe('completed: Zuora accepted the request and is sending the emails.');
});

test('a hold after the acceptance is in the text', async () => {
  const { number } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  await rig.accepted(job, 1);
  await cli('hold', number, '--requested-by', 'alice', '--reason', 'wrong template');
  const { stdout } = await cli('status', number);
  expect(stdout).toMatch(/^now .*Zuora accepted the request.*On hold since .*, by "alice" \("wrong template"\)/m);
  await job.signal('finish');
});

test('a message without a worker is kept as a signal, and the answer says so', async () => {
  const { number } = await rig.billRun.create();
  const unserved = { taskQueue: `nobody-${randomUUID()}`, workflowId: `email-bill-run/${number}` };
  const job = await rig.client.workflow.start('emailBillRun', { ...unserved, args: [{ billRunKey: number }] });
  const retried = await json<object>(cli('retry', number, '--json'));
  expect(retried).toEqual({
    ...{ billRunKey: number, workflowId: unserved.workflowId, ok: true, via: 'signal' },
    requestId: expect.stringMatching(/^[-0-9a-f]{36}$/) as string,
  });
  expect((await cli('finish', number)).stdout).toContain('no worker answered, so the job takes it when one runs');
  const { events } = await job.fetchHistory();
  const signals = events?.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? []);
  expect(signals).toEqual(['retry', 'finish']);
  await job.terminate();
});

test('a send that Zuora refused is found, fixed in Zuora, retried, and emailed once', async () => {
  const [number = ''] = await waiting(1);
  await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(rig.own(number), 'NeedsAttention');
  await listed(1, 'NeedsAttention');
  const asks = await cli('status', number);
  expect(asks).toMatchObject({ code: 4, stdout: expect.stringContaining('is not active') as string });
  expect(asks.stdout).toContain(`bill-run-emails retry ${number}`);

  await rig.control('PATCH', '/settings', { notificationActive: true });
  const note = ['--requested-by', 'you', '--reason', 'notification is active'];
  const retry = ['retry', number, '--ordinal', '1', '--request-id', 'R-1', ...note, '--json'];
  const taken = { ok: true, via: 'update', requestId: 'R-1', ordinal: 1 };
  expect(await json(cli(...retry))).toMatchObject(taken);
  await rig.state(rig.own(number), 'Delivering');
  // Repeating it changes nothing.
  expect(await json(cli(...retry))).toMatchObject({ ...taken, state: 'Delivering' });
  expect((await cli('status', number)).stdout).toContain('retry by you: notification is active');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  await finished(number);
});

test('a send with an unknown outcome is settled by a retry, and emailed once', async () => {
  const { number } = await rig.billRun.create();
  await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'reset' });
  const own = await rig.start({ billRunKey: number, sendBudget: '1s' });
  await rig.state(own, 'NeedsAttention');
  const { stdout } = await cli('status', number);
  expect(stdout).toContain('It is not known whether Zuora emailed the documents');
  expect(stdout).toContain('unknown  no answer');

  expect((await cli('retry', number, '--ordinal', '1', '--requested-by', 'you', '--reason', 'why')).code).toBe(0);
  await rig.state(own, 'Delivering');
  expect((await cli('status', number)).stdout).toContain('accepted (stored reply)');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  await finished(number);
});

test('a freeze of all sends is put on and taken off while many bill runs are open, and each is emailed once', async () => {
  // More than a command handles at the same time.
  const count = 40;
  const numbers = await waiting(count);
  await listed(count);
  await cli('hold', '--all', '--requested-by', 'you', '--reason', 'wrong template');
  await Promise.all(numbers.map((number) => rig.billRun.change(number, { status: 'Posted' })));
  await listed(count, 'Held');
  const paths = numbers.map((number) => `/v1/bill-runs/${number}/emails`);
  expect((await rig.requests()).filter(({ path }) => paths.includes(path))).toEqual([]);

  expect((await cli('release', '--all', '--yes')).stdout).toContain(`kept back: ${count}.`);
  await listed(count, 'Delivering');
  for (const number of numbers) {
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  }
  await finished(...numbers);
});

test('a command does its work also if nobody reads its output', async () => {
  const numbers = await waiting(3);
  const child = spawn(process.execPath, [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'hold', ...numbers], {
    env: { ...process.env, TEMPORAL_ADDRESS: inject('temporalAddress'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect({ code: child.exitCode, stderr }).toEqual({ code: 0, stderr: '' });
  for (const number of numbers) await rig.state(rig.own(number), 'Held');
  await finished(...numbers);
});

/** Runs a command in a shell, so that its output goes where `to` says. */
const inShell = (to: string, stdin: string, ...args: string[]): Promise<Ended> =>
  run(
    ...([
      'sh',
      ['-c', `"$@" ${to}`, 'sh', process.execPath, join(projectRoot, 'dist', 'client', 'cli', 'main.js'), ...args],
    ] as const),
    { ...env, BILL_RUN_TASK_QUEUE: rig.taskQueue },
    stdin,
  );

test('a command does its work also if its output cannot be written, and then says so', async () => {
  const numbers = await waiting(2);
  const [number = ''] = numbers;
  // More than a command handles at the same time, before those that count.
  const unknown = Array.from({ length: 60 }, (_, index) => `BR-X${index}`);
  const { number: fresh } = await rig.billRun.create({ status: 'Completed' });
  const lines = [...unknown.map(() => '{}'), JSON.stringify({ billRunKey: fresh })].join('\n');
  const lost = {
    ...{ code: 8, stdout: '' },
    stderr: expect.stringMatching(
      /^(All jobs.*\n|61 bill runs: .*\n)?Error: the output is incomplete: .*ENOSPC.*\n$/,
    ) as string,
  };
  expect(await inShell('>/dev/full', lines, 'start', '--file', '-', '--json')).toEqual(lost);
  await rig.state(rig.own(fresh), 'Waiting');
  expect(await inShell('>/dev/full', '', 'hold', ...unknown, ...numbers)).toEqual(lost);
  for (const each of numbers) expect(await isHeld(each)).toBe(true);
  for (const args of [
    ['list', '--open'],
    ['list', '--json'],
    ['audit', number],
    ['status', number, '--json'],
    ['--help'],
  ]) {
    expect(await inShell('>/dev/full', '', ...args), args.join(' ')).toEqual(lost);
  }
  // Nobody is left to read it.
  expect(await inShell('>/dev/full 2>/dev/full', '', 'release', number)).toEqual({ code: 8, stdout: '', stderr: '' });
  await rig.state(rig.own(number), 'Waiting');
  expect(await inShell('2>/dev/full', '', 'status', 'BR-X1')).toEqual({ code: 8, stdout: '', stderr: '' });
  expect(await inShell('| head -1', '', 'audit', number)).toMatchObject({ code: 0, stderr: '' });
  await finished(fresh, ...numbers);
});

test('a job that was terminated shows its last known state', async () => {
  const [number = ''] = await waiting(1);
  await rig.own(number).terminate('the wrong one');
  const over = await cli('status', number, '--json');
  expect(over.code).toBe(5);
  expect(JSON.parse(over.stdout)).toMatchObject({
    ...{ billRunKey: number, ok: true, state: 'Waiting' },
    ended: { status: 'TERMINATED', at: expect.stringMatching(/^\d{4}-.*Z$/) as string },
  });
  const table = await cli('status', number);
  expect(table.stdout).toMatch(/^closed +terminated \d{4}-.*Z; the fields below are its last known state/m);
  expect(table.stdout).not.toMatch(/^(until|answer with|look first|if )/m);
  expect((await cli('status', number, '--file', '/dev/null')).code).toBe(2);
});

test('mistakes are one line on stderr and, with --json, one line on stdout', async () => {
  const mistakes = [
    ['nonsense'],
    ['status'],
    ['hold'],
    ['status', '--file', 'not/there'],
    ['start', 'BR-1', '--cool', '1h'],
  ];
  for (const args of mistakes) {
    const { code, stdout, stderr } = await cli(...args, '--json');
    expect({ args, code, lines: stderr.trim().split('\n').length }).toMatchObject({ args, code: 2, lines: 1 });
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ billRunKey: null, workflowId: null, ok: false },
      error: { type: 'InvalidInput', message: expect.any(String) as string },
    });
  }
  const profile = await cliGiven({ env: { TEMPORAL_PROFILE: 'not-there' } }, 'status', 'BR-1');
  expect(profile.stderr.split('\n').filter((line) => line.startsWith('    at '))).toEqual([]);
  for (const flag of ['--version', '-v', 'version']) {
    expect(await cli(flag)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  }
});
