import { describe, expect, test, vi } from 'vitest';
import { ZuoraFailure } from '../../zuora/client.js';
import { SIMULATOR_CREDENTIALS, type SimulatorOptions } from '../../simulator/index.js';
import { openTenant } from '../simulator/tenant.js';
import {
  bytes,
  email,
  IDS,
  inTurn,
  json,
  neverLeft,
  openLoopbackZuora,
  openZuora,
  reset,
  stall,
  type Respond,
} from '../support/loopback-zuora.js';

const RECORD = { id: '8ad0', billingRunNumber: 'BR-00000001', status: 'Posted' };

async function failureOf(read: Promise<unknown>): Promise<ZuoraFailure> {
  const failure = await read.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ZuoraFailure);
  return failure as ZuoraFailure;
}

describe('a call to email documents', () => {
  test('is sent as the page of the endpoint wants it, with nothing else', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    await email(openZuora(baseUrl), { entityId: 'entity-1', orgIds: ['org-1', 'org-2'] });

    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ method: 'POST', path: '/v1/bill-runs/BR-00000001/emails' });
    expect(calls[0]?.headers).toEqual({
      host: baseUrl.host,
      connection: 'keep-alive',
      accept: 'application/json',
      'accept-encoding': 'gzip',
      authorization: 'Bearer token-1',
      'content-length': '16',
      'content-type': 'application/json',
      'idempotency-key': IDS.idempotencyKey,
      'zuora-entity-ids': 'entity-1',
      'zuora-org-ids': 'org-1,org-2',
      'zuora-track-id': IDS.trackId,
      'zuora-version': '2025-08-12',
    });
  });

  test('names no entity and no org unless they are given', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    const zuora = openZuora(baseUrl);
    await email(zuora);
    await email(zuora, { entityId: undefined, orgIds: [] });
    for (const { headers } of calls) {
      expect(headers).not.toHaveProperty('zuora-entity-ids');
      expect(headers).not.toHaveProperty('zuora-org-ids');
    }
  });

  test.each([false, true])('always has a body, with a JSON boolean: %s', async (resend) => {
    const { baseUrl, calls } = await openLoopbackZuora();
    await email(openZuora(baseUrl), { resend });
    expect(calls[0]?.body.toString()).toBe(`{"resend":${resend}}`);
  });

  test('stays below the path of the base URL', async () => {
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora();
    await email(openZuora(new URL('gateway/zuora/', baseUrl)));
    expect(tokenRequests[0]?.path).toBe('/gateway/zuora/oauth/token');
    expect(calls[0]?.path).toBe('/gateway/zuora/v1/bill-runs/BR-00000001/emails');
  });

  test.each([
    ['BR 1/2?x=y#z', 'BR%201%2F2%3Fx%3Dy%23z'],
    ['../../oauth', '..%2F..%2Foauth'],
    ['%2e%2e', '%252e%252e'],
    ['BR-ü', 'BR-%C3%BC'],
    ['a\r\nb', 'a%0D%0Ab'],
    ['...', '...'],
  ])('has the key of the bill run as one segment of its path: %j', async (key, segment) => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(200, RECORD) });
    const zuora = openZuora(baseUrl);
    await email(zuora, { key });
    await zuora.getBillRun(key);
    expect(calls.map(({ path }) => path)).toEqual([
      `/v1/bill-runs/${segment}/emails`,
      `/object-query/billing-runs/${segment}`,
    ]);
  });

  test.each(['', '.', '..', '\ud800'])('is not made for a key that names something else: %j', async (key) => {
    const { baseUrl, calls, tokenRequests } = await openLoopbackZuora();
    const zuora = openZuora(baseUrl);
    expect((await neverLeft(email(zuora, { key }))).code).toBe('ILLEGAL_BILL_RUN_KEY');
    expect((await neverLeft(zuora.getBillRun(key))).code).toBe('ILLEGAL_BILL_RUN_KEY');
    expect([...calls, ...tokenRequests]).toEqual([]);
  });

  test.each(['', ' ', 'k'.repeat(256), 'ü', 'a\r\nb', 'a\tb', ' k', 'k '])(
    'is not made under a key that Zuora does not take: %j',
    async (idempotencyKey) => {
      const { baseUrl, calls } = await openLoopbackZuora();
      expect((await neverLeft(email(openZuora(baseUrl), { idempotencyKey }))).code).toBe('ILLEGAL_IDEMPOTENCY_KEY');
      expect(calls).toEqual([]);
    },
  );

  test.each(['', 't'.repeat(65), 'ü', 'a:b', 'a;b', 'a"b', "a'b", 'a\nb'])(
    'is not made with a track id that Zuora does not take: %j',
    async (trackId) => {
      const { baseUrl, calls } = await openLoopbackZuora();
      expect((await neverLeft(email(openZuora(baseUrl), { trackId }))).code).toBe('ILLEGAL_TRACK_ID');
      expect(calls).toEqual([]);
    },
  );

  test('takes keys and track ids of the full length', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    await email(openZuora(baseUrl), { idempotencyKey: 'k'.repeat(255), trackId: 't'.repeat(64) });
    expect(calls[0]?.headers).toMatchObject({ 'idempotency-key': 'k'.repeat(255), 'zuora-track-id': 't'.repeat(64) });
  });

  test("tells the status, Zuora's name for the call, and whose track id was echoed", async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: json(200, { success: true }, { 'Zuora-Request-Id': 'zr-1', 'Zuora-Track-Id': 'an-earlier-one' }),
    });
    expect(await email(openZuora(baseUrl))).toEqual({
      verdict: 'accepted',
      reasons: [],
      tokenRejected: false,
      httpStatus: 200,
      zuoraRequestId: 'zr-1',
      echoedTrackId: 'an-earlier-one',
    });
  });

  test('leaves out what Zuora did not tell, and keeps no more than a hundred characters of a name', async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: inTurn(json(200, { success: true }), json(500, {}, { 'zuora-request-id': 'z'.repeat(5000) })),
    });
    const zuora = openZuora(baseUrl);
    expect(await email(zuora)).toEqual({ verdict: 'accepted', reasons: [], tokenRejected: false, httpStatus: 200 });
    expect((await email(zuora)).zuoraRequestId).toBe('z'.repeat(100));
  });
});

