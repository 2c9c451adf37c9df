/** What `documents` shows: by rule in the pure part, and on real parts through the command line. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { documents, type BillRunDocuments } from '../../client/index.js';
import { BillRunEmailsError } from '../../client/failures/errors.js';
import { documentsOf, type Reading } from '../../client/documents-report.js';
import { projectRoot } from '../../scripts/project-root.js';
import { SIMULATOR_CREDENTIALS, type SimulatorOptions } from '../../simulator/index.js';
import type { DocumentsRead } from '../../zuora/delivery.js';
import type { FollowedDocument } from '../../zuora/delivery-reads.js';
import { openTenant, type TenantUnderTest } from '../simulator/tenant.js';
import { cliGiven } from '../support/command-line.js';
import { inTurn, json, openLoopbackZuora, type Respond } from '../support/loopback-zuora.js';
import { openRig, type Rig } from '../support/rig.js';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-03-02T12:00:00Z');
const BILL_RUN = { id: '8ad0', number: 'BR-1', status: 'Posted' };

function document(fields: Partial<FollowedDocument> = {}): FollowedDocument {
  const plain = { kind: 'invoice', number: 'INV1', status: 'Posted', amount: 10, currency: 'USD', lastEmailed: null };
  return { ...plain, ...fields } as FollowedDocument;
}

type Parts = Partial<Omit<Reading, 'billRun' | 'documents'> & DocumentsRead> & { billRun?: object };

function reading({ billRun, emailed = null, hold = null, gaps = [], ...rest }: Parts = {}): Reading {
  const none = { documents: [], complete: true };
  return {
    ...{ billRun: { ...BILL_RUN, ...billRun }, at: NOON, emailed, hold, gaps },
    documents: { invoices: none, creditMemos: none, obstacles: new Map(), delivery: null, unread: [], ...rest },
  };
}

const of = (...args: Parameters<typeof reading>): BillRunDocuments =>
  documentsOf(reading(...args), { coolDownMs: 24 * HOUR });

const obstacles = ({ sends }: BillRunDocuments): string[][] =>
  sends.map(({ keptBackBy }) => keptBackBy.map(({ kind }) => kind));

describe('A document', () => {
  test.each<[string, Partial<FollowedDocument>, string, string, string]>([
    ['an invoice that shows no email', {}, 'no', 'yes', 'yes'],
    ['an invoice that shows an email', { lastEmailed: '2026-03-01T00:00:00Z' }, 'yes', 'no', 'yes'],
    ['a draft', { status: 'Draft' }, 'no', 'no', 'no'],
    ['an invoice of unknown status', { status: null }, 'no', 'unknown', 'unknown'],
    ['an emailed one of unknown status', { status: null, lastEmailed: 'x' }, 'yes', 'no', 'unknown'],
    ['a credit memo', { kind: 'creditMemo' }, 'unknown', 'unknown', 'yes'],
    ['a canceled credit memo', { kind: 'creditMemo', status: 'Canceled' }, 'unknown', 'no', 'no'],
  ])('%s shows what Zuora would do with it', (_what, fields, emailedBefore, first, resend) => {
    const { documents, sends } = of({ invoices: { documents: [document(fields)], complete: true } });
    expect(documents).toMatchObject([{ emailedBefore, wouldEmail: { first, resend } }]);
    expect(sends[0].wouldEmail).toEqual({ yes: 0, no: 0, unknown: 0, [first]: 1 });
    expect(sends[1].wouldEmail).toEqual({ yes: 0, no: 0, unknown: 0, [resend]: 1 });
  });

  test('that was never emailed is sent if it shows an email, and has no outcome otherwise', () => {
    const invoices = [document(), document({ number: 'INV2', lastEmailed: '2026-03-01T00:00:00Z' })];
    const found = of({ invoices: { documents: invoices, complete: true } });
    expect(found.documents.map(({ outcome }) => outcome)).toEqual([null, 'sent']);
    expect(found.outcomes).toEqual({ sent: 1, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 });
  });

  test('is not emailed while the bill run is not posted', () => {
    const { documents } = of({
      billRun: { status: 'Completed' },
      invoices: { documents: [document()], complete: true },
    });
    expect(documents).toMatchObject([{ wouldEmail: { first: 'no', resend: 'no' } }]);
  });
});

describe('What would keep a send back', () => {
  test.each(['job', 'all'] as const)('is a hold (%s), for both sends, before all else', (hold) => {
    expect(obstacles(of({ hold, billRun: { status: 'Completed' } }))).toEqual([
      ['held', 'notPosted'],
      ['held', 'notPosted'],
    ]);
  });

  test('is nothing, for a bill run that is posted', () => {
    expect(obstacles(of())).toEqual([[], []]);
  });

  test.each(['Completed', 'Canceled', 'SomethingNew'])('is the status %s, for both sends', (status) => {
    const found = of({ billRun: { status } });
    expect(obstacles(found)).toEqual([['notPosted'], ['notPosted']]);
    expect(found.sends[0].keptBackBy[0]?.text).toContain(status === 'Completed' ? 'A person must post' : status);
  });

  test('is autoEmail, no documents and the cool-down, for a first send alone, in the order of the workflow', () => {
    const lastEmailSentTime = '2026-03-02T11:00:00Z';
    const empty = { numberOfInvoices: 0, numberOfCreditMemos: 0 };
    const found = of({ billRun: { autoEmail: true, lastEmailSentTime, ...empty } });
    expect(obstacles(found)).toEqual([['autoEmail', 'noDocuments', 'coolDown'], []]);
    expect(found.sends[0].keptBackBy.map(({ until }) => until)).toEqual([null, null, '2026-03-03T11:00:00.000Z']);
  });

  test('is that the bill run was emailed, perhaps by its own job', () => {
    const [first] = of({ billRun: { invoicesEmailed: true } }).sends;
    expect(first.keptBackBy).toMatchObject([{ kind: 'emailedElsewhere', until: null }]);
    expect(first.keptBackBy[0]?.text).toMatch(/Zuora says that the bill run was emailed\. Unless its job did that/);
  });

  test('is a post at which Zuora emails by itself', () => {
    const billRun = { postedDate: '2026-03-02T11:00:00Z', postedNotifications: ['Invoice Posted'] };
    const found = of({ billRun });
    expect(found.sends).toMatchObject([
      {
        keptBackBy: [
          {
            kind: 'coolDown',
            until: '2026-03-03T11:00:00.000Z',
            text: expect.stringMatching(/at the post by its notification `Invoice Posted`.*waits until/) as string,
          },
        ],
      },
      { keptBackBy: [] },
    ]);
    expect(obstacles(of({ billRun: { postedDate: billRun.postedDate } }))).toEqual([[], []]);
  });

  test('is not a cool-down that is over, or a count that is missing', () => {
    const lastEmailSentTime = '2026-03-01T11:00:00Z';
    expect(obstacles(of({ billRun: { lastEmailSentTime, numberOfInvoices: 0 } }))).toEqual([[], []]);
  });
});

describe('A warning names', () => {
  const two = [document({ number: 'INV1' }), document({ number: 'INV2' })];

  test('nothing if the counts agree, or if Zuora does not count', () => {
    const invoices = { documents: two, complete: true };
    expect(of({ invoices, billRun: { numberOfInvoices: 2, numberOfCreditMemos: 0 } }).warnings).toEqual([]);
    expect(of({ invoices }).warnings).toEqual([]);
  });

  test('lists that do not match the counts of the bill run, and lists with more pages than are read', () => {
    const counts = { numberOfInvoices: 3, numberOfCreditMemos: 1 };
    const other = of({ invoices: { documents: two, complete: true }, billRun: counts });
    expect(other.warnings).toEqual([
      expect.stringContaining('lists 2 invoices, but counts 3'),
      expect.stringContaining('lists 0 credit memos, but counts 1'),
    ]);
    const long = of({ invoices: { documents: two, complete: false }, billRun: { numberOfInvoices: 3 } });
    expect(long.warnings).toEqual([expect.stringContaining('first 2 of 3 invoices')]);
  });

  test('credit memos that Zuora does not list, unless the bill run has none', () => {
    const unread = [{ what: 'credit memos', permission: null, message: 'HTTP 404' }] as const;
    expect(of({ unread }).warnings).toEqual([expect.stringMatching(/does not list credit memos here.*HTTP 404/)]);
    expect(of({ billRun: { numberOfCreditMemos: 0 } }).warnings).toEqual([]);
  });

  test('the permission for what could not be read', () => {
    const unread = [
      { what: 'notification definitions', permission: 'notification definitions', message: '403' },
    ] as const;
    expect(of({ unread }).warnings).toEqual([
      expect.stringMatching(/the permission for notification definitions is missing: 403$/),
    ]);
  });
});

function environment(url: string): NodeJS.ProcessEnv {
  const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
  return { ZUORA_BASE_URL: url, ZUORA_CLIENT_ID: clientId, ZUORA_CLIENT_SECRET: clientSecret };
}

/** What every answer without Temporal says. */
const AWAY = expect.stringMatching(/^Without Temporal it is not known .*127\.0\.0\.1:1/) as string;

