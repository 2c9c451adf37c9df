import { gunzipSync } from 'node:zlib';
import { fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { startSimulator } from '../../simulator/index.js';
import { openTenant, type TenantUnderTest } from './tenant.js';

const HOUR_MS = 60 * 60 * 1000;
const LOCKED = { success: false, reasons: [{ code: 50000050, message: 'Locked. Please retry later.' }] };

async function oneInvoice(tenant: TenantUnderTest): Promise<string> {
  return (await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 })).number;
}

/** The last request that was not for a token. */
async function lastLogged(tenant: TenantUnderTest): Promise<Record<string, unknown>> {
  return (await tenant.requests()).findLast((entry) => entry['path'] !== '/oauth/token') ?? {};
}

describe('a reset', () => {
  it('before the effect leaves nothing behind: the next request with the key is the first', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'reset' });
    await expect(tenant.email(number, 'k')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await lastLogged(tenant)).toMatchObject({ status: null, cut: 'reset', idempotencyKey: 'k' });
    expect(await tenant.mailbox()).toEqual([]);
    expect((await tenant.email(number, 'k')).body).toEqual({ success: true });
    expect(await tenant.mailbox()).toHaveLength(1);
  });

  it('after the effect keeps the reply under the key', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'after', fault: 'reset' });
    const lost = tenant.email(number, 'k', { resend: true }, { headers: { 'zuora-track-id': 'lost' } });
    await expect(lost).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await tenant.mailbox()).toHaveLength(1);
    const repeated = await tenant.email(number, 'k', { resend: true }, { headers: { 'zuora-track-id': 'found' } });
    expect(repeated.body).toEqual({ success: true });
    expect(repeated.headers['zuora-track-id']).toBe('lost');
    expect(await tenant.mailbox()).toHaveLength(1);
  });
});

describe('a stall', () => {
  it('before the effect, until the client gives up, drops the request and frees its key', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'stall' });
    await expect(tenant.email(number, 'k', {}, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
    await expect.poll(() => lastLogged(tenant)).toMatchObject({ cut: 'clientGaveUp', status: null });
    expect(await tenant.mailbox()).toEqual([]);
    expect((await tenant.email(number, 'k')).body).toEqual({ success: true });
  });

  it('before the effect, for a time, takes effect even when the client has gone by then', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'stall', afterMs: HOUR_MS });
    await expect(tenant.email(number, 'k', {}, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
    expect((await tenant.email(number, 'k')).status).toBe(409);
    await tenant.advance(HOUR_MS);
    await expect.poll(() => tenant.mailbox()).toHaveLength(1);
    expect(await tenant.email(number, 'k')).toMatchObject({ status: 200, body: { success: true } });
  });

  it('after the effect holds the key until the client gives up, and then keeps the reply under it', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'after', fault: 'stall' });
    const gone = new AbortController();
    const lost = tenant.email(number, 'k', {}, { signal: gone.signal }).catch(() => 'gave up');
    await expect.poll(() => tenant.mailbox()).toHaveLength(1);
    expect((await tenant.email(number, 'k')).status).toBe(409);
    gone.abort();
    expect(await lost).toBe('gave up');
    await expect.poll(async () => (await tenant.email(number, 'k')).status).toBe(200);
    expect(await tenant.mailbox()).toHaveLength(1);
  });

  it('over two minutes is over in a moment on the simulator’s clock', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'after', fault: 'stall', afterMs: 121_000 });
    const late = tenant.email(number, 'k');
    await expect.poll(() => tenant.mailbox()).toHaveLength(1);
    await tenant.advance(121_000);
    expect((await late).body).toEqual({ success: true });
  });
});

describe('closing the simulator', () => {
  it('does not wait for stalled requests', async () => {
    const simulator = await startSimulator();
    const control = `${simulator.url}/simulator`;
    const stall = { method: 'GET', path: '/v1/credit-memos', when: 'before', fault: 'respond', afterMs: 3_600_000 };
    await fetch(`${control}/faults`, { method: 'POST', body: JSON.stringify(stall) });
    const stalled = fetch(`${simulator.url}/v1/credit-memos`).catch(() => 'cut off');
    await expect.poll(async () => (await fetch(`${control}/requests`)).json()).toMatchObject([{ answeredAt: null }]);
    await simulator.close();
    expect(await stalled).toBe('cut off');
  });
});