describe('however the call ends, it was made once, and only a success is accepted', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
  const success = json(200, { success: true });

  test.each<[string, Respond, object]>([
    ['a reset', reset, { verdict: 'unknown' }],
    ['no answer until the deadline', stall, { verdict: 'unknown', reasons: [{ code: 'TIMEOUT' }] }],
    ['no HTTP', bytes('hello\r\n\r\n'), { verdict: 'unknown' }],
    [
      'half a success',
      bytes(`${head}content-length: 99\r\n\r\n{"success":true}`),
      { verdict: 'unknown', httpStatus: 200 },
    ],
    [
      'a success that is not gzip',
      json(200, { success: true }, { 'content-encoding': 'gzip' }),
      { verdict: 'unknown', httpStatus: 200, reasons: [{ code: 'HTTP 200' }] },
    ],
    [
      'a success with more than a mebibyte behind it',
      (response) => response.end('{"success":true}' + ' '.repeat(1024 * 1024)),
      { verdict: 'unknown', httpStatus: 200 },
    ],
    [
      'a redirect',
      json(307, { success: true }, { location: '/v1/bill-runs/BR-00000001/emails' }),
      { verdict: 'unknown', httpStatus: 307 },
    ],
    [
      'HTML that calls itself JSON',
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('<html>'),
      { verdict: 'unknown', httpStatus: 200 },
    ],
    [
      'a success that calls itself HTML',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{"success":true}'),
      { verdict: 'accepted', httpStatus: 200 },
    ],
    [
      'a success of no type',
      (response) => response.writeHead(200).end('{"success":true}'),
      { verdict: 'accepted', httpStatus: 200 },
    ],
    [
      'the gateway of Zuora after 120 s',
      (response) => response.writeHead(504, { 'content-type': 'text/html' }).end('<html>'),
      { verdict: 'unknown', httpStatus: 504 },
    ],
    [
      'a limit',
      json(429, { reasons: [{ code: 70, message: 'retry later' }] }, { 'retry-after': '120' }),
      { verdict: 'notExecuted', httpStatus: 429, retryAfterMs: 120_000 },
    ],
    [
      'a lock',
      json(409, { success: false, reasons: [{ code: 53100350 }] }),
      { verdict: 'notExecuted', httpStatus: 409 },
    ],
    [
      'a refusal',
      json(400, { success: false, reasons: [{ code: 53100330 }] }),
      { verdict: 'refused', httpStatus: 400 },
    ],
  ])('%s', async (_what, respond, ends) => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(respond, success) });
    const zuora = openZuora(baseUrl);
    expect(await email(zuora, { deadlineMs: 400, idempotencyKey: 'first' })).toMatchObject(ends);

    // What undici might have repeated would have come before this one.
    expect(await email(zuora, { idempotencyKey: 'second' })).toMatchObject({ verdict: 'accepted' });
    expect(calls.map(({ headers }) => headers['idempotency-key'])).toEqual(['first', 'second']);
  });
});

