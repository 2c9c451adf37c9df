/**
 * A Zuora that leaks secrets and customers' addresses wherever it can: none of them gets into the worker's log, metrics and traces, a history, the
 * audit in any format, a notice, an output, or an error.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from 'undici';
import { formatted } from '../../client/cli/audit-formats.js';
import type { Child } from '../../scripts/processes.js';
import { freePort } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { cliGiven } from '../support/command-line.js';
import { AUTHORIZATION, callout, PASSWORD, startCallouts, type CalloutsProcess } from '../callouts/callouts-process.js';
import { openOtlpReceiver } from '../support/otlp.js';
import { openParts, type Parts } from '../support/parts.js';
import { until } from '../support/rig.js';

const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
const WEBHOOK = 'T000-B000-of-a-webhook';
const CUSTOMERS = ['jane.doe@customer.example', 'jane.doe%40customer.example', 'customer.example'];

/** What it answers to a call to email, in place of Zuora; everything else goes through. */
type Leak = (response: ServerResponse, secrets: string) => void;

const leaks: Record<string, Leak> = {
  'a refusal': (response, secrets) => {
    const reasons = [
      { code: 53200020, message: `no permission for ${secrets}` },
      { code: secrets, message: secrets },
    ];
    answer(response, 400, 'application/json', JSON.stringify({ success: false, reasons, requestId: secrets }));
  },
  'a page of HTML': (response, secrets) => {
    answer(response, 502, 'text/html', `<html><body><h1>Bad gateway</h1>${secrets}</body></html>`);
  },
  'half a body': (response, secrets) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 9_999 });
    response.write(`{"success": false, "message": "${secrets}"`);
    setImmediate(() => response.destroy());
  },
  headers: (response, secrets) => {
    for (const name of ['zuora-request-id', 'x-request-id', 'zuora-track-id', 'retry-after', 'location']) {
      response.setHeader(name, secrets);
    }
    answer(response, 500, 'text/plain', secrets);
  },
  'a refused token': (response, secrets) => {
    answer(response, 401, 'application/json', JSON.stringify({ message: `Bearer ${secrets} has expired` }));
  },
};

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}

/** Stands before the simulator, knows the token that it gave, and tells it. */
async function openLeakyZuora(simulatorUrl: string) {
  const tokens = new Set<string>();
  const leakOf = new Map<string, Leak>();
  const server = createServer((incoming, response) => {
    pass(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });
  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming);
    const { authorization = '' } = incoming.headers;
    const url = incoming.url ?? '';
    const leak = leakOf.get(/^\/v1\/bill-runs\/([^/]+)\/emails/.exec(url)?.[1] ?? '');
    const secrets = `${authorization} ${clientSecret} ${CUSTOMERS.slice(0, 2).join(' ')}`;
    if (leak !== undefined) {
      leak(response, secrets);
      return;
    }
    const { host, connection, 'content-length': length, ...headers } = incoming.headers;
    const passed = await request(`${simulatorUrl}${url}`, {
      method: incoming.method as 'GET',
      headers: headers as Record<string, string>,
      ...(body === '' ? {} : { body }),
    });
    const reply = await passed.body.text();
    if (url === '/oauth/token') tokens.add((JSON.parse(reply) as { access_token: string }).access_token);
    answer(response, passed.statusCode, String(passed.headers['content-type']), reply);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens,
    leakOf,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve).closeAllConnections();
      }),
  };
}

