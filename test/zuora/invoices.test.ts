import { describe, expect, test } from 'vitest';
import { invoicePageIn, maybeSince } from '../../zuora/invoices.js';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { openTenant } from '../simulator/tenant.js';
import { email, inTurn, json, openLoopbackZuora, openZuora } from '../support/loopback-zuora.js';
import { ZuoraFailure } from '../../zuora/client.js';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-03-02T12:00:00.400Z');

describe('a time of an invoice’s last email', () => {
  test.each<[string | undefined, boolean]>([
    [undefined, false],
    ['', false],
    ['yesterday', false],
    ['2026-03-02T12:00:00Z', true],
    ['2026-03-02T11:59:59Z', false],
    ['2026-03-02T05:00:00-07:00', true],
    ['2026-03-02T04:59:59-0700', false],
    // Without a zone it may be as late as 12 h after the same time in UTC.
    ['2026-03-02 00:00:00', true],
    ['2026-03-01 23:59:59', false],
    // A day may be until its end, in the latest zone.
    ['2026-03-02', true],
    ['2026-03-01', true],
    ['2026-02-28', false],
  ])('%s may be since noon: %s', (written, since) => {
    expect(maybeSince(written, NOON)).toBe(since);
  });
});

describe('a page of invoices', () => {
  test('is what Object Query answers, with or without a further page, and with null as nothing', () => {
    const data = [{ lastEmailSentDate: '2026-03-02' }, { id: 'a' }, { lastEmailSentDate: null }];
    expect(invoicePageIn(JSON.stringify({ data, nextPage: 'next' }))).toEqual({
      lastEmailed: ['2026-03-02', undefined, undefined],
      cursor: 'next',
    });
    expect(invoicePageIn('{"data":[],"nextPage":null}')).toEqual({ lastEmailed: [], cursor: undefined });
  });

  test.each(['', '<html>', '[]', '{}', '{"data":{}}', '{"data":[7]}', '{"data":[{"lastEmailSentDate":7}]}'])(
    'is not %s',
    (body) => {
      expect(invoicePageIn(body)).toBeUndefined();
    },
  );
});

describe('the invoices of a bill run that show an email', () => {
  test('are counted over all pages, and only those of the bill run', async () => {
    const tenant = await openTenant({ emailDelayMs: 0 });
    const zuora = openZuora(new URL(`${tenant.url}/`), { credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS) });
    const since = Date.now();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 230, creditMemos: 3 });
    await tenant.addBillRun({ status: 'Posted', invoices: 10, creditMemos: 0 });
    expect(await zuora.countEmailedInvoices(number, since)).toEqual({ invoices: 230, emailed: 0, complete: true });
    await email(zuora, { key: number });
    expect(await zuora.countEmailedInvoices(number, since)).toEqual({ invoices: 230, emailed: 230, complete: true });
    expect(await zuora.countEmailedInvoices(number, since + HOUR)).toMatchObject({ emailed: 0 });
  });

  test('are counted up to twenty pages, also where the cursor goes round in circles', async () => {
    const call = json(200, { data: [{ lastEmailSentDate: '2026-03-02T13:00:00Z' }, {}], nextPage: 'again' });
    const { baseUrl, calls } = await openLoopbackZuora({ call });
    const count = await openZuora(baseUrl).countEmailedInvoices('BR-1', NOON, { entityId: 'e-1' });
    expect(count).toEqual({ invoices: 40, emailed: 20, complete: false });
    expect(calls).toHaveLength(20);
    const query = new URL(calls[1]?.path ?? '', baseUrl).searchParams;
    expect(query.getAll('filter[]')).toEqual(['sourceid.EQ:BR-1']);
    expect(query.getAll('cursor')).toEqual(['again']);
    expect(calls[1]?.headers['zuora-entity-ids']).toBe('e-1');
  });

  test('are undefined if Zuora does not return them', async () => {
    const { baseUrl } = await openLoopbackZuora({ call: inTurn(json(200, { data: 'none' }), json(403, {})) });
    const zuora = openZuora(baseUrl);
    for (const kind of ['unavailable', 'refused']) {
      const failure: unknown = await zuora.countEmailedInvoices('BR-1', NOON).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ZuoraFailure);
      expect(failure).toMatchObject({ kind });
    }
  });
});
