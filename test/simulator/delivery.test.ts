/** What becomes of an email after Zuora said `success`, and what a client can see of it. */
import { describe, expect, it } from 'vitest';
import { codesOf, openTenant, type TenantUnderTest } from './tenant.js';

const HOUR_MS = 60 * 60 * 1000;

interface Row {
  readonly accountId: string;
  readonly eventCategory: unknown;
  readonly result: string;
  readonly errorMessage: string | null;
  readonly sendTime: string;
  readonly toEmail: string;
}

async function history(tenant: TenantUnderTest, query = 'failedOnly=false'): Promise<readonly Row[]> {
  const answer = await tenant.call('GET', `/v1/notification-history/email?${query}`);
  return (answer.body as { emailHistories: Row[] }).emailHistories;
}

const change = (tenant: TenantUnderTest, number: string, wanted: object) =>
  tenant.control('PATCH', `/documents/${number}`, wanted);

/** Posted, with documents in the order of their numbers: invoices first. */
async function posted(tenant: TenantUnderTest, invoices: number, creditMemos: number, wanted: object = {}) {
  const { number, id, documents } = await tenant.addBillRun({ status: 'Posted', invoices, creditMemos, ...wanted });
  return { number, id, documents, numbers: documents.map((document) => document.number) };
}

async function emailed(tenant: TenantUnderTest): Promise<readonly string[]> {
  return (await tenant.mailbox()).map((email) => email.documentNumber);
}

async function invoices(tenant: TenantUnderTest, query = ''): Promise<readonly Record<string, unknown>[]> {
  const answer = await tenant.call('GET', `/object-query/invoices?sort[]=invoicenumber.ASC${query}`);
  return (answer.body as { data: Record<string, unknown>[] }).data;
}

describe('the next email of a document', () => {
  it.each([
    [{ email: 'sent' }, { mails: 1, row: { result: 'OK', errorMessage: null } }],
    [
      { email: 'warning', reason: 'mailbox full' },
      { mails: 1, row: { result: 'Warning', errorMessage: 'mailbox full' } },
    ],
    [{ email: 'failed' }, { mails: 0, row: { result: 'Failed', errorMessage: 'The notification cannot be sent' } }],
    [
      { email: 'failed', reason: 'connect timed out' },
      { mails: 0, row: { result: 'Failed', errorMessage: 'connect timed out' } },
    ],
    [{ email: 'never' }, { mails: 0, row: undefined }],
  ])('comes to %j, for both kinds, and the one after it leaves', async (wanted, { mails, row }) => {
    const tenant = await openTenant();
    const { number, documents, numbers } = await posted(tenant, 1, 1);
    for (const each of numbers) await change(tenant, each, wanted);
    expect((await tenant.email(number, 'k1')).body).toEqual({ success: true });
    for (const { id, number: document } of documents) {
      const of = `failedOnly=false&objectId=${id}`;
      expect(await history(tenant, of)).toEqual(row === undefined ? [] : [expect.objectContaining(row)]);
      expect((await emailed(tenant)).filter((each) => each === document)).toHaveLength(mails);
    }
    expect(await history(tenant, '')).toHaveLength(row?.result === 'Failed' ? 2 : 0);
    expect('lastEmailSentDate' in ((await invoices(tenant))[0] ?? {})).toBe(mails > 0);

    await tenant.email(number, 'k2', { resend: true });
    expect(await emailed(tenant)).toHaveLength(2 * mails + 2);
  });

  it.each([60_000, HOUR_MS, 30 * HOUR_MS])(
    'leaves %i ms later on the clock if it is delayed, beside others',
    async (delayMs) => {
      const tenant = await openTenant({ emailDelayMs: 1000 });
      const { number, numbers } = await posted(tenant, 2, 0);
      await change(tenant, numbers[0] ?? '', { email: 'delayed', delayMs });
      await tenant.email(number, 'k');
      await tenant.advance(1000);
      expect(await emailed(tenant)).toEqual([numbers[1]]);
      await tenant.advance(delayMs);
      expect(await emailed(tenant)).toEqual([numbers[1], numbers[0]]);
    },
  );

  it.each([
    [true, 1],
    [false, 0],
  ])('after a failure is sent by resend=false if retriesFailed is %s', async (retriesFailed, mails) => {
    const tenant = await openTenant({ retriesFailed });
    const { number, numbers } = await posted(tenant, 1, 0);
    await change(tenant, numbers[0] ?? '', { email: 'failed' });
    await tenant.email(number, 'k1');
    await tenant.email(number, 'k2', { resend: false });
    expect(await tenant.mailbox()).toHaveLength(mails);
  });

  it('dates the invoice when it is queued, if lastEmailSentDateSet says so', async () => {
    const tenant = await openTenant({ lastEmailSentDateSet: 'whenQueued', emailDelayMs: HOUR_MS });
    const { number, numbers } = await posted(tenant, 2, 0);
    await change(tenant, numbers[0] ?? '', { email: 'failed' });
    await tenant.email(number, 'k');
    for (const invoice of await invoices(tenant)) expect(invoice).toHaveProperty('lastEmailSentDate');
  });

  it.each([
    [{ email: 'lost' }, 'email'],
    [{ email: 'delayed' }, 'delayMs'],
    [{ email: 'sent', delayMs: 5 }, 'delayMs'],
    [{ email: 'never', reason: 'x' }, 'reason'],
    [{ pdf: 'error', pdfDelayMs: 5 }, 'pdfDelayMs'],
    [{ status: 'Canceled' }, 'status'],
    [{ colour: 'red' }, 'colour'],
  ])('refuses %j', async (wanted, named) => {
    const tenant = await openTenant();
    const { numbers } = await posted(tenant, 1, 0);
    const answer = await tenant.send('PATCH', `/simulator/documents/${numbers[0] ?? ''}`, { body: wanted });
    expect(answer.status).toBe(400);
    expect(answer.bytes.toString()).toContain(named);
    expect((await tenant.send('PATCH', '/simulator/documents/INV99999999', { body: {} })).status).toBe(404);
  });
});

