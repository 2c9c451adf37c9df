/** Zuora's callouts, as Zuora sends them: what is taken, what is refused, and what comes of them. */
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { startCalloutServer, type CalloutServer } from '../../callouts/server.js';
import { BillRunEmailsError, type BillRunEmails } from '../../client/index.js';
import { openRig, until, type Rig } from '../support/rig.js';

const SETTINGS = {
  address: { host: '127.0.0.1', port: 0 },
  user: 'zuora',
  password: 'a-password-of-the-callouts',
  starts: true,
  perMinute: 1000,
};
const AUTHORIZATION = `Basic ${Buffer.from(`${SETTINGS.user}:${SETTINGS.password}`).toString('base64')}`;

let rig: Rig;
beforeAll(async () => {
  const polling = { first: 60_000, longest: 60_000, afterAnHour: 60_000 };
  rig = await openRig({ server: 'real', polling });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

async function open(
  settings: Partial<typeof SETTINGS> = {},
  emails: Pick<BillRunEmails, 'billRunPosted'> = rig.emails,
): Promise<{ server: CalloutServer; log: string[] }> {
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) });
  const server = await startCalloutServer({ ...SETTINGS, ...settings }, emails, logger);
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

test('a callout has a run that waits look at once', async () => {
  const { server } = await open();
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const run = await rig.start({ billRunKey: number });
  await rig.state(run, 'WaitingForPost');
  await rig.billRun.change(number, { status: 'Posted' });
  const answer = await callout(server, { body: { billRunNumber: number } });
  expect([answer.status, await answer.json()]).toEqual([200, { result: 'joined' }]);
  await rig.state(run, 'Emailed');
});

test('a callout starts a bill run that has no run yet, by its ID as Zuora tells it, and does nothing where it was emailed', async () => {
  const { server } = await open();
  const { id, number } = await rig.billRun.create({ status: 'Posted' });
  expect(await (await callout(server, { body: { billRunId: id } })).json()).toEqual({ result: 'started' });
  await until(
    () => rig.mailbox(number),
    ({ length }) => length === 2,
  );
  await rig.state(rig.own(number), 'Emailed');
  await rig.own(number).signal('finish');
  await rig.own(number).result();
  await until(
    async () => (await (await callout(server, { body: { billRunId: id } })).json()) as { result: string },
    ({ result }) => result === 'alreadyEmailed',
  );
  expect(await rig.mailbox(number)).toHaveLength(2);
});

test('without a login it answers 401 with a challenge, and reads nothing', async () => {
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
  ['body and query', { body: { billRunKey: 'BR-1' }, query: '?billRunNumber=BR-1' }],
])('the bill run may be named by %s, and nothing else is taken', async (_, sent) => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const }));
  const { server } = await open({}, { billRunPosted: posted });
  expect((await callout(server, sent)).status).toBe(200);
  expect(posted.mock.calls).toEqual([[{ billRunKey: 'BR-1' }, { start: true }]]);
});

test.each<[string, Callout, number]>([
  ['no bill run', { body: {} }, 400],
  ['a list', { body: [] }, 400],
  ['a key that is none', { body: { billRunKey: '../x' } }, 400],
  ['a key that is no text', { body: { billRunKey: { $ne: '' } } }, 400],
  ['two bill runs', { body: { billRunKey: 'BR-1' }, query: '?billRunKey=BR-2' }, 400],
  ['broken JSON', { body: '{' }, 400],
  ['a type that nobody reads', { body: '<a/>', type: 'text/xml' }, 415],
  ['more than a callout has', { body: { billRunKey: 'BR-1', x: 'x'.repeat(20_000) } }, 413],
])('%s is refused, and does nothing', async (_, sent, status) => {
  const posted = vi.fn<BillRunEmails['billRunPosted']>();
  const { server } = await open({}, { billRunPosted: posted });
  expect((await callout(server, sent)).status).toBe(status);
  expect(posted).not.toHaveBeenCalled();
});

test('a callout that Zuora repeats is taken once, and one that failed is taken again', async () => {
  const posted = vi
    .fn<BillRunEmails['billRunPosted']>()
    .mockRejectedValueOnce(new BillRunEmailsError('TemporalUnavailable', 'away'))
    .mockResolvedValue({ workflowId: 'w', runId: 'r', result: 'started' });
  const { server, log } = await open({}, { billRunPosted: posted });
  const headers = { 'zuora-notification-id': 'n-1' };
  const send = async (billRunKey: string) => (await callout(server, { body: { billRunKey }, headers })).status;
  expect(await send('BR-1')).toBe(503);
  expect(await send('BR-1')).toBe(200);
  expect(await Promise.all([send('BR-1'), send('BR-1')])).toEqual([200, 200]);
  expect(posted).toHaveBeenCalledTimes(2);
  expect(await send('BR-2')).toBe(200);
  expect(posted).toHaveBeenCalledTimes(3);
  expect(log.map((line) => JSON.parse(line) as object).filter((line) => 'billRun' in line)).toHaveLength(5);
});

test('of more callouts than it may take in a minute, the rest is told to come again', async () => {
  const posted = vi.fn(() => Promise.resolve({ workflowId: 'w', runId: 'r', result: 'joined' as const }));
  const { server } = await open({ perMinute: 3 }, { billRunPosted: posted });
  const answers = [];
  for (let index = 0; index < 5; index++) answers.push(await callout(server, { body: { billRunKey: `BR-${index}` } }));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  expect(answers[4]?.headers.get('retry-after')).toMatch(/^\d+$/);
});

test('where it may start nothing, a bill run without a run is nobody to tell', async () => {
  const { server } = await open({ starts: false });
  const { number } = await rig.billRun.create({ status: 'Posted' });
  const answer = await callout(server, { body: { billRunKey: number } });
  expect([answer.status, await answer.json()]).toEqual([200, { result: 'nobodyToTell' }]);
});
