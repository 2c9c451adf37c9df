/** The check of a tenant, on the simulator with its switches both ways. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { controlOf, simulatorEnvironment } from '../../scripts/simulator-control.js';
import { facts, onlyASendShows } from '../../scripts/tenant/facts.js';
import { reportOn, type Report } from '../../scripts/tenant/report.js';
import { readTenant } from '../../scripts/tenant/tenant.js';
import { SIMULATOR_CREDENTIALS, startSimulator } from '../../simulator/index.js';
import { defaultSettings, settingsSchema, type SettingsChange } from '../../simulator/settings.js';
import { createZuora } from '../../zuora/client.js';
import { newFolder, startScript } from './script-process.js';

const NUMBER = 'BR-00000001';
/** A bill run with each kind of document that an email call may leave out, and one without documents. */
const BILL_RUN = {
  number: NUMBER,
  invoices: 6,
  creditMemos: 1,
  zeroAmountInvoices: 1,
  noEmailForZeroAmountInvoice: true,
};
const DOCUMENTS = {
  INV00000002: { invoiceDeliveryPrefsEmail: false },
  INV00000003: { workEmail: null },
  INV00000004: { pdf: 'error' },
  INV00000005: { email: 'failed', reason: 'no route to mail.customer.example' },
};

async function openTenant(settings: SettingsChange = {}) {
  const { url, close } = await startSimulator(settings);
  const zuora = createZuora({ baseUrl: new URL(url), credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS) });
  onTestFinished(async () => {
    await zuora.close();
    await close();
  });
  const control = controlOf(url);
  await control('POST', '/bill-runs', { ...BILL_RUN, status: 'Posted' });
  await control('POST', '/bill-runs', { invoices: 0, creditMemos: 0, postsAfterMs: 0 });
  for (const [document, change] of Object.entries(DOCUMENTS)) await control('PATCH', `/documents/${document}`, change);
  return {
    ...{ url, control },
    email: () =>
      zuora.emailBillRunDocuments(
        NUMBER,
        { resend: false },
        { idempotencyKey: 'k', trackId: 't' },
        { deadlineMs: 9_999 },
      ),
    report: async (key = NUMBER) =>
      reportOn(await readTenant(zuora, { key, origin: url, entityId: undefined, now: Date.now() })),
  };
}

async function reportAfterASend(settings: SettingsChange = {}): Promise<Report> {
  const { email, report } = await openTenant(settings);
  await email();
  return report();
}

function checkOf({ checks }: Report, name: string): Report['checks'][number] {
  const found = checks.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return found;
}

function namesWith({ checks }: Report, result: Report['checks'][number]['result']): readonly string[] {
  return checks.filter((each) => each.result === result).map(({ name }) => name);
}

test('on a tenant as assumed, every check shows it after a send', async () => {
  const report = await reportAfterASend();
  expect(namesWith(report, 'differs')).toEqual([]);
  expect(namesWith(report, 'not seen')).toEqual([]);
  expect(report.next).toBe(`bill-run-emails audit ${NUMBER}`);
});

test('before the first send, nothing differs, and what only emails show is not seen', async () => {
  const report = await (await openTenant()).report();
  expect(namesWith(report, 'differs')).toEqual([]);
  expect(namesWith(report, 'not seen')).toEqual([
    ...['historyEvent', 'historyNextPage', 'historyTimes', 'creditMemoHistory', 'dateOfFailure'],
    ...['zeroAmount', 'emailPreference', 'missingAddress', 'pdfErrors'],
  ]);
});

test('a bill run that is only completed, or has no documents, shows less, and nothing differs', async () => {
  const { control, report } = await openTenant();
  await control('POST', '/bill-runs', { number: 'BR-00000077', status: 'Completed' });
  const completed = await report('BR-00000077');
  expect(namesWith(completed, 'differs')).toEqual([]);
  expect(checkOf(completed, 'times').result).toBe('not seen');
  const empty = await report('BR-00000002');
  expect(namesWith(empty, 'differs')).toEqual([]);
  expect(namesWith(empty, 'not seen')).toEqual(expect.arrayContaining(['contacts', 'pdfStatus']));
});

