/** What every list, error and reply has in common, as Zuora's pages and samples show it. */
import { describe, expect, it } from 'vitest';
import { codesOf, openTenant, type TenantUnderTest } from './tenant.js';

describe('the lists of Object Query', () => {
  const find = async (tenant: TenantUnderTest, ...filters: string[]) => {
    const query = new URLSearchParams(filters.map((filter): [string, string] => ['filter[]', filter]));
    const answer = await tenant.call('GET', `/object-query/billing-runs?${query.toString()}`);
    return (answer.body as { data: { billingRunNumber: string }[] }).data.map((row) => row.billingRunNumber);
  };

  it.each([
    ['billingrunnumber.EQ:br-00000001', ['BR-00000001']],
    ['BillingRunNumber.eq:BR-00000001', ['BR-00000001']],
    ['billingrunnumber.NE:br-00000001', ['BR-00000002']],
    ['billingrunnumber.IN:[br-00000001,Br-00000002]', ['BR-00000002', 'BR-00000001']],
    ['status.SW:comp', ['BR-00000002', 'BR-00000001']],
    ['name.EQ:null', ['BR-00000002']],
    ['name.EQ:NULL', ['BR-00000002']],
    ['name.NE:null', ['BR-00000001']],
    ['name.EQ:NIGHTLY', ['BR-00000001']],
  ])('compare without regard to case, and null is the absent value: %s', async (filter, numbers) => {
    const tenant = await openTenant();
    await tenant.addBillRun({ name: 'Nightly' });
    await tenant.addBillRun();
    expect((await find(tenant, filter)).toSorted()).toEqual(numbers.toSorted());
  });

  it.each([
    'sort[]=status.ASC&sort[]=id.ASC',
    'sort[]=status.ASC,id.ASC',
    'expand[]=account',
    'expand[]=account.billto',
    'expand[]=weather',
  ])('of bill runs refuse %s with category 27', async (query) => {
    const tenant = await openTenant();
    await tenant.addBillRun();
    const answer = await tenant.call('GET', `/object-query/billing-runs?${query}`);
    expect([answer.status, codesOf(answer)]).toEqual([400, [50000027]]);
    expect((await tenant.call('GET', '/object-query/billing-runs?sort[]=status.desc')).status).toBe(200);
  });
});

describe('a page of /v1', () => {
  it.each(['41', '100', '2000'])('over 40 counts as 40, or is refused, as pageSizeOver40 says: %s', async (size) => {
    const tenant = await openTenant();
    await tenant.addBillRun({ status: 'Posted', invoices: 0, creditMemos: 45 });
    const path = `/v1/credit-memos?pageSize=${size}`;
    expect((await tenant.call('GET', path)).body).toHaveProperty('creditmemos.length', 40);
    await tenant.set({ pageSizeOver40: 'refuse' });
    expect(codesOf(await tenant.call('GET', path))).toEqual([50000020]);
  });
});

describe('an error', () => {
  it.each(['/v1/bill-runs/none', '/object-query/billing-runs/none'])(
    'has its code as a number or as text, as errorCodesAs says: %s',
    async (path) => {
      const tenant = await openTenant();
      expect(codesOf(await tenant.call('GET', path))).toEqual([50000040]);
      await tenant.set({ errorCodesAs: 'text' });
      expect(codesOf(await tenant.call('GET', path))).toEqual(['50000040']);
    },
  );

  it.each([
    ['POST', '/v1/bill-runs', { targetDate: '2026-01-31', colour: 'red' }, 'colour'],
    ['POST', '/v1/bill-runs/{id}/emails', { resend: false, documents: ['INV1'] }, 'documents'],
    ['POST', '/v1/bill-runs/{id}/emails', { Resend: true }, 'Resend'],
    ['PUT', '/v1/bill-runs/{id}/cancel', { force: true }, 'force'],
    ['PUT', '/v1/bill-runs/{id}/post', { postedDate: '2026-01-31' }, 'postedDate'],
  ])('of category 21 answers a field that is not known: %s %s %j', async (method, path, body, field) => {
    const tenant = await openTenant();
    const { id } = await tenant.addBillRun({ status: 'Completed' });
    const answer = await tenant.call(method, path.replace('{id}', id), { body });
    expect([answer.status, codesOf(answer)]).toEqual([400, [50000021]]);
    expect(answer.bytes.toString()).toContain(field);
  });

  it('is a 405 where the path knows other methods, and a 404 where it knows none', async () => {
    const tenant = await openTenant();
    const { id } = await tenant.addBillRun();
    for (const [method, path] of [
      ['GET', `/v1/bill-runs/${id}/emails`],
      ['PUT', `/v1/bill-runs/${id}/emails`],
      ['POST', `/v1/bill-runs/${id}/post`],
      ['DELETE', '/v1/credit-memos'],
      ['POST', '/object-query/invoices'],
    ] as const) {
      const answer = await tenant.call(method, path, { body: {} });
      expect([answer.status, codesOf(answer)], `${method} ${path}`).toEqual([405, [50000045]]);
    }
    expect((await tenant.call('GET', `/v1/bill-runs/${id}/weather`)).status).toBe(404);
  });
});

describe('a reply', () => {
  it('to a request for a token has the limits of a minute', async () => {
    const tenant = await openTenant();
    const answer = await tenant.send('POST', '/oauth/token', {
      body: 'grant_type=client_credentials&client_id=x&client_secret=y',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.headers).toMatchObject({
      'x-ratelimit-limit-minute': expect.stringMatching(/^\d+$/) as string,
      'x-ratelimit-remaining-minute': expect.stringMatching(/^\d+$/) as string,
    });
  });

  it.each(['/v1/credit-memos', '/object-query/billing-runs', '/notifications/notification-definitions'])(
    'of 401 names the scheme: %s',
    async (path) => {
      const tenant = await openTenant();
      const answer = await tenant.send('GET', path);
      expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    },
  );
});
