/** What the rules assume of Zuora, and what a tenant shows of it. The assumption is the simulator's default. Pure. */
import { defaultSettings, type Settings } from '../../simulator/settings.js';
import { ZuoraFailure } from '../../zuora/client.js';
import type { FollowedDocument, ListedRow } from '../../zuora/delivery-reads.js';
import { HISTORY_PERMISSION, isWord, isZero, NOTIFICATIONS } from '../../zuora/document-outcome.js';
import type { DocumentKind } from '../../zuora/documents.js';
import { momentOf } from '../../zuora/moment.js';
import { EVENTS, POSTED_EVENTS } from '../../zuora/notifications.js';
import type { Read, Tenant } from './tenant.js';

type Setting = keyof Settings;

export interface Finding {
  readonly result: 'as assumed' | 'differs' | 'not seen';
  /** What Zuora showed, or why it showed nothing. */
  readonly text: string;
  /** The setting with which the simulator does the same. */
  readonly set?: Partial<Settings>;
  /** What to do, or what to try. */
  readonly todo?: string;
}

export interface Fact {
  readonly name: string;
  readonly question: string;
  /** The switch of the simulator that it decides; null if the simulator knows one way only. */
  readonly setting: Setting | null;
  /** Those of the ten that depend on it. */
  readonly rules: readonly number[];
  readonly find: (tenant: Tenant) => Finding;
}

const NOTHING = 'Nothing: the application takes both';
const REPORT_IT = 'Release nothing yet: keep this output and open an issue, as the application expects another answer';
const AFTER_A_SEND = 'Run it again two hours after the release of the held job';

const asAssumed = (text: string, set: Partial<Settings> = {}): Finding => ({ result: 'as assumed', text, set });
const differs = (text: string, todo: string): Finding => ({ result: 'differs', text, todo });
const notSeen = (text: string, todo: string): Finding => ({ result: 'not seen', text, todo });

/** @param todo if it is not the simulator's default */
function settled<S extends Setting>(setting: S, value: Settings[S], text: string, todo = NOTHING): Finding {
  const set = { [setting]: value };
  const isAssumed = JSON.stringify(value) === JSON.stringify(defaultSettings[setting]);
  return isAssumed ? asAssumed(text, set) : { ...differs(text, todo), set };
}

function failed(failure: ZuoraFailure): Finding {
  // A whole answer that the application cannot read stays as it is.
  const isFinal = failure.kind !== 'unavailable' || failure.httpStatus === 200;
  return isFinal ? differs(failure.message, REPORT_IT) : notSeen(failure.message, 'Run it again in a moment');
}

/** @throws the failure, which {@link findingOf} explains */
function known<T>(read: Read<T>): T {
  if (read instanceof ZuoraFailure) throw read;
  return read;
}

/** A read without which others show nothing has a check of its own. */
export function findingOf({ find }: Fact, tenant: Tenant): Finding {
  try {
    return find(tenant);
  } catch (error) {
    if (error instanceof ZuoraFailure) return notSeen('what shows it cannot be read', 'See the check of that read');
    throw error;
  }
}

const fact = (
  name: string,
  setting: Setting | null,
  rules: readonly number[],
  question: string,
  find: Fact['find'],
): Fact => ({ name, setting, rules, question, find });

const withDocuments = ({ find, ...about }: Fact): Fact => ({
  ...about,
  find: (tenant) =>
    tenant.documents.length > 0 ? find(tenant) : notSeen('no document is listed', 'Try a bill run that has some'),
});

type Permission = Settings['missingPermissions'][number];

function readable(
  name: string,
  permission: Permission,
  what: string,
  without: string,
  readOf: (tenant: Tenant) => Read<unknown>,
): Fact {
  return fact(name, 'missingPermissions', [9], `Can ${what} be read?`, (tenant) => {
    const read = readOf(tenant);
    if (!(read instanceof ZuoraFailure)) return settled('missingPermissions', [], 'yes');
    if (!read.isForbidden) return failed(read);
    const todo = `Allow it for the user of the OAuth client; without it, ${without}`;
    return settled('missingPermissions', [permission], read.message, todo);
  });
}