describe('a switch of the simulator that is flipped', () => {
  const flips: readonly (readonly [string, SettingsChange])[] = [
    ['accounts', { missingPermissions: ['accounts'] }],
    ['notificationDefinitions', { missingPermissions: ['notificationDefinitions'] }],
    ['communicationProfiles', { missingPermissions: ['communicationProfiles'] }],
    ['emailHistory', { missingPermissions: ['notificationHistory'] }],
    ['pdfStatus', { missingPermissions: ['pdfStatus'] }],
    ['invoiceNotification', { invoiceNotificationActive: false }],
    ['creditMemoNotification', { creditMemoNotificationActive: false }],
    ['postedNotifications', { postedNotificationActive: true }],
    ['mutedProfiles', { profileMuted: true }],
    ['numberOnV1', { readByNumberOnV1: true }],
    ['entityHeader', { unneededHeaders: 'refuse' }],
    ['largePages', { pageSizeOver40: 'refuse' }],
    ['historyEvent', { eventCategoryAs: 'number' }],
    ['historyNextPage', { historyNextPage: 'own' }],
    ['historyTimes', { historyTimesIn: 'utc' }],
    ['dateOfFailure', { lastEmailSentDateSet: 'whenQueued' }],
    ['zeroAmount', { zeroAmountRuleHoldsForEmailCall: false }],
    ['emailPreference', { emailPreferenceHoldsForEmailCall: true }],
    ['missingAddress', { missingAddress: 'failed' }],
    ['pdfErrors', { emailWithPdfError: 'failed' }],
  ];

  test.each(flips)('differs in the check %s, which names it: %j', async (name, flip) => {
    const report = await reportAfterASend(flip);
    const { result, set, setting, todo } = checkOf(report, name);
    expect({ result, set }).toEqual({ result: 'differs', set: flip });
    expect(setting).toBe(Object.keys(flip)[0]);
    expect(todo).not.toBe('');
    expect(report.settings).toMatchObject(flip);
    expect(namesWith(report, 'differs')).toEqual([name]);
  });

  test('is reported with many others, and a simulator with the reported settings does the same', async () => {
    const all = Object.assign({}, ...flips.slice(9).map(([, flip]) => flip)) as SettingsChange;
    const report = await reportAfterASend({ ...all, utcOffset: '+05:30' });
    expect(report.settings).toMatchObject({ ...all, utcOffset: '+05:30' });
    expect(namesWith(report, 'differs')).toEqual(flips.slice(9).map(([name]) => name));
    const again = await reportAfterASend(report.settings);
    const resultsOf = ({ checks }: Report) => checks.map(({ name, result, set }) => ({ name, result, set }));
    expect(resultsOf(again)).toEqual(resultsOf(report));
  });

  test('stays open where the tenant cannot show it', async () => {
    const empty = checkOf(await reportAfterASend({ emptyBillRunsPost: false }), 'emptyBillRuns');
    expect(empty).toMatchObject({ result: 'not seen', setting: 'emptyBillRunsPost' });
    expect(empty.set).toBeUndefined();
    // A tenant in UTC has one zone for all times.
    expect(checkOf(await reportAfterASend({ utcOffset: '+00:00' }), 'historyTimes').result).toBe('not seen');
  });
});