describe('a PDF', () => {
  const status = async (tenant: TenantUnderTest, kind: 'invoice' | 'creditMemo', keys: readonly string[]) => {
    const path = { invoice: 'invoices', creditMemo: 'credit-memos' }[kind];
    return tenant.call('GET', `/v1/${path}/pdf-status?${kind}Keys=${keys.join(',')}`);
  };

  it('is shown for IDs and numbers of its own kind, 50 at most', async () => {
    const tenant = await openTenant();
    const { documents, numbers } = await posted(tenant, 51, 1);
    await change(tenant, numbers[1] ?? '', { pdf: 'pending' });
    await change(tenant, numbers[2] ?? '', { pdf: 'error', reason: 'template broken' });
    const [one] = documents;
    const answer = await status(tenant, 'invoice', [one?.id ?? '', ...numbers.slice(1, 3)]);
    expect(answer.body).toMatchObject({
      success: true,
      invoiceFiles: [
        { invoiceId: one?.id, invoiceNumber: one?.number, pdfGenerationStatus: 'Generated', errorMessage: null },
        { invoiceNumber: numbers[1], pdfGenerationStatus: 'Pending' },
        { invoiceNumber: numbers[2], pdfGenerationStatus: 'Error', errorMessage: 'template broken' },
      ],
    });
    const memo = numbers.at(-1) ?? '';
    expect((await status(tenant, 'creditMemo', [memo])).body).toMatchObject({
      creditMemoFiles: [{ creditMemoNumber: memo, pdfGenerationStatus: 'Generated' }],
    });
    expect((await status(tenant, 'invoice', numbers.slice(0, 50))).status).toBe(200);
    expect(codesOf(await status(tenant, 'invoice', numbers.slice(0, 51)))).toEqual([50000020]);
    expect(codesOf(await status(tenant, 'invoice', []))).toEqual([50000023]);
    for (const key of [memo, 'INV-none']) expect((await status(tenant, 'invoice', [key])).status).toBe(404);
  });

  it('of a draft does not exist yet', async () => {
    const tenant = await openTenant();
    const { documents } = await tenant.addBillRun({ invoices: 1 });
    expect((await status(tenant, 'invoice', [documents[0]?.number ?? ''])).body).toMatchObject({
      invoiceFiles: [{ pdfGenerationStatus: 'None', createdOn: null }],
    });
  });

  it('that is pending holds its emails back until it is there: by the clock, or when it is set', async () => {
    const tenant = await openTenant();
    const { number, numbers } = await posted(tenant, 2, 1);
    await change(tenant, numbers[0] ?? '', { pdf: 'pending', pdfDelayMs: 5 * HOUR_MS });
    await change(tenant, numbers[2] ?? '', { pdf: 'pending' });
    await tenant.email(number, 'k');
    expect(await emailed(tenant)).toEqual([numbers[1]]);
    expect(await history(tenant)).toHaveLength(1);
    await tenant.advance(5 * HOUR_MS);
    expect(await emailed(tenant)).toEqual([numbers[1], numbers[0]]);
    await tenant.advance(100 * HOUR_MS);
    await change(tenant, numbers[2] ?? '', { pdf: 'generated' });
    expect(await emailed(tenant)).toEqual([numbers[1], numbers[0], numbers[2]]);
  });

  it('that is set again before its time keeps what was set last', async () => {
    const tenant = await openTenant();
    const { number, numbers } = await posted(tenant, 1, 0);
    await change(tenant, numbers[0] ?? '', { pdf: 'pending', pdfDelayMs: HOUR_MS });
    await change(tenant, numbers[0] ?? '', { pdf: 'pending' });
    await tenant.email(number, 'k');
    await tenant.advance(2 * HOUR_MS);
    expect(await emailed(tenant)).toEqual([]);
  });

  it('in error lets its emails wait or fail, as emailWithPdfError says', async () => {
    const tenant = await openTenant();
    const { number, numbers } = await posted(tenant, 1, 0);
    await change(tenant, numbers[0] ?? '', { pdf: 'error' });
    await tenant.email(number, 'k1');
    expect(await history(tenant)).toEqual([]);
    await tenant.set({ emailWithPdfError: 'failed' });
    await tenant.email(number, 'k2');
    expect(await history(tenant)).toMatchObject([
      { result: 'Failed', errorMessage: 'The notification cannot be sent' },
    ]);
    await change(tenant, numbers[0] ?? '', { pdf: 'generated' });
    expect(await emailed(tenant)).toEqual(numbers);
  });
});

