/** The worker as it runs in production: a process of its own, on the shipped bundle. How it is killed: `kills.test.ts`. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BillRunEmails } from '../../client/index.js';
import { indexedTypes } from '../../client/temporal/setup.js';
import { startChild } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { freePort } from '../../scripts/temporal-server.js';
import { spawnWorker, startWorker, type WorkerProcessOptions } from '../../scripts/worker-process.js';
import { startSimulator } from '../../simulator/index.js';
import { hasIpv6, openIpv6Door } from '../support/ipv6.js';
import { openParts, type Parts } from '../support/parts.js';
import { emailsPerDocument, openReplayer, until, type Email } from '../support/rig.js';
import { sendTooMany } from '../support/server.js';

let parts: Parts;
let control: Parts['control'];
beforeAll(async () => {
  parts = await openParts();
  ({ control } = parts);
});
afterAll(() => parts.close());

async function postedBillRun(fault?: object): Promise<string> {
  const { number } = await control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
  const path = `/v1/bill-runs/${number}/emails`;
  if (fault !== undefined) await control('POST', '/faults', { method: 'POST', path, ...fault });
  return number;
}

const called = (number: string): Promise<unknown> =>
  until(
    () => control<{ path: string }[]>('GET', '/requests'),
    (requests) => requests.some(({ path }) => path === `/v1/bill-runs/${number}/emails`),
  );

/** A task queue of its own, with the library and workers for it. */
function openQueue() {
  const taskQueue = `process-${randomUUID()}`;
  const { temporal, simulator } = parts;
  const options = { temporal, simulatorUrl: simulator.url, pollInterval: '100ms', taskQueue };
  return {
    taskQueue,
    emails: new BillRunEmails(parts.emails.client, { taskQueue }),
    worker: (more: Partial<WorkerProcessOptions> = {}) => startWorker({ ...options, ...more }),
    async npmRunWorker() {
      const command = { command: 'npm', args: ['run', '--silent', 'worker'], cwd: projectRoot };
      const npm = await spawnWorker({ ...options, command });
      await new Promise<void>((resolve, reject) => {
        npm.onLine((line) => {
          if (line.includes('worker is ready')) resolve();
        });
        void npm.ended.then(() => {
          reject(new Error(npm.lastLines.join('\n')));
        });
      });
      return npm;
    },
  };
}

