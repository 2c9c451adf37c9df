import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { codesOf, openTenant } from './tenant.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

describe('a token', () => {
  it('is given for the configured pair alone, and for a form alone', async () => {
    const tenant = await openTenant();
    const fields = {
      client_id: SIMULATOR_CREDENTIALS.clientId,
      client_secret: SIMULATOR_CREDENTIALS.clientSecret,
      grant_type: 'client_credentials',
    };
    const ask = async (form: Record<string, string>, headers = FORM) =>
      tenant.send('POST', '/oauth/token', { body: new URLSearchParams(form).toString(), headers });
    expect((await ask(fields)).body).toMatchObject({ token_type: 'bearer', expires_in: 3599 });
    expect((await ask({ ...fields, client_secret: 'wrong' })).status).toBe(401);
    expect((await ask({ ...fields, grant_type: 'password' })).status).toBe(400);
    expect((await ask(fields, { 'content-type': 'application/json' })).status).toBe(415);
  });

  it('is needed everywhere else, and dies when its time is over', async () => {
    const tenant = await openTenant({ tokenLifetimeSeconds: 60 });
    const authorization = `Bearer ${await tenant.newToken()}`;
    const list = () => tenant.call('GET', '/object-query/billing-runs', { headers: { authorization } });
    expect((await tenant.send('GET', '/object-query/billing-runs')).status).toBe(401);
    expect((await list()).status).toBe(200);
    await tenant.advance(60_000);
    expect(await list()).toMatchObject({ status: 401, body: { message: 'Authentication error' } });
  });

  it('dies early, or at once, where a test wants it to', async () => {
    const tenant = await openTenant({ tokenLifetimeSeconds: 60, tokensExpireEarlySeconds: 50 });
    const authorization = `Bearer ${await tenant.newToken()}`;
    const list = () => tenant.call('GET', '/v1/credit-memos', { headers: { authorization } });
    await tenant.advance(10_000);
    expect((await list()).status).toBe(401);
    expect((await tenant.call('GET', '/v1/credit-memos')).status).toBe(200);
    await tenant.control('DELETE', '/tokens');
    expect((await tenant.call('GET', '/v1/credit-memos')).status).toBe(401);
  });
});

describe('every reply', () => {
  it('has a Zuora-Request-Id of its own, and the Zuora-Track-Id that was sent, if one was', async () => {
    const tenant = await openTenant();
    const without = await tenant.call('GET', '/v1/credit-memos');
    const withOne = await tenant.call('GET', '/v1/bill-runs/none', { headers: { 'zuora-track-id': 'attempt-1' } });
    expect(without.headers['zuora-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(without.headers).not.toHaveProperty('zuora-track-id');
    expect(withOne.headers['zuora-track-id']).toBe('attempt-1');
    expect(withOne.headers['zuora-request-id']).not.toBe(without.headers['zuora-request-id']);
    expect(withOne.body).toHaveProperty('requestId', withOne.headers['zuora-request-id']);
  });

  it('is a 400 to a Zuora-Track-Id over 64 characters or with one of : ; " \'', async () => {
    const tenant = await openTenant();
    for (const trackId of ['x'.repeat(65), 'a:b', 'a;b', 'a"b', "a'b", 'ü']) {
      const answer = await tenant.call('GET', '/v1/credit-memos', { headers: { 'zuora-track-id': trackId } });
      expect([answer.status, codesOf(answer)], trackId).toEqual([400, [50000020]]);
    }
    const longest = { 'zuora-track-id': 'x'.repeat(64) };
    expect((await tenant.call('GET', '/v1/credit-memos', { headers: longest })).status).toBe(200);
  });

  it('is compressed over 1000 bytes, for who asks', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun();
    const list = (headers: Record<string, string>) =>
      tenant.call('GET', `/object-query/invoices?filter[]=sourceid.EQ:${number}`, { headers });
    const compressed = await list({ 'accept-encoding': 'gzip' });
    expect(compressed.headers['content-encoding']).toBe('gzip');
    const plain = await list({ 'accept-encoding': 'identity' });
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(JSON.parse(gunzipSync(compressed.bytes).toString())).toEqual(plain.body);
    const short = await tenant.call('GET', '/v1/bill-runs/none', { headers: { 'accept-encoding': 'gzip' } });
    expect(short.headers).not.toHaveProperty('content-encoding');
  });

  it('to a URL that cannot be decoded is a 400 with a Zuora-Request-Id', async () => {
    const tenant = await openTenant();
    const answer = await tenant.call('GET', '/v1/bill-runs/%E0%A4%A');
    expect(answer.status).toBe(400);
    expect(answer.headers['zuora-request-id']).toHaveLength(36);
  });

  it('outside of what is simulated is a 404 that says so', async () => {
    const tenant = await openTenant();
    const answer = await tenant.call('GET', '/v1/accounts/A-1');
    expect(answer.status).toBe(404);
    expect(answer.bytes.toString()).toContain('/v1/accounts/A-1');
  });
});

describe('a gzip request', () => {
  it('is accepted, and refused if it is not gzip', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect((await tenant.email(number, 'k1', gzipSync('{"resend":true}'), { headers })).status).toBe(200);
    expect(await tenant.mailbox()).toMatchObject([{ resend: true }]);
    expect(codesOf(await tenant.email(number, 'k2', '{"resend":true}', { headers }))).toEqual([50000090]);
  });
});

