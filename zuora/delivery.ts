/**
 * One check of what became of a bill run's documents after a send: it reads what Zuora shows, cheapest first, and dearer reads only
 * for documents that are still open. It decides nothing; {@link documentOutcome} does.
 */
import { ZuoraFailure, type Scope, type Zuora } from './client.js';
import { isEmail, isOpen, lookAtHistory, type Followed, type OutcomeOf } from './delivery-history.js';
import { Reader, type Read } from './delivery-reader.js';
import { accountCalls, accounts, followed, pdfReads, zeroFlag, type FollowedDocument } from './delivery-reads.js';
import {
  documentOutcome,
  HISTORY_PERMISSION,
  isWord,
  isZero,
  newestOf,
  type DocumentEvidence,
  type DocumentOutcome,
  type OutcomeSource,
  type HistoryRow,
} from './document-outcome.js';
import { listed, type DocumentKind, type Listing, type Query } from './documents.js';
import { momentOf } from './moment.js';
import {
  definitions,
  definitionsOf,
  emailsFor,
  EVENTS,
  profiles,
  PROFILES_PATH,
  type Definition,
} from './notifications.js';

export interface DocumentsQuestion {
  readonly billRunNumber: string;
  readonly billRunId: string;
  /** Of the bill run: fewer documents listed are not all. */
  readonly numberOfInvoices?: number | undefined;
  readonly numberOfCreditMemos?: number | undefined;
  readonly scope?: Scope;
}

export interface DeliveryQuestion extends DocumentsQuestion {
  readonly resend: boolean;
  /** It is for what an earlier send left unsent. */
  readonly missing?: boolean | undefined;
  /** Zuora emailed by itself at the post. It is not known which notification of a tenant does that, so an inactive one says nothing. */
  readonly atPost?: boolean | undefined;
  /** The first attempt under the key, and now; in milliseconds since the epoch. */
  readonly since: number;
  readonly now: number;
  /** Since when emails are on their way: from the acceptance, or the last emails of others (epoch, ms). */
  readonly from: number;
  /**
   * The last emails before the send, in Zuora's format: by number of the invoice (null: Zuora showed no email), else
   * `lastEmailSentTime` of the bill run.
   */
  readonly before: {
    readonly invoices?: Readonly<Record<string, string | null>>;
    readonly billRun?: string | undefined;
  };
  /** Of the bill run. History of credit memos is looked at back to it. */
  readonly postedDate?: string | undefined;
  /** From the acceptance to the first check, in milliseconds. */
  readonly intervalMs: number;
  /** What the check before remembered; null for the first check of the send. */
  readonly previous: DeliveryMemory | null;
}

/** What the next check of the same send must know. JSON. Documents are named by kind and number. */
export interface DeliveryMemory {
  /** The document with which the turn of history reads ended. */
  readonly lastLooked: string | null;
  /** By event and communication profile: since when no check found an active notification; null if one was active. */
  readonly inactiveSince: Readonly<Record<string, number | null>>;
  /** Documents with an email in their history, which need no further look. Credit memos show it nowhere else. */
  readonly emailed: readonly string[];
  /** The latest email of all documents, in Zuora's format. */
  readonly latest: string | null;
  /** The last row of open documents. */
  readonly rows: Readonly<Record<string, HistoryRow>>;
  /** The last row of documents that an earlier send left open; null if they were not all looked at. */
  readonly rowsBefore: Readonly<Record<string, HistoryRow>> | null;
  /** Open documents whose PDF was in error. */
  readonly pdfErrors: readonly string[];
  /** Open documents that an earlier check found dropped, with the cause. */
  readonly dropped: Readonly<Record<string, string>>;
  /** Open documents without an address: since when (epoch, ms). */
  readonly noAddressSince: Readonly<Record<string, number>>;
  /** Open credit memos: back to when (epoch, ms) their history was looked at without a gap. */
  readonly lookedBackTo: Readonly<Record<string, number>>;
}

export interface Delivery {
  readonly documents: readonly {
    readonly number: string;
    readonly kind: DocumentKind;
    readonly outcome: DocumentOutcome;
    readonly reason: string | null;
  }[];
  /** All documents are listed. */
  readonly complete: boolean;
  /** HTTP reads, without requests for tokens. */
  readonly calls: number;
  /** Zuora's name of the permission, else what needs it. */
  readonly permissionsMissing: readonly string[];
  /** Failed emails since the send, of the same events, of accounts that have no document here. */
  readonly otherFailures: number;
  readonly remember: DeliveryMemory;
}

