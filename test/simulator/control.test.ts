import { describe, expect, it } from 'vitest';
import { openTenant } from './tenant.js';

describe('POST /simulator/bill-runs', () => {
  it('answers the record it made, and takes a number that may hold anything but slashes', async () => {
    const tenant = await openTenant();
    const answer = await tenant.send('POST', '/simulator/bill-runs', { body: { number: 'Läufe 7?', invoices: 2 } });
    expect(answer).toMatchObject({
      status: 201,
      body: { number: 'Läufe 7?', billingRunNumber: 'Läufe 7?', status: 'Completed', numberOfInvoices: 2 },
    });
    expect(await tenant.statusOf(encodeURIComponent('Läufe 7?'))).toBe('Completed');
    expect((await tenant.send('POST', '/simulator/bill-runs')).status).toBe(201);
  });

  it('makes IDs that are the same for the same seed', async () => {
    const made = async (seed: number) => (await (await openTenant({ seed })).addBillRun()).id;
    expect(await made(5)).toBe(await made(5));
    expect(await made(5)).not.toBe(await made(6));
    expect(await made(5)).toMatch(/^[0-9a-f]{32}$/);
  });

  it('with postsAfterMs walks through every status on the way', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Pending', postsAfterMs: 4000 });
    const passed = [await tenant.statusOf(number)];
    for (let step = 0; step < 4; step++) {
      await tenant.advance(1000);
      passed.push(await tenant.statusOf(number));
    }
    expect(passed).toEqual(['Pending', 'Processing', 'Completed', 'PostInProgress', 'Posted']);
    const { number: atOnce } = await tenant.addBillRun({ postsAfterMs: 0 });
    expect(await tenant.statusOf(atOnce)).toBe('Posted');
  });

  it('with postsAfterReads posts for the read after so many, unless a status is set before', async () => {
    const tenant = await openTenant();
    const statuses = async (number: string) => {
      const read = async () => (await tenant.call('GET', `/object-query/billing-runs/${number}`)).body;
      return [await read(), await read(), await read()].map((body) => (body as { status: string }).status);
    };
    const { number } = await tenant.addBillRun({ postsAfterReads: 2 });
    expect(await statuses(number)).toEqual(['Completed', 'Completed', 'Posted']);
    const { number: canceled } = await tenant.addBillRun({ postsAfterReads: 2 });
    await tenant.control('PATCH', `/bill-runs/${canceled}`, { status: 'Canceled' });
    expect(await statuses(canceled)).toEqual(['Canceled', 'Canceled', 'Canceled']);
  });

  it('of a number that is taken is a 409', async () => {
    const tenant = await openTenant();
    await tenant.addBillRun({ number: 'BR-00000002' });
    const again = await tenant.send('POST', '/simulator/bill-runs', { body: { number: 'BR-00000002' } });
    expect(again.status).toBe(409);
    const numbers = [(await tenant.addBillRun()).number, (await tenant.addBillRun()).number];
    expect(numbers).toEqual(['BR-00000001', 'BR-00000003']);
  });
});

describe('PATCH /simulator/bill-runs/{key}', () => {
  it('sets any field of the record, and null removes it', async () => {
    const tenant = await openTenant();
    const { id, number } = await tenant.addBillRun();
    const read = async () => (await tenant.call('GET', `/object-query/billing-runs/${number}`)).body;
    const change = { errorMessage: 'no luck', lastEmailSentTime: '2026-01-31T10:00:00-08:00', numberOfInvoices: 0 };
    await tenant.control('PATCH', `/bill-runs/${id}`, { ...change, autoEmail: true, numberOfCreditMemos: null });
    expect(await read()).toMatchObject({ ...change, autoEmail: true });
    expect(await read()).not.toHaveProperty('numberOfCreditMemos');
    await tenant.control('PATCH', `/bill-runs/${number}`, { status: null, errorMessage: null });
    expect(await read()).not.toHaveProperty('status');
    expect(await read()).not.toHaveProperty('errorMessage');
  });

  it('sets any status, also one that Zuora does not have, and calls off what was under way', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ postsAfterMs: 1000 });
    await tenant.control('PATCH', `/bill-runs/${number}`, { status: 'Reticulating' });
    await tenant.advance(1000);
    expect(await tenant.statusOf(number)).toBe('Reticulating');
  });

  it('to Posted posts the documents', async () => {
    const tenant = await openTenant();
    const { number, documents } = await tenant.addBillRun({ status: 'PostInProgress' });
    await tenant.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
    await tenant.email(number, 'k');
    expect(await tenant.mailbox(number)).toHaveLength(documents.length);
  });
});

