/** Traces, as a receiver of OTLP gets them from the command line and a worker, each in a process of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../scripts/temporal-server.js';
import { startWorker, type WorkerProcessOptions } from '../../scripts/worker-process.js';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { cliProcess } from '../support/command-line.js';
import { openOtlpReceiver, tracesTo } from '../support/otlp.js';
import { openParts, type Parts } from '../support/parts.js';
import { until } from '../support/rig.js';
import { sendTooMany } from '../support/server.js';

let parts: Parts;
let folder: string;
let receiver: Awaited<ReturnType<typeof openOtlpReceiver>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-traces-'));
  parts = await openParts();
  receiver = await openOtlpReceiver();
  // Tests with other workers have task queues of their own.
  await start({ env: receiver.env });
});
afterAll(async () => {
  await parts.close();
  receiver.close();
  await rm(folder, { recursive: true });
});

const start = (options: Omit<WorkerProcessOptions, 'temporal' | 'simulatorUrl'>) =>
  startWorker({ temporal: parts.temporal, simulatorUrl: parts.simulator.url, pollInterval: '100ms', ...options });

/** The command line, from its start to its end. */
const command = (env: NodeJS.ProcessEnv, ...args: string[]) =>
  cliProcess({ env: { TEMPORAL_ADDRESS: parts.temporal.address, ...env } }, ...args);

const billRun = (status = 'Posted') => parts.control<{ number: string }>('POST', '/bill-runs', { status });

/** The names from a span of that name up to the first of its trace; undefined as long as one of them is missing. */
function pathTo(name: string, traceId: string): readonly string[] | undefined {
  const trace = receiver.spans().filter((span) => span.traceId === traceId);
  const names = [];
  let span = trace.find((each) => each.name === name);
  while (span !== undefined) {
    names.unshift(span.name);
    const { parentSpanId = '' } = span;
    if (parentSpanId === '') return names;
    span = trace.find(({ spanId }) => spanId === parentSpanId);
  }
  return undefined;
}

const complete = (name: string, traceId: string) =>
  until(
    () => Promise.resolve(pathTo(name, traceId)),
    (path) => path !== undefined,
  );

/** The trace of the newest span of that name about a bill run; undefined if none is here. */
function traceWith(name: string, number: string): string | undefined {
  return receiver.spans().findLast((span) => span.name === name && JSON.stringify(span.attributes).includes(number))
    ?.traceId;
}

/** The trace of a command that has ended: it exports its spans before. */
function traceOf(name: string, number: string): string {
  return traceWith(name, number) ?? expect.unreachable(`there is no span ${name}`);
}

const EMAIL = 'POST /v1/bill-runs/{billRunKey}/emails';
const ATTEMPT = 'RunActivity:emailBillRunDocuments';

test('a trace leads from the command by the attempt to the call to Zuora, for a start and for a resend', async () => {
  const { number } = await billRun();
  expect(await command(receiver.env, 'start', number)).toMatchObject({ code: 0, stderr: '' });
  const first = traceOf('StartWorkflow:emailBillRun', number);
  expect(await complete(EMAIL, first)).toEqual(['StartWorkflow:emailBillRun', ATTEMPT, EMAIL]);

  const request = ['--request-id', 'T-1', '--requested-by', 'alice', '--reason', 'asked', '--yes'];
  expect(await command(receiver.env, 'resend', number, ...request)).toMatchObject({ code: 0 });
  const second = traceOf('StartWorkflowUpdate:resend', number);
  expect(second).not.toBe(first);
  expect(await complete(EMAIL, second)).toEqual(['StartWorkflowUpdate:resend', ATTEMPT, EMAIL]);
});

test('a job that continues as new stays in its trace', async () => {
  const { number } = await billRun('Completed');
  await command(receiver.env, 'start', number);
  const job = parts.emails.client.workflow.getHandle(`email-bill-run/${number}`);
  const { runId } = await job.describe();
  await sendTooMany(job, 'retry', 'nonsense');
  await until(
    () => job.describe(),
    (now) => now.runId !== runId,
  );
  await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
  const path = await complete(EMAIL, traceOf('StartWorkflow:emailBillRun', number));
  expect(path).toEqual(['StartWorkflow:emailBillRun', ATTEMPT, EMAIL]);
});