describe('Zuora', () => {
  beforeEach(() => {
    vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:1');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('is asked for documents page by page, and for nothing else', async () => {
    const tenant = await openTenant({ emailDelayMs: 0 });
    const billRun = await tenant.addBillRun({ status: 'Posted', invoices: 120, creditMemos: 45 });
    await tenant.addBillRun({ status: 'Posted', invoices: 3, creditMemos: 3 });
    const before = await documents({ billRunKey: billRun.id }, environment(tenant.url));
    expect(before.documents.map(({ number }) => number)).toEqual(
      billRun.documents.map(({ number }) => number).toSorted((one, other) => rank(one) - rank(other)),
    );
    expect(before.sends.map(({ wouldEmail }) => wouldEmail)).toEqual([
      { yes: 120, no: 0, unknown: 45 },
      { yes: 165, no: 0, unknown: 0 },
    ]);
    expect(before).toMatchObject({ billRunNumber: billRun.number, emailed: null, warnings: [AWAY] });

    await tenant.email(billRun.number, 'k');
    const after = await documents({ billRunKey: billRun.number, coolDown: '1 hour' }, environment(tenant.url));
    expect(obstacles(after)).toEqual([['emailedElsewhere', 'coolDown'], []]);
    expect(after.sends[0].wouldEmail).toEqual({ yes: 0, no: 165, unknown: 0 });
    expect(after).toMatchObject({ emailed: { by: 'zuora', resend: false }, outcomes: { sent: 165 } });
    expect(await tenant.mailbox(billRun.number)).toHaveLength(165);
    const writes = (await tenant.requests()).filter(({ method }) => method !== 'GET');
    expect(writes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/oauth/token', `/v1/bill-runs/${billRun.number}/emails`]),
    );
    expect(new Set(writes.map(({ path }) => path)).size).toBe(2);
  });

  test('is read in the entity, which is required with Multi-entity and refused without', async () => {
    const tenant = await openTenant({ entities: ['e-1', 'e-2'] });
    const { number } = await tenant.addBillRun({ status: 'Posted', entityId: 'e-2' });
    const multiEntity = { ...environment(tenant.url), ZUORA_MULTI_ENTITY: 'true' };
    const { documents: listed } = await documents({ billRunKey: number, entityId: 'e-2' }, multiEntity);
    expect(listed).toHaveLength(4);
    expect(await typeOf(documents({ billRunKey: number, entityId: 'e-1' }, multiEntity))).toBe('NotFound');
    expect(await typeOf(documents({ billRunKey: number }, multiEntity))).toBe('InvalidInput');
    expect(await typeOf(documents({ billRunKey: number, entityId: 'e-1' }, environment(tenant.url)))).toBe(
      'InvalidInput',
    );
  });

  test('may refuse to list credit memos; the invoices are shown', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    await tenant.addFault({ method: 'GET', path: '/v1/credit-memos', fault: 'respond', when: 'before', status: 403 });
    const found = await documents({ billRunKey: number }, environment(tenant.url));
    expect(found.documents.map(({ kind }) => kind)).toEqual(['invoice', 'invoice', 'invoice']);
    expect(found.warnings).toEqual([AWAY, expect.stringContaining('403')]);
  });

  test('is asked for its notifications about the post; if it refuses, a warning says so', async () => {
    const tenant = await openTenant({ postedNotificationActive: true });
    const { number } = await tenant.addBillRun({ status: 'Posted' });
    const found = await documents({ billRunKey: number }, environment(tenant.url));
    expect(obstacles(found)).toEqual([['coolDown'], []]);
    expect(found.warnings).toEqual([AWAY]);
    await tenant.set({ missingPermissions: ['notificationDefinitions', 'communicationProfiles'] });
    const without = await documents({ billRunKey: number }, environment(tenant.url));
    expect(obstacles(without)).toEqual([[], []]);
    expect(without.warnings).toEqual([
      AWAY,
      expect.stringMatching(/the permission for notification definitions is missing: .*403/),
      expect.stringMatching(/the permission for communication profiles is missing: .*403/),
      expect.stringMatching(/notifications cannot be read.*403/),
    ]);
  });

  test('may name next pages without end: 250 are read, and no page twice', async () => {
    let invoice = 0;
    const invoices: Respond = (...args) => {
      json(200, {
        data: [{ id: `id-${++invoice}`, invoiceNumber: `INV${invoice}`, status: 'Posted' }],
        nextPage: `after ${invoice}`,
      })(...args);
    };
    const record = json(200, { id: 'i', billingRunNumber: 'BR-1', status: 'Posted' });
    const { baseUrl } = await openLoopbackZuora({
      call: (response, arrived) => {
        const memos = json(200, {
          creditmemos: [{ id: 'id-cm', number: 'CM1' }],
          nextPage: 'https://elsewhere.example/',
          success: true,
        });
        const answers = arrived.path.includes('billing-runs')
          ? record
          : arrived.path.includes('definitions')
            ? json(200, { data: [] })
            : arrived.path.includes('profiles')
              ? json(200, [])
              : arrived.path.includes('invoices')
                ? invoices
                : memos;
        answers(response, arrived);
      },
    });
    const { warnings } = await documents({ billRunKey: 'BR-1' }, environment(baseUrl.href));
    expect(warnings).toEqual([
      AWAY,
      'Only the first 250 invoices are listed; a send emails all of them.',
      'Only the first 1 credit memos are listed; a send emails all of them.',
    ]);
  });

  test('may be down, or answer nonsense: both differ from an unknown bill run', async () => {
    const away = environment('http://127.0.0.1:1');
    expect(await typeOf(documents({ billRunKey: 'BR-1' }, away))).toBe('ZuoraUnavailable');
    const record = json(200, { id: 'i', billingRunNumber: 'BR-1', status: 'Posted' });
    const { baseUrl } = await openLoopbackZuora({ call: inTurn(record, json(200, { success: true })) });
    expect(await typeOf(documents({ billRunKey: 'BR-1' }, environment(baseUrl.href)))).toBe('ZuoraUnavailable');
  });

  test.each<[string, SimulatorOptions, object, object, number, RegExp]>([
    [
      'an inactive notification',
      { invoiceNotificationActive: false },
      {},
      {},
      2,
      /^notification inactive: Manual Email/,
    ],
    [
      'one of credit memos',
      { creditMemoNotificationActive: false },
      {},
      {},
      1,
      /^notification inactive: Email Credit M/,
    ],
    [
      'none in its profile',
      {},
      { communicationProfile: 'bare' },
      {},
      1,
      /^notification inactive: Manual Email For Inv/,
    ],
    ['a muted profile', { profileMuted: true }, {}, {}, 3, /^its communication profile is muted/],
    [
      'no Email preference',
      {},
      { invoiceDeliveryPrefsEmail: false },
      {},
      1,
      /does not have the delivery preference Email/,
    ],
    ['no address', {}, { workEmail: null }, {}, 1, /^no address: /],
    [
      'a total of zero',
      {},
      {},
      { zeroAmountInvoices: 1, noEmailForZeroAmountInvoice: true },
      1,
      /^its total is zero, and the bill run has noEmailForZeroAmountInvoice/,
    ],
    ['a draft that has no address', {}, { workEmail: null, status: 'Draft' }, {}, 1, /^no address: /],
  ])(
    'says before the first send which documents go nowhere: %s',
    async (_what, options, change, billRun, most, reason) => {
      const tenant = await openTenant(options);
      const wanted = { status: 'Posted', invoices: 2, creditMemos: 1, ...billRun };
      const { number, documents: all } = await tenant.addBillRun(wanted);
      await tenant.control('PATCH', `/documents/${all[0]?.number ?? ''}`, change);
      const found = await documents({ billRunKey: number }, environment(tenant.url));
      const reached = found.documents.filter(({ obstacle }) => obstacle === null);
      const unreached = found.documents.filter(({ obstacle }) => obstacle !== null);
      expect(unreached).toHaveLength(most);
      for (const { obstacle, wouldEmail } of unreached) {
        expect(obstacle).toMatch(reason);
        expect(wouldEmail).toEqual({ first: 'no', resend: 'no' });
      }
      if (found.billRunStatus === 'Posted') for (const { wouldEmail } of reached) expect(wouldEmail.resend).toBe('yes');
      expect(found.obstacles).toEqual({ [unreached[0]?.obstacle ?? '']: most });
      expect(found.documents.map(({ outcome }) => outcome)).toEqual([null, null, null]);
      expect(found.outcomes.notSent).toBe(0);
    },
  );

  test('shows recipients only to who asks for them', async () => {
    const tenant = await openTenant();
    const { number, documents: all } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 1 });
    const change = {
      workEmail: null,
      personalEmail: 'p@customer.example',
      additionalEmailAddresses: 'x@c.example, y@c.example',
    };
    await tenant.control('PATCH', `/documents/${all[0]?.number ?? ''}`, change);
    await tenant.control('PATCH', `/documents/${all[1]?.number ?? ''}`, { workEmail: null });
    const question = { billRunKey: number, recipients: true };
    const found = await documents(question, environment(tenant.url));
    expect(found.documents.map(({ recipients }) => recipients)).toEqual([
      ['p@customer.example', 'x@c.example', 'y@c.example'],
      [],
      [expect.stringMatching(/^a\d+@customer\.example$/)],
    ]);
    const unasked = await documents({ billRunKey: number }, environment(tenant.url));
    expect(JSON.stringify(unasked)).not.toMatch(/@|recipients/);

    await tenant.set({ missingPermissions: ['accounts'] });
    const without = await documents(question, environment(tenant.url));
    expect(without.documents.map(({ recipients }) => recipients)).toEqual([null, null, null]);
    expect(without.warnings).toEqual([
      AWAY,
      expect.stringMatching(/the permission for accounts and contacts is missing/),
      expect.stringMatching(/^Recipients are not known.*403/),
    ]);
  });

  test('may have emailed at the post: its documents have outcomes, also without Temporal', async () => {
    const tenant = await openTenant();
    const automatic = { invoices: 2, creditMemos: 1, autoPost: true, autoEmail: true, postsAfterMs: 1000 };
    const { number, documents: all } = await tenant.addBillRun(automatic);
    await tenant.control('PATCH', `/documents/${all[0]?.number ?? ''}`, {
      email: 'failed',
      reason: 'connect timed out',
    });
    await tenant.set({ notificationActive: false });
    await tenant.advance(1000);
    const found = await documents({ billRunKey: number }, environment(tenant.url));
    expect(found).toMatchObject({
      emailed: { by: 'zuora', resend: false },
      documents: [
        { outcome: 'notSent', reason: 'failed: connect timed out' },
        { outcome: 'sent' },
        { outcome: 'sent' },
      ],
      sends: [{}, { wouldEmail: { yes: 0, no: 3 } }],
    });
  });
});