function notification(
  name: string,
  kind: DocumentKind,
  setting: 'invoiceNotificationActive' | 'creditMemoNotificationActive',
): Fact {
  const question = `Does the notification ${NOTIFICATIONS[kind]} (event ${EVENTS[kind]}) email?`;
  return fact(name, setting, [9], question, ({ definitions }) => {
    const all = known(definitions[kind]);
    const active = all.filter(({ emails }) => emails === true).length;
    const text = `active definitions that email: ${active} of ${all.length}`;
    if (active === 0 && all.some(({ emails }) => emails === null)) return notSeen(text, 'Look at it in Zuora');
    const todo = 'Have it email in Zuora; if it does already, open an issue: the event has another code';
    return settled(setting, active > 0, text, todo);
  });
}

const invoicesOf = (tenant: Tenant) => tenant.documents.filter(({ kind }) => kind === 'invoice');
const hasFailed = ({ result }: ListedRow): boolean => isWord(result, 'failed');
/** By an email call or the action on the whole bill run, and some emails have left. */
const wasEmailed = (tenant: Tenant): boolean =>
  tenant.billRun.invoicesEmailed === true && invoicesOf(tenant).some(({ lastEmailed }) => lastEmailed !== null);

/** Of documents with a property: whether an email call leaves them out, or what becomes of their emails. */
function afterASend<S extends Setting>(
  setting: S,
  tenant: Tenant,
  has: (document: FollowedDocument) => boolean,
  valueOf: (emailed: number, failures: number) => Settings[S],
): Finding {
  const concerned = [...known(tenant.emails)].filter(([document]) => has(document));
  if (concerned.length === 0) return notSeen('no document here is of this kind', 'Try a bill run that has one');
  if (!wasEmailed(tenant)) return notSeen('no email call was made for this bill run', AFTER_A_SEND);
  const emailed = concerned.filter(([{ lastEmailed }]) => lastEmailed !== null).length;
  const failures = concerned.filter(([, rows]) => rows.some(hasFailed)).length;
  const text = `of ${concerned.length} such documents, ${emailed} have an email so far, ${failures} a failed one`;
  return settled(setting, valueOf(emailed, failures), text);
}

/** An account that cannot be read says nothing about its documents. */
function accountOf({ account }: FollowedDocument, { accounts }: Tenant): FollowedDocument['account'] {
  if (account === null) known(accounts);
  return account;
}

/** What a clock shows, as if it were in UTC. */
const clockTime = (written: string | null): number =>
  Date.parse(`${(written ?? '').trim().replace(' ', 'T').slice(0, 19)}Z`);

/** Between two times of one email, in milliseconds. */
const CLOSE_MS = 10 * 60 * 1000;
const DAY = 24 * 60 * 60 * 1000;