const HOUR = 60 * 60 * 1000;
/** 24,750 invoices or 10,000 credit memos. */
const MOST_LISTED_PAGES = 250;
/** Zuora's limit. */
const PDF_KEYS = 50;

/**
 * @param turn awaited before each HTTP read, token requests aside; its error ends the check
 * @throws {@link ZuoraFailure}, `NeverLeft` if the documents cannot be listed, or Zuora refuses our token
 */
export async function readDelivery(
  zuora: Pick<Zuora, 'get'>,
  question: DeliveryQuestion,
  turn: () => Promise<void> = () => Promise.resolve(),
): Promise<Delivery> {
  const reader = new Reader(zuora, question.scope, turn);
  const lists = await listedDocuments(reader, question, new Set(question.previous?.emailed));
  return deliveryOf(reader, question, lists, await settingsOf(reader, question, lists.documents));
}

async function deliveryOf(
  reader: Reader,
  question: DeliveryQuestion,
  { documents, complete }: Lists,
  settings: Settings,
): Promise<Delivery> {
  const all = followedOf(documents, question);
  const outcomeOf = (each: Followed) => documentOutcome(evidenceOf(each, settings, question));

  if (all.some((each) => isZeroInvoice(each.document) && outcomeOf(each).outcome !== 'sent')) {
    settings.leavesOutZero ??= await zeroFlagOf(reader, question);
  }
  const historyQuestion = { ...question, lastLooked: question.previous?.lastLooked ?? null };
  const look = await lookAtHistory(reader, historyQuestion, all, outcomeOf);
  await lookAtPdfs(reader, all, outcomeOf);

  const outcomes = all.map((each) => ({ each, ...outcomeOf(each) }));
  return {
    documents: outcomes.map(({ each: { document }, outcome, reason }) => {
      return { number: document.number, kind: document.kind, outcome, reason };
    }),
    complete,
    calls: reader.calls,
    permissionsMissing: [...reader.denied].map(permissionFor),
    otherFailures: look.otherFailures,
    remember: memoryOf(outcomes, settings, question, look.lastLooked),
  };
}

/** The documents of a bill run as they are now. */
export interface DocumentsRead {
  readonly invoices: DocumentList;
  readonly creditMemos: DocumentList;
  /** What keeps a send from emailing a document now, whatever was emailed before. */
  readonly obstacles: ReadonlyMap<FollowedDocument, string>;
  /** What became of them; null if nothing was asked about a send. */
  readonly delivery: Delivery | null;
  readonly unread: readonly Unread[];
}

interface DocumentList {
  readonly documents: readonly FollowedDocument[];
  /** All pages were read. */
  readonly complete: boolean;
}

/** A read that failed. */
export interface Unread {
  readonly what: Read;
  /** The one that is missing, as {@link Delivery.permissionsMissing} names it. */
  readonly permission: string | null;
  readonly message: string;
}

/**
 * Reads the documents of a bill run for a person, with what a send would meet.
 *
 * @param send asks what became of the documents after it, as {@link readDelivery} says it
 * @throws {@link ZuoraFailure}, `NeverLeft` if the documents cannot be listed, or Zuora refuses our token
 */
export async function readDocuments(
  zuora: Pick<Zuora, 'get'>,
  about: DocumentsQuestion,
  send: Omit<DeliveryQuestion, keyof DocumentsQuestion> | null,
): Promise<DocumentsRead> {
  const reader = new Reader(zuora, about.scope);
  const lists = await listedDocuments(reader, about);
  const { invoices, creditMemos, documents } = lists;
  const question = { ...about, ...(send ?? NO_SEND) };
  const settings = await settingsOf(reader, question, documents);
  if (documents.some(isZeroInvoice)) settings.leavesOutZero = await zeroFlagOf(reader, about);
  const obstacles = new Map<FollowedDocument, string>();
  for (const each of followedOf(documents, question)) {
    const obstacle = obstacleTo(evidenceOf(each, settings, { ...question, atPost: false }));
    if (obstacle !== null) obstacles.set(each.document, obstacle);
  }
  const delivery = send === null ? null : await deliveryOf(reader, question, lists, settings);
  const unread = [...reader.failures].map(([what, { message }]) => {
    return { what, permission: reader.denied.has(what) ? permissionFor(what) : null, message };
  });
  return { invoices, creditMemos, obstacles, delivery, unread };
}

const NO_SEND = { resend: false, since: 0, now: 0, from: 0, before: {}, intervalMs: 0, previous: null };

