import { describe, expect, it } from 'vitest';
import { codesOf, openTenant, type Email } from './tenant.js';

const HOUR_MS = 60 * 60 * 1000;

function perDocument(emails: readonly Email[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { documentNumber } of emails) counts[documentNumber] = (counts[documentNumber] ?? 0) + 1;
  return counts;
}

describe('the email call', () => {
  it('sends one email for each document of the bill run, by ID as by number, and says nothing of them', async () => {
    const tenant = await openTenant();
    const first = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 1 });
    const second = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    expect((await tenant.email(first.number, 'by-number')).body).toEqual({ success: true });
    expect((await tenant.email(second.id, 'by-id')).body).toEqual({ success: true });

    expect(await tenant.mailbox(first.number)).toMatchObject(
      first.documents.map((document) => ({
        billRunNumber: first.number,
        documentNumber: document.number,
        documentType: document.type,
        idempotencyKey: 'by-number',
        resend: false,
        sentAt: expect.stringMatching(/Z$/) as string,
      })),
    );
    expect(await tenant.mailbox(second.id)).toHaveLength(1);
    expect(await tenant.mailbox()).toHaveLength(4);
  });

  it('with resend=false reaches only documents that were never emailed, with resend=true all', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 1 });
    await tenant.email(number, 'first');
    await tenant.email(number, 'again', { resend: false });
    expect(await tenant.mailbox()).toHaveLength(2);
    await tenant.email(number, 'resend', { resend: true });
    expect((await tenant.mailbox()).map((email) => email.resend)).toEqual([false, false, true, true]);
  });

  it('is answered before its emails leave; only then are they recorded as sent', async () => {
    const tenant = await openTenant({ emailDelayMs: HOUR_MS });
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    expect((await tenant.email(number, 'k')).body).toEqual({ success: true });
    const record = async () => (await tenant.call('GET', `/object-query/billing-runs/${number}`)).body;
    expect(await tenant.mailbox()).toEqual([]);
    expect(await record()).not.toHaveProperty('lastEmailSentTime');

    await tenant.advance(HOUR_MS);
    expect(await tenant.mailbox()).toHaveLength(1);
    expect(await record()).toMatchObject({
      invoicesEmailed: true,
      lastEmailSentTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-07:00$/) as string,
    });
    const invoices = await tenant.call('GET', `/object-query/invoices?filter[]=sourceid.EQ:${number}`);
    expect(invoices.body).toHaveProperty('data[0].lastEmailSentDate');
  });

  it('with resend=false under another key, before the emails of the first have left, sends everything twice', async () => {
    const tenant = await openTenant({ emailDelayMs: HOUR_MS });
    const { number, documents } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'one');
    await tenant.email(number, 'two');
    await tenant.advance(HOUR_MS);
    const twice = Object.fromEntries(documents.map((document) => [document.number, 2]));
    expect(perDocument(await tenant.mailbox())).toEqual(twice);
  });

  it.each(['Completed', 'PostInProgress', 'Canceled'])('is refused while the bill run is %s', async (status) => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status });
    const answer = await tenant.email(number, 'k');
    expect([answer.status, codesOf(answer)]).toEqual([400, [50000030]]);
    expect(await tenant.mailbox()).toEqual([]);
  });

  it('is refused without a body, with a broken one, and with a resend that is not a boolean', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    const path = `/v1/bill-runs/${number}/emails`;
    const json = { 'content-type': 'application/json' };
    expect((await tenant.call('POST', path)).status).toBe(415);
    for (const [body, code] of [
      ['', 50000090],
      ['{"resend":', 50000090],
      ['[]', 50000090],
      ['{"resend":1}', 50000020],
      ['{"resend":"yes"}', 50000020],
      ['{"resend":null}', 50000020],
    ] as const) {
      const answer = await tenant.call('POST', path, { body, headers: json });
      expect([answer.status, codesOf(answer)], body).toEqual([400, [code]]);
    }
    expect(await tenant.mailbox()).toEqual([]);
  });

  it('takes resend as a string or refuses it, as stringResend says', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    expect((await tenant.email(number, 'k1', { resend: 'true' })).status).toBe(200);
    expect(await tenant.mailbox()).toMatchObject([{ resend: true }]);
    await tenant.set({ stringResend: 'refuse' });
    expect(codesOf(await tenant.email(number, 'k2', { resend: 'true' }))).toEqual([50000020]);
  });

  it('of an unknown bill run is a 404', async () => {
    const tenant = await openTenant();
    const answer = await tenant.email('BR-99999999', 'k');
    expect([answer.status, codesOf(answer)]).toEqual([404, [50000040]]);
  });

  it('is refused where inactiveNotification says so, and reaches what has an active one', async () => {
    const tenant = await openTenant({ inactiveNotification: 'refuse', notificationActive: false });
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 1 });
    expect(codesOf(await tenant.email(number, 'k1'))).toEqual([50000030]);
    await tenant.set({ notificationActive: 'invoices' });
    await tenant.email(number, 'k2');
    expect((await tenant.mailbox()).map((email) => email.documentType)).toEqual(['Invoice']);
  });

  it('leaves out invoices over nothing unless zeroAmountRuleHoldsForEmailCall says no', async () => {
    const tenant = await openTenant();
    const add = () =>
      tenant.addBillRun({
        status: 'Posted',
        invoices: 2,
        creditMemos: 0,
        zeroAmountInvoices: 1,
        noEmailForZeroAmountInvoice: true,
      });
    const [one, other] = [await add(), await add()];
    await tenant.email(one.number, 'k1');
    await tenant.set({ zeroAmountRuleHoldsForEmailCall: false });
    await tenant.email(other.number, 'k2');
    expect(await tenant.mailbox(one.number)).toHaveLength(1);
    expect(await tenant.mailbox(other.number)).toHaveLength(2);
  });
});