describe('a bill run', () => {
  test('is read without a body and without an idempotency key', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(200, RECORD) });
    await openZuora(baseUrl).getBillRun('BR-00000001', { entityId: 'entity-1', orgIds: ['org-1'] });
    expect(calls[0]).toMatchObject({ method: 'GET', path: '/object-query/billing-runs/BR-00000001' });
    expect(calls[0]?.headers).toEqual({
      host: baseUrl.host,
      connection: 'keep-alive',
      accept: 'application/json',
      'accept-encoding': 'gzip',
      authorization: 'Bearer token-1',
      'zuora-entity-ids': 'entity-1',
      'zuora-org-ids': 'org-1',
      'zuora-version': '2025-08-12',
    });
  });

  test('is returned with all fields that matter for emailing, and no others', async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: json(200, {
        ...RECORD,
        autoEmail: false,
        invoicesEmailed: true,
        postedDate: '2026-01-05T03:00:00-08:00',
        lastEmailSentTime: '2026-01-05T04:00:00-08:00',
        numberOfInvoices: 3,
        numberOfCreditMemos: 0,
        errorMessage: 'Failed for jane@example.com\nat line 2',
        numberOfAccounts: 2,
        batches: ['Batch1'],
      }),
    });
    expect(await openZuora(baseUrl).getBillRun('BR-00000001')).toEqual({
      id: '8ad0',
      number: 'BR-00000001',
      status: 'Posted',
      autoEmail: false,
      invoicesEmailed: true,
      postedDate: '2026-01-05T03:00:00-08:00',
      lastEmailSentTime: '2026-01-05T04:00:00-08:00',
      numberOfInvoices: 3,
      numberOfCreditMemos: 0,
      errorMessage: 'Failed for [address] at line 2',
    });
  });

  test('keeps unknown what Zuora leaves out or says is null, and a status that is new', async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: json(200, {
        ...RECORD,
        status: 'BeingInvented',
        autoEmail: null,
        invoicesEmailed: null,
        postedDate: null,
        lastEmailSentTime: null,
        numberOfInvoices: null,
        errorMessage: '',
      }),
    });
    expect(await openZuora(baseUrl).getBillRun('8ad0')).toEqual({
      id: '8ad0',
      number: 'BR-00000001',
      status: 'BeingInvented',
    });
  });

  test.each<[unknown, number | undefined]>([
    ['3', 3],
    [' 3 ', 3],
    ['3.0', 3],
    ['0', 0],
    ...[null, '', ' ', 'three', '-1', -1, 2.5, '1e3', true, [], [3], {}].map(
      (odd) => [odd, undefined] as [unknown, undefined],
    ),
  ])('has a count, or an unknown one, where Zuora says %j', async (given, numberOfInvoices) => {
    const { baseUrl } = await openLoopbackZuora({ call: json(200, { ...RECORD, numberOfInvoices: given }) });
    const { id, ...read } = await openZuora(baseUrl).getBillRun('8ad0');
    expect(read).toEqual({
      number: 'BR-00000001',
      status: 'Posted',
      ...(numberOfInvoices === undefined ? {} : { numberOfInvoices }),
    });
    expect(id).toBe('8ad0');
  });

  test.each([
    [
      { autoEmail: 'true', invoicesEmailed: 'False' },
      { autoEmail: true, invoicesEmailed: false },
    ],
    [
      { autoEmail: 1, invoicesEmailed: 0 },
      { autoEmail: true, invoicesEmailed: false },
    ],
    [{ autoEmail: '', invoicesEmailed: null }, {}],
    [{ lastEmailSentTime: 1764291600000 }, { lastEmailSentTime: '1764291600000' }],
    [{ lastEmailSentTime: { at: 'noon' } }, { lastEmailSentTime: '{"at":"noon"}' }],
    [{ lastEmailSentTime: null, postedDate: false }, { postedDate: 'false' }],
    [
      { lastEmailSentTime: `at\n${'x'.repeat(200)}` },
      { lastEmailSentTime: expect.stringMatching(/^at x+…$/) as string },
    ],
    [{ errorMessage: 7 }, {}],
    [{ errorMessage: ['x'] }, {}],
    [{ name: {}, batches: 'all', x: null, reasons: [], '': 1, code: 11, success: 'yes' }, {}],
  ])('is read where members that only inform are odd: %j', async (odd, read) => {
    const { baseUrl } = await openLoopbackZuora({ call: json(200, { ...RECORD, ...odd }) });
    expect(await openZuora(baseUrl).getBillRun('8ad0')).toEqual({
      ...{ id: '8ad0', number: 'BR-00000001' },
      status: 'Posted',
      ...read,
    });
  });

  test.each([
    [{ id: null }, 'id: expected string, received null'],
    [{ id: 7 }, 'id: expected string, received number'],
    [{ id: 'a/b' }, 'id: is not a name of letters, digits, dots, dashes and underscores'],
    [{ billingRunNumber: undefined }, 'billingRunNumber: expected string, received undefined'],
    [{ status: ['Posted'] }, 'status: expected string, received array'],
    [{ id: 1, status: {} }, 'id: expected string, received number; status: expected string, received object'],
    [{ autoEmail: 'perhaps' }, /^autoEmail: /],
    [{ invoicesEmailed: {} }, /^invoicesEmailed: /],
  ])('is not read where it may matter, and the member is named: %j', async (odd, fault) => {
    const { baseUrl } = await openLoopbackZuora({ call: json(200, { ...RECORD, ...odd }) });
    const { kind, message } = await failureOf(openZuora(baseUrl).getBillRun('8ad0'));
    expect(kind).toBe('unavailable');
    expect(message).toMatch(/^Zuora's answer has an unexpected body: /);
    expect(message.slice(message.indexOf(': ') + 2)).toMatch(fault);
  });

  test('is read again at once with a new token when the old one was withdrawn', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({
      call: inTurn(json(401, { message: 'Authentication error' }), json(200, RECORD)),
    });
    expect(await openZuora(baseUrl).getBillRun('8ad0')).toMatchObject({ status: 'Posted' });
    expect(calls.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test('is not asked for a third time', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(401, { message: 'Authentication error' }) });
    expect(await failureOf(openZuora(baseUrl).getBillRun('8ad0'))).toMatchObject({
      kind: 'unauthorized',
      httpStatus: 401,
      message: 'Zuora refuses our token: HTTP 401 Authentication error',
    });
    expect(calls).toHaveLength(2);
  });

  const missing = { success: false, reasons: [{ code: 50000040, message: 'no such object' }] };
  test.each<[string, Respond, Partial<ZuoraFailure>]>([
    ['not found, HTTP 404', json(404, missing), { kind: 'notFound', httpStatus: 404 }],
    ['not found, HTTP 404 of a gateway', (response) => response.writeHead(404).end('<html>'), { kind: 'notFound' }],
    ['not found, HTTP 200', json(200, missing), { kind: 'notFound' }],
    ['refused, HTTP 403', json(403, { code: 90000010, message: 'Forbidden' }), { kind: 'refused', httpStatus: 403 }],
    ['refused, HTTP 400', json(400, { reasons: [{ code: 50000027 }] }), { kind: 'refused', httpStatus: 400 }],
    ['refused, HTTP 410', json(410, {}), { kind: 'refused', httpStatus: 410 }],
    [
      'refused, in a version of the API before real statuses',
      json(200, { success: false, reasons: [{ code: 50000010 }] }),
      { kind: 'refused', httpStatus: 200 },
    ],
    ['over a limit', json(429, {}, { 'retry-after': '9' }), { kind: 'unavailable', retryAfterMs: 9000 }],
    ['over a limit, HTTP 200', json(200, { success: false, reasons: [{ code: 70 }] }), { kind: 'unavailable' }],
    ['locked', json(409, { reasons: [{ code: 50000050 }] }), { kind: 'unavailable', httpStatus: 409 }],
    ['HTTP 408', json(408, {}), { kind: 'unavailable', httpStatus: 408 }],
    ['HTTP 500', json(500, {}), { kind: 'unavailable', httpStatus: 500 }],
    [
      'HTTP 503',
      json(503, {}, { 'retry-after': '30', 'ratelimit-reset': '60' }),
      { kind: 'unavailable', retryAfterMs: 30_000 },
    ],
    ['a redirect', json(302, RECORD, { location: '/' }), { kind: 'unavailable', httpStatus: 302 }],
    ['another success', json(202, RECORD), { kind: 'unavailable', httpStatus: 202 }],
    ['an empty body', json(200, ''), { kind: 'unavailable', httpStatus: 200 }],
    ['HTML', (response) => response.end('<html>'), { kind: 'unavailable', httpStatus: 200 }],
    ['a list', json(200, { data: [RECORD] }), { kind: 'unavailable', httpStatus: 200 }],
    ['a record without a status', json(200, { ...RECORD, status: null }), { kind: 'unavailable' }],
    ['a record without a number', json(200, { id: '8ad0', status: 'Posted' }), { kind: 'unavailable' }],
    ['a record with an empty ID', json(200, { ...RECORD, id: '' }), { kind: 'unavailable' }],
    ['a record that is too large', json(200, { ...RECORD, x: 'x'.repeat(1024 * 1024) }), { kind: 'unavailable' }],
    ['a record that is not gzip', json(200, RECORD, { 'content-encoding': 'gzip' }), { kind: 'unavailable' }],
    ['a reset', reset, { kind: 'unavailable', httpStatus: undefined }],
    ['no answer in time', stall, { kind: 'unavailable', httpStatus: undefined }],
  ])('that is not to be had: %s', async (_what, call, failure) => {
    const { baseUrl } = await openLoopbackZuora({ call });
    expect(await failureOf(openZuora(baseUrl, { readDeadlineMs: 400 }).getBillRun('8ad0'))).toMatchObject(failure);
  });

  test('that is missing is named, in words that end', async () => {
    const message = 'x'.repeat(100_000);
    const { baseUrl } = await openLoopbackZuora({ call: json(404, { reasons: [{ code: 50000040, message }] }) });
    const failure = await failureOf(openZuora(baseUrl).getBillRun('BR-00000009'));
    expect(failure.message).toMatch(/^Zuora has no bill run BR-00000009: 50000040 x{300}…$/);
  });
});