describe('Zuora-Version', () => {
  it.each([
    { version: '2025-08-12', status: 400 },
    { version: '2024-05-20', status: 400 },
    { version: '2024-01-01', status: 200 },
    { version: '341.0', status: 200 },
    { version: undefined, status: 200 },
  ])('$version makes a /v1 failure a $status', async ({ version, status }) => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Completed' });
    const answer = await tenant.send('POST', `/v1/bill-runs/${number}/emails`, {
      body: {},
      headers: {
        authorization: `Bearer ${await tenant.newToken()}`,
        ...(version === undefined ? {} : { 'zuora-version': version }),
      },
    });
    expect(answer).toMatchObject({ status, body: { success: false, reasons: [{ code: 50000030 }] } });
  });
});

describe('Multi-entity', () => {
  const asEntity = (entityId: string) => ({ headers: { 'zuora-entity-ids': entityId } });

  it('wants the entity named when the token is valid for several, and shows each its own bill runs', async () => {
    const tenant = await openTenant({ entities: ['e1', 'e2'] });
    const { id } = await tenant.addBillRun({ number: 'BR-7', entityId: 'e2' });
    const read = (options = {}) => tenant.call('GET', '/object-query/billing-runs/BR-7', options);
    expect(codesOf(await read())).toEqual([50000023]);
    expect((await read(asEntity('e3'))).status).toBe(403);
    expect((await read(asEntity('e1'))).status).toBe(404);
    expect((await read(asEntity('e2'))).body).toMatchObject({ id });
  });

  it('that is not enabled: the header is ignored or refused, as unneededHeaders says', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun();
    const read = (headers: Record<string, string>) =>
      tenant.call('GET', `/object-query/billing-runs/${number}`, { headers });
    expect((await read({ 'zuora-entity-ids': 'e1', 'zuora-org-ids': 'o1' })).status).toBe(200);
    await tenant.set({ unneededHeaders: 'refuse' });
    expect((await read({ 'zuora-entity-ids': 'e1' })).status).toBe(400);
    expect((await read({ 'zuora-org-ids': 'o1' })).status).toBe(400);
    await tenant.set({ orgs: ['o1', 'o2'] });
    expect((await read({ 'zuora-org-ids': 'o1, o2' })).status).toBe(200);
    expect((await read({ 'zuora-org-ids': 'o1,o3' })).status).toBe(403);
  });
});