describe('auto-email', () => {
  it.each([
    { autoEmailCounts: true, emailsAfterTheCall: 1 },
    { autoEmailCounts: false, emailsAfterTheCall: 2 },
  ])(
    'sends after auto-post; with autoEmailCounts $autoEmailCounts a call makes it $emailsAfterTheCall',
    async (row) => {
      const tenant = await openTenant({ autoEmailCounts: row.autoEmailCounts });
      const billRun = { autoPost: true, autoEmail: true, invoices: 1, creditMemos: 0, postsAfterMs: 1000 };
      const { number } = await tenant.addBillRun(billRun);
      await tenant.advance(1000);
      expect(await tenant.mailbox()).toMatchObject([{ idempotencyKey: null, resend: null }]);
      expect((await tenant.call('GET', `/object-query/billing-runs/${number}`)).body).toMatchObject({
        invoicesEmailed: false,
        lastEmailSentTime: expect.any(String) as string,
      });
      await tenant.email(number, 'k');
      expect(await tenant.mailbox()).toHaveLength(row.emailsAfterTheCall);
    },
  );

  it('sends nothing for a bill run that somebody posts', async () => {
    const tenant = await openTenant();
    await tenant.addBillRun({ autoEmail: true, postsAfterMs: 1000 });
    await tenant.advance(1000);
    expect(await tenant.mailbox()).toEqual([]);
  });
});