describe('the notifications by which Zuora emails at the post', () => {
  const definition = { name: 'Invoice Posted', active: true, emailActive: true };

  test('are the active ones that email, each name once and fit for history', async () => {
    const definitions = [
      definition,
      { ...definition, active: false, name: 'inactive' },
      { ...definition, emailActive: false, name: 'callout only' },
      { name: 'neither says so', active: null },
      { active: 'true', emailActive: 'true' },
      { ...definition, name: `for jane@example.com\n${'x'.repeat(100)}` },
    ];
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(200, { data: definitions }) });
    expect(await openZuora(baseUrl).postedNotifications({ entityId: 'e-1' })).toEqual([
      'Invoice Posted',
      'without a name',
      expect.stringMatching(/^for \[address\] x{50,70}…$/),
    ]);
    expect(calls.map(({ path }) => path).sort()).toEqual(
      ['1110', '2720'].map((code) => `/notifications/notification-definitions?eventCategory=${code}&limit=100`),
    );
    expect(calls[0]?.headers['zuora-entity-ids']).toBe('e-1');
  });

  test('are not to be had from an answer of another shape, or from none', async () => {
    const { baseUrl } = await openLoopbackZuora({ call: json(200, { success: true }) });
    expect(await failureOf(openZuora(baseUrl).postedNotifications())).toMatchObject({ kind: 'unavailable' });
    const refusing = await openLoopbackZuora({ call: json(403, { code: 10 }) });
    expect(await failureOf(openZuora(refusing.baseUrl).postedNotifications())).toMatchObject({ kind: 'refused' });
  });
});