describe('what the simulator does in one way only', () => {
  test('differs if the lists have other documents than the bill run says', async () => {
    const { control, report } = await openTenant();
    await control('PATCH', `/bill-runs/${NUMBER}`, { numberOfInvoices: 9 });
    expect(checkOf(await report(), 'documents')).toMatchObject({ result: 'differs', setting: null });
  });

  test.each([
    ['billRunKeys', (id: string) => `/object-query/billing-runs/${id}`, 404, 50000040],
    ['missingBillRun', () => '/object-query/billing-runs/BR-00000000', 400, 50000020],
  ])('differs in the check %s', async (name, pathOf, status, code) => {
    const { control, report } = await openTenant();
    const { id } = await control<{ id: string }>('GET', `/bill-runs/${NUMBER}`);
    const body = { reasons: [{ code, message: 'No.' }] };
    await control('POST', '/faults', {
      method: 'GET',
      path: pathOf(id),
      when: 'before',
      fault: 'respond',
      status,
      body,
    });
    expect(checkOf(await report(), name)).toMatchObject({
      result: 'differs',
      text: expect.stringMatching(new RegExp(`${code} No$`)) as string,
    });
  });

  test('differs if invoices come without their accounts', async () => {
    const { control, report } = await openTenant();
    const body = { data: [{ id: '8ad0', invoiceNumber: 'INV00000001' }] };
    const path = '/object-query/invoices';
    await control('POST', '/faults', { method: 'GET', path, when: 'before', fault: 'respond', status: 200, body });
    expect(checkOf(await report(), 'contacts')).toMatchObject({ result: 'differs', setting: null });
  });

  test('a time without a zone, or that cannot be read, differs', async () => {
    const { control, report } = await openTenant();
    for (const postedDate of ['2026-03-01 10:00:00', 'yesterday']) {
      await control('PATCH', `/bill-runs/${NUMBER}`, { postedDate });
      expect(checkOf(await report(), 'times')).toMatchObject({ result: 'differs' });
    }
  });

  test('a read that Zuora does not answer is not seen, and the check goes on', async () => {
    const { control, report } = await openTenant();
    const path = '/settings/communication-profiles';
    await control('POST', '/faults', { method: 'GET', path, when: 'before', fault: 'respond', status: 503, times: 9 });
    const found = await report();
    expect(checkOf(found, 'communicationProfiles').result).toBe('not seen');
    expect(checkOf(found, 'mutedProfiles').result).toBe('not seen');
    expect(namesWith(found, 'differs')).toEqual([]);
  });
});

test('every switch for what the documentation leaves open is decided by a check, or named as what only a send shows', () => {
  // The application sends no text as `resend`, and takes codes of errors in both forms.
  const withoutEffect = ['errorCodesAs', 'stringResend'];
  const named = [...facts.map(({ setting }) => setting), ...onlyASendShows.flatMap(({ settings }) => settings)];
  const all = Object.keys(settingsSchema.shape);
  const open = all.slice(all.indexOf('inactiveNotification'));
  expect(open.filter((name) => !named.some((each) => each === name))).toEqual(withoutEffect);
  expect(Object.keys(defaultSettings).toSorted()).toEqual(all.toSorted());
  for (const { rules } of [...facts, ...onlyASendShows]) {
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.every((rule) => rule >= 1 && rule <= 10)).toBe(true);
  }
});