// At the same time: most of it is waiting, as for a heartbeat that does not come.
describe.concurrent('A worker process', () => {
  test('Rule 7: the audit names three sends, a crash and a continue-as-new once, in order, with the people', async () => {
    const { emails, worker } = openQueue();
    const number = await postedBillRun({ when: 'after', fault: 'stall' });
    const name = { billRunKey: number };
    const lost = await worker();
    await emails.start({ ...name, requestedBy: 'pipeline' });
    await called(number);
    await lost.stop(0);
    const successor = await worker();
    const accepted = (count: number) =>
      until(
        () => emails.sends(name),
        (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
      );
    await accepted(1);
    await emails.resend(name, { requestId: 'T-1', requestedBy: 'alice', reason: 'wrong template' });
    await accepted(2);
    const run = emails.client.workflow.getHandle(`email-bill-run/${number}`);
    await sendTooMany(run, 'billRunPosted');
    await run.executeUpdate('resend', { args: [{ requestId: 'T-2', requestedBy: 'bob' }] });
    const sends = await accepted(3);

    const audit = await emails.audit(name);
    expect(audit.incomplete).toEqual([]);
    expect(audit.runIds).toHaveLength(2);
    const key = (of: string) => expect.stringMatching(new RegExp(`^bill-run-email/[0-9a-f]{32}/${of}/1$`)) as string;
    const emailed = { verdict: 'accepted', httpStatus: 200 };
    expect(audit.sends).toMatchObject([
      {
        resend: false,
        attempts: [
          { idempotencyKey: key('first'), verdict: 'unknown', httpStatus: null, reasons: [{ code: 'WORKER_LOST' }] },
          { idempotencyKey: key('first'), ...emailed, stored: true },
        ],
      },
      { resend: true, attempts: [{ idempotencyKey: key('resend/T-1'), ...emailed }] },
      { resend: true, attempts: [{ idempotencyKey: key('resend/T-2'), ...emailed }] },
    ]);
    expect(audit.sends.flatMap(({ attempts }) => attempts.map(({ trackId }) => trackId))).toEqual(
      sends.flatMap(({ attempts }) => attempts.map(({ trackId }) => trackId)),
    );
    const events = audit.entries.filter(
      ({ event, text }) => event !== 'state' && !text.startsWith('signal billRunPosted'),
    );
    expect(events.map(({ event, requestedBy }) => (requestedBy === null ? event : `${event} ${requestedBy}`))).toEqual([
      ...['started pipeline', 'status', 'attempt', 'attemptEnded', 'attempt', 'attemptEnded'],
      ...['update alice', 'attempt', 'attemptEnded', 'continued', 'update bob', 'attempt', 'attemptEnded'],
    ]);
    await emails.finish(name);
    await run.result();
    await successor.stop();
    expect(emailsPerDocument(await control<Email[]>('GET', `/mailbox?billRun=${number}`))).toEqual({ min: 3, max: 3 });
  });

  // A service manager signals npm, whose shell forwards no signal: `exec` in package.json puts the worker in its place.
  test.for([
    ['', 'worker'],
    [' to npm run worker', 'npmRunWorker'],
  ] as const)('drains on SIGTERM%s: an attempt under way ends, and its receipt is kept', async ([, start]) => {
    const queue = openQueue();
    const { emails, worker } = queue;
    const number = await postedBillRun({ when: 'after', fault: 'stall', afterMs: 2_000 });
    const draining = await queue[start]();
    await emails.start({ billRunKey: number });
    await called(number);
    expect(await draining.stop(60_000)).toEqual({ code: 0, signal: null });

    const successor = await worker();
    const sends = await until(
      () => emails.sends({ billRunKey: number }),
      ([send]) => send?.outcome === 'accepted',
    );
    expect(sends[0]?.attempts).toMatchObject([{ verdict: 'accepted', httpStatus: 200 }]);
    await successor.stop();
  });

  test('needs no IPv4: Temporal, Zuora, health and metrics may have addresses of IPv6 only', async ({
    skip,
    onTestFinished,
  }) => {
    if (!hasIpv6) skip('this machine has no IPv6');
    const { worker, taskQueue } = openQueue();
    // Temporal's development server speaks IPv4 to itself.
    const door = await openIpv6Door(parts.temporal.address);
    const simulator = await startSimulator({ host: '::1', seed: 6 });
    const { number } = await controlOf(simulator.url)<{ number: string }>('POST', '/bill-runs', {
      ...{ number: 'BR-IPV6', status: 'Posted' },
    });
    const [health, metrics] = [`[::1]:${await freePort()}`, `[::1]:${await freePort()}`];
    const process = await worker({
      ...{ temporal: { ...parts.temporal, address: door.address }, simulatorUrl: simulator.url },
      env: { HEALTH_ADDRESS: health, METRICS_ADDRESS: metrics },
    });
    const connection = await Connection.connect({ address: door.address });
    onTestFinished(async () => {
      await connection.close();
      await simulator.close();
      door.close();
    });
    const emails = new BillRunEmails(new Client({ connection }), { taskQueue });
    await emails.start({ billRunKey: number });
    await until(
      () => emails.status({ billRunKey: number }),
      ({ state }) => state === 'Delivering',
    );
    for (const url of [`http://${health}/readyz`, `http://${metrics}/metrics`]) {
      expect((await request(url)).statusCode).toBe(200);
    }
    expect(await process.stop(60_000)).toEqual({ code: 0, signal: null });
  });

  test('a query that is the first to reach a new worker does not make a run wait again for a timer that has fired', async () => {
    const { emails, worker } = openQueue();
    const lost = await worker();
    const numbers = await Promise.all(Array.from({ length: 12 }, () => postedBillRun()));
    for (const billRunKey of numbers) await emails.start({ billRunKey, openFor: '15s' });
    for (const billRunKey of numbers) {
      await until(
        () => emails.status({ billRunKey }),
        ({ state }) => state === 'Delivering',
      );
    }
    await lost.stop(0);

    // Nobody answers yet; the server keeps the question, and the timer fires meanwhile.
    const runs = numbers.map((number) => emails.client.workflow.getHandle(`email-bill-run/${number}`));
    const queries = runs.map((run) => emails.client.withDeadline(Date.now() + 100_000, () => run.query('status')));
    for (const run of runs) {
      await until(
        () => run.fetchHistory(),
        ({ events }) => events?.some(({ timerFiredEventAttributes: fired }) => fired != null) === true,
      );
    }
    const successor = await worker();
    await Promise.all(queries);
    const replayer = openReplayer();
    for (const run of runs) {
      await run.result();
      const history = await run.fetchHistory();
      // For the time that the job stays open.
      expect(history.events?.filter(({ timerStartedEventAttributes: started }) => started != null)).toHaveLength(1);
      await replayer.replayHistory(history, run.workflowId);
    }
    await replayer.close();
    await successor.stop();
  });

  test('a query that is the first to hear of a lost attempt does not make its job wait where replay does not', async () => {
    const { emails, worker } = openQueue();
    const lost = await worker();
    const numbers = await Promise.all(
      Array.from({ length: 8 }, () => postedBillRun({ when: 'after', fault: 'stall', times: 1 })),
    );
    for (const billRunKey of numbers) await emails.start({ billRunKey });
    await Promise.all(numbers.map(called));
    await lost.stop(0);

    const runs = numbers.map((number) => emails.client.workflow.getHandle(`email-bill-run/${number}`));
    /** When the newest event of a kind happened (epoch, ms). */
    const timeOf = async (
      run: WorkflowHandle,
      kind: 'activityTaskStartedEventAttributes' | 'activityTaskTimedOutEventAttributes',
    ) => {
      const { events } = await run.fetchHistory();
      return optionalTsToMs(events?.findLast((event) => event[kind] != null)?.eventTime) ?? Infinity;
    };
    const passed = (at: () => Promise<number>, ms: number) => until(at, (time) => Date.now() > time + ms);
    for (const run of runs) {
      // Temporal keeps a question for 20 s without a worker. The loss is noticed 30 s after the start.
      await passed(() => timeOf(run, 'activityTaskStartedEventAttributes'), 24_000);
    }
    const queries = runs.map((run) => emails.client.withDeadline(Date.now() + 100_000, () => run.query('status')));
    for (const run of runs) {
      // The pause before the next attempt lasts 6 s at most, and is over before a worker is back.
      await passed(() => timeOf(run, 'activityTaskTimedOutEventAttributes'), 7_000);
    }
    const successor = await worker();
    await Promise.all(queries);
    const replayer = openReplayer();
    for (const [index, run] of runs.entries()) {
      const [send] = await until(
        () => emails.sends({ billRunKey: numbers[index] ?? '' }),
        ([each]) => each?.outcome === 'accepted',
      );
      expect(send?.attempts).toMatchObject([{ verdict: 'unknown' }, { verdict: 'accepted' }]);
      await replayer.replayHistory(await run.fetchHistory(), run.workflowId);
    }
    await replayer.close();
    await successor.stop();
  });

  test.for([
    [
      'whose environment is not complete names what is missing',
      { ZUORA_CLIENT_SECRET: undefined },
      'ZUORA_CLIENT_SECRET is missing',
    ],
    ['that cannot reach Temporal says where it looked', { TEMPORAL_ADDRESS: '127.0.0.1:1' }, '127.0.0.1:1'],
    [
      'whose namespace is not there names it',
      { TEMPORAL_NAMESPACE: 'nowhere' },
      'namespace nowhere: Namespace nowhere is not found',
    ],
    ['whose namespace lacks search attributes names the command that registers them', {}, 'bill-run-emails setup'],
  ] as const)('%s, and does not start', async ([, env, words]) => {
    const namespace = await bareNamespace();
    const child = await startIn(namespace, env);
    const { code } = await child.ended;
    expect(code).not.toBe(0);
    expect(child.lastLines.join('\n')).toContain(words);
    expect(child.lastLines.join('\n')).not.toContain('    at ');
  });

  test.for([
    [['EmailState'], 'EmailState is registered with another type', 'one with EmailState KEYWORD'],
    [
      ['BillRunId', 'EmailStateSince'],
      'BillRunId, EmailStateSince are registered with another type',
      'one with BillRunId KEYWORD, EmailStateSince DATETIME',
    ],
  ] as const)('whose namespace has %s with another type says so, and does not start', async ([wrong, fault, todo]) => {
    const namespace = await bareNamespace();
    const { operatorService } = parts.connection;
    const searchAttributes = indexedTypes();
    // A namespace has at most three attributes of type Int.
    const { EmailSends: int = 0, EmailStateSince: datetime = 0 } = searchAttributes;
    for (const name of wrong) searchAttributes[name] = name === 'EmailStateSince' ? int : datetime;
    await until(
      () =>
        operatorService.addSearchAttributes({ namespace, searchAttributes }).then(
          () => true,
          () => false,
        ),
      (done) => done,
    );
    const child = await startIn(namespace, {});
    expect(await child.ended).toMatchObject({ code: 6 });
    const [line = '', ...more] = child.lastLines;
    expect(more).toEqual([]);
    expect(line).toContain(`namespace ${namespace} is not set up: ${fault}`);
    expect(line).toContain(todo);
  });
});

async function bareNamespace(): Promise<string> {
  const namespace = `bare-${randomUUID()}`;
  await parts.connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  return namespace;
}

const startIn = (namespace: string, env: NodeJS.ProcessEnv) =>
  startChild({
    name: 'the worker',
    command: process.execPath,
    args: [join(projectRoot, 'dist', 'worker', 'main.js')],
    env: {
      TEMPORAL_ADDRESS: parts.temporal.address,
      TEMPORAL_NAMESPACE: namespace,
      ZUORA_BASE_URL: parts.simulator.url,
      ZUORA_CLIENT_ID: 'id',
      ZUORA_CLIENT_SECRET: 'secret',
      ...env,
    },
  });
