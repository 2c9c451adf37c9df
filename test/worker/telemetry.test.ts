/** What a worker tells of itself: metrics, health and log lines, as those who run it see them. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from 'undici';
import { parse } from 'yaml';
import { projectRoot } from '../../scripts/project-root.js';
import type { Child } from '../../scripts/processes.js';
import { freePort } from '../../scripts/temporal-server.js';
import { spawnWorker, startWorker } from '../../scripts/worker-process.js';
import { TASK_QUEUE } from '../../workflows/contract/contract.js';
import { openParts, type Parts } from '../support/parts.js';
import { until } from '../support/rig.js';

let parts: Parts;
let folder: string;
let logFile: string;
let worker: Child;
let metricsAddress: string;
let healthAddress: string;
beforeAll(async () => {
  parts = await openParts();
  folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-telemetry-'));
  logFile = join(folder, 'worker.log');
  metricsAddress = `127.0.0.1:${await freePort()}`;
  healthAddress = `127.0.0.1:${await freePort()}`;
  worker = await startWorker({
    temporal: parts.temporal,
    simulatorUrl: parts.simulator.url,
    pollInterval: '100ms',
    logFile,
    // As deploy/kubernetes.yaml: the tests reach it by IPv4 all the same.
    env: {
      ...{ METRICS_ADDRESS: onAnyFamily(metricsAddress), HEALTH_ADDRESS: onAnyFamily(healthAddress) },
      BILL_RUN_DELIVERY_INTERVAL: '500ms',
    },
  });
});
afterAll(async () => {
  await parts.close();
  await rm(folder, { recursive: true });
});

function onAnyFamily(address: string): string {
  return address.replace('127.0.0.1', '[::]');
}

async function scrape(): Promise<string> {
  return (await request(`http://${metricsAddress}/metrics`)).body.text();
}

/** Those of a metric: one without labels has no braces. */
function linesOf(metrics: string, name: string): readonly string[] {
  return metrics.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

/** The sum of a metric over all series that have these labels. */
function valueOf(metrics: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const values = linesOf(metrics, name)
    .filter((line) => wanted.every((each) => line.includes(each)))
    .map((line) => line.split(' ').at(-1));
  return values.length === 0 ? undefined : values.map(Number).reduce((sum, value) => sum + value);
}

async function health(
  path: string,
  address = healthAddress,
): Promise<{ code: number; ok: boolean; checks: Record<string, string> }> {
  const { statusCode, body } = await request(`http://${address}${path}`);
  return { code: statusCode, ...((await body.json()) as { ok: boolean; checks: Record<string, string> }) };
}

const postedBillRun = (wanted: object = {}) =>
  parts.control<{ number: string; documents: readonly { number: string }[] }>('POST', '/bill-runs', {
    status: 'Posted',
    ...wanted,
  });

test('Metrics count attempts, sends and calls to Zuora, and every name in alerts and dashboard is among them', async () => {
  const { emails, control } = parts;
  const { number } = await postedBillRun();
  const path = `/v1/bill-runs/${number}/emails`;
  await control('POST', '/faults', { method: 'POST', path, when: 'after', fault: 'reset' });
  await emails.start({ billRunKey: number });
  const accepted = (count: number) =>
    until(
      () => emails.sends({ billRunKey: number }),
      (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
    );
  await accepted(1);
  await emails.resend({ billRunKey: number }, { requestId: 'T-1' });
  await accepted(2);

  // One of two documents is not sent.
  const partly = await postedBillRun({ invoices: 2, creditMemos: 0 });
  await control('PATCH', `/documents/${partly.documents[0]?.number ?? ''}`, {
    email: 'failed',
    reason: 'no such host',
  });
  await emails.start({ billRunKey: partly.number });

  // A run that fails, an activity that does, one that asks a person, and a workflow task that cannot be done.
  const { number: canceled } = await postedBillRun({ status: 'Canceled' });
  await emails.start({ billRunKey: canceled });
  const refused = await postedBillRun();
  const refusal = { status: 400, body: { success: false, reasons: [{ code: 53200020, message: 'refused' }] } };
  const refusing = { method: 'POST', path: `/v1/bill-runs/${refused.number}/emails`, when: 'before', fault: 'respond' };
  await control('POST', '/faults', { ...refusing, ...refusal });
  const unread = { method: 'GET', path: `/object-query/billing-runs/${refused.number}`, when: 'before' };
  await control('POST', '/faults', { ...unread, fault: 'respond', status: 500 });
  await emails.start({ billRunKey: refused.number });
  await emails.client.workflow.start('noSuchWorkflow', { workflowId: 'no-such-workflow', taskQueue: TASK_QUEUE });

  await postedBillRun();
  expect((await emails.sweep()).counts.forgotten).toBe(1);

  const alerts = readFileSync(join(projectRoot, 'deploy', 'prometheus-alerts.yaml'), 'utf8');
  const dashboard = readFileSync(join(projectRoot, 'deploy', 'grafana-dashboard.json'), 'utf8');
  const names = namesIn(alerts, dashboard);
  expect(names.length).toBeGreaterThanOrEqual(12);
  const calls = 'bill_run_emails_zuora_call_duration_seconds_count';
  const refusal400 = { endpoint: '/v1/bill-runs/{billRunKey}/emails', status: '400' };
  const metrics = await until(
    scrape,
    (text) => names.every((name) => linesOf(text, name).length > 0) && valueOf(text, calls, refusal400) === 1,
  );

  const attempts = 'bill_run_emails_attempts_total';
  expect(valueOf(metrics, attempts, { verdict: 'unknown', resend: 'false' })).toBe(1);
  expect(valueOf(metrics, attempts, { verdict: 'accepted', resend: 'false' })).toBe(2);
  expect(valueOf(metrics, attempts, { verdict: 'accepted', resend: 'true' })).toBe(1);
  expect(valueOf(metrics, 'bill_run_emails_sends_total', { outcome: 'accepted' })).toBe(3);
  expect(valueOf(metrics, 'bill_run_emails_posted_to_accepted_seconds_count')).toBe(2);
  const documents = 'bill_run_emails_documents_total';
  expect(valueOf(metrics, documents, { kind: 'invoice', outcome: 'notSent' })).toBe(1);
  const email = '/v1/bill-runs/{billRunKey}/emails';
  expect(valueOf(metrics, calls, { endpoint: email, status: '200' })).toBe(3);
  expect(valueOf(metrics, calls, { endpoint: email, status: 'none' })).toBe(1);
  expect(valueOf(metrics, calls, { endpoint: '/oauth/token', status: '200' })).toBe(1);
  expect(valueOf(metrics, 'bill_run_emails_zuora_rate_limit_remaining')).toBe(49_999);
  expect(metrics).toContain('temporal_request_latency_seconds_bucket');
  expect(metrics, 'labels name no bill run, which would make a series for each').not.toContain(number);
});

test('A metric says whether bill runs can be read', async () => {
  const failing = (value: number) =>
    until(scrape, (text) => valueOf(text, 'bill_run_emails_zuora_unreadable') === value);
  const [one, other] = await Promise.all([postedBillRun(), postedBillRun()]);
  const path = `/object-query/billing-runs/${one.number}`;
  await parts.control('POST', '/faults', { method: 'GET', path, when: 'before', fault: 'respond', status: 403 });
  await parts.emails.start({ billRunKey: one.number });
  await failing(1);
  await parts.emails.start({ billRunKey: other.number });
  await failing(0);
  await parts.control('DELETE', '/faults');
});

/** The names of metrics in the queries of alerts and dashboards. */
function namesIn(alerts: string, dashboard: string): readonly string[] {
  const { groups } = parse(alerts) as { groups: { rules: { expr: string }[] }[] };
  const queries = [
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ...[...dashboard.matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g)].map(([, expr]) => expr ?? ''),
  ];
  return [...new Set(queries.flatMap((query) => query.match(/\b(?:bill_run_emails|temporal)_[a-z_]+/g) ?? []))];
}

test('Log lines are JSON, and each line about a run names its workflow and its bill run', async () => {
  const { number } = await postedBillRun();
  const { workflowId } = await parts.emails.start({ billRunKey: number });
  const lines = await until(
    async () => {
      const text = await readFile(logFile, 'utf8');
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    (all) => all.some(({ workflowId: id, msg }) => id === workflowId && msg === 'send settled: accepted'),
  );
  const aboutRuns = lines.filter((line) => 'workflowId' in line || 'taskToken' in line);
  expect(aboutRuns.length).toBeGreaterThan(0);
  for (const line of aboutRuns) {
    expect(line, JSON.stringify(line)).toMatchObject({
      workflowId: expect.any(String) as string,
      billRun: expect.any(String) as string,
    });
  }
  const attempt = lines.find(({ workflowId: id, msg }) => id === workflowId && msg === 'attempt ended: accepted');
  expect(attempt).toMatchObject({
    billRun: number,
    verdict: 'accepted',
    httpStatus: 200,
    resend: false,
    idempotencyKey: expect.stringContaining('/first/1') as string,
  });
});

test('A worker is ready while it polls, reaches Temporal and has a token; on SIGTERM it is not ready, and alive until it ends', async () => {
  const ready = { worker: 'ok', poller: 'ok', temporal: 'ok', zuora: 'ok' };
  await until(
    () => health('/readyz'),
    ({ ok }) => ok,
  );
  expect(await health('/readyz')).toEqual({ code: 200, ok: true, checks: ready });
  expect(await health('/healthz')).toEqual({ code: 200, ok: true, checks: { worker: 'ok' } });

  // An attempt under way when the worker is stopped.
  const { number } = await postedBillRun();
  const path = `/v1/bill-runs/${number}/emails`;
  await parts.control('POST', '/faults', { method: 'POST', path, when: 'before', fault: 'stall', afterMs: 3_000 });
  await parts.emails.start({ billRunKey: number });
  await until(
    () => parts.control<{ path: string }[]>('GET', '/requests'),
    (requests) => requests.some((each) => each.path === path),
  );
  const stopping = worker.stop(60_000);
  const draining = await until(
    () => health('/readyz'),
    ({ ok }) => !ok,
  );
  expect(draining).toMatchObject({
    code: 503,
    checks: { poller: expect.stringMatching(/STOPPING|DRAINING/) as string },
  });
  expect(await health('/healthz')).toMatchObject({ code: 200, ok: true });
  expect(await stopping).toMatchObject({ code: 0 });
});

test.for(['METRICS_ADDRESS', 'HEALTH_ADDRESS'])('A worker whose %s is taken ends, and says so', async (name) => {
  const taken = parts.temporal.address;
  const worker = await spawnWorker({
    temporal: parts.temporal,
    simulatorUrl: parts.simulator.url,
    env: { [name]: taken },
  });
  const { code } = await worker.ended;
  expect(code).toBe(2);
  expect(worker.lastLines.join('\n')).toMatch(new RegExp(`^Error: cannot listen on ${name} ${taken}: .*in use`, 'm'));
});

test('A worker without a token, or without Temporal, is not ready, says why, and lives on', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const wrong = await startWorker({
    temporal: parts.temporal,
    simulatorUrl: parts.simulator.url,
    env: { HEALTH_ADDRESS: address, ZUORA_CLIENT_SECRET: 'not the one' },
  });
  expect(await health('/readyz', address)).toMatchObject({
    code: 503,
    checks: {
      worker: 'ok',
      temporal: 'ok',
      zuora: expect.stringMatching(/does not take the client id or secret/) as string,
    },
  });
  await parts.temporal.kill();
  expect(await health('/readyz', address)).toMatchObject({
    code: 503,
    checks: { temporal: expect.stringMatching(/^Temporal does not answer/) as string },
  });
  expect(await health('/healthz', address)).toEqual({ code: 200, ok: true, checks: { worker: 'ok' } });
  await wrong.stop(0);
});