describe('a notification', () => {
  it.each([
    [{ notificationActive: false }, []],
    [{ invoiceNotificationActive: false }, ['CreditMemo']],
    [{ creditMemoNotificationActive: false }, ['Invoice']],
    [{ notificationActive: 'invoices' }, ['Invoice']],
    [{ notificationActive: 'creditMemos' }, ['CreditMemo']],
    [{ profileMuted: true }, []],
  ] as const)('with %j: success, no row, and emails to %j', async (settings, types) => {
    const tenant = await openTenant();
    const { number } = await posted(tenant, 1, 1);
    await tenant.set(settings);
    expect((await tenant.email(number, 'k')).body).toEqual({ success: true });
    expect((await tenant.mailbox()).map((email) => email.documentType)).toEqual(types);
    expect(await history(tenant)).toHaveLength(types.length);
    await tenant.set({ notificationActive: true, profileMuted: false });
    await tenant.email(number, 'k2');
    expect(await tenant.mailbox()).toHaveLength(2);
  });

  it('belongs to a profile: accounts of another one are emailed nothing', async () => {
    const tenant = await openTenant();
    const { number, numbers } = await posted(tenant, 2, 0);
    await change(tenant, numbers[0] ?? '', { communicationProfile: 'bare' });
    await tenant.email(number, 'k');
    expect(await emailed(tenant)).toEqual([numbers[1]]);

    const profiles = (await tenant.call('GET', '/settings/communication-profiles')).body as { id: string }[];
    expect(profiles).toMatchObject([
      { isDefault: true, muted: false },
      { isDefault: false, muted: false },
    ]);
    const found = await invoices(tenant, '&expand[]=account');
    expect(found.map((invoice) => (invoice['account'] as Record<string, unknown>)['communicationProfileId'])).toEqual([
      profiles[1]?.id,
      profiles[0]?.id,
    ]);
    expect(found.map((invoice) => invoice['communicationProfileId'])).toEqual([profiles[1]?.id, profiles[0]?.id]);
    const definitions = async (index: number) =>
      (
        await tenant.call(
          'GET',
          `/notifications/notification-definitions?eventCategory=1130&profileId=${profiles[index]?.id ?? ''}`,
        )
      ).body;
    expect(await definitions(0)).toHaveProperty('data.length', 1);
    expect(await definitions(1)).toEqual({ data: [] });
    await tenant.set({ profileMuted: true });
    const muted = await tenant.call('GET', '/settings/communication-profiles');
    expect(muted.body).toMatchObject([{ muted: true }, { muted: false }]);
  });

  it('about the post emails each document once, when it posts, also without the Email preference', async () => {
    const tenant = await openTenant({ postedNotificationActive: true, failPostings: 1 });
    const { id, documents } = await tenant.addBillRun({ invoices: 2, creditMemos: 1 });
    const numbers = documents.map((document) => document.number);
    await change(tenant, numbers[1] ?? '', { invoiceDeliveryPrefsEmail: false });
    const post = async () => {
      await tenant.call('PUT', `/v1/bill-runs/${id}/post`, { body: {} });
      await tenant.advance(1000);
    };
    await post();
    expect(await emailed(tenant)).toEqual(numbers.slice(1));
    await post();
    expect((await emailed(tenant)).toSorted()).toEqual(numbers.toSorted());
    expect((await history(tenant)).map((row) => row.eventCategory)).toEqual(['1110', '2720', '1110']);
  });
});