test('docs/first-tenant.md names every check, and no other', () => {
  const page = readFileSync(join(projectRoot, 'docs', 'first-tenant.md'), 'utf8');
  const [, table = ''] = page.split(/^\| checks .*$/m);
  const [rows = ''] = table.split('\n\n');
  const cells = [...rows.matchAll(/^\|([^|]+)/gm)].map(([, cell]) => cell).join();
  const names = [...cells.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(names.toSorted()).toEqual(facts.map(({ name }) => name).toSorted());
});

describe('the command', () => {
  async function tenantCheck(env: NodeJS.ProcessEnv, ...args: string[]) {
    const script = startScript('tenant/main', { folder: newFolder(), args, env });
    return { code: await script.ended, stdout: script.stdout(), stderr: script.stderr() };
  }

  test('prints each check, what only a send shows and the next command, and only reads', async () => {
    const { url, control } = await openTenant();
    const { code, stdout, stderr } = await tenantCheck(simulatorEnvironment(url), 'br-00000001');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, question } of facts) expect(stdout).toContain(`${name}: ${question}`);
    for (const { question } of onlyASendShows) expect(stdout).toContain(question);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      `  bill-run-emails start ${NUMBER} --hold --requested-by first-tenant`,
    );
    const requests = await control<{ method: string; path: string }[]>('GET', '/requests');
    const writes = requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`);
    expect(writes).toEqual(['POST /oauth/token']);
  });

  test('ends with 1 if something differs, with the same in JSON', async () => {
    const { url } = await openTenant({ postedNotificationActive: true });
    const { code, stdout } = await tenantCheck(simulatorEnvironment(url), NUMBER, '--json');
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as Report;
    expect(checkOf(report, 'postedNotifications')).toMatchObject({
      ...{
        result: 'differs',
        setting: 'postedNotificationActive',
        set: { postedNotificationActive: true },
        rules: [6],
      },
      todo: expect.stringContaining('Switch its email off') as string,
    });
  });

  test('with Multi-entity, reads in the entity that is named', async () => {
    const { url } = await openTenant({ entities: ['e1', 'e2'] });
    const env = { ...simulatorEnvironment(url), ZUORA_MULTI_ENTITY: 'true' };
    const { code, stdout } = await tenantCheck(env, NUMBER, '--entity', 'e1');
    expect(code).toBe(0);
    expect(stdout).toContain(`start ${NUMBER} --entity e1 --hold `);
  });

  test.each([
    'https://rest.zuora.com',
    'https://rest.eu.zuora.com',
    'https://rest.new.zuora.com',
    'https://gateway.test',
  ])('refuses %s, behind which customers may be, and asks nothing there', async (ZUORA_BASE_URL) => {
    const env = { ...simulatorEnvironment(''), ZUORA_BASE_URL, ZUORA_ALLOWED_HOSTS: 'gateway.test' };
    const { code, stdout, stderr } = await tenantCheck(env, NUMBER);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--allow-production');
  });

  test('asks such a host with --allow-production', async () => {
    // Nothing listens there.
    const env = {
      ...simulatorEnvironment(''),
      ZUORA_BASE_URL: 'https://gateway.invalid',
      ZUORA_ALLOWED_HOSTS: 'gateway.invalid',
    };
    const { code, stderr } = await tenantCheck(env, NUMBER, '--allow-production');
    expect(code).toBe(1);
    expect(stderr).toContain('did not leave');
  });

  test.each([
    ['no bill run', [], {}, 'missing required argument'],
    ['a key that cannot be one', ['a b'], {}, 'billRunKey must be'],
    ['an unknown option', [NUMBER, '--send'], {}, "unknown option '--send'"],
    ['an entity without Multi-entity', [NUMBER, '--entity', 'e1'], {}, '--entity belongs to ZUORA_MULTI_ENTITY=true'],
    ['no credentials', [NUMBER], { ZUORA_CLIENT_SECRET: '' }, 'ZUORA_CLIENT_SECRET is missing'],
    ['an unknown bill run', ['BR-00000099'], {}, 'Zuora has no bill run BR-00000099'],
    ['a bill run that is not ready', ['BR-00000077'], {}, 'BR-00000077 is Processing'],
  ])('ends with 2 for %s', async (_what, args, env, sentence) => {
    const { url, control } = await openTenant();
    await control('POST', '/bill-runs', { number: 'BR-00000077', status: 'Processing' });
    const { code, stdout, stderr } = await tenantCheck({ ...simulatorEnvironment(url), ...env }, ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(sentence);
  });

  test('prints no secret and no address, whatever Zuora answers', async () => {
    const { url, control, email } = await openTenant();
    await email();
    const { clientSecret } = SIMULATOR_CREDENTIALS;
    const body = {
      success: false,
      reasons: [{ code: 50000010, message: `${clientSecret} a00000001@customer.example` }],
    };
    const paths = ['/v1/notification-history/email', '/object-query/accounts', '/settings/communication-profiles'];
    for (const path of paths) {
      await control('POST', '/faults', {
        ...{ method: 'GET', path, times: 9, when: 'before' },
        fault: 'respond',
        status: 403,
        body,
      });
    }
    for (const args of [[NUMBER], [NUMBER, '--json']]) {
      const { code, stdout, stderr } = await tenantCheck(simulatorEnvironment(url), ...args);
      expect(code).toBe(1);
      expect(stdout).toContain('[secret] [address]');
      expect(stdout + stderr).not.toMatch(/simulator-client-secret|customer\.example/);
    }
    const path = `/object-query/billing-runs/${NUMBER}`;
    await control('POST', '/faults', { method: 'GET', path, when: 'before', fault: 'respond', status: 403, body });
    const { code, stdout, stderr } = await tenantCheck(simulatorEnvironment(url), NUMBER);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('[secret] [address]');
  });
});