/** In the order in which they are printed. */
export const facts: readonly Fact[] = [
  fact(
    'billRunKeys',
    null,
    [3],
    'Is a bill run found by its number and by its ID?',
    ({ billRun, byOtherKey: other }) => {
      if (other instanceof ZuoraFailure) return failed(other);
      return other.id === billRun.id ? asAssumed('both find the same one') : differs('they find two', REPORT_IT);
    },
  ),
  fact('missingBillRun', null, [1], 'Does a bill run that does not exist read as not found?', ({ missing: read }) => {
    if (!(read instanceof ZuoraFailure)) return differs('Zuora shows one', REPORT_IT);
    return read.kind === 'notFound' ? asAssumed(read.message) : failed(read);
  }),
  fact('documents', null, [9], 'Are the documents of a bill run listed by its number, and no others?', (tenant) => {
    const { invoices, creditMemos, documents, billRun } = tenant;
    const unlisted = [invoices, creditMemos].find((each) => each instanceof ZuoraFailure);
    if (unlisted !== undefined) return failed(unlisted);
    const counts = [invoicesOf(tenant).length, documents.length - invoicesOf(tenant).length].join(' and ');
    const announced = [billRun.numberOfInvoices, billRun.numberOfCreditMemos].map((each) => each ?? '?').join(' and ');
    const text = `invoices and credit memos: ${counts} in the lists, ${announced} by the bill run`;
    if (!tenant.allListed) return notSeen(text, 'Try a smaller bill run');
    if (announced.includes('?')) return notSeen(text, 'Compare the lists with Zuora yourself');
    return counts === announced ? asAssumed(text) : differs(text, REPORT_IT);
  }),
  readable('accounts', 'accounts', 'accounts and contacts', 'a missing address is not noticed', (tenant) =>
    tenant.invoicesWithAccounts instanceof ZuoraFailure ? tenant.invoicesWithAccounts : tenant.accounts,
  ),
  withDocuments(
    fact('contacts', null, [9], 'Do accounts come with their bill-to contacts?', (tenant) => {
      known(tenant.invoicesWithAccounts);
      known(tenant.accounts);
      const found = tenant.documents.filter(({ account }) => typeof account?.hasAddress === 'boolean').length;
      const text = `they do for ${found} of ${tenant.documents.length} documents`;
      return found === tenant.documents.length ? asAssumed(text) : differs(text, REPORT_IT);
    }),
  ),
  {
    ...readable(
      'notificationDefinitions',
      'notificationDefinitions',
      'notification definitions',
      'one that is off, or that emails at the post, is not noticed',
      ({ definitions: { invoice, creditMemo }, postedNotifications }) =>
        [invoice, creditMemo, postedNotifications].find((each) => each instanceof ZuoraFailure),
    ),
    rules: [6, 9],
  },
  readable(
    'communicationProfiles',
    'communicationProfiles',
    'communication profiles',
    'a muted profile is not noticed',
    ({ profiles }) => profiles,
  ),
  readable(
    'emailHistory',
    'notificationHistory',
    `the email history (${HISTORY_PERMISSION})`,
    'credit memos and failed emails stay unknown',
    ({ recentEmails }) => recentEmails,
  ),
  withDocuments(
    readable(
      'pdfStatus',
      'pdfStatus',
      'the status of PDFs',
      'a PDF in error is noticed after 24 hours only',
      ({ pdfErrors }) => pdfErrors,
    ),
  ),

  fact('times', 'utcOffset', [6], 'Do times of Object Query name their zone?', ({ billRun: { postedDate } }) => {
    if (postedDate === undefined) return notSeen('the bill run has no time of a post', 'Try one that is posted');
    const text = `postedDate is ${postedDate}`;
    if (momentOf(postedDate) === undefined) return differs(`${text}, which cannot be read`, REPORT_IT);
    const zone = /(Z|[+-]\d\d:?\d\d)$/i.exec(postedDate.trim())?.[1];
    if (zone === undefined) return differs(text, 'Nothing: a first send may wait up to a day longer than necessary');
    const utcOffset = zone.toUpperCase() === 'Z' ? '+00:00' : zone.replace(/^(...):?/, '$1:');
    return asAssumed(text, { utcOffset });
  }),
  notification('invoiceNotification', 'invoice', 'invoiceNotificationActive'),
  notification('creditMemoNotification', 'creditMemo', 'creditMemoNotificationActive'),
  fact('postedNotifications', 'postedNotificationActive', [6], 'Does Zuora itself email at the post?', (tenant) => {
    const names = known(tenant.postedNotifications);
    const text = names.length === 0 ? 'no active definition does' : `yes: ${names.join(', ')}`;
    const todo = 'Switch its email off in Zuora, or customers get two; meanwhile first sends wait a day after the post';
    return settled('postedNotificationActive', names.length > 0, text, todo);
  }),
  fact('mutedProfiles', 'profileMuted', [9], 'Is the default profile muted, or one that a document uses?', (tenant) => {
    const used = new Set(tenant.documents.map(({ profileId, account }) => profileId ?? account?.profileId));
    const muted = known(tenant.profiles).filter(({ id, isDefault, muted }) => {
      return muted === true && (isDefault === true || used.has(id));
    });
    const text = muted.length === 0 ? 'no' : `yes: ${muted.map(({ id, name }) => name ?? id).join(', ')}`;
    return settled('profileMuted', muted.length > 0, text, 'Unmute it in Zuora, or its accounts are emailed nothing');
  }),

  fact('numberOnV1', 'readByNumberOnV1', [1], 'Does /v1/bill-runs/{id} take a number?', ({ byNumberOnV1: read }) => {
    if (!(read instanceof ZuoraFailure)) return settled('readByNumberOnV1', true, 'it does');
    if (read.kind === 'unauthorized')
      return notSeen(read.message, 'Allow the user of the OAuth client to read bill runs');
    return read.kind === 'unavailable' ? failed(read) : settled('readByNumberOnV1', false, read.message);
  }),
  fact('entityHeader', 'unneededHeaders', [1], 'Is Zuora-Entity-Ids ignored without Multi-entity?', (tenant) => {
    const { entityId, withEntity: read } = tenant;
    if (entityId !== undefined) return notSeen('the tenant has Multi-entity', 'Nothing: it is needed there');
    if (!(read instanceof ZuoraFailure)) return settled('unneededHeaders', 'ignore', 'it is');
    const todo = 'Nothing: name no entity and no org in a start';
    return read.kind === 'unavailable' ? failed(read) : settled('unneededHeaders', 'refuse', read.message, todo);
  }),
  fact('largePages', 'pageSizeOver40', [9], 'Is a page of over 40 rows on /v1 answered?', (tenant) => {
    known(tenant.recentEmails);
    const { largePage: read } = tenant;
    if (!(read instanceof ZuoraFailure)) return settled('pageSizeOver40', 'cap', 'one of 41 is');
    return read.kind === 'unavailable' ? failed(read) : settled('pageSizeOver40', 'refuse', read.message);
  }),
  fact(
    'emptyBillRuns',
    'emptyBillRunsPost',
    [6],
    'Does a bill run without documents post?',
    ({ emptyAndPosted: read }) => {
      if (read instanceof ZuoraFailure) return failed(read);
      if (read > 0) return settled('emptyBillRunsPost', true, 'the tenant has one that is posted');
      return notSeen('the tenant has none that is posted', 'Post a bill run of an account that owes nothing');
    },
  ),

  fact('historyEvent', 'eventCategoryAs', [9], 'Is eventCategory of the email history text?', ({ recentEmails }) => {
    const event = known(recentEmails).emailHistories[0]?.eventCategory;
    if (event == null) return notSeen('no email left in the last two days', AFTER_A_SEND);
    return settled('eventCategoryAs', typeof event === 'number' ? 'number' : 'text', `it is a ${typeof event}`);
  }),
  fact('historyNextPage', 'historyNextPage', [9], 'Is nextPage of the email history on another host?', (tenant) => {
    const { nextPage: next } = known(tenant.recentEmails);
    if (typeof next !== 'string' || next.trim() === '' || !URL.canParse(next, tenant.origin)) {
      return notSeen('less than two emails left in the last two days', AFTER_A_SEND);
    }
    // Its query names an account.
    const { origin, hostname } = new URL(next, tenant.origin);
    return settled('historyNextPage', origin === tenant.origin ? 'own' : 'foreign', `it is on ${hostname}`);
  }),
  fact('historyTimes', 'historyTimesIn', [9], "Are times of the email history in the tenant's zone?", ({ emails }) => {
    for (const [{ lastEmailed }, rows] of known(emails)) {
      const utc = momentOf(lastEmailed);
      const here = clockTime(lastEmailed);
      if (utc === undefined || utc.from < utc.to || utc.from === here) continue;
      const isOneAt = (time: number): boolean => rows.some(({ at }) => Math.abs(clockTime(at) - time) <= CLOSE_MS);
      if (isOneAt(here) === isOneAt(utc.from)) continue;
      const text = `an email of ${lastEmailed ?? ''} is there at the time of ${isOneAt(here) ? 'its zone' : 'UTC'}`;
      return settled('historyTimesIn', isOneAt(here) ? 'tenant' : 'utc', text);
    }
    return notSeen('no email of an invoice here shows it, and none can where the zone is UTC', AFTER_A_SEND);
  }),
  fact(
    'creditMemoHistory',
    null,
    [9],
    'Does the email history find credit memos, and know their events?',
    ({ emails }) => {
      const rows = [...known(emails)].flatMap(([{ kind }, rows]) => (kind === 'creditMemo' ? rows : []));
      if (rows.length === 0) return notSeen('it has no email of a credit memo here', AFTER_A_SEND);
      const events = new Set(rows.map(({ event }) => event));
      const isKnown = events.has(EVENTS.creditMemo) || events.has(POSTED_EVENTS.creditMemo);
      const text = `it has emails of the event ${[...events].join(', ')}`;
      return isKnown ? asAssumed(text) : differs(text, REPORT_IT);
    },
  ),
  fact(
    'dateOfFailure',
    'lastEmailSentDateSet',
    [9, 10],
    'Does a failed email leave no lastEmailSentDate?',
    ({ emails }) => {
      for (const [{ kind, lastEmailed }, rows] of known(emails)) {
        if (kind !== 'invoice' || rows.length === 0 || !rows.every(hasFailed)) continue;
        if (lastEmailed === null) return settled('lastEmailSentDateSet', 'whenSent', 'it leaves none');
        const isItsDate = rows.some(({ at }) => Math.abs(clockTime(at) - clockTime(lastEmailed)) <= DAY);
        if (isItsDate)
          return settled('lastEmailSentDateSet', 'whenQueued', 'an invoice whose only email failed has one');
      }
      return notSeen('no email of an invoice here failed', 'Try a bill run with an email that failed');
    },
  ),
  fact(
    'zeroAmount',
    'zeroAmountRuleHoldsForEmailCall',
    [9],
    'Does an email call leave out invoices of zero if the bill run has noEmailForZeroAmountInvoice?',
    (tenant) => {
      const isLeftOut = known(tenant.leavesOutZero) === true;
      const isConcerned = ({ kind, amount }: FollowedDocument) => isLeftOut && kind === 'invoice' && isZero(amount);
      return afterASend('zeroAmountRuleHoldsForEmailCall', tenant, isConcerned, (emailed) => emailed === 0);
    },
  ),
  fact(
    'emailPreference',
    'emailPreferenceHoldsForEmailCall',
    [9],
    'Does an email call also email accounts without the delivery preference Email?',
    (tenant) => {
      const isConcerned = (document: FollowedDocument) => {
        const account = accountOf(document, tenant);
        return document.kind === 'invoice' && account?.emailPreference === false && account.hasAddress === true;
      };
      return afterASend('emailPreferenceHoldsForEmailCall', tenant, isConcerned, (emailed) => emailed === 0);
    },
  ),
  fact('missingAddress', 'missingAddress', [9], 'Is nothing tried for a document without an address?', (tenant) => {
    const isConcerned = (document: FollowedDocument) => accountOf(document, tenant)?.hasAddress === false;
    return afterASend('missingAddress', tenant, isConcerned, (_, failures) => (failures > 0 ? 'failed' : 'silent'));
  }),
  fact('pdfErrors', 'emailWithPdfError', [9], 'Does an email wait while its PDF is in error?', (tenant) => {
    const errors = known(tenant.pdfErrors);
    const isConcerned = (document: FollowedDocument) => errors.has(document);
    return afterASend('emailWithPdfError', tenant, isConcerned, (_, failures) => (failures > 0 ? 'failed' : 'wait'));
  }),
];