describe('an account', () => {
  it('is added to invoices by expand[], with its bill-to contact and with the fields asked for', async () => {
    const tenant = await openTenant();
    const { numbers } = await posted(tenant, 2, 0);
    await change(tenant, numbers[1] ?? '', {
      workEmail: null,
      personalEmail: 'p@customer.example',
      additionalEmailAddresses: 'x@customer.example',
      invoiceDeliveryPrefsEmail: false,
    });
    expect((await invoices(tenant))[0]).not.toHaveProperty('account');
    const accounts = async (query: string) => (await invoices(tenant, query)).map((invoice) => invoice['account']);
    expect((await accounts('&expand[]=account'))[0]).not.toHaveProperty('billTo');
    expect(await accounts('&expand[]=Account.BillTo&fields[]=invoicenumber')).toMatchObject([
      { invoiceDeliveryPrefsEmail: true, billTo: { workEmail: 'a00000001@customer.example' } },
      {
        invoiceDeliveryPrefsEmail: false,
        additionalEmailAddresses: 'x@customer.example',
        billTo: { personalEmail: 'p@customer.example' },
      },
    ]);
    expect(await accounts('&expand[]=account,account.billto&account.fields[]=id&billto.fields[]=workemail')).toEqual([
      { id: expect.any(String) as string, billTo: { workEmail: 'a00000001@customer.example' } },
      { id: expect.any(String) as string, billTo: {} },
    ]);
    const [first] = await invoices(tenant, '&expand[]=billtocontact');
    expect(first).toHaveProperty('billToContact.workEmail', 'a00000001@customer.example');
    expect(codesOf(await tenant.call('GET', '/object-query/invoices?expand[]=account.parent'))).toEqual([50000027]);
  });

  it('is found by ID, with its contact', async () => {
    const tenant = await openTenant();
    await posted(tenant, 1, 1);
    const memos = await tenant.call('GET', '/v1/credit-memos');
    const { creditmemos } = memos.body as { creditmemos: { accountId: string }[] };
    const id = creditmemos[0]?.accountId ?? '';
    const found = await tenant.call('GET', `/object-query/accounts?filter[]=id.IN:[${id},x]&expand[]=billto`);
    expect(found.body).toMatchObject({ data: [{ id, billTo: { workEmail: 'a00000002@customer.example' } }] });
  });

  it.each([
    [{ workEmail: null }, undefined],
    [{ workEmail: null, personalEmail: 'p@customer.example' }, 'p@customer.example'],
    [{ personalEmail: 'p@customer.example' }, 'a00000001@customer.example'],
    [{ workEmail: null, additionalEmailAddresses: 'x@customer.example' }, 'x@customer.example'],
    [{ additionalEmailAddresses: 'x@customer.example' }, 'a00000001@customer.example,x@customer.example'],
  ])('of %j is emailed at %s', async (addresses, toEmail) => {
    const tenant = await openTenant();
    const { number, numbers } = await posted(tenant, 1, 0);
    await change(tenant, numbers[0] ?? '', addresses);
    await tenant.email(number, 'k');
    expect((await history(tenant)).map((row) => row.toEmail)).toEqual(toEmail === undefined ? [] : [toEmail]);
    if (toEmail !== undefined) return;
    await tenant.set({ missingAddress: 'failed' });
    await tenant.email(number, 'k2');
    expect(await history(tenant, '')).toMatchObject([{ result: 'Failed', toEmail: '' }]);
  });

  it('without the Email preference is emailed by a call unless emailPreferenceHoldsForEmailCall, not by auto-email', async () => {
    const tenant = await openTenant();
    const withoutPreference = async (numbers: readonly string[]) => {
      for (const each of numbers) await change(tenant, each, { invoiceDeliveryPrefsEmail: false });
    };
    const automatic = { invoices: 1, creditMemos: 0, autoPost: true, autoEmail: true, postsAfterMs: 1000 };
    await withoutPreference((await tenant.addBillRun(automatic)).documents.map((document) => document.number));
    await tenant.advance(1000);
    expect(await emailed(tenant)).toEqual([]);
    const { number, numbers } = await posted(tenant, 1, 0);
    await withoutPreference(numbers);
    await tenant.set({ emailPreferenceHoldsForEmailCall: true });
    await tenant.email(number, 'k1');
    expect(await emailed(tenant)).toEqual([]);
    await tenant.set({ emailPreferenceHoldsForEmailCall: false });
    await tenant.email(number, 'k2');
    expect(await emailed(tenant)).toEqual(numbers);
  });
});