/** By the rules for outcomes, as if no email had come in all the time that they wait for a setting. */
function obstacleTo(evidence: DocumentEvidence): string | null {
  const waited: DocumentEvidence = {
    ...evidence,
    ...{ resend: false, since: 0, from: 0, now: HOUR, notificationInactiveSince: 0, notificationWaitMs: HOUR },
    ...{ noAddressSince: evidence.noAddressSince === null ? null : 0, lastEmailed: null, lastEmailedBefore: null },
    ...{ rows: [], history: 'read', pdf: null },
  };
  // Posting a draft does not end what its settings say.
  const judged = ['Posted', evidence.status].map((status) => documentOutcome({ ...waited, status }));
  return judged.find(({ outcome }) => outcome !== 'waiting')?.reason ?? null;
}

/** Zuora's name of a permission, else what needs it. */
function permissionFor(what: Read): string {
  return what === 'email history' ? HISTORY_PERMISSION : what;
}

interface Lists {
  readonly invoices: DocumentList;
  readonly creditMemos: DocumentList;
  /** All together, with what is known of their accounts. */
  readonly documents: readonly FollowedDocument[];
  readonly complete: boolean;
}

async function listedDocuments(
  reader: Reader,
  { billRunNumber, numberOfInvoices = 0, numberOfCreditMemos }: DocumentsQuestion,
  emailed: ReadonlySet<string> = new Set(),
): Promise<Lists> {
  const list = (what: 'invoices' | 'credit memos', listing: Listing<FollowedDocument>) =>
    listed(listing, billRunNumber, (query) => reader.get(what, listing.path, query, listing.page), MOST_LISTED_PAGES);

  const invoices = await list('invoices', followed.invoice).catch(async (error: unknown) => {
    // With its accounts, a page may be more than we may see, or too large.
    if (!isRefused(error) && !(error instanceof ZuoraFailure && error.httpStatus === 200)) throw error;
    const bare = await list('invoices', followed.bareInvoice);
    reader.failed('accounts and contacts', error);
    return bare;
  });
  const none = { documents: [], complete: true };
  const memos =
    numberOfCreditMemos === 0
      ? none
      : await list('credit memos', followed.creditMemo).catch((error: unknown) => {
          if (!isRefused(error)) throw error;
          reader.failed('credit memos', error);
          return { ...none, complete: false };
        });
  // The list of credit memos has no accounts. Most accounts with a credit memo have an invoice as well.
  const known = new Map(invoices.documents.map(({ accountId, account }) => [accountId, account]));
  const open = memos.documents.filter(
    ({ accountId, number }) => !known.has(accountId) && !emailed.has(keyOf('creditMemo', number)),
  );
  for (const { path, query } of accountCalls([...new Set(open.flatMap(({ accountId }) => accountId ?? []))])) {
    if (reader.failures.has('accounts and contacts')) break;
    const found = await reader.attempt('accounts of credit memos', path, query, accounts);
    for (const { id, account } of found ?? []) known.set(id, account);
  }
  const creditMemos = {
    ...memos,
    documents: memos.documents.map((memo) => ({ ...memo, account: known.get(memo.accountId) ?? null })),
  };
  return {
    ...{ invoices, creditMemos, documents: [...invoices.documents, ...creditMemos.documents] },
    complete:
      invoices.complete &&
      memos.complete &&
      invoices.documents.length >= numberOfInvoices &&
      memos.documents.length >= (numberOfCreditMemos ?? 0),
  };
}

/** As the memory names a document. */
function keyOf(kind: DocumentKind, number: string): string {
  return `${kind} ${number}`;
}

/** Zuora does not do it for these credentials, or for this tenant; other reads may work. */
function isRefused(error: unknown): boolean {
  return error instanceof ZuoraFailure && (error.kind === 'refused' || error.kind === 'notFound');
}

interface Settings {
  readonly definitions: ReadonlyMap<DocumentKind, readonly Definition[]>;
  readonly mutedById: ReadonlyMap<string, boolean | null>;
  readonly defaultProfileId: string | null;
  readonly inactiveSince: Map<string, number | null>;
  readonly failures: ReadonlyMap<Read, unknown>;
  leavesOutZero: boolean | null;
}

