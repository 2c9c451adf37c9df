import { describe, expect, it } from 'vitest';
import { openTenant, type Answer } from './tenant.js';

const HOUR_MS = 60 * 60 * 1000;

function identityOf({ status, headers, body }: Answer) {
  return { status, body, requestId: headers['zuora-request-id'], trackId: headers['zuora-track-id'] };
}

describe('the same Idempotency-Key', () => {
  it('gets the first reply again, with its request id and its track id, and no second effect', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    const first = await tenant.email(number, 'k', { resend: true }, { headers: { 'zuora-track-id': 'one' } });
    const second = await tenant.email(number, 'k', { resend: true }, { headers: { 'zuora-track-id': 'two' } });
    expect(identityOf(first)).toMatchObject({ status: 200, body: { success: true }, trackId: 'one' });
    expect(identityOf(second)).toEqual(identityOf(first));
    expect(await tenant.mailbox()).toHaveLength(1);
    expect((await tenant.requests()).slice(-2).map((entry) => entry['repeated'])).toEqual([false, true]);
  });

  it('gets a failure again as well, though its reason is gone', async () => {
    const tenant = await openTenant({ inactiveNotification: 'refuse', notificationActive: false });
    const { number } = await tenant.addBillRun({ status: 'Completed' });
    const notPosted = await tenant.email(number, 'not-posted');
    await tenant.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
    const inactive = await tenant.email(number, 'inactive');
    await tenant.set({ notificationActive: true });

    expect(notPosted.status).toBe(400);
    expect(identityOf(await tenant.email(number, 'not-posted'))).toEqual(identityOf(notPosted));
    expect(inactive.status).toBe(400);
    expect(identityOf(await tenant.email(number, 'inactive'))).toEqual(identityOf(inactive));
    expect(await tenant.mailbox()).toEqual([]);
  });

  it('is forgotten 24 hours after it was set, repetitions notwithstanding', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    const send = () => tenant.email(number, 'k', { resend: true });
    await send();
    await tenant.advance(23 * HOUR_MS);
    await send();
    expect(await tenant.mailbox()).toHaveLength(1);
    await tenant.advance(HOUR_MS);
    await send();
    expect(await tenant.mailbox()).toHaveLength(2);
  });

  it('is a 409 while its first request is in progress, and then gets its reply', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    await tenant.addFault({ when: 'before', fault: 'stall', afterMs: HOUR_MS });
    const first = tenant.email(number, 'k');
    await expect.poll(async () => (await tenant.email(number, 'k')).status).toBe(409);
    expect(await tenant.mailbox()).toEqual([]);

    await tenant.control('POST', '/clock', { advanceMs: HOUR_MS });
    const { status, headers } = await first;
    expect(status).toBe(200);
    await tenant.advance(0);
    expect((await tenant.email(number, 'k')).headers['zuora-request-id']).toBe(headers['zuora-request-id']);
    expect(await tenant.mailbox()).toHaveLength(1);
  });

  it('is a 422 on another URL, be it the same bill run by its ID', async () => {
    const tenant = await openTenant();
    const { id, number } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'k');
    expect((await tenant.email(id, 'k')).status).toBe(422);
    const created = await tenant.call('POST', '/v1/bill-runs', {
      body: { targetDate: '2026-01-31' },
      headers: { 'idempotency-key': 'k' },
    });
    expect(created.status).toBe(422);
  });

  it.each([
    { sameKeyOtherBody: 'replay', status: 200 },
    { sameKeyOtherBody: 'refuse', status: 422 },
  ] as const)('with another body is a $status when sameKeyOtherBody is $sameKeyOtherBody', async (row) => {
    const tenant = await openTenant({ sameKeyOtherBody: row.sameKeyOtherBody });
    const { number, documents } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'k', { resend: false });
    expect((await tenant.email(number, 'k', { resend: true })).status).toBe(row.status);
    expect(await tenant.mailbox()).toHaveLength(documents.length);
  });

  it.each([
    { keyScope: 'tenant', emails: 1 },
    { keyScope: 'entity', emails: 2 },
  ] as const)('in two entities makes $emails when its scope is the $keyScope', async ({ keyScope, emails }) => {
    const tenant = await openTenant({ keyScope, entities: ['e1', 'e2'] });
    for (const entityId of ['e1', 'e2']) {
      await tenant.addBillRun({ number: 'BR-7', entityId, status: 'Posted', invoices: 1, creditMemos: 0 });
      await tenant.email('BR-7', 'k', {}, { headers: { 'zuora-entity-ids': entityId } });
    }
    expect(await tenant.mailbox('BR-7')).toHaveLength(emails);
  });

  it.each([
    { storeUnauthorized: false, status: 200 },
    { storeUnauthorized: true, status: 401 },
  ])('after a 401 gets a $status when storeUnauthorized is $storeUnauthorized', async (row) => {
    const tenant = await openTenant({ storeUnauthorized: row.storeUnauthorized });
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    const headers = { authorization: 'Bearer expired' };
    expect((await tenant.email(number, 'k', {}, { headers })).status).toBe(401);
    expect((await tenant.email(number, 'k')).status).toBe(row.status);
  });
});

describe('an Idempotency-Key', () => {
  it('has 1 to 255 printable ASCII characters, or the request is refused without using it up', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    expect((await tenant.email(number, 'x'.repeat(256))).status).toBe(400);
    expect((await tenant.email(number, 'ü')).status).toBe(400);
    expect((await tenant.email(number, '')).status).toBe(400);
    expect((await tenant.email(number, 'x'.repeat(255))).status).toBe(200);
    await tenant.set({ idempotencyKeyMaxLength: 254 });
    expect((await tenant.email(number, 'y'.repeat(255))).status).toBe(400);
  });

  it('means nothing on a GET', async () => {
    const tenant = await openTenant();
    const { id } = await tenant.addBillRun();
    const read = () => tenant.call('GET', `/v1/bill-runs/${id}`, { headers: { 'idempotency-key': 'k' } });
    const [one, other] = [await read(), await read()];
    expect([one.status, other.status]).toEqual([200, 200]);
    expect(one.headers['zuora-request-id']).not.toBe(other.headers['zuora-request-id']);
  });
});
