/**
 * Anyone with the password may send anything, and others may send invalid HTTP: the service answers each, keeps running, and
 * reports valid bill runs only.
 *
 * A failure prints its seed. To see it again: HOSTILE_SEED=<seed> npx vitest run test/callouts/hostile.test.ts.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startCalloutServer, type CalloutServer } from '../../callouts/server.js';
import { checkInput } from '../../workflows/contract/validation.js';
import { hostileJson, hostileText, seed } from '../support/hostile.js';
import { AUTHORIZATION, PASSWORD, USER } from './callouts-process.js';

const numRuns = Number(process.env['HOSTILE_RUNS'] ?? 500);
const timeout = 60_000 + 200 * numRuns;

let server: CalloutServer;
let reported: unknown[];
const log: string[] = [];
beforeAll(async () => {
  const settings = { address: { host: '127.0.0.1', port: 0 }, user: USER, password: PASSWORD, starts: true };
  const emails = {
    billRunPosted: (billRun: object) => {
      reported.push(billRun);
      return Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null });
    },
  };
  const logger = pino({ level: 'trace' }, { write: (line: string) => void log.push(line) });
  server = await startCalloutServer(settings, emails, logger, 100_000);
});
beforeEach(() => {
  reported = [];
});
afterAll(() => server.close());

const names = fc.constantFrom(
  'billRunKey',
  'billRunId',
  'billRunNumber',
  'entityId',
  '__proto__',
  'constructor',
  'resend',
);
const fields = fc.dictionary(names, fc.oneof(hostileText, hostileJson), { maxKeys: 4, noNullPrototype: true });
const form = fc
  .array(fc.tuple(names, hostileText), { maxLength: 4 })
  .map((entries) => entries.map(([name, text]) => new URLSearchParams({ [name]: text }).toString()).join('&'));

const sent = fc.record({
  body: fc.oneof(
    fields.map((body) => JSON.stringify(body)),
    hostileJson.map((body) => JSON.stringify(body)),
    form,
    hostileText,
  ),
  type: fc.constantFrom(
    ...['application/json', 'application/json', 'application/x-www-form-urlencoded', 'text/plain', 'text/xml'],
    ...['application/json; charset=utf-16', 'multipart/form-data; boundary=x', 'x', ''],
  ),
  // Node answers longer heads by 431 itself.
  query: fc.oneof(
    fc.constant(''),
    form.filter(({ length }) => length < 12_000),
  ),
  notification: hostileText.filter((text) => /^[\x20-\x7e]{0,200}$/.test(text)),
  signedIn: fc.constantFrom(true, true, true, false),
});

test('a callout of anything is answered, and only valid bill runs are reported', { timeout }, async () => {
  for (const { body, type, query, notification, signedIn } of fc.sample(sent, { seed, numRuns })) {
    const details = `seed ${seed}: ${type} ${JSON.stringify([body.slice(0, 300), query])}`;
    const before = reported.length;
    const answer = await fetch(`${server.url}/bill-run-posted?${query}`, {
      method: 'POST',
      headers: {
        ...(signedIn ? { authorization: AUTHORIZATION } : {}),
        'content-type': type,
        'zuora-notification-id': notification,
      },
      body,
    });
    expect(signedIn ? [200, 400, 413, 415] : [401], details).toContain(answer.status);
    await answer.json();
    if (answer.status !== 200) expect(reported.length, details).toBe(before);
    if (answer.status === 413) expect(body.length, details).toBeGreaterThan(10_000);
  }
  for (const billRun of reported) {
    expect(checkInput(billRun).faults, `seed ${seed}`).toBeUndefined();
    expect(['billRunKey', 'entityId']).toEqual(expect.arrayContaining(Object.keys(billRun as object)));
  }
  expect(reported.length, `seed ${seed}`).toBeGreaterThan(0);
});

test('invalid HTTP ends its own connection and nothing else', { timeout }, async () => {
  const head = `POST /bill-run-posted HTTP/1.1\r\nhost: x\r\nauthorization: ${AUTHORIZATION}\r\n`;
  const heads = fc.constantFrom(
    ...['', 'GET ', 'POST /bill-run-posted HTTP/9.9\r\n\r\n', `${head}content-length: -1\r\n\r\n`],
    ...[`${head}transfer-encoding: chunked\r\n\r\nzz\r\n`, `${head}x: ${'y'.repeat(20_000)}\r\n\r\n`],
    ...[`${head}content-length: 2\r\ncontent-length: 3\r\n\r\n`, `${head}a b: c\r\n\r\n`],
  );
  const bytes = fc.tuple(heads, fc.oneof(hostileText, fc.string({ unit: 'binary', maxLength: 200 })));
  for (const [start, rest] of fc.sample(bytes, { seed, numRuns: Math.ceil(numRuns / 5) })) {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').resume();
    socket.on('error', () => undefined);
    socket.end(start + rest);
    await once(socket, 'close');
  }
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(reported, `seed ${seed}`).toEqual([]);
});

test('of all that, the log holds neither the login nor what was in a body', () => {
  const lines = log.join('\n');
  for (const secret of [PASSWORD, AUTHORIZATION.slice('Basic '.length), Buffer.from(AUTHORIZATION).join()]) {
    expect(lines.includes(secret), secret).toBe(false);
  }
  for (const line of log) {
    const entry = JSON.parse(line) as object;
    expect([
      'level',
      'time',
      'pid',
      'hostname',
      'msg',
      'status',
      'billRun',
      'entityId',
      'notification',
      'result',
    ]).toEqual(expect.arrayContaining(Object.keys(entry)));
  }
});
