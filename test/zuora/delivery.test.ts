/** What a check of delivery reads of Zuora, in which order and how often, over HTTP. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ZuoraFailure } from '../../zuora/client.js';
import { readDelivery, type Delivery, type DeliveryMemory, type DeliveryQuestion } from '../../zuora/delivery.js';
import {
  creditMemo,
  definition,
  invoice,
  openEmailingZuora,
  PROFILE,
  type EmailingTenant,
} from '../support/emailing-zuora.js';
import { hostileJson, hostileText, seed } from '../support/hostile.js';
import { inTurn, json, reset, type Respond } from '../support/loopback-zuora.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SINCE = Date.parse('2026-11-28T12:00:00Z');
const HISTORY = 'v1/notification-history/email';
const HISTORY_PERMISSION = 'Events & Notifications View Access';
type Members = Readonly<Record<string, unknown>>;
const iso = (at: number) => new Date(at).toISOString();
const local = (at: number) => iso(at).slice(0, 19);
const sent = { lastEmailSentDate: iso(SINCE + MINUTE) };

function question(more: Partial<DeliveryQuestion> = {}): DeliveryQuestion {
  return {
    ...{
      billRunNumber: 'BR-00000001',
      billRunId: '8ad0',
      resend: false,
      since: SINCE,
      from: SINCE,
      now: SINCE + 5 * MINUTE,
    },
    ...{ before: {}, intervalMs: 5 * MINUTE, previous: null },
    ...more,
  };
}

async function check(tenant: EmailingTenant, more: Partial<DeliveryQuestion> = {}) {
  const opened = await openEmailingZuora(tenant);
  let turns = 0;
  const delivery = await readDelivery(opened.zuora, question(more), () => {
    turns += 1;
    return Promise.resolve();
  });
  expect(delivery.calls).toBe(opened.loopback.calls.length);
  expect(turns).toBe(delivery.calls);
  expect(JSON.parse(JSON.stringify(delivery))).toEqual(delivery);
  expect(JSON.stringify(delivery)).not.toMatch(/@|jane/i);
  return { ...opened, ...delivery };
}

const outcomes = ({ documents }: Pick<Delivery, 'documents'>) =>
  Object.fromEntries(documents.map(({ number, outcome }) => [number, outcome]));
const reasons = ({ documents }: Pick<Delivery, 'documents'>) =>
  Object.fromEntries(documents.map(({ number, reason }) => [number, reason]));
const row = (result: string, at: number, more: object = {}) => ({
  ...{ accountId: 'account-x', toEmail: 'jane.doe@customer.example', subject: 'For Jane', eventCategory: 1130 },
  ...{ result, errorMessage: result === 'OK' ? null : 'unknown SMTP host', sendTime: local(at), ...more },
});
const forbidden = json(403, { code: 10, message: 'no permission' });
const refusing =
  (wanted: string, respond: Respond): EmailingTenant['instead'] =>
  (path) =>
    path === wanted ? respond : undefined;

const tenThousand = (members: object) =>
  Array.from({ length: 10_000 }, (_, at) => invoice(`INV${String(at).padStart(8, '0')}`, { ...members }));

describe('ten thousand invoices', { timeout: 120_000 }, () => {
  test('take at most 110 calls where all are sent', async () => {
    const checked = await check({ invoices: tenThousand(sent) }, { numberOfInvoices: 10_000 });
    expect(checked.documents.filter(({ outcome }) => outcome === 'sent')).toHaveLength(10_000);
    expect(checked.complete).toBe(true);
    expect(checked.calls).toBeLessThanOrEqual(110);
    expect(checked.counts()).toEqual({
      ...{ 'object-query/invoices': 102, 'v1/credit-memos': 1, 'notifications/notification-definitions': 1 },
      ...{ 'settings/communication-profiles': 1, [HISTORY]: 1 },
    });
    expect(JSON.stringify(checked.remember).length).toBeLessThan(500);
  });

  test('take at most 510 calls where all are open', async () => {
    const memos = [creditMemo('CM1')];
    const checked = await check({ invoices: tenThousand({ amount: 0 }), creditMemos: memos });
    expect(new Set(Object.values(outcomes(checked)))).toEqual(new Set(['waiting']));
    expect(checked.calls).toBeLessThanOrEqual(510);
    expect(checked.counts()).toMatchObject({
      'object-query/invoices': 102,
      [HISTORY]: 200,
      'v1/invoices/pdf-status': 200,
    });
  });
});

describe('invoices', () => {
  test('are listed by the number of the bill run, with what decides about their emails', async () => {
    const { queries, loopback } = await check({ invoices: [invoice('INV1')] }, { scope: { entityId: 'e-1' } });
    const query = queries('object-query/invoices')[0];
    expect(query?.get('filter[]')).toBe('sourceid.EQ:BR-00000001');
    expect(query?.get('pageSize')).toBe('99');
    expect(query?.get('expand[]')).toBe('account.billto');
    expect(query?.get('billto.fields[]')).toBe('id,workemail,personalemail');
    for (const { headers } of loopback.calls) expect(headers['zuora-entity-ids']).toBe('e-1');
  });

  test.each<[string, EmailingTenant['instead'], readonly string[]]>([
    ['a missing permission', refusing('x', forbidden), ['accounts and contacts']],
    ['an expansion that Zuora does not know', refusing('x', json(400, { reasons: [{ code: 50000027 }] })), []],
    ['a page that is too large', refusing('x', (response) => response.end(' '.repeat(1024 * 1024 + 1))), []],
  ])('are listed without accounts after %s', async (_what, instead, permissionsMissing) => {
    const tenant: EmailingTenant = {
      invoices: [invoice('INV1', sent), invoice('INV2', {}, { billTo: { id: 'contact-1' } })],
      instead: (_path, query) => (query.has('expand[]') ? instead?.('x', query) : undefined),
    };
    const first = await check(tenant);
    expect(outcomes(first)).toEqual({ INV1: 'sent', INV2: 'waiting' });
    expect(first.permissionsMissing).toEqual(permissionsMissing);
    const last = await check(tenant, { now: SINCE + DAY, previous: first.remember });
    expect(outcomes(last)).toEqual({ INV1: 'sent', INV2: 'unknown' });
    expect(reasons(last)['INV2']).toMatch(/could be read: accounts and contacts$/);
  });

  test.each<[string, Respond]>([
    ['no permission', forbidden],
    ['no answer', reset],
    ['an answer of another shape', json(200, { success: true })],
  ])('that cannot be listed end the check: %s', async (_what, respond) => {
    const { zuora } = await openEmailingZuora({ instead: refusing('object-query/invoices', respond) });
    await expect(readDelivery(zuora, question())).rejects.toThrow(ZuoraFailure);
  });

  test('are incomplete where pages lead in circles, or fewer are listed than the bill run has', async () => {
    const page = (number: string, nextPage?: string) => json(200, { data: [invoice(number, sent)], nextPage });
    const pages = inTurn(page('INV1', 'b'), page('INV2', 'c'), page('INV3', 'b'), page('INV4'));
    const circles = await check({ instead: refusing('object-query/invoices', pages) });
    expect(outcomes(circles)).toEqual({ INV1: 'sent', INV2: 'sent', INV3: 'sent' });
    expect(circles.complete).toBe(false);
    expect((await check({ invoices: [invoice('INV1', sent)] }, { numberOfInvoices: 2 })).complete).toBe(false);
    expect((await check({ invoices: [invoice('INV1', sent)] }, { numberOfInvoices: 1 })).complete).toBe(true);
  });

  test('of a resend are sent by a date later than the one before: their own, or of the bill run', async () => {
    const dates = { INV1: SINCE - 2 * HOUR, INV2: SINCE - 2 * HOUR, INV3: SINCE + 1, constructor: SINCE - 2 * HOUR };
    const invoices = Object.entries(dates).map(([number, at]) => invoice(number, { lastEmailSentDate: iso(at) }));
    const before = { billRun: iso(SINCE - 2 * HOUR), invoices: { INV2: iso(SINCE - 3 * HOUR), INV3: null } };
    const checked = await check({ invoices }, { resend: true, before });
    expect(outcomes(checked)).toEqual({ INV1: 'waiting', INV2: 'sent', INV3: 'sent', constructor: 'waiting' });
  });
});

describe('credit memos', () => {
  test('are listed by the number of the bill run; the next page is counted, and never followed', async () => {
    const numbers = Array.from({ length: 90 }, (_, at) => `CM${at}`);
    const history = Object.fromEntries(
      numbers.map((number) => [`id-${number}`, [row('OK', SINCE, { eventCategory: '2730' })]]),
    );
    const checked = await check({ creditMemos: numbers.map((number) => creditMemo(number)), history });
    expect(checked.documents).toHaveLength(90);
    expect(new Set(Object.values(outcomes(checked)))).toEqual(new Set(['sent']));
    expect(checked.queries('v1/credit-memos').map((query) => [query.get('sourceId'), query.get('page')])).toEqual([
      ...[
        ['BR-00000001', null],
        ['BR-00000001', '2'],
        ['BR-00000001', '3'],
      ],
    ]);
    // Their history is read once: nothing else shows their emails.
    const again = await check(
      { creditMemos: numbers.map((number) => creditMemo(number)) },
      { previous: checked.remember },
    );
    expect(new Set(Object.values(outcomes(again)))).toEqual(new Set(['sent']));
    expect(again.counts()[HISTORY]).toBe(1);
  });

  test('are not listed if the bill run has none', async () => {
    const { counts, complete } = await check({ invoices: [invoice('INV1', sent)] }, { numberOfCreditMemos: 0 });
    expect(counts()).not.toHaveProperty(['v1/credit-memos']);
    expect(complete).toBe(true);
  });

  test.each([
    ['not part of this tenant', json(404, { reasons: [{ code: 50000040 }] }), []],
    ['not for these credentials', forbidden, ['credit memos']],
  ])('are left aside where they are %s', async (_what, respond, permissionsMissing) => {
    const instead = refusing('v1/credit-memos', respond);
    const checked = await check({ invoices: [invoice('INV1', sent), invoice('INV2')], instead }, { now: SINCE + DAY });
    expect(outcomes(checked)).toEqual({ INV1: 'sent', INV2: 'notSent' });
    expect(checked).toMatchObject({ complete: false, permissionsMissing });
  });

  test('emailed before a first send are found back to the posting, window by window', async () => {
    const tenant = {
      creditMemos: [creditMemo('CM1'), creditMemo('CM2')],
      history: { 'id-CM1': [row('OK', SINCE - 9 * DAY)] },
    };
    const checked = await check(tenant, { postedDate: iso(SINCE - 10 * DAY) });
    expect(outcomes(checked)).toEqual({ CM1: 'sent', CM2: 'waiting' });
    const windows = checked.queries(HISTORY).filter((query) => query.has('objectId'));
    for (const query of windows) {
      const [from, to] = ['startTime', 'endTime'].map((name) => Date.parse(`${query.get(name) ?? ''}Z`));
      expect((to ?? NaN) - (from ?? NaN)).toBeLessThanOrEqual(3 * DAY);
    }
    expect(
      windows
        .filter((query) => query.get('objectId') === 'id-CM2')
        .at(-1)
        ?.get('startTime'),
    ).toBe(local(SINCE - 11 * DAY));
    // The past is looked at once.
    const again = await check(tenant, { postedDate: iso(SINCE - 10 * DAY), previous: checked.remember });
    expect(again.counts()[HISTORY]).toBe(2);
    const resend = await check(tenant, {
      postedDate: iso(SINCE - 10 * DAY),
      resend: true,
      before: { billRun: iso(SINCE - 9 * DAY) },
    });
    expect(outcomes(resend)).toEqual({ CM1: 'waiting', CM2: 'waiting' });
    expect(resend.counts()[HISTORY]).toBe(3);
  });
});

describe('the history', () => {
  const failedInvoice = { history: { 'id-INV1': [row('Failed', SINCE + MINUTE)] } };

  test('of an open document says why, in a window of at most three days around the send', async () => {
    const checked = await check({ invoices: [invoice('INV1')], ...failedInvoice });
    expect(reasons(checked)).toEqual({ INV1: 'failed: unknown SMTP host' });
    const query = checked.queries(HISTORY).at(-1);
    expect(Object.fromEntries(query ?? [])).toEqual({
      ...{ objectId: 'id-INV1', failedOnly: 'false', page: '1', pageSize: '40' },
      ...{ startTime: local(SINCE - DAY), endTime: local(SINCE + 5 * MINUTE + DAY) },
    });
  });

  test('of sent documents is read for accounts with failures; a row counts only for its own document', async () => {
    const invoices = ['INV1', 'INV2', 'INV3'].map((number) =>
      invoice(number, { ...sent, accountId: number === 'INV3' ? 'c' : 'a' }),
    );
    const failures = [
      ...[row('Failed', SINCE + MINUTE, { accountId: 'a' }), row('Failed', SINCE - DAY, { accountId: 'c' })],
      ...[row('Failed', SINCE + MINUTE, { accountId: 'parent' }), row('Failed', SINCE, { accountId: null })],
    ];
    const checked = await check({
      invoices,
      failures,
      history: { ...failedInvoice.history, 'id-INV2': [row('OK', SINCE)] },
    });
    expect(outcomes(checked)).toEqual({ INV1: 'notSent', INV2: 'sent', INV3: 'sent' });
    expect(checked.queries(HISTORY).map((query) => query.get('objectId'))).toEqual([null, 'id-INV1', 'id-INV2']);
    expect(checked.otherFailures).toBe(2);
    // A failure stays known, and an email is not looked for again.
    const again = await check({ invoices, failures }, { previous: checked.remember });
    expect(reasons(again)).toEqual({ INV1: 'failed: unknown SMTP host', INV2: null, INV3: null });
    expect(again.queries(HISTORY).map((query) => query.get('objectId'))).toEqual([null, 'id-INV1']);
  });

  test('is probed for both kinds, page by page', async () => {
    const failures = Array.from({ length: 90 }, (_, at) =>
      row('Failed', SINCE + at, { eventCategory: at < 85 ? 1130 : '2730' }),
    );
    const checked = await check({ invoices: [invoice('INV1', sent)], creditMemos: [creditMemo('CM1')], failures });
    const probes = checked.queries(HISTORY).filter((query) => query.get('failedOnly') === 'true');
    expect(probes.map((query) => [query.get('eventCategory'), query.get('page')])).toEqual([
      ...[
        ['1130', '1'],
        ['1130', '2'],
        ['1130', '3'],
        ['2730', '1'],
      ],
    ]);
    expect(checked.otherFailures).toBe(90);
  });

  test('without its permission leaves credit memos unknown, and the other reads go on', async () => {
    const tenant = { invoices: [invoice('INV1'), invoice('INV2', sent)], creditMemos: [creditMemo('CM1')] };
    const checked = await check({ ...tenant, instead: refusing(HISTORY, forbidden) });
    expect(outcomes(checked)).toEqual({ INV1: 'waiting', INV2: 'sent', CM1: 'unknown' });
    expect(checked.permissionsMissing).toEqual([HISTORY_PERMISSION]);
    expect(reasons(checked)['CM1']).toContain(HISTORY_PERMISSION);
    expect(checked.counts()).toMatchObject({
      [HISTORY]: 1,
      'v1/invoices/pdf-status': 1,
      'v1/credit-memos/pdf-status': 1,
    });
  });

  test.each<[string, Respond]>([
    ['category 10 as HTTP 200', json(200, { success: false, reasons: [{ code: '53100010', message: 'no' }] })],
    ['category 10 as HTTP 400', json(400, { success: false, reasons: [{ code: 53100010 }] })],
    ['HTTP 403 alone', json(403, {})],
  ])('names the missing permission: %s', async (_what, respond) => {
    const checked = await check({ invoices: [invoice('INV1')], instead: refusing(HISTORY, respond) });
    expect(checked.permissionsMissing).toEqual([HISTORY_PERMISSION]);
  });

  test('that fails again and again is given up, and is named after a day', async () => {
    const invoices = Array.from({ length: 9 }, (_, at) => invoice(`INV${at}`));
    const instead: EmailingTenant['instead'] = (path, query) =>
      path === HISTORY && query.has('objectId') ? json(503, {}) : undefined;
    const checked = await check({ invoices, instead }, { now: SINCE + DAY });
    expect(checked.counts()[HISTORY]).toBe(4);
    expect(new Set(Object.values(reasons(checked)))).toEqual(
      new Set(['no email within 24 h, but not all could be read: its email history']),
    );
    expect(checked.permissionsMissing).toEqual([]);
  });

  test('is read in turn, so that each of many documents is looked at', async () => {
    const numbers = Array.from({ length: 500 }, (_, at) => `CM${String(at).padStart(4, '0')}`);
    const creditMemos = numbers.map((number) => creditMemo(number));
    const history = Object.fromEntries(numbers.map((number) => [`id-${number}`, [row('OK', SINCE)]]));
    let previous: DeliveryMemory | null = null;
    for (const unknown of [301, 102, 0]) {
      const checked: Delivery = await check({ creditMemos, history }, { previous });
      expect(checked.documents.filter(({ outcome }) => outcome === 'unknown')).toHaveLength(unknown);
      previous = checked.remember;
    }
  });

  test('of emails at the post has other events, and no inactive notification decides', async () => {
    const tenant = {
      invoices: [invoice('INV1'), invoice('INV2')],
      definitions: [],
      history: { 'id-INV1': [row('Failed', SINCE + MINUTE, { eventCategory: 1110 })] },
      failures: [row('Failed', SINCE + MINUTE, { eventCategory: 1110 })],
    };
    const checked = await check(tenant, { atPost: true, now: SINCE + HOUR });
    expect(outcomes(checked)).toEqual({ INV1: 'notSent', INV2: 'waiting' });
    expect(checked.otherFailures).toBe(1);
    const send = await check(tenant, { now: SINCE + 14 * MINUTE });
    expect(outcomes(send)).toEqual({ INV1: 'waiting', INV2: 'waiting' });
  });

  test('does not let a reminder decide', async () => {
    const history = { 'id-INV1': [row('Failed', SINCE + MINUTE, { eventCategory: 1140 })] };
    expect(outcomes(await check({ invoices: [invoice('INV1')], history }))).toEqual({ INV1: 'waiting' });
    const custom = { 'id-INV1': [row('Failed', SINCE + MINUTE, { eventCategory: 'user.notification:Mine' })] };
    expect(outcomes(await check({ invoices: [invoice('INV1')], history: custom }))).toEqual({ INV1: 'notSent' });
  });
});

describe('settings', () => {
  const two = [invoice('INV1'), invoice('INV2', {}, { communicationProfileId: 'profile-2' })];

  test.each<[string, readonly object[], object]>([
    [
      'active for both',
      [definition({ communicationProfileIds: [PROFILE, 'profile-2'] })],
      { INV1: 'waiting', INV2: 'waiting' },
    ],
    ['active for one', [definition()], { INV1: 'waiting', INV2: 'notSent' }],
    ['for callouts only', [definition({ emailActive: false })], { INV1: 'notSent', INV2: 'notSent' }],
    ['missing', [], { INV1: 'notSent', INV2: 'notSent' }],
    [
      'inactive for one, in the older form',
      [
        definition({ active: 'false', communicationProfileIds: null, communicationProfileId: PROFILE }),
        definition({ communicationProfileIds: ['profile-2'] }),
      ],
      { INV1: 'notSent', INV2: 'waiting' },
    ],
    [
      'active, and for no profile in particular',
      [definition({ communicationProfileIds: undefined })],
      { INV1: 'waiting', INV2: 'waiting' },
    ],
    [
      'of which Zuora says too little',
      [{ name: 'Email', communicationProfileIds: [PROFILE, 'profile-2'] }],
      { INV1: 'waiting', INV2: 'waiting' },
    ],
  ])('a notification that is %s', async (_what, definitions, expected) => {
    const tenant = { invoices: two, definitions: definitions as EmailingTenant['definitions'] & object };
    const first = await check(tenant);
    expect(new Set(Object.values(outcomes(first)))).toEqual(new Set(['waiting']));
    const early = await check(tenant, { now: SINCE + 15 * MINUTE - 1, previous: first.remember });
    expect(new Set(Object.values(outcomes(early)))).toEqual(new Set(['waiting']));
    const later = await check(tenant, { now: SINCE + 15 * MINUTE, previous: early.remember });
    expect(outcomes(later)).toEqual(expected);
  });

  test('a notification that the first check could not read counts as inactive from the check that reads it', async () => {
    const tenant = { invoices: [invoice('INV1')], definitions: [] };
    const path = 'notifications/notification-definitions';
    const first = await check({ ...tenant, instead: refusing(path, json(503, {})) });
    const second = await check(tenant, { now: SINCE + 15 * MINUTE, previous: first.remember });
    expect(outcomes(second)).toEqual({ INV1: 'waiting' });
    const third = await check(tenant, { now: SINCE + 30 * MINUTE, previous: second.remember });
    expect(outcomes(third)).toEqual({ INV1: 'notSent' });
  });

  test('a notification that was active at one check is not inactive at every check', async () => {
    let previous: DeliveryMemory | null = null;
    for (const [at, active] of [
      [5, true],
      [15, false],
      [60, false],
    ] as const) {
      const checked: Delivery = await check(
        { invoices: [invoice('INV1')], definitions: [definition({ active })] },
        { now: SINCE + at * MINUTE, previous },
      );
      expect(outcomes(checked)).toEqual({ INV1: 'waiting' });
      previous = checked.remember;
    }
  });

  test.each<[string, Members, Members, EmailingTenant]>([
    ['a muted profile', {}, {}, { profiles: [{ id: PROFILE, muted: true }] }],
    [
      'the muted profile of the document',
      { communicationProfileId: 'p-2' },
      {},
      { profiles: [{ id: 'p-2', muted: 'true' }] },
    ],
    [
      'the muted default profile',
      {},
      { communicationProfileId: null },
      { profiles: [{ id: 'p-3', isDefault: true, muted: true }] },
    ],
    ['no Email preference', {}, { invoiceDeliveryPrefsEmail: false }, {}],
    ['a total of zero', { amount: '0.00' }, {}, { zeroFlag: true }],
  ])('%s leaves an invoice out', async (_what, members, account, tenant) => {
    const checked = await check({ invoices: [invoice('INV1', members, account)], ...tenant });
    expect(outcomes(checked)).toEqual({ INV1: 'leftOut' });
    expect(checked.counts()[HISTORY]).toBe(1);
  });

  test('of accounts that only have credit memos are read, unless their emails are known', async () => {
    const numbers = Array.from({ length: 60 }, (_, at) => `CM${at}`);
    const account = { communicationProfileId: PROFILE, invoiceDeliveryPrefsEmail: false, billTo: { id: 'contact-1' } };
    const tenant = {
      creditMemos: numbers.map((number) => creditMemo(number)),
      accounts: numbers.map((number) => ({ ...account, id: `account-${number}` })),
    };
    const checked = await check(tenant);
    expect(new Set(Object.values(outcomes(checked)))).toEqual(new Set(['leftOut']));
    expect(checked.counts()['object-query/accounts']).toBe(2);
    const previous = { ...checked.remember, emailed: numbers.map((number) => `creditMemo ${number}`) };
    expect((await check(tenant, { previous })).counts()).not.toHaveProperty(['object-query/accounts']);
  });

  test('of an account count for its credit memos, which their list does not show', async () => {
    const memo = creditMemo('CM1', { accountId: 'account-INV1' });
    const checked = await check({
      invoices: [invoice('INV1', {}, { invoiceDeliveryPrefsEmail: false })],
      creditMemos: [memo],
    });
    expect(outcomes(checked)).toEqual({ INV1: 'leftOut', CM1: 'leftOut' });
  });

  test.each<[string, Members, Members, string]>([
    ['none', {}, { billTo: { id: 'contact-1', workEmail: ' ', personalEmail: null } }, 'notSent'],
    ['a personal one', {}, { billTo: { id: 'contact-1', personalEmail: 'jane@customer.example' } }, 'waiting'],
    [
      'an additional one',
      {},
      { billTo: { id: 'contact-1' }, additionalEmailAddresses: 'jane@customer.example' },
      'waiting',
    ],
    ['a contact that we may not read', {}, { billTo: null }, 'waiting'],
    ['a contact without fields', {}, { billTo: {} }, 'waiting'],
    ['an account that we may not read', { account: null }, {}, 'waiting'],
    ['a contact of its own', { billToContactId: 'contact-2' }, { billTo: { id: 'contact-1' } }, 'waiting'],
    ['the contact of its account', { billToContactId: 'contact-1' }, { billTo: { id: 'contact-1' } }, 'notSent'],
  ])('an address: %s', async (_what, members, account, outcome) => {
    const tenant = { invoices: [invoice('INV1', members, account)] };
    const first = await check(tenant);
    expect(outcomes(first)).toEqual({ INV1: 'waiting' });
    const early = await check(tenant, { now: SINCE + HOUR - 1, previous: first.remember });
    expect(outcomes(early)).toEqual({ INV1: 'waiting' });
    const last = await check(tenant, { now: SINCE + HOUR, previous: early.remember });
    expect(outcomes(last)).toEqual({ INV1: outcome });
  });

  test.each([
    ['notifications/notification-definitions', 'notification definitions'],
    ['settings/communication-profiles', 'communication profiles'],
    ['object-query/billing-runs', 'bill run'],
    ['v1/invoices/pdf-status', 'PDF status'],
  ])('that may not be read are named, and the other reads go on: %s', async (path, name) => {
    const tenant = {
      invoices: [invoice('INV1', sent), invoice('INV2', { amount: 0 })],
      instead: refusing(path, forbidden),
    };
    const checked = await check(tenant, { now: SINCE + DAY });
    expect(outcomes(checked)).toEqual({ INV1: 'sent', INV2: 'unknown' });
    expect(reasons(checked)['INV2']).toBe(`no email within 24 h, but not all could be read: ${name}`);
    expect(checked.permissionsMissing).toEqual([name]);
  });
});

describe('the PDF', () => {
  const broken = {
    pdfGenerationStatus: 'Error',
    errorCode: 'INVALID_TEMPLATE',
    errorMessage: 'Unknown merge field for jane@customer.example',
  };

  test('in error at two checks in a row decides; of both kinds, 50 a call', async () => {
    const numbers = Array.from({ length: 60 }, (_, at) => `INV${String(at)}`);
    const tenant = {
      ...{ invoices: numbers.map((number) => invoice(number)), creditMemos: [creditMemo('CM1')] },
      pdfs: { 'id-INV7': broken, 'id-CM1': broken, 'id-INV8': { pdfGenerationStatus: 'Processing' } },
    };
    const first = await check(tenant);
    expect(reasons(first)).toMatchObject({ INV7: null, CM1: null, INV8: 'its PDF is not ready: Processing' });
    expect(first.remember.pdfErrors).toEqual(['invoice INV7', 'creditMemo CM1']);
    const failing = await check(
      { ...tenant, instead: (path) => (path.endsWith('pdf-status') ? json(503, {}) : undefined) },
      { previous: first.remember },
    );
    const last = await check(tenant, { previous: failing.remember });
    expect(reasons(last)).toMatchObject({ INV7: 'PDF error: Unknown merge field for [address]', CM1: /PDF error/ });
    expect(last.queries('v1/invoices/pdf-status').map((query) => query.get('invoiceKeys')?.split(',').length)).toEqual([
      50, 10,
    ]);
    const fixed = await check({ ...tenant, pdfs: {} }, { previous: last.remember });
    expect(outcomes(fixed)).toMatchObject({ INV7: 'waiting', CM1: 'waiting' });
  });
});

describe('a check', () => {
  test('of a bill run without documents reads only the lists', async () => {
    expect((await check({})).counts()).toEqual({ 'object-query/invoices': 1, 'v1/credit-memos': 1 });
  });

  test('waits for its turn before each read, also where one is repeated; an error of the turn ends it', async () => {
    const withdrawn = inTurn(json(401, { message: 'Authentication error' }), json(200, { data: [] }));
    const { zuora, loopback } = await openEmailingZuora({ instead: refusing('object-query/invoices', withdrawn) });
    const arrivedAt: number[] = [];
    const { calls } = await readDelivery(zuora, question(), () => {
      arrivedAt.push(loopback.calls.length);
      return Promise.resolve();
    });
    expect(arrivedAt).toEqual([0, 1, 2]);
    expect(calls).toBe(3);
    const full = new Error('no turn');
    await expect(readDelivery(zuora, question(), () => Promise.reject(full))).rejects.toBe(full);
    expect(loopback.calls).toHaveLength(3);
  });

  test('ends if Zuora refuses our token', async () => {
    const { zuora } = await openEmailingZuora({
      invoices: [invoice('INV1')],
      instead: refusing(HISTORY, json(401, {})),
    });
    await expect(readDelivery(zuora, question())).rejects.toMatchObject({ kind: 'unauthorized' });
  });

  test('gives each document one outcome, or fails, whatever Zuora answers', { timeout: 120_000 }, async () => {
    const either = (valid: unknown) =>
      fc.oneof({ weight: 4, arbitrary: fc.constant(valid) }, { weight: 1, arbitrary: hostileJson });
    const members = fc.dictionary(
      fc.constantFrom(
        'status',
        'amount',
        'accountId',
        'lastEmailSentDate',
        'account',
        'billToContactId',
        'sendTime',
        'result',
      ),
      fc.oneof(hostileJson, fc.constant('2026-11-28 12:00:00')),
    );
    const tenants = fc.record({
      invoices: fc.array(
        fc.tuple(hostileText, members).map(([number, more]) => invoice(number || 'x', more)),
        { maxLength: 3 },
      ),
      rows: fc.array(
        fc.tuple(fc.constantFrom('OK', 'Failed', 'Warning'), members).map(([result, more]) => row(result, SINCE, more)),
      ),
      definitions: either([definition()]),
      profiles: either([{ id: PROFILE, muted: false }]),
      pdf: either({ invoiceFiles: [{ invoiceId: 'id-x', pdfGenerationStatus: 'Error' }] }),
      resend: fc.boolean(),
      now: fc.constantFrom(SINCE, SINCE + 2 * HOUR, SINCE + DAY),
    });
    const answers: Record<string, unknown> = {};
    const { zuora, loopback } = await openEmailingZuora({
      instead: (path) => json(200, answers[path] ?? { success: false }),
    });
    await fc.assert(
      fc.asyncProperty(tenants, async ({ invoices, rows, definitions, profiles, pdf, resend, now }) => {
        Object.assign(answers, {
          ...{ 'object-query/invoices': { data: invoices }, [HISTORY]: { emailHistories: rows, success: true } },
          ...{ 'notifications/notification-definitions': definitions, 'settings/communication-profiles': profiles },
          ...{ 'v1/invoices/pdf-status': pdf, 'v1/credit-memos': { creditmemos: [] } },
        });
        const found = await readDelivery(zuora, question({ resend, now })).catch((error: unknown) => error);
        if (found instanceof Error) expect(found).toBeInstanceOf(ZuoraFailure);
        expect(JSON.stringify(found)).not.toMatch(/customer\.example|Jane/);
      }),
      { seed, numRuns: 150 },
    );
    expect(loopback.calls.length).toBeGreaterThan(300);
  });
});
