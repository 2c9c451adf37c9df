import { describe, expect, it } from 'vitest';
import { codesOf, openTenant } from './tenant.js';

const PER_STEP_MS = { processingMs: 2000, postingMs: 1000, cancelingMs: 1000 };

describe('a bill run made by the API', () => {
  it('goes from Pending over Processing to Completed, and has documents only then', async () => {
    const tenant = await openTenant(PER_STEP_MS);
    const created = await tenant.call('POST', '/v1/bill-runs', { body: { targetDate: '2026-01-31' } });
    expect(created.body).toMatchObject({ success: true, status: 'Pending', billRunNumber: 'BR-00000001' });

    const { id } = created.body as { id: string };
    const record = async () => (await tenant.call('GET', `/object-query/billing-runs/${id}`)).body;
    expect(await record()).not.toHaveProperty('numberOfInvoices');
    await tenant.advance(1000);
    expect(await record()).toMatchObject({ status: 'Processing' });
    await tenant.advance(1000);
    expect(await record()).toMatchObject({ status: 'Completed', numberOfInvoices: 3, numberOfCreditMemos: 1 });
  });

  it('posts by itself with autoPost', async () => {
    const tenant = await openTenant(PER_STEP_MS);
    await tenant.call('POST', '/v1/bill-runs', { body: { targetDate: '2026-01-31', autoPost: true } });
    await tenant.advance(3000);
    expect(await tenant.statusOf('BR-00000001')).toBe('Posted');
  });

  it('is refused without a target date, with the category of a missing field', async () => {
    const tenant = await openTenant();
    const answer = await tenant.call('POST', '/v1/bill-runs', { body: {} });
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual([50000022]);
  });
});

describe('posting', () => {
  it('takes its time: PostInProgress, then Posted, with all documents posted', async () => {
    const tenant = await openTenant(PER_STEP_MS);
    const { id, number } = await tenant.addBillRun();
    const answer = await tenant.call('PUT', `/v1/bill-runs/${id}/post`, { body: {} });
    expect(answer.body).toMatchObject({ success: true, status: 'PostInProgress' });

    await tenant.advance(1000);
    expect((await tenant.call('GET', `/object-query/billing-runs/${number}`)).body).toMatchObject({
      status: 'Posted',
      postedDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-07:00$/) as string,
    });
    const invoices = await tenant.call('GET', `/object-query/invoices?filter[]=sourceid.EQ:${number}`);
    expect(invoices.body).toMatchObject({ data: [{ status: 'Posted' }, { status: 'Posted' }, { status: 'Posted' }] });
  });

  it('goes back to Completed when a document fails, and the next posting finishes it', async () => {
    const tenant = await openTenant({ ...PER_STEP_MS, failPostings: 1 });
    const { id } = await tenant.addBillRun({ invoices: 2, creditMemos: 0 });
    const post = () => tenant.call('PUT', `/v1/bill-runs/${id}/post`, { body: {} });
    await post();
    await tenant.advance(1000);
    expect((await tenant.call('GET', `/object-query/billing-runs/${id}`)).body).toMatchObject({
      status: 'Completed',
      errorMessage: expect.stringContaining('could not be posted') as string,
    });

    await post();
    await tenant.advance(1000);
    const posted = (await tenant.call('GET', `/object-query/billing-runs/${id}`)).body;
    expect(posted).toMatchObject({ status: 'Posted' });
    expect(posted).not.toHaveProperty('errorMessage');
  });

  it('is refused unless the bill run is Completed', async () => {
    const tenant = await openTenant();
    const { id } = await tenant.addBillRun({ status: 'Posted' });
    const answer = await tenant.call('PUT', `/v1/bill-runs/${id}/post`, { body: {} });
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual([50000030]);
  });

  it('is refused without a body with a 415, and with an Idempotency-Key with a 400', async () => {
    const tenant = await openTenant();
    const { id } = await tenant.addBillRun();
    expect((await tenant.call('PUT', `/v1/bill-runs/${id}/post`)).status).toBe(415);
    const withKey = await tenant.call('PUT', `/v1/bill-runs/${id}/post`, {
      body: {},
      headers: { 'idempotency-key': 'k' },
    });
    expect(withKey.status).toBe(400);
    expect(withKey.body).toMatchObject({
      reasons: [{ message: "Request method 'PUT' not supported with Idempotency-Key header" }],
    });
    expect(await tenant.statusOf(id)).toBe('Completed');
  });

  it.each([
    { emptyBillRunsPost: true, ends: 'Posted' },
    { emptyBillRunsPost: false, ends: 'Completed' },
  ])('of a bill run without documents ends in $ends when emptyBillRunsPost is $emptyBillRunsPost', async (row) => {
    const tenant = await openTenant({ emptyBillRunsPost: row.emptyBillRunsPost });
    const { id } = await tenant.addBillRun({ invoices: 0, creditMemos: 0, postsAfterMs: 1000 });
    await tenant.advance(1000);
    expect(await tenant.statusOf(id)).toBe(row.ends);
  });
});

describe('canceling', () => {
  it('takes its time too', async () => {
    const tenant = await openTenant(PER_STEP_MS);
    const { id } = await tenant.addBillRun();
    const answer = await tenant.call('PUT', `/v1/bill-runs/${id}/cancel`, { body: { cancelOnce: true } });
    expect(answer.body).toMatchObject({ success: true, status: 'CancelInProgress' });
    await tenant.advance(1000);
    expect(await tenant.statusOf(id)).toBe('Canceled');
  });

  it('is refused once any document is posted', async () => {
    const tenant = await openTenant({ failPostings: 1 });
    const { id } = await tenant.addBillRun({ invoices: 2, postsAfterMs: 1000 });
    await tenant.advance(1000);
    expect(await tenant.statusOf(id)).toBe('Completed');
    const answer = await tenant.call('PUT', `/v1/bill-runs/${id}/cancel`, { body: {} });
    expect(answer.body).toMatchObject({ success: false, reasons: [{ code: 50000030 }] });
  });
});