describe('the normal course, against the simulator', () => {
  async function tenantAndZuora(options: SimulatorOptions = {}) {
    const tenant = await openTenant(options);
    const zuora = openZuora(new URL(`${tenant.url}/`), {
      credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS),
    });
    return { tenant, zuora };
  }

  test('a bill run is read by its ID and by its number', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { id, number } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 1 });
    const read = await zuora.getBillRun(number);
    expect(read).toMatchObject({ id, number, status: 'Posted', numberOfInvoices: 2, numberOfCreditMemos: 1 });
    expect(await zuora.getBillRun(id)).toEqual(read);
    expect(await failureOf(zuora.getBillRun('BR-99999999'))).toMatchObject({ kind: 'notFound', httpStatus: 404 });
  });

  test('documents are emailed once under a key, and the stored answer shows whose it is', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 1 });
    const first = await email(zuora, { key: number, trackId: 'bre-1' });
    expect(first).toMatchObject({ verdict: 'accepted', httpStatus: 200, echoedTrackId: 'bre-1' });
    const second = await email(zuora, { key: number, trackId: 'bre-2' });
    expect(second).toMatchObject({ verdict: 'accepted', zuoraRequestId: first.zuoraRequestId, echoedTrackId: 'bre-1' });
    expect(await tenant.mailbox(number)).toHaveLength(3);
  });

  test('what Zuora refuses is refused', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { number } = await tenant.addBillRun({ status: 'Completed' });
    expect((await email(zuora, { key: number })).verdict).toBe('refused');
    expect((await email(zuora, { key: 'BR-99999999', idempotencyKey: 'another' })).verdict).toBe('refused');
    expect((await failureOf(zuora.getBillRun('BR-99999999'))).kind).toBe('notFound');
  });

  test('a key that was used for another bill run is refused', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const one = await tenant.addBillRun({ status: 'Posted' });
    const other = await tenant.addBillRun({ status: 'Posted' });
    await email(zuora, { key: one.number });
    expect(await email(zuora, { key: other.number })).toMatchObject({ verdict: 'refused', httpStatus: 422 });
    expect(await tenant.mailbox(other.number)).toEqual([]);
  });

  test('a call that is cut off after its effect is unknown; the next under its key is accepted, with no further email', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    await tenant.addFault({ when: 'after', fault: 'reset' });
    expect(await email(zuora, { key: number, trackId: 'bre-1' })).toMatchObject({ verdict: 'unknown' });
    expect(await email(zuora, { key: number, trackId: 'bre-2' })).toMatchObject({
      verdict: 'accepted',
      echoedTrackId: 'bre-1',
    });
    expect(await tenant.mailbox(number)).toHaveLength(1);
  });

  test('a second call while the first is at work is unknown', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    await tenant.addFault({ when: 'before', fault: 'stall' });
    const first = email(zuora, { key: number, deadlineMs: 2000 });
    await vi.waitFor(async () => {
      expect(await tenant.requests()).toContainEqual(expect.objectContaining({ method: 'POST', billRun: number }));
    });
    expect(await email(zuora, { key: number })).toMatchObject({ verdict: 'unknown', httpStatus: 409 });
    expect(await first).toMatchObject({ verdict: 'unknown', reasons: [{ code: 'TIMEOUT' }] });
  });

  test('tokens that are withdrawn or die early cost one call', async () => {
    const { tenant, zuora } = await tenantAndZuora();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    await zuora.getBillRun(number);
    await tenant.control('DELETE', '/tokens');
    expect(await email(zuora, { key: number })).toMatchObject({ verdict: 'notExecuted', httpStatus: 401 });
    expect(await email(zuora, { key: number })).toMatchObject({ verdict: 'accepted' });
    await tenant.control('DELETE', '/tokens');
    expect(await zuora.getBillRun(number)).toMatchObject({ number });
    expect(await tenant.mailbox(number)).toHaveLength(1);
  });

  test('credentials that are wrong send nothing', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    const zuora = openZuora(new URL(`${tenant.url}/`));
    expect((await neverLeft(email(zuora, { key: number }))).code).toBe('TOKEN_REFUSED');
    expect(await tenant.mailbox(number)).toEqual([]);
  });

  test('an entity and orgs are those of the call', async () => {
    const { tenant, zuora } = await tenantAndZuora({ entities: ['e-1', 'e-2'], orgs: ['o-1', 'o-2'] });
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0, entityId: 'e-2' });
    expect(await failureOf(zuora.getBillRun(number, { entityId: 'e-1' }))).toMatchObject({ kind: 'notFound' });
    expect(await zuora.getBillRun(number, { entityId: 'e-2' })).toMatchObject({ number });
    expect(await email(zuora, { key: number, entityId: 'e-3' })).toMatchObject({ verdict: 'refused', httpStatus: 403 });
    expect(await email(zuora, { key: number, entityId: 'e-2', orgIds: ['o-1', 'o-2'] })).toMatchObject({
      verdict: 'accepted',
    });
    expect(await tenant.mailbox(number)).toHaveLength(1);
  });
});