describe('The jobs of a bill run', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig();
  });
  afterAll(() => rig.close());
  beforeEach(() => {
    vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rig.afterTest();
  });
  const read = (billRunKey: string) => documents({ billRunKey }, environment(rig.simulatorUrl));
  const outcomes = ({ documents: all }: BillRunDocuments) => all.map(({ outcome, reason }) => reason ?? outcome);

  test('name the send of which each document has an outcome, with no worker asked', async () => {
    const { number } = await rig.billRun.create();
    const before = await read(number);
    expect(before).toMatchObject({ emailed: null, warnings: [] });
    expect(outcomes(before)).toEqual([null, null, null]);
    const failing = before.documents[1]?.number ?? '';
    await rig.control('PATCH', `/documents/${failing}`, { email: 'failed', reason: 'unknown SMTP host' });

    const startedAt = Date.now();
    const handle = await rig.start({ billRunKey: number });
    await rig.state(handle, 'Delivering');
    const after = await read(number);
    expect(outcomes(after)).toEqual(['sent', 'failed: unknown SMTP host', 'sent']);
    expect(after).toMatchObject({
      emailed: { by: 'job', resend: false },
      outcomes: { sent: 2, notSent: 1 },
      warnings: [],
    });
    expect(Date.parse(after.emailed?.since ?? '')).toBeGreaterThan(startedAt - 1000);
    expect(after.sends[0].wouldEmail).toEqual({ yes: 1, no: 2, unknown: 0 });

    await rig.resend(number, 'T-1');
    await rig.accepted(handle, 2);
    const again = await read(number);
    expect(again).toMatchObject({ emailed: { by: 'job', resend: true }, outcomes: { notSent: 0 } });
    expect(Date.parse(again.emailed?.since ?? '')).toBeGreaterThan(Date.parse(after.emailed?.since ?? ''));

    const printed = await cliGiven({ env: environment(rig.simulatorUrl) }, 'documents', number);
    expect(printed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/emailed +since .*by the job's resend: /) as string,
    });
  });
});