test('a trace header that cannot be read is left out, and keeps nothing back', async () => {
  const { number } = await billRun();
  const workflowId = `email-bill-run/${number}`;
  const odd = { metadata: { encoding: Buffer.from('carrier/pigeon') }, data: Buffer.from('coo') };
  await parts.connection.workflowService.startWorkflowExecution({
    ...{ namespace: parts.temporal.namespace, workflowId, requestId: number },
    workflowType: { name: 'emailBillRun' },
    taskQueue: { name: 'bill-run-emails' },
    input: {
      payloads: [
        {
          metadata: { encoding: Buffer.from('json/plain') },
          data: Buffer.from(JSON.stringify({ billRunKey: number })),
        },
      ],
    },
    header: { fields: { '_tracer-data': odd } },
  });
  const trace = await until(
    () => Promise.resolve(traceWith(ATTEMPT, number)),
    (found) => found !== undefined,
  );
  expect(await complete(EMAIL, trace ?? '')).toEqual([ATTEMPT, EMAIL]);
});

test('spans hold no secret, no customer, no text of people, no query and no error message', async () => {
  const customer = 'jane.doe@customer.example';
  const note = ['--requested-by', 'alice-of-billing', '--reason', `for ${customer}`];
  const { number } = await billRun();
  const faulty = { when: 'before', fault: 'respond' };
  const unread = { method: 'GET', path: `/object-query/billing-runs/${number}`, status: 500, body: customer };
  await parts.control('POST', '/faults', { ...faulty, ...unread });
  const refused = { method: 'POST', path: `/v1/bill-runs/${number}/emails`, status: 400, body: refusal(customer) };
  await parts.control('POST', '/faults', { ...faulty, ...refused });
  await command(receiver.env, 'start', number, ...note);
  await complete(EMAIL, traceOf('StartWorkflow:emailBillRun', number));
  await command(receiver.env, 'finish', number, ...note);
  expect(traceOf('StartWorkflowUpdate:finish', number)).toBeDefined();
  const requests = await parts.control<{ query: string }[]>('GET', '/requests');
  expect(requests.some(({ query }) => query !== '')).toBe(true);

  const text = JSON.stringify(receiver.exported);
  const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
  for (const kept of [clientId, clientSecret, customer, 'alice-of-billing', '@', '?']) {
    expect(text).not.toContain(kept);
  }
  expect([...new Set(receiver.spans().flatMap(({ attributes }) => attributes.map(({ key }) => key)))].sort()).toEqual([
    ...['error.type', 'http.request.method', 'http.response.status_code', 'run_id', 'server.address'],
    ...['temporalActivityId', 'temporalWorkflowId', 'url.template'],
  ]);
  expect(text).not.toMatch(/"events":\[\{|"message"/);
});

function refusal(customer: string): object {
  return { success: false, reasons: [{ code: 53200020, message: `no email for ${customer}` }] };
}

test('without a receiver, work goes on, commands say nothing, and the worker says it once', async () => {
  const nowhere = tracesTo(await freePort());
  const logFile = join(folder, 'nowhere.log');
  const taskQueue = 'nobody-receives';
  const worker = await start({ env: nowhere, taskQueue, logFile });
  const { number } = await billRun();
  const started = await command({ ...nowhere, BILL_RUN_TASK_QUEUE: taskQueue }, 'start', number);
  expect(started).toMatchObject({ code: 0, stderr: '' });
  await until(
    () => parts.emails.sends({ billRunKey: number }),
    ([send]) => send?.outcome === 'accepted',
  );
  const warnings = async () =>
    (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.includes('traces are not'));
  await until(warnings, (lines) => lines.length > 0);
  expect(await worker.stop(60_000)).toMatchObject({ code: 0 });
  expect(await warnings()).toEqual([expect.stringContaining('ECONNREFUSED')]);
});

test('an endpoint must be a URL, or it is a fault of the configuration', async () => {
  const ended = await command({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'collector:4318' }, 'list');
  expect(ended).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') as string,
  });
});

test.for([
  ['with an endpoint loads OpenTelemetry', true],
  ['without one loads nothing of it', false],
] as const)('a worker %s, and so does a command', async ([, isTraced]) => {
  const hooks = 'export const load = (url, context, next) => (process._rawDebug(url), next(url, context));';
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});`;
  const flag = `data:text/javascript,${encodeURIComponent(register)}`;
  const env: Record<string, string> = isTraced ? receiver.env : { OTEL_EXPORTER_OTLP_ENDPOINT: '' };
  const logFile = join(folder, `loaded-${isTraced}.log`);
  const taskQueue = `loaded-${isTraced}`;
  const worker = await start({ env, taskQueue, logFile, nodeArgs: ['--import', flag] });
  await worker.stop(60_000);
  const { stderr } = await command({ ...env, NODE_OPTIONS: `--import=${flag}` }, 'list');
  for (const loaded of [await readFile(logFile, 'utf8'), stderr]) {
    expect(loaded).toContain('/node_modules/@temporalio/');
    expect(loaded.includes('/node_modules/@opentelemetry/')).toBe(isTraced);
  }
});