let parts: Parts;
let control: Parts['control'];
let emails: Parts['emails'];
let zuora: Awaited<ReturnType<typeof openLeakyZuora>>;
let worker: Child;
let folder: string;
let callouts: CalloutsProcess;
/** What people are notified of. The receiver does not take the first message. */
const notices: string[] = [];
const receiver = createServer((incoming, response) => {
  void text(incoming).then((body) => {
    notices.push(body);
    response.writeHead(notices.length === 1 ? 404 : 200).end(incoming.url);
  });
});
let traces: Awaited<ReturnType<typeof openOtlpReceiver>>;
let metricsAddress: string;
let healthAddress: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-secrets-'));
  parts = await openParts();
  ({ control, emails } = parts);
  zuora = await openLeakyZuora(parts.simulator.url);
  const { temporal } = parts;
  const logFile = join(folder, 'worker.log');
  metricsAddress = `127.0.0.1:${await freePort()}`;
  healthAddress = `127.0.0.1:${await freePort()}`;
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const notifyUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/services/${WEBHOOK}`;
  traces = await openOtlpReceiver();
  const addresses = { METRICS_ADDRESS: metricsAddress, HEALTH_ADDRESS: healthAddress, NOTIFY_URL: notifyUrl };
  const env = { ...addresses, ...traces.env };
  worker = await startWorker({
    temporal,
    simulatorUrl: zuora.url,
    pollInterval: '100ms',
    logFile,
    logLevel: 'trace',
    env,
  });
  callouts = await startCallouts(
    { TEMPORAL_ADDRESS: temporal.address, LOG_LEVEL: 'trace', ...traces.env },
    join(folder, 'callouts.log'),
  );
});
afterAll(async () => {
  receiver.close().closeAllConnections();
  traces.close();
  await zuora.close();
  await parts.close();
  await rm(folder, { recursive: true });
});

/** Some thirty commands, each a process. */
const timeout = 300_000;

test('no secret and no address gets anywhere', { timeout }, async () => {
  const outputs: Record<string, string> = {};
  const env = {
    TEMPORAL_ADDRESS: parts.temporal.address,
    ZUORA_BASE_URL: zuora.url,
    ZUORA_CLIENT_ID: clientId,
    ZUORA_CLIENT_SECRET: clientSecret,
  };
  const cli = async (...args: string[]): Promise<void> => {
    const { stdout, stderr } = await cliGiven({ env }, ...args);
    outputs[`bill-run-emails ${args.join(' ')}`] = stdout + stderr;
  };

  for (const [name, leak] of Object.entries(leaks)) {
    const { number } = await control<{ number: string }>('POST', '/bill-runs', { status: 'Posted', invoices: 1 });
    zuora.leakOf.set(number, leak);
    const { workflowId } = await emails.start({ billRunKey: number, sendBudget: '1s', openFor: '1 day' });
    const run = emails.client.workflow.getHandle(workflowId);
    const { state, question } = await until(
      () => emails.status({ billRunKey: number }),
      (status) => status.state === 'NeedsAttention',
    );
    expect(state).toBe('NeedsAttention');
    for (const command of ['status', 'audit', 'documents']) await cli(command, number, '--json');
    await cli('status', number);
    const audit = await emails.audit({ billRunKey: number });
    for (const format of ['table', 'csv'] as const) outputs[`${name}: ${format}`] = formatted(audit, format);
    zuora.leakOf.delete(number);
    // Where nobody knows, and the key is young, a retry is safe.
    await emails.retry(
      { billRunKey: number },
      {
        ...{ requestedBy: 'alice', reason: 'nobody got one' },
        sendAnyway: question?.needsSendAnyway === true,
      },
    );
    await until(
      () => emails.status({ billRunKey: number }),
      (status) => status.state === 'Delivering',
    );
    await emails.finish({ billRunKey: number });
    await run.result();
    const history = historyToJSON(await run.fetchHistory());
    outputs[`${name}: history`] = history + decoded(JSON.parse(history));
  }
  await sendCallouts(outputs);
  await cli('doctor', '--json');
  await cli('documents', 'BR-NOT-THERE');
  for (const url of [`http://${metricsAddress}/metrics`, `http://${healthAddress}/readyz`]) {
    outputs[url] = await (await request(url)).body.text();
  }
  await worker.stop(60_000);
  outputs['notices'] = notices.join('\n');
  outputs['traces'] = JSON.stringify(traces.exported);
  outputs['worker log'] = await readFile(join(folder, 'worker.log'), 'utf8');

  expect(zuora.tokens.size).toBeGreaterThan(0);
  expect(traces.spans().length).toBeGreaterThan(0);
  const login = AUTHORIZATION.slice('Basic '.length);
  const secrets = [clientSecret, ...zuora.tokens, ...CUSTOMERS, PASSWORD, WEBHOOK, login, Buffer.from(login).join()];
  for (const [where, words] of Object.entries(outputs)) {
    expect(words, where).not.toBe('');
    for (const secret of secrets) expect(words.includes(secret), `${secret} in: ${where}`).toBe(false);
    // Texts of Temporal UI have no brackets.
    expect(words, where).not.toMatch(/bearer (?!Bearer |\[secret\]|secret |s?e?c?r?e?…)/i);
  }
});

/** Valid and invalid callouts that hold personal data, and a request that is not a callout. */
async function sendCallouts(outputs: Record<string, string>): Promise<void> {
  const { number } = await control<{ number: string }>('POST', '/bill-runs', { status: 'Posted', invoices: 1 });
  const [customer = ''] = CUSTOMERS;
  const extra = { email: customer, name: customer, resend: true, requestedBy: customer };
  const { url, child } = callouts;
  const answers = [
    await callout(url, { billRunId: number, ...extra }),
    await callout(url, { billRunId: customer, ...extra }),
    await callout(url, `{"email":"${customer}"`),
    await callout(url, extra, { authorization: `Basic ${btoa(`${customer}:${PASSWORD}`)}` }),
    await callout(url, { billRunId: number, ...extra }, { 'zuora-notification-id': customer }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 401, 200]);
  for (const [index, answer] of answers.entries()) outputs[`callout ${index}`] = await answer.text();
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end(`POST / HTTP/1.1\r\nauthorization: ${AUTHORIZATION}\r\n${customer}\r\n\r\n`);
  outputs['no callout'] = await text(socket);
  const run = emails.client.workflow.getHandle(`email-bill-run/${number}`);
  const history = historyToJSON(await run.fetchHistory());
  outputs['callout: history'] = history + decoded(JSON.parse(history));
  await child.stop();
  outputs['callout log'] = await readFile(join(folder, 'callouts.log'), 'utf8');
}

/** What is written in base64 into a history. */
function decoded(json: unknown): string {
  if (typeof json === 'string') return /^[\w+/]{8,}={0,2}$/.test(json) ? Buffer.from(json, 'base64').toString() : '';
  if (typeof json !== 'object' || json === null) return '';
  return Object.values(json).map(decoded).join('\n');
}