describe('an injected reply', () => {
  it('before the effect stands in its place, and the key stays free', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'respond', status: 409, body: LOCKED });
    const answer = await tenant.email(number, 'k', {}, { headers: { 'zuora-track-id': 't' } });
    expect(answer).toMatchObject({ status: 409, body: LOCKED, headers: { 'zuora-track-id': 't' } });
    expect(answer.headers['zuora-request-id']).toHaveLength(36);
    expect(await tenant.mailbox()).toEqual([]);
    expect((await tenant.email(number, 'k')).status).toBe(200);
  });

  it('before the effect, stored, is the outcome of the key', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'respond', status: 409, body: LOCKED, stored: true });
    const first = await tenant.email(number, 'k');
    const second = await tenant.email(number, 'k');
    expect(second).toMatchObject({ status: 409, body: LOCKED });
    expect(second.headers['zuora-request-id']).toBe(first.headers['zuora-request-id']);
    expect((await tenant.email(number, 'another')).status).toBe(200);
  });

  it('after the effect hides it, and the real reply is under the key', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    const html = { status: 504, headers: { 'Content-Type': 'text/html' }, body: '<h1>504 Gateway Time-out</h1>' };
    await tenant.addFault({ when: 'after', fault: 'respond', ...html });
    expect(await tenant.email(number, 'k')).toMatchObject({
      status: 504,
      headers: { 'content-type': 'text/html' },
      body: html.body,
    });
    expect(await tenant.mailbox()).toHaveLength(1);
    expect((await tenant.email(number, 'k')).body).toEqual({ success: true });
    expect(await tenant.mailbox()).toHaveLength(1);
  });

  it('after the effect, stored, says a failure of what has happened, again and again', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    const body = { reasons: [{ code: 'SystemError', message: 'internal server error' }] };
    await tenant.addFault({ when: 'after', fault: 'respond', status: 500, body, stored: true });
    expect((await tenant.email(number, 'k')).status).toBe(500);
    expect((await tenant.email(number, 'k')).status).toBe(500);
    expect(await tenant.mailbox()).toHaveLength(1);
  });

  it.each([
    { setting: 'storeUnauthorized', status: 401 },
    { setting: 'storeTooManyRequests', status: 429 },
    { setting: 'storeInjected', status: 503 },
  ])('with status $status is kept under the key where $setting says so', async ({ setting, status }) => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    for (const kept of [false, true]) {
      await tenant.set({ [setting]: kept });
      await tenant.addFault({ when: 'before', fault: 'respond', status, headers: { 'retry-after': 5 } });
      const key = `kept-${String(kept)}`;
      expect(await tenant.email(number, key)).toMatchObject({ status, headers: { 'retry-after': '5' }, body: '' });
      expect((await tenant.email(number, key)).status).toBe(kept ? status : 200);
    }
  });

  it('may promise more bytes than it has: the connection ends in the middle of the body', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    const half = { status: 200, headers: { 'content-length': 16 }, body: '{"succ' };
    await tenant.addFault({ when: 'after', fault: 'respond', ...half });
    await expect(tenant.email(number, 'k')).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    await expect.poll(() => lastLogged(tenant)).toMatchObject({ status: 200, cut: 'midBody' });
  });

  it('goes out as it was given: redirects, gzip that is not, megabytes', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    const respond = (reply: object) => tenant.addFault({ when: 'before', fault: 'respond', ...reply });
    await respond({ status: 302, headers: { location: 'http://elsewhere.example/' } });
    await respond({ status: 200, headers: { 'content-encoding': 'gzip' }, body: '{"success":true}' });
    await respond({ status: 200, body: 'x'.repeat(5_000_000) });
    expect((await tenant.email(number, 'k')).headers['location']).toBe('http://elsewhere.example/');
    const notGzip = await tenant.email(number, 'k');
    expect(() => gunzipSync(notGzip.bytes)).toThrow();
    expect((await tenant.email(number, 'k')).bytes).toHaveLength(5_000_000);
  });
});

describe('faults', () => {
  it('strike as often as they say, in the order they were set, and not after they were removed', async () => {
    const tenant = await openTenant();
    const number = await oneInvoice(tenant);
    await tenant.addFault({ when: 'before', fault: 'respond', status: 502, times: 2 });
    await tenant.addFault({ when: 'before', fault: 'respond', status: 503, times: 5 });
    const statuses = [];
    for (let calls = 0; calls < 4; calls++) statuses.push((await tenant.email(number, 'k')).status);
    expect(statuses).toEqual([502, 502, 503, 503]);
    await tenant.control('DELETE', '/faults');
    expect((await tenant.email(number, 'k')).status).toBe(200);
  });

  it('match method and path, a * standing for one segment, the query string for nothing', async () => {
    const tenant = await openTenant();
    const { id, number } = await tenant.addBillRun({ status: 'Posted' });
    const respond = (method: string, path: string) =>
      tenant.addFault({ method, path, when: 'before', fault: 'respond', status: 418 });
    await respond('GET', '/object-query/*/*');
    await respond('*', '/v1/*');
    expect((await tenant.call('GET', '/object-query/billing-runs')).status).toBe(200);
    expect((await tenant.call('GET', `/object-query/billing-runs/${number}?fields[]=id`)).status).toBe(418);
    expect((await tenant.call('GET', `/v1/bill-runs/${id}`)).status).toBe(200);
    expect((await tenant.call('GET', '/v1/credit-memos?sourceId=x')).status).toBe(418);
  });

  it('strike token calls and reads as well', async () => {
    const tenant = await openTenant();
    const unavailable = { when: 'before', fault: 'respond', status: 503 };
    await tenant.addFault({ path: '/oauth/token', ...unavailable });
    expect(await tenant.newToken()).toBeUndefined();
    await tenant.addFault({ method: 'GET', path: '/object-query/billing-runs/*', when: 'after', fault: 'reset' });
    await expect(tenant.statusOf('BR-1')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('at random are the same for the same seed', async () => {
    const struckWith = async (seed: number) => {
      const tenant = await openTenant({ seed });
      await tenant.addFault({
        method: 'GET',
        path: '/v1/credit-memos',
        when: 'before',
        fault: 'respond',
        status: 503,
        times: 1000,
        chance: 0.5,
      });
      const statuses: number[] = [];
      for (let calls = 0; calls < 40; calls++) statuses.push((await tenant.call('GET', '/v1/credit-memos')).status);
      return statuses;
    };
    const [one, same, other] = [await struckWith(7), await struckWith(7), await struckWith(8)];
    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
    expect(new Set(one)).toEqual(new Set([200, 503]));
  });
});