describe('DELETE /simulator/bill-runs/{key}', () => {
  it('makes the bill run one that Zuora does not know', async () => {
    const tenant = await openTenant({ emailDelayMs: 1000 });
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'k');
    await tenant.control('DELETE', `/bill-runs/${number}`);
    await tenant.advance(1000);
    expect((await tenant.call('GET', `/object-query/billing-runs/${number}`)).status).toBe(404);
    expect(await tenant.mailbox(number)).not.toEqual([]);
  });
});

describe('GET /simulator/requests', () => {
  it('holds what was asked and what was answered, and no secret', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'k', { resend: true }, { headers: { 'zuora-track-id': 't' } });
    await tenant.call('GET', '/object-query/invoices?pageSize=5');
    const log = await tenant.requests();
    expect(log).toMatchObject([
      { method: 'POST', path: '/oauth/token', body: { client_secret: '[redacted]' }, status: 200 },
      {
        method: 'POST',
        path: `/v1/bill-runs/${number}/emails`,
        headers: { authorization: '[redacted]', 'zuora-version': '2025-08-12' },
        body: { resend: true },
        billRun: number,
        idempotencyKey: 'k',
        trackId: 't',
        requestId: expect.any(String) as string,
        status: 200,
        cut: null,
      },
      { method: 'GET', path: '/object-query/invoices', query: 'pageSize=5', body: null, billRun: null },
    ]);
    expect(await tenant.control('GET', `/requests?billRun=${number}`)).toHaveLength(1);
  });
});

describe('the control interface', () => {
  it.each([
    ['POST', '/bill-runs', { invoices: -1 }, 'invoices'],
    ['POST', '/bill-runs', { number: 'a/b' }, 'number'],
    ['POST', '/bill-runs', { status: 'Canceled', postsAfterMs: 5 }, 'postsAfterMs'],
    ['POST', '/bill-runs', { status: 'Posted', postsAfterReads: 5 }, 'postsAfterReads'],
    ['POST', '/bill-runs', { entityId: 'e1' }, 'entityId'],
    ['POST', '/bill-runs', { colour: 'red' }, 'colour'],
    ['POST', '/bill-runs', '{"number":', 'JSON'],
    ['PATCH', '/bill-runs/BR-00000001', { autoEmail: 'yes' }, 'autoEmail'],
    ['PATCH', '/bill-runs/BR-00000001', { id: 'x' }, 'id'],
    ['POST', '/faults', { method: 'GET' }, 'path'],
    ['POST', '/faults', { method: 'GET', path: '/x', when: 'during', fault: 'reset' }, 'when'],
    ['POST', '/faults', { method: 'GET', path: '/x', when: 'after', fault: 'explode' }, 'fault'],
    ['POST', '/faults', { method: 'GET', path: '/x', when: 'after', fault: 'reset', status: 500 }, 'status'],
    ['POST', '/faults', { method: 'GET', path: '/x', when: 'after', fault: 'reset', chance: 2 }, 'chance'],
    ['POST', '/faults', { method: 'GET', path: '/x', when: 'after', fault: 'reset', times: 0 }, 'times'],
    ['POST', '/faults', { method: 'GET', path: '/simulator/x', when: 'after', fault: 'reset' }, 'path'],
    ['POST', '/clock', { advanceMs: '5' }, 'advanceMs'],
    ['PATCH', '/settings', { emailDelay: 5 }, 'emailDelay'],
    ['PATCH', '/settings', { keyScope: 'world' }, 'keyScope'],
  ])('%s %s names the fault of %j', async (method, path, body, named) => {
    const tenant = await openTenant();
    await tenant.addBillRun();
    const answer = await tenant.send(method, `/simulator${path}`, { body });
    expect(answer.status).toBe(400);
    expect((answer.body as { error: string }).error).toContain(named);
  });

  it('answers 404 for a bill run and for a path that are not there', async () => {
    const tenant = await openTenant();
    expect((await tenant.send('PATCH', '/simulator/bill-runs/none', { body: {} })).status).toBe(404);
    expect((await tenant.send('GET', '/simulator/weather')).status).toBe(404);
  });

  it('shows the settings in force and the time on the clock', async () => {
    const tenant = await openTenant({ emailDelayMs: 5 });
    await tenant.set({ postingMs: 7 });
    expect(await tenant.control('GET', '/settings')).toMatchObject({ emailDelayMs: 5, postingMs: 7 });
    const { now } = await tenant.control<{ now: string }>('POST', '/clock', { advanceMs: 3_600_000 });
    expect(Date.parse(now) - Date.now()).toBeGreaterThan(3_500_000);
  });
});