function rank(number: string): number {
  return Number(number.replace(/\D/g, '')) + (number.startsWith('CM') ? 1e9 : 0);
}

async function typeOf(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.catch((failure: unknown) => failure);
  return error instanceof BillRunEmailsError ? error.type : error;
}

describe('bill-run-emails documents', () => {
  function cli(tenant: Pick<TenantUnderTest, 'url'>, args: string[], env: NodeJS.ProcessEnv = {}) {
    return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const here = { PATH: process.env['PATH'], TEMPORAL_ADDRESS: '127.0.0.1:1' };
      const options = { env: { ...here, ...environment(tenant.url), ...env } };
      const command = [join(projectRoot, 'dist', 'client', 'cli', 'main.js'), 'documents', ...args];
      execFile(process.execPath, command, options, (error, stdout, stderr) => {
        resolve({ code: error?.code ?? 0, stdout, stderr });
      });
    });
  }

  test('prints a table or one JSON line, without Temporal, and nothing about customers', async () => {
    const tenant = await openTenant();
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 1, creditMemos: 1 });
    const printed = await cli(tenant, [number, '--json']);
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(printed.stdout)).toMatchObject({
      ...{ billRunKey: number, workflowId: `email-bill-run/${number}`, ok: true },
      ...{ billRunNumber: number, documents: [{}, {}] },
    });
    expect(printed.stdout).not.toMatch(/account|contact|@/i);

    const { stdout } = await cli(tenant, [number]);
    expect(stdout).toMatch(/INV\d+ +invoice +Posted +[\d.]+ USD +never +- +yes +yes\n/);
    expect(stdout).toMatch(/CM\d+ +credit memo +Posted +[\d.]+ USD +unknown +- +unknown +yes\n/);
    expect(stdout).toContain('Nothing was changed.');
  });

  test('ends with 4 if a document was not sent, whatever it lists, and prints a table, JSON or CSV', async () => {
    const tenant = await openTenant();
    const { number, documents: all } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 0 });
    const [failing, other] = all.map((each) => each.number);
    await tenant.control('PATCH', `/documents/${failing ?? ''}`, { email: 'failed', reason: '=unknown SMTP host' });
    await tenant.email(number, 'k');

    const { code, stdout } = await cli(tenant, [number]);
    expect(code).toBe(4);
    expect(stdout).toMatch(/emailed +since .*, by Zuora itself, or by somebody else: 1 sent, 1 notSent\n/);
    expect(stdout).toMatch(/warning +Without Temporal it is not known/);
    expect(stdout).toMatch(new RegExp(`${failing ?? ''} .* never +notSent +yes +yes +failed: =unknown SMTP host\n`));

    const sent = await cli(tenant, [number, '--only', 'sent', '--json']);
    expect(sent.code).toBe(4);
    expect(JSON.parse(sent.stdout)).toMatchObject({
      outcomes: { sent: 1, notSent: 1 },
      documents: [{ number: other }],
    });

    const csv = await cli(tenant, [number, '--only', 'notSent', '--format', 'csv', '--recipients']);
    expect(csv).toMatchObject({ code: 4, stderr: expect.stringMatching(/^Warning: Without Temporal .*\n$/) as string });
    expect(csv.stdout.replace('\uFEFF', '').trim().split('\r\n')).toEqual([
      'number,kind,status,amount,currency,lastEmailed,outcome,reason,first,resend,obstacle,recipients',
      expect.stringMatching(
        new RegExp(
          `^${failing ?? ''},invoice,Posted,[\\d.]+,USD,,notSent,failed: =unknown SMTP host,yes,yes,,a\\d+@customer.example$`,
        ),
      ),
    ]);
    expect(await cli(tenant, [number, '--only', 'lost'])).toMatchObject({ code: 2 });
  });

  test('counts the documents that no send would reach', async () => {
    const tenant = await openTenant({ invoiceNotificationActive: false });
    const { number } = await tenant.addBillRun({ status: 'Posted', invoices: 2, creditMemos: 1 });
    const { code, stdout } = await cli(tenant, [number]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /not reached +no send would email 2 of the documents now\n +2: notification inactive: Manual Email For Invoice/,
    );
    expect(stdout).toMatch(/resend +would be sent now: 1 of 3 documents would be emailed\n/);
  });

  test('ends with 2 for input and configuration, 3 for an unknown bill run, 7 for a Zuora that refuses us', async () => {
    const tenant = await openTenant();
    expect(await cli(tenant, ['../x'])).toMatchObject({ code: 2 });
    expect(await cli(tenant, ['BR-1', '--cool-down', '5'])).toMatchObject({ code: 2 });
    const missing = await cli(tenant, ['BR-1'], { ZUORA_CLIENT_ID: '' });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('ZUORA_CLIENT_ID is missing') as string });
    const unknown = await cli(tenant, ['BR-09999999']);
    expect(unknown).toMatchObject({ code: 3, stderr: expect.stringContaining('no bill run BR-09999999') as string });
    const refused = await cli(tenant, ['BR-1'], { ZUORA_CLIENT_SECRET: 'hunter2' });
    expect(refused).toMatchObject({ code: 7, stderr: expect.stringContaining('Check ZUORA_CLIENT_ID') as string });
    expect(refused.stdout + refused.stderr).not.toContain('hunter2');
  });
});
