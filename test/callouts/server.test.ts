/** Callouts as Zuora sends them: accepted ones, refused ones, and their effects. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { startCalloutServer, type CalloutServer } from '../../callouts/server.js';
import { BillRunEmails, BillRunEmailsError } from '../../client/index.js';
import { openRig, until, type Rig } from '../support/rig.js';

const SETTINGS = {
  address: { host: '127.0.0.1', port: 0 },
  user: 'zuora',
  password: 'a-password-of-the-callouts',
  starts: true,
};
const AUTHORIZATION = `Basic ${Buffer.from(`${SETTINGS.user}:${SETTINGS.password}`).toString('base64')}`;

let rig: Rig;
beforeAll(async () => {
  const polling = { first: 60_000, longest: 60_000, afterAnHour: 60_000 };
  rig = await openRig({ polling });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

async function open(
  settings: Partial<typeof SETTINGS> = {},
  emails: Pick<BillRunEmails, 'billRunPosted'> = rig.emails,
  perMinute?: number,
): Promise<{ server: CalloutServer; log: string[] }> {
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) });
  const server = await startCalloutServer({ ...SETTINGS, ...settings }, emails, logger, perMinute);
  onTestFinished(() => server.close());
  return { server, log };
}

interface Callout {
  readonly body?: unknown;
  readonly type?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
}

function callout(server: CalloutServer, { body, type = 'application/json', query = '', headers = {} }: Callout) {
  return fetch(`${server.url}/bill-run-posted${query}`, {
    method: 'POST',
    headers: { authorization: AUTHORIZATION, 'content-type': type, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body ?? {}),
  });
}

test('a callout makes a waiting job read Zuora at once', async () => {
  const { server } = await open();
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const run = await rig.start({ billRunKey: number });
  await until(
    () => rig.status(run),
    ({ billRunStatus }) => billRunStatus === 'Completed',
  );
  await rig.billRun.change(number, { status: 'Posted' });
  const answer = await callout(server, { body: { billRunNumber: number } });
  expect([answer.status, await answer.json()]).toEqual([200, { result: 'joined' }]);
  await rig.state(run, 'Delivering');
});

test('a callout starts a job for a bill run without one, by its ID, and does nothing after it was emailed', async () => {
  const { server } = await open();
  const { id, number } = await rig.billRun.create({ status: 'Posted' });
  expect(await (await callout(server, { body: { billRunId: id } })).json()).toEqual({ result: 'started' });
  await until(
    () => rig.mailbox(number),
    ({ length }) => length === 3,
  );
  await rig.state(rig.own(number), 'Delivering');
  await rig.own(number).signal('finish');
  await rig.own(number).result();
  await until(
    async () => (await (await callout(server, { body: { billRunId: id } })).json()) as { result: string },
    ({ result }) => result === 'alreadyEmailed',
  );
  expect(await rig.mailbox(number)).toHaveLength(3);
});

test('a callout without a login is answered by 401 with a challenge, before its body is read', async () => {
  const posted = vi.fn<BillRunEmails['billRunPosted']>();
  const { server } = await open({}, { billRunPosted: posted });
  for (const authorization of [
    '',
    'Basic',
    `Basic ${btoa('zuora:wrong')}`,
    `Basic ${btoa(`other:${SETTINGS.password}`)}`,
    `Bearer ${SETTINGS.password}`,
  ]) {
    const answer = await callout(server, { body: 'no JSON', headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="callouts of bill-run-emails", charset="UTF-8"');
  }
  expect(posted).not.toHaveBeenCalled();
});

test.each<[string, Callout]>([
  ['JSON', { body: { billRunKey: 'BR-1' } }],
  ['a form', { body: 'billRunId=BR-1&other=x', type: 'application/x-www-form-urlencoded' }],
  ['the query of its URL', { query: '?billRunNumber=BR-1' }],
  ['the query, with empty JSON', { body: '', query: '?billRunNumber=BR-1' }],
  ['the query, with JSON of white space', { body: ' \r\n', query: '?billRunNumber=BR-1' }],
  ['the query, with a mark of UTF-8 alone', { body: '\uFEFF', query: '?billRunNumber=BR-1' }],
  ['the query, with JSON null', { body: 'null', query: '?billRunNumber=BR-1' }],
  ['the query, with an empty object', { body: {}, query: '?billRunNumber=BR-1' }],
  ['the query, with an empty form', { body: '', type: 'application/x-www-form-urlencoded', query: '?billRunId=BR-1' }],
  ['a field beside an empty entity', { body: { billRunNumber: 'BR-1', entityId: '' } }],
  ['a field beside an entity of spaces', { body: { billRunNumber: 'BR-1', entityId: ' \t' } }],
  ['a field beside an entity of null', { body: { billRunNumber: 'BR-1', entityId: null } }],
  ['a field beside empty ones', { body: { billRunKey: '', billRunId: ' ', billRunNumber: 'BR-1' } }],
  [
    'a form with empty fields',
    { body: 'billRunId=&billRunNumber=BR-1&entityId=+', type: 'application/x-www-form-urlencoded' },
  ],
  ['a query with empty fields', { query: '?billRunId=&billRunId=BR-1&entityId=&entityId=%20' }],
  ['a body with an empty field, and the query', { body: { billRunKey: '' }, query: '?billRunKey=BR-1' }],
  ['body and query', { body: { billRunKey: 'BR-1' }, query: '?billRunNumber=BR-1' }],
])('the bill run may be named by %s, and nothing else is taken', async (_, sent) => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server } = await open({}, { billRunPosted: posted });
  expect((await callout(server, sent)).status).toBe(200);
  expect(posted.mock.calls).toEqual([[{ billRunKey: 'BR-1' }, { start: true }]]);
});

test('a callout without a body is read from its query, whatever it calls the body', async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server } = await open({}, { billRunPosted: posted });
  for (const type of [
    {},
    { 'content-type': 'application/json' },
    { 'content-type': 'application/json; charset=utf-8' },
  ]) {
    const query = '?billRunNumber=BR-1&entityId=';
    const headers = { authorization: AUTHORIZATION, ...type };
    const sent = request(`${server.url}/bill-run-posted${query}`, { method: 'POST', headers }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
  }
  expect(posted.mock.calls).toEqual(Array(3).fill([{ billRunKey: 'BR-1' }, { start: true }]));
});

test('with Multi-entity, a callout names the entity as well', async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server } = await open({}, { billRunPosted: posted });
  for (const entityId of ['e-1', 'e-2']) {
    expect((await callout(server, { body: { billRunId: 'BR-1', entityId, resend: true } })).status).toBe(200);
  }
  expect(posted.mock.calls).toEqual([
    [{ billRunKey: 'BR-1', entityId: 'e-1' }, { start: true }],
    [{ billRunKey: 'BR-1', entityId: 'e-2' }, { start: true }],
  ]);
});

const LONG = 'x'.repeat(1_000_000);
const FORM = 'application/x-www-form-urlencoded';

test.each<[string, Callout, number]>([
  ['no bill run', { body: {} }, 400],
  ['only spaces', { body: { billRunId: ' ' }, query: '?billRunKey=%20' }, 400],
  ['empty lists', { body: { billRunId: [], entityId: [[]] } }, 400],
  ['a bill run without a name', { body: { billRunId: '' } }, 400],
  ['a key of null', { body: { billRunId: null } }, 400],
  ['a key with a line break', { body: { billRunId: 'BR-1\n' } }, 400],
  ['a key that is too long', { body: { billRunId: 'B'.repeat(101) } }, 400],
  ['an invalid entity', { body: { billRunId: 'BR-1', entityId: 'a/b' } }, 400],
  ['two bill runs in a form', { body: 'billRunId=BR-1&billRunId=BR-2', type: FORM }, 400],
  ['a bill run by two names that differ', { body: { billRunId: 'BR-1', billRunNumber: 'BR-2' } }, 400],
  ['a form without a bill run', { body: '%zz=%zz&&==', type: FORM }, 400],
  ['a text', { body: 'BR-1', type: 'text/plain' }, 415],
  ['nothing, called JSON', { body: '' }, 400],
  ['a prototype', { body: '{"__proto__":{"billRunId":"BR-1"}}' }, 400],
  ['an invalid type', { body: 'BR-1', type: 'nothing' }, 415],
  ['a megabyte of a form', { body: `billRunId=BR-1&x=${LONG}`, type: FORM }, 413],
  ['a list', { body: [] }, 400],
  ['an invalid key', { body: { billRunKey: '../x' } }, 400],
  ['a key that is not text', { body: { billRunKey: { $ne: '' } } }, 400],
  ['two bill runs', { body: { billRunKey: 'BR-1' }, query: '?billRunKey=BR-2' }, 400],
  ['broken JSON', { body: '{' }, 400],
  ['a type that nobody reads', { body: '<a/>', type: 'text/xml' }, 415],
  ['more than a callout has', { body: { billRunKey: 'BR-1', x: 'x'.repeat(20_000) } }, 413],
])('%s is refused, and does nothing', async (_, sent, status) => {
  const posted = vi.fn<BillRunEmails['billRunPosted']>();
  const { server } = await open({}, { billRunPosted: posted });
  const answer = await callout(server, sent);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual({ message: expect.any(String) as string });
  expect(posted).not.toHaveBeenCalled();
});

test('every callout that Zuora repeats is taken, because a repeated one joins the job', async () => {
  const posted = vi
    .fn<BillRunEmails['billRunPosted']>()
    .mockRejectedValueOnce(new BillRunEmailsError('TemporalUnavailable', 'away'))
    .mockResolvedValue({ workflowId: 'w', runId: 'r', result: 'started', state: 'Waiting' });
  const { server, log } = await open({}, { billRunPosted: posted });
  const headers = { 'zuora-notification-id': 'n-1' };
  const send = async (billRunKey: string) => (await callout(server, { body: { billRunKey }, headers })).status;
  expect(await send('BR-1')).toBe(503);
  expect(await send('BR-1')).toBe(200);
  expect(await Promise.all([send('BR-1'), send('BR-1')])).toEqual([200, 200]);
  expect(posted).toHaveBeenCalledTimes(4);
  const named = log.map((line) => JSON.parse(line) as { notification?: string }).filter((line) => 'billRun' in line);
  expect(named.map(({ notification }) => notification)).toEqual(['n-1', 'n-1', 'n-1', 'n-1']);
});

test("the header's name may be written in any way, and an invalid id counts as none", async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server, log } = await open({}, { billRunPosted: posted });
  const send = async (name: string, id: string) => {
    const headers = { AUTHORIZATION, 'Content-Type': 'application/json', [name]: id };
    const sent = request(`${server.url}/bill-run-posted`, { method: 'POST', headers }).end('{"billRunKey":"BR-1"}');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  for (const name of ['Zuora-Notification-Id', 'ZUORA-NOTIFICATION-ID']) expect(await send(name, 'n-1')).toBe(200);
  expect(log.filter((line) => line.includes('"notification":"n-1"'))).toHaveLength(2);
  for (const id of ['jane.doe@customer.example', 'n'.repeat(101), '']) {
    expect(await send('Zuora-Notification-Id', id)).toBe(200);
  }
  expect(log.filter((line) => line.includes('"notification"'))).toHaveLength(2);
  expect(log.join('\n')).not.toContain('customer.example');
});

test('guessing passwords neither keeps Zuora out nor fills the log', async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server, log } = await open({}, { billRunPosted: posted }, 3);
  const guess = () => callout(server, { headers: { authorization: `Basic ${btoa('zuora:a guess')}` } });
  for (let index = 0; index < 20; index++) expect((await guess()).status).toBe(401);
  for (const status of [200, 200, 200, 429]) {
    expect((await callout(server, { body: { billRunKey: 'BR-1' } })).status).toBe(status);
  }
  // A guess gets the same answer even then, so it reveals nothing.
  expect((await guess()).status).toBe(401);
  const lines = log.map((line) => JSON.parse(line) as { msg: string; status?: number });
  expect(lines.filter(({ msg }) => msg === 'callout refused').map(({ status }) => status)).toEqual([401, 429]);
  expect(log.join('\n')).not.toContain(btoa('zuora:a guess'));
});

test('the health check needs no login; there is nothing else', async () => {
  const { server } = await open({}, { billRunPosted: vi.fn() });
  const ask = async (path: string, method = 'GET', body?: string) => {
    const answer = await fetch(`${server.url}${path}`, { method, ...(body === undefined ? {} : { body }) });
    return [answer.status, answer.headers.get('allow'), method === 'HEAD' ? null : await answer.json()];
  };
  expect(await ask('/healthz')).toEqual([200, null, { ok: true }]);
  const message = 'This service takes callouts by POST /bill-run-posted only.';
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    expect(await ask('/bill-run-posted?billRunId=BR-1', method)).toEqual([405, 'POST', { message }]);
  }
  for (const path of ['/', '/bill-run-posted/', '/bill-run-posted/BR-1', '/healthz/x', '/%zz', '//', '/.env']) {
    expect((await ask(path))[0]).toBe(path === '/%zz' ? 400 : 404);
  }
  expect(await ask('/', 'POST', '<a/>')).toEqual([404, null, { message }]);
});

test('while Temporal does not answer, callouts are answered by 503 without the reason', async () => {
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const away = new BillRunEmails(new Client({ connection }), { deadlineMs: 300 });
  const { server, log } = await open({}, away);
  for (const billRunKey of ['BR-1', 'a'.repeat(32)]) {
    const answer = await callout(server, { body: { billRunKey, name: 'Jane Doe' } });
    const message = 'The callout was not taken. It is safe to send it again.';
    expect([answer.status, await answer.json()]).toEqual([503, { message }]);
  }
  expect(log.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    'callout not taken',
    'callout not taken',
  ]);
  expect(log.join('\n')).not.toContain('Jane');
  await connection.close();
});

test('callouts beyond the limit per minute are answered with a time to repeat them', async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const, state: null }));
  const { server } = await open({}, { billRunPosted: posted }, 3);
  const answers = [];
  for (let index = 0; index < 5; index++) answers.push(await callout(server, { body: { billRunKey: `BR-${index}` } }));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  expect(answers[4]?.headers.get('retry-after')).toMatch(/^\d+$/);
});

test('a service that may not start jobs reports that a bill run has no open job', async () => {
  const { server } = await open({ starts: false });
  const { number } = await rig.billRun.create({ status: 'Posted' });
  const answer = await callout(server, { body: { billRunKey: number } });
  expect([answer.status, await answer.json()]).toEqual([200, { result: 'noOpenJob' }]);
});