describe('a notification about the post', () => {
  it('emails the documents of every post, and the bill run shows nothing of it', async () => {
    const tenant = await openTenant({ postedNotificationActive: true, emailDelayMs: 1000 });
    const { number } = await tenant.addBillRun({ invoices: 1, creditMemos: 1, postsAfterMs: 1000 });
    await tenant.advance(1000);
    expect(await tenant.mailbox()).toEqual([]);
    await tenant.advance(1000);
    expect(await tenant.mailbox()).toMatchObject([
      { documentType: 'Invoice', idempotencyKey: null, resend: null },
      { documentType: 'CreditMemo', idempotencyKey: null, resend: null },
    ]);
    const { body } = await tenant.call('GET', `/object-query/billing-runs/${number}`);
    expect(body).toMatchObject({ invoicesEmailed: false, postedDate: expect.any(String) as string });
    expect(body).not.toHaveProperty('lastEmailSentTime');
    const invoices = await tenant.call('GET', `/object-query/invoices?filter[]=sourceid.EQ:${number}`);
    expect(invoices.body).toHaveProperty('data[0].lastEmailSentDate');
    const history = await tenant.call('GET', '/v1/notification-history/email?failedOnly=false');
    expect(history.body).toMatchObject({ emailHistories: [{ eventCategory: '1110' }, { eventCategory: '2720' }] });
    await tenant.email(number, 'k');
    expect(await tenant.mailbox()).toHaveLength(2);
  });

  it('and a call right after the post email everything twice, because the first emails leave later', async () => {
    const tenant = await openTenant({ postedNotificationActive: true, emailDelayMs: HOUR_MS });
    const { number, documents } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.email(number, 'k');
    await tenant.advance(HOUR_MS);
    const twice = Object.fromEntries(documents.map((document) => [document.number, 2]));
    expect(perDocument(await tenant.mailbox())).toEqual(twice);
  });

  it('is among the definitions, which say whether they are active', async () => {
    const tenant = await openTenant({ notificationActive: 'invoices' });
    const definitions = async (category: string) =>
      (await tenant.call('GET', `/notifications/notification-definitions${category}`)).body;
    const of = (eventTypeName: string, active: boolean) => ({ eventTypeName, active, emailActive: true });
    expect(await definitions('')).toMatchObject({
      data: [
        of('Manual Email For Invoice', true),
        of('Email Credit Memo', false),
        of('Invoice Posted', false),
        of('Credit Memo Posted', false),
      ],
    });
    await tenant.set({ postedNotificationActive: true });
    expect(await definitions('?eventCategory=1110')).toMatchObject({ data: [of('Invoice Posted', true)] });
    expect(await definitions('?eventCategory=2720')).toMatchObject({ data: [of('Credit Memo Posted', true)] });
    expect(await definitions('?eventCategory=1410')).toEqual({ data: [] });
  });
});

describe('the email history', () => {
  const HISTORY = '/v1/notification-history/email';

  it('shows sent emails only with failedOnly=false, and one document by its object ID', async () => {
    const tenant = await openTenant();
    const { number, documents } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 0 });
    await tenant.email(number, 'k');
    expect((await tenant.call('GET', HISTORY)).body).toEqual({ emailHistories: [], nextPage: '', success: true });
    const all = await tenant.call('GET', `${HISTORY}?failedOnly=false`);
    expect(all.body).toHaveProperty('emailHistories.length', 2);
    const one = await tenant.call('GET', `${HISTORY}?failedOnly=false&objectId=${documents[0]?.id ?? ''}`);
    expect(one.body).toMatchObject({ emailHistories: [{ result: 'OK', eventCategory: '1130' }] });
    expect(one.bytes.toString()).not.toContain(documents[0]?.id);
  });

  it('covers the last day by default, and three days at most', async () => {
    const tenant = await openTenant({ historyTimesIn: 'utc' });
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 0 });
    const start = new Date(Date.now() - HOUR_MS).toISOString().slice(0, 19);
    await tenant.email(number, 'k');
    await tenant.advance(25 * HOUR_MS);
    const count = async (query: string) =>
      (await tenant.call('GET', `${HISTORY}?failedOnly=false${query}`)).body as { emailHistories: unknown[] };
    expect((await count('')).emailHistories).toHaveLength(0);
    expect((await count(`&startTime=${start}`)).emailHistories).toHaveLength(1);
    await tenant.advance(72 * HOUR_MS);
    expect((await tenant.call('GET', `${HISTORY}?startTime=${start}`)).status).toBe(400);
  });
});