export interface OpenFact extends Omit<Fact, 'name' | 'setting' | 'find'> {
  readonly settings: readonly Setting[];
  /** Where it shows after the release of the held job. */
  readonly look: string;
}

/** What no read can show. */
export const onlyASendShows: readonly OpenFact[] = [
  {
    question: 'Does Zuora take the key of a send, and give a request id?',
    ...{ settings: ['idempotencyKeyMaxLength'], rules: [2, 3] },
    look: 'audit: an attempt that is accepted, with HTTP 200 and the request id',
  },
  {
    question: 'Is a repeated request answered by the stored reply, with the track id of the first?',
    settings: ['storeUnauthorized', 'storeTooManyRequests', 'storeInjected', 'keyScope', 'sameKeyOtherBody'],
    rules: [3, 5],
    look: 'audit, only after an answer got lost or was refused: the next attempt says "stored reply"',
  },
  {
    question: 'How long after the answer do emails leave?',
    ...{ settings: ['emailDelayMs'], rules: [6, 9, 10] },
    look: 'audit: from the accepted attempt to the check that shows the last document as sent',
  },
  {
    question: 'Do tokens live as long as they say?',
    ...{ settings: ['tokensExpireEarlySeconds'], rules: [2] },
    look: 'audit: an attempt that was not executed, with HTTP 401',
  },
  {
    question: 'Does Zuora say success where the notification is inactive?',
    ...{ settings: ['inactiveNotification'], rules: [9] },
    look: 'switch it off before the release; audit: accepted or refused',
  },
  {
    question: 'Does a call with resend=false email what failed before?',
    ...{ settings: ['retriesFailed'], rules: [10] },
    look: 'after a failed email: retry, then status',
  },
  {
    question: 'Do emails at the post count as sent for resend=false?',
    ...{ settings: ['autoEmailCounts'], rules: [6] },
    look: 'release the job of a bill run that Zuora emailed at the post, and count the emails in your inbox',
  },
];