describe('reading a bill run', () => {
  it('on /v1 goes by the ID, and by the number only where readByNumberOnV1 says so', async () => {
    const tenant = await openTenant();
    const { id, number } = await tenant.addBillRun();
    const read = (key: string) => tenant.call('GET', `/v1/bill-runs/${key}`);
    expect((await read(id)).body).toMatchObject({ success: true, id, billRunNumber: number, status: 'Completed' });
    expect(codesOf(await read(number))).toEqual([50000040]);
    await tenant.set({ readByNumberOnV1: true });
    expect((await read(number)).status).toBe(200);
  });

  it('in Object Query goes by ID or number, and leaves null fields out unless asked for them', async () => {
    const tenant = await openTenant();
    const { id, number } = await tenant.addBillRun();
    const byId = await tenant.call('GET', `/object-query/billing-runs/${id}`);
    const byNumber = await tenant.call('GET', `/object-query/billing-runs/${number}`);
    expect(byId.body).toEqual(byNumber.body);
    expect(byId.body).not.toHaveProperty('success');
    expect(byId.body).not.toHaveProperty('lastEmailSentTime');
    const complete = await tenant.call('GET', `/object-query/billing-runs/${id}?includeNullFields=true`);
    expect(complete.body).toMatchObject({ lastEmailSentTime: null, errorMessage: null, invoicesEmailed: false });
  });

  it('that is not there is a 404 in the error shape of the family asked', async () => {
    const tenant = await openTenant();
    const onV1 = await tenant.call('GET', '/v1/bill-runs/none');
    expect(onV1.status).toBe(404);
    expect(onV1.body).toMatchObject({ success: false, processId: expect.any(String) as string });
    const inObjectQuery = await tenant.call('GET', '/object-query/billing-runs/none');
    expect(inObjectQuery.status).toBe(404);
    expect(inObjectQuery.body).toEqual({
      reasons: [{ code: 50000040, message: expect.any(String) as string }],
      requestId: inObjectQuery.headers['zuora-request-id'],
    });
  });
});

describe('the lists of Object Query', () => {
  it('filter by number without regard to case, and are empty, not missing, when nothing matches', async () => {
    const tenant = await openTenant();
    await tenant.addBillRun();
    const { id, number } = await tenant.addBillRun();
    const list = async (filter: string) =>
      (await tenant.call('GET', `/object-query/billing-runs?filter[]=${encodeURIComponent(filter)}`)).body;
    expect(await list(`billingRunNumber.eq:${number}`)).toMatchObject({ data: [{ id }] });
    expect(await list('billingrunnumber.IN:[BR-1,BR-2]')).toEqual({ data: [] });
    expect(await list('status.SW:Compl')).toHaveProperty('data.length', 2);
  });

  it('refuse filters on other fields and pages over 99 with category 27', async () => {
    const tenant = await openTenant();
    for (const query of ['filter[]=autoemail.EQ:true', 'filter[]=status.LIKE:x', 'pageSize=100', 'cursor=x']) {
      const answer = await tenant.call('GET', `/object-query/billing-runs?${query}`);
      expect([answer.status, codesOf(answer)], query).toEqual([400, [50000027]]);
    }
  });

  it('go through all pages by the cursor, each row once', async () => {
    const tenant = await openTenant();
    const { number, documents } = await tenant.addBillRun({ invoices: 25, creditMemos: 0 });
    const numbers: string[] = [];
    let cursor: string | undefined = '';
    for (let pages = 0; cursor !== undefined && pages < 10; pages++) {
      const query = new URLSearchParams({ 'filter[]': `sourceid.EQ:${number}`, 'fields[]': 'invoicenumber,status' });
      if (cursor !== '') query.set('cursor', cursor);
      const answer = await tenant.call('GET', `/object-query/invoices?${query.toString()}`);
      const page = answer.body as { nextPage?: string; data: { invoiceNumber: string }[] };
      expect(Object.keys(page.data[0] ?? {})).toEqual(['invoiceNumber', 'status']);
      numbers.push(...page.data.map((row) => row.invoiceNumber));
      cursor = page.nextPage;
    }
    expect(numbers.toSorted()).toEqual(documents.map((document) => document.number));
  });
});

describe('credit memos', () => {
  it('are listed by the number of their bill run and do not show whether they were emailed', async () => {
    const tenant = await openTenant();
    await tenant.addBillRun({ creditMemos: 2 });
    const { number } = await tenant.addBillRun({ status: 'Posted', creditMemos: 2 });
    await tenant.email(number, 'k');
    const answer = await tenant.call('GET', `/v1/credit-memos?sourceId=${number}&pageSize=1`);
    expect(answer.body).toMatchObject({
      success: true,
      creditmemos: [{ source: 'BillRun', sourceId: number, status: 'Posted' }],
    });
    expect(answer.bytes.toString()).not.toMatch(/email/i);

    const { nextPage = '' } = answer.body as { nextPage?: string };
    const second = await tenant.call('GET', nextPage.slice(tenant.url.length));
    expect(second.body).toHaveProperty('creditmemos.length', 1);
    // The highest number comes first.
    const numberIn = (body: unknown) => (body as { creditmemos: { number: string }[] }).creditmemos[0]?.number ?? '';
    expect(numberIn(answer.body) > numberIn(second.body)).toBe(true);
    expect(second.body).not.toHaveProperty('nextPage');
  });
});