async function settingsOf(
  reader: Reader,
  { previous, from, now }: DeliveryQuestion,
  documents: readonly FollowedDocument[],
): Promise<Settings> {
  const definitionsByKind = new Map<DocumentKind, readonly Definition[]>();
  for (const kind of new Set(documents.map((document) => document.kind))) {
    const { path, query } = definitionsOf(kind);
    const found = await reader.attempt('notification definitions', path, query, definitions);
    if (found !== undefined) definitionsByKind.set(kind, found);
  }
  const found =
    documents.length === 0 ? [] : await reader.attempt('communication profiles', PROFILES_PATH, [], profiles);
  const settings: Settings = {
    definitions: definitionsByKind,
    mutedById: new Map(found?.map(({ id, muted }) => [id, muted])),
    defaultProfileId: found?.find(({ isDefault }) => isDefault === true)?.id ?? null,
    inactiveSince: new Map(Object.entries(previous?.inactiveSince ?? {})),
    failures: reader.failures,
    leavesOutZero: null,
  };
  for (const document of documents) {
    const key = notificationKey(document, settings);
    const isActive = notificationActive(document, settings);
    if (isActive === true) settings.inactiveSince.set(key, null);
    // Nobody looked before the first check, so it may have been inactive at the send.
    else if (isActive === false && !settings.inactiveSince.has(key)) {
      settings.inactiveSince.set(key, previous === null ? from : now);
    }
  }
  return settings;
}

function notificationKey(document: FollowedDocument, settings: Settings): string {
  return `${EVENTS[document.kind]} ${profileOf(document, settings) ?? ''}`.trim();
}

function profileOf({ profileId, account }: FollowedDocument, { defaultProfileId }: Settings): string | null {
  return profileId ?? account?.profileId ?? (account === null ? null : defaultProfileId);
}

/** Whether the document's event emails now, by the document's communication profile. Null: not known. */
function notificationActive(document: FollowedDocument, settings: Settings): boolean | null {
  const all = settings.definitions.get(document.kind);
  return all === undefined ? null : emailsFor(all, profileOf(document, settings));
}

async function zeroFlagOf(reader: Reader, { billRunId }: DocumentsQuestion): Promise<boolean | null> {
  const query: Query = [
    ['filter[]', `id.EQ:${billRunId}`],
    ['fields[]', 'noemailforzeroamountinvoice'],
  ];
  return (await reader.attempt('bill run', 'object-query/billing-runs', query, zeroFlag)) ?? null;
}

function isZeroInvoice({ kind, amount }: FollowedDocument): boolean {
  return kind === 'invoice' && isZero(amount);
}

function followedOf(
  documents: readonly FollowedDocument[],
  { previous, since }: DeliveryQuestion,
): readonly Followed[] {
  const emailed = new Set(previous?.emailed);
  const pdfErrors = new Set(previous?.pdfErrors);
  // The row itself is forgotten.
  const email = { at: new Date(since).toISOString(), result: 'OK', message: null };
  return documents.map((document) => {
    const key = keyOf(document.kind, document.number);
    const isEmailed = emailed.has(key);
    const row = isEmailed ? email : previous?.rows[key];
    return {
      ...{ document, key, isEmailed, rows: row === undefined ? [] : [row], history: 'notReached' },
      ...{ lookedBackTo: previous?.lookedBackTo[key], pdf: null, pdfErrorBefore: pdfErrors.has(key) },
    };
  });
}

function evidenceOf(
  { document, key, rows, history, pdf, pdfErrorBefore }: Followed,
  settings: Settings,
  question: DeliveryQuestion,
): DocumentEvidence {
  const { resend, since, from, now, before, intervalMs, previous } = question;
  const { kind, status, amount, lastEmailed, account, billToId } = document;
  const ofInvoices =
    kind === 'invoice' && Object.hasOwn(before.invoices ?? {}, document.number) ? before.invoices : undefined;
  const profileId = profileOf(document, settings);
  // Another contact than the account's is not read.
  const hasNoAddress = account?.hasAddress === false && (billToId === null || billToId === account.billToId);
  const failedReads = SETTINGS_READS.filter((what) => settings.failures.has(what));
  return {
    ...{ kind, status, amount, resend, since, from, now, lastEmailed, rows, history },
    lastEmailedBefore: ofInvoices === undefined ? before.billRun : ofInvoices[document.number],
    pdf: pdf === null || pdf === 'failed' ? null : { ...pdf, errorBefore: pdfErrorBefore },
    notificationActive: question.atPost === true ? null : notificationActive(document, settings),
    notificationInactiveSince: settings.inactiveSince.get(notificationKey(document, settings)) ?? null,
    notificationWaitMs: 3 * intervalMs,
    profileMuted: profileId === null ? null : (settings.mutedById.get(profileId) ?? null),
    emailPreference: account?.emailPreference ?? null,
    leavesOutZero: settings.leavesOutZero,
    missing: question.missing === true,
    rowBefore: previous?.rowsBefore == null ? undefined : (previous.rowsBefore[key] ?? null),
    droppedBefore: previous?.dropped[key] ?? null,
    noAddressSince: hasNoAddress ? (previous === null ? from : (previous.noAddressSince[key] ?? now)) : null,
    failedReads: [
      ...failedReads,
      ...(kind === 'creditMemo' && settings.failures.has('accounts of credit memos')
        ? ['accounts of credit memos']
        : []),
      ...(kind === 'invoice' && isZero(amount) && settings.failures.has('bill run') ? ['bill run'] : []),
      ...(pdf === 'failed' ? ['PDF status'] : []),
    ],
  };
}