describe('the email history', () => {
  it('has times with a T in the zone of the tenant, or in UTC, and reads those of a query in the same way', async () => {
    const tenant = await openTenant({ utcOffset: '+05:30' });
    const { number } = await posted(tenant, 1, 0);
    await tenant.email(number, 'k');
    const [email] = await tenant.mailbox();
    const sentAt = Date.parse(email?.sentAt ?? '');
    for (const [historyTimesIn, offsetMs] of [
      ['tenant', 5.5 * HOUR_MS],
      ['utc', 0],
    ] as const) {
      await tenant.set({ historyTimesIn });
      const local = (moment: number) => new Date(moment + offsetMs).toISOString().slice(0, 19);
      const [row] = await history(tenant);
      expect(row?.sendTime).toBe(local(sentAt));
      const window = (from: number, to: number) => `failedOnly=false&startTime=${local(from)}&endTime=${local(to)}`;
      expect(await history(tenant, window(sentAt - 60_000, sentAt + 60_000))).toHaveLength(1);
      expect(await history(tenant, window(sentAt - 120_000, sentAt - 60_000))).toHaveLength(0);
    }
  });

  it('counts pages to an empty nextPage, and names the next one on another host or its own', async () => {
    const tenant = await openTenant();
    const { number } = await posted(tenant, 40, 5);
    await tenant.email(number, 'k');
    const page = async (count: number) =>
      (await tenant.call('GET', `/v1/notification-history/email?failedOnly=false&pageSize=40&page=${count}`)).body;
    expect(await page(1)).toMatchObject({
      nextPage: expect.stringMatching(/^https:\/\/[^/]+\/apps\/v1\/notification-history\/email\?.*page=2/) as string,
    });
    expect(await page(2)).toMatchObject({ emailHistories: { length: 5 }, nextPage: '' });
    await tenant.set({ historyNextPage: 'own' });
    expect(await page(1)).toHaveProperty(
      'nextPage',
      expect.stringContaining(`${tenant.url}/v1/notification-history/email?`),
    );
  });

  it.each([
    ['text', ['1130', '2730']],
    ['number', [1130, 2730]],
  ] as const)('has event categories as a %s, and finds by them', async (eventCategoryAs, categories) => {
    const tenant = await openTenant({ eventCategoryAs });
    const { number, documents } = await posted(tenant, 1, 1);
    await change(tenant, documents[1]?.number ?? '', { email: 'failed' });
    await tenant.email(number, 'k');
    expect((await history(tenant)).map((row) => row.eventCategory)).toEqual(categories);
    expect(await history(tenant, 'eventCategory=1130')).toEqual([]);
    expect(await history(tenant, 'eventCategory=2730')).toMatchObject([{ eventCategory: categories[1] }]);
    const [row] = await history(tenant);
    expect(await history(tenant, `failedOnly=false&accountId=${row?.accountId ?? ''}`)).toEqual([row]);
  });
});

describe('a missing permission', () => {
  it.each([
    ['notificationHistory', '/v1/notification-history/email'],
    ['pdfStatus', '/v1/invoices/pdf-status?invoiceKeys=INV00000001'],
    ['pdfStatus', '/v1/credit-memos/pdf-status?creditMemoKeys=CM00000001'],
    ['communicationProfiles', '/settings/communication-profiles'],
    ['notificationDefinitions', '/notifications/notification-definitions'],
    ['accounts', '/object-query/accounts'],
    ['accounts', '/object-query/invoices?expand[]=account'],
  ])('for %s answers 403: %s', async (permission, path) => {
    const tenant = await openTenant();
    await posted(tenant, 1, 1);
    expect((await tenant.call('GET', path)).status).toBe(200);
    await tenant.set({ missingPermissions: [permission] });
    const answer = await tenant.call('GET', path);
    expect([answer.status, codesOf(answer)]).toEqual([403, [50000010]]);
    expect((await tenant.call('GET', '/object-query/invoices')).status).toBe(200);
  });
});

describe('unposting', () => {
  it.each([0, 1, 2])(
    'document %i takes a posted bill run to Completed, and posting it again to Posted',
    async (index) => {
      const tenant = await openTenant();
      const { number, numbers } = await posted(tenant, 2, 1);
      await tenant.email(number, 'k1');
      await change(tenant, numbers[index] ?? '', { status: 'Draft' });
      expect(await tenant.statusOf(number)).toBe('Completed');
      expect(codesOf(await tenant.email(number, 'k2'))).toEqual([50000030]);
      const states = (await invoices(tenant)).map((invoice) => invoice['status']);
      expect(states.filter((state) => state === 'Draft')).toHaveLength(index < 2 ? 1 : 0);
      await change(tenant, numbers[index] ?? '', { status: 'Posted' });
      expect(await tenant.statusOf(number)).toBe('Posted');
      await tenant.email(number, 'k3');
      expect(await tenant.mailbox()).toHaveLength(3);
    },
  );
});