const SETTINGS_READS = ['notification definitions', 'communication profiles', 'accounts and contacts'] as const;

/** Only for documents of which it may decide the outcome. */
async function lookAtPdfs(reader: Reader, all: readonly Followed[], outcomeOf: OutcomeOf): Promise<void> {
  for (const kind of ['invoice', 'creditMemo'] as const) {
    const { path, keys, page } = pdfReads[kind];
    const open = all.filter((each) => {
      if (each.document.kind !== kind) return false;
      const { outcome, source } = outcomeOf(each);
      return outcome === 'waiting' || outcome === 'unknown' || source === 'time';
    });
    for (let at = 0; at < open.length; at += PDF_KEYS) {
      const some = open.slice(at, at + PDF_KEYS);
      const files = await reader.attempt(
        'PDF status',
        path,
        [[keys, some.map(({ document }) => document.id).join(',')]],
        page,
      );
      const byId = new Map(files?.map(({ id, ...pdf }) => [id, pdf]));
      for (const each of some) each.pdf = files === undefined ? 'failed' : (byId.get(each.document.id) ?? null);
    }
  }
}

function emailsOf({ document: { lastEmailed }, isEmailed, rows }: Followed): readonly (string | null)[] {
  // Of a document that an earlier check settled, only that is known.
  return [lastEmailed, ...(isEmailed ? [] : rows.filter(isEmail).map(({ at }) => at))];
}

/** As written: without zones, all of them are the tenant's. */
function latestOf(times: readonly (string | null | undefined)[]): string | null {
  const last = (written: string): number => momentOf(written)?.to ?? -Infinity;
  return times.reduce<string | null>((one, other) => {
    if (other == null) return one;
    return one === null || last(other) > last(one) ? other : one;
  }, null);
}

/** Zuora sends nothing when such a cause is gone. An email whose PDF was in error may still come. */
const DROPPING: ReadonlySet<OutcomeSource> = new Set(['document', 'settings', 'contact']);

type Judged = ReturnType<typeof documentOutcome> & { readonly each: Followed };

function memoryOf(
  outcomes: readonly Judged[],
  settings: Settings,
  question: DeliveryQuestion,
  lastLooked: string | null,
): DeliveryMemory {
  const { previous } = question;
  const open = outcomes.filter(({ outcome }) => isOpen(outcome)).map(({ each }) => each);
  const byHistory = outcomes.filter(({ outcome, source }) => outcome === 'sent' && source === 'emailHistory');
  const dropped = outcomes.filter(({ outcome, source }) => outcome === 'notSent' && DROPPING.has(source));
  const known = <T>(valueOf: (each: Followed) => T | null | undefined): Record<string, T> =>
    Object.fromEntries(open.flatMap((each) => ((value) => (value == null ? [] : [[each.key, value]]))(valueOf(each))));
  return {
    lastLooked,
    inactiveSince: Object.fromEntries(settings.inactiveSince),
    emailed: [...new Set([...(previous?.emailed ?? []), ...byHistory.map(({ each }) => each.key)])],
    latest: latestOf([previous?.latest, ...outcomes.flatMap(({ each }) => emailsOf(each))]),
    rows: known(({ rows }) => newestOf(rows)),
    rowsBefore: previous?.rowsBefore ?? null,
    pdfErrors: open
      .filter(({ pdf, pdfErrorBefore }) =>
        pdf === 'failed' ? pdfErrorBefore : pdf !== null && isWord(pdf.status, 'error'),
      )
      .map(({ key }) => key),
    dropped: Object.fromEntries(dropped.map(({ each, reason }) => [each.key, reason ?? ''])),
    noAddressSince: known((each) => evidenceOf(each, settings, question).noAddressSince),
    lookedBackTo: known(({ document, lookedBackTo }) => (document.kind === 'creditMemo' ? lookedBackTo : undefined)),
  };
}
