/** What a Zuora tenant shows around one bill run. It only reads; facts.ts says what that means. */
import { z } from 'zod';
import type { BillRun } from '../../zuora/bill-run.js';
import { ZuoraFailure, type Scope, type Zuora } from '../../zuora/client.js';
import {
  accountCalls,
  accounts,
  emailHistory,
  followed,
  pdfReads,
  zeroFlag,
  type FollowedDocument,
  type ListedRow,
} from '../../zuora/delivery-reads.js';
import { isWord } from '../../zuora/document-outcome.js';
import { listed, success, type DocumentKind, type Listing, type Query } from '../../zuora/documents.js';
import { momentOf } from '../../zuora/moment.js';
import {
  definitions,
  definitionsOf,
  profiles,
  PROFILES_PATH,
  type Definition,
  type Profile,
} from '../../zuora/notifications.js';

/** What was read, or why it could not be. */
export type Read<T> = T | ZuoraFailure;

export interface Tenant {
  readonly origin: string;
  /** Only with Multi-entity. */
  readonly entityId: string | undefined;
  readonly billRun: BillRun;
  /** By its ID, if it was read by its number, and the other way round. */
  readonly byOtherKey: Read<BillRun>;
  /** A bill run that does not exist. */
  readonly missing: Read<unknown>;
  readonly byNumberOnV1: Read<unknown>;
  /** Read with an entity that does not exist. */
  readonly withEntity: Read<unknown>;
  /** Posted bill runs without documents, one at most. */
  readonly emptyAndPosted: Read<number>;
  readonly leavesOutZero: Read<boolean | null>;
  /** With their accounts, as a job lists them. */
  readonly invoicesWithAccounts: Read<unknown>;
  readonly invoices: Read<unknown>;
  readonly creditMemos: Read<unknown>;
  /** Those that were listed, with what is known of their accounts. */
  readonly documents: readonly FollowedDocument[];
  /** No page is left. */
  readonly allListed: boolean;
  readonly accounts: Read<unknown>;
  readonly definitions: Readonly<Record<DocumentKind, Read<readonly Definition[]>>>;
  /** Notifications that email at the post. */
  readonly postedNotifications: Read<readonly string[]>;
  readonly profiles: Read<readonly Profile[]>;
  /** A page with one email of any document; the page after it has the next one. */
  readonly recentEmails: Read<RecentEmails>;
  readonly largePage: Read<unknown>;
  /** Rows of the email history by document. */
  readonly emails: Read<ReadonlyMap<FollowedDocument, readonly ListedRow[]>>;
  readonly pdfErrors: Read<ReadonlySet<FollowedDocument>>;
}

type RecentEmails = z.infer<typeof recentEmails>;
/** As Zuora writes them: {@link emailHistory} takes every form. */
const recentEmails = z.object({
  emailHistories: z.array(z.object({ eventCategory: z.unknown().optional() })),
  nextPage: z.unknown().optional(),
});
const anyAnswer = z.object({ success });
const page = z.object({ data: z.array(z.unknown()) });

/** Numbers of bill runs begin with 1. */
const NO_BILL_RUN = 'BR-00000000';
const NO_ENTITY = '00000000000000000000000000000000';
/** A test account has few documents: 990 invoices, 400 credit memos. */
const MOST_PAGES = 10;
/** Of which emails and PDFs are read, with a call for the emails of each. */
const MOST_DOCUMENTS = 20;
const DAY = 24 * 60 * 60 * 1000;

/**
 * @param now in milliseconds since the epoch
 * @throws {@link ZuoraFailure} if the bill run cannot be read
 * @throws {@link NeverLeft}
 */
export async function readTenant(
  zuora: Zuora,
  { key, origin, entityId, now }: { key: string; origin: string; entityId: string | undefined; now: number },
): Promise<Tenant> {
  const scope: Scope = { entityId };
  const billRun = await zuora.getBillRun(key, scope);
  const { id, number } = billRun;
  const get = <T>(what: string, path: string, query: Query, schema: z.ZodType<T>) =>
    attempt(zuora.get(path, query, schema, { what, scope }));
  const history = <T>(query: Query, schema: z.ZodType<T>) =>
    get('email history', 'v1/notification-history/email', [...query, ['failedOnly', 'false'], ['page', '1']], schema);
  const list = (what: string, listing: Listing<FollowedDocument>) =>
    attempt(
      listed(listing, number, (query) => zuora.get(listing.path, query, listing.page, { what, scope }), MOST_PAGES),
    );

  const invoicesWithAccounts = await list('invoices', followed.invoice);
  const invoices =
    invoicesWithAccounts instanceof ZuoraFailure ? await list('invoices', followed.bareInvoice) : invoicesWithAccounts;
  const hasMemos = billRun.numberOfCreditMemos !== 0;
  const creditMemos = hasMemos ? await list('credit memos', followed.creditMemo) : { documents: [], complete: true };
  const lists = [invoices, creditMemos].flatMap((read) => (read instanceof ZuoraFailure ? [] : [read]));
  const bare = lists.flatMap((each) => each.documents);
  const ids = [...new Set(bare.flatMap(({ accountId }) => accountId ?? []))];
  const accountsOf = ({ path, query }: ReturnType<typeof accountCalls>[number]) =>
    zuora.get(path, query, accounts, { what: 'accounts', scope });
  const known = await attempt(Promise.all(accountCalls(ids).map(accountsOf)));
  const accountById = new Map(
    known instanceof ZuoraFailure ? [] : known.flat().map(({ id, account }) => [id, account]),
  );
  const documents = bare.map((each) => {
    return { ...each, account: each.account ?? accountById.get(each.accountId ?? '') ?? null };
  });
  const some = documents.slice(0, MOST_DOCUMENTS);

  const definitionsFor = (kind: DocumentKind) => {
    const { path, query } = definitionsOf(kind);
    return get('notification definitions', path, query, definitions);
  };
  const recently: Query = [...windowAround(now - DAY / 2), ['pageSize', '1']];
  return {
    ...{ origin, entityId, billRun, invoicesWithAccounts, invoices, creditMemos, documents, accounts: known },
    allListed: lists.every(({ complete }) => complete),
    byOtherKey: await attempt(zuora.getBillRun(key === number ? id : number, scope)),
    missing: await attempt(zuora.getBillRun(NO_BILL_RUN, scope)),
    byNumberOnV1: await get(`bill run ${number}`, `v1/bill-runs/${number}`, [], anyAnswer),
    emptyAndPosted: await get('bill runs', 'object-query/billing-runs', EMPTY_AND_POSTED, page.transform(countOf)),
    leavesOutZero: await get('bill runs', 'object-query/billing-runs', zeroFlagQuery(id), zeroFlag),
    definitions: { invoice: await definitionsFor('invoice'), creditMemo: await definitionsFor('creditMemo') },
    postedNotifications: await attempt(zuora.postedNotifications(scope)),
    profiles: await get('communication profiles', PROFILES_PATH, [], profiles),
    recentEmails: await history(recently, recentEmails),
    largePage: await history([...windowAround(now), ['pageSize', '41']], anyAnswer),
    emails: await emailsOf(some, now, (query) => history(query, emailHistory)),
    pdfErrors: await pdfErrorsOf(some, (path, query, schema) => get('PDF status', path, query, schema)),
    // The last one, as Zuora may take the token for refused.
    withEntity: await attempt(zuora.probe({ entityId: NO_ENTITY })),
  };
}

async function attempt<T>(read: Promise<T>): Promise<Read<T>> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ZuoraFailure) return error;
    throw error;
  }
}

const EMPTY_AND_POSTED: Query = [
  ['filter[]', 'status.EQ:Posted'],
  ['filter[]', 'numberofinvoices.EQ:0'],
  ['filter[]', 'numberofcreditmemos.EQ:0'],
  ['fields[]', 'id'],
  ['pageSize', '1'],
];

function countOf({ data }: z.infer<typeof page>): number {
  return data.length;
}

function zeroFlagQuery(id: string): Query {
  return [
    ['filter[]', `id.EQ:${id}`],
    ['fields[]', 'noemailforzeroamountinvoice'],
  ];
}

/** Zuora's longest window of three days, whatever the tenant's zone. */
function windowAround(at: number): Query {
  const written = (moment: number): string => new Date(moment).toISOString().slice(0, 19);
  return [
    ['startTime', written(at - 1.5 * DAY)],
    ['endTime', written(at + 1.5 * DAY)],
  ];
}

async function emailsOf(
  documents: readonly FollowedDocument[],
  now: number,
  read: (query: Query) => Promise<Read<{ readonly rows: readonly ListedRow[] }>>,
): Promise<Tenant['emails']> {
  const emails = new Map<FollowedDocument, readonly ListedRow[]>();
  for (const document of documents) {
    const last = momentOf(document.lastEmailed);
    const at = last === undefined ? now - DAY / 2 : (last.from + last.to) / 2;
    const found = await read([...windowAround(at), ['objectId', document.id], ['pageSize', '40']]);
    if (found instanceof ZuoraFailure) return found;
    emails.set(document, found.rows);
  }
  return emails;
}

interface PdfFile {
  readonly id: string | null;
  readonly status: string;
}

async function pdfErrorsOf(
  documents: readonly FollowedDocument[],
  read: (path: string, query: Query, schema: z.ZodType<readonly PdfFile[]>) => Promise<Read<readonly PdfFile[]>>,
): Promise<Tenant['pdfErrors']> {
  const errors = new Set<FollowedDocument>();
  for (const kind of ['invoice', 'creditMemo'] as const) {
    const some = documents.filter((document) => document.kind === kind);
    if (some.length === 0) continue;
    const { path, keys, page } = pdfReads[kind];
    const files = await read(path, [[keys, some.map(({ id }) => id).join(',')]], page);
    if (files instanceof ZuoraFailure) return files;
    const failed = new Set(files.filter(({ status }) => isWord(status, 'error')).map(({ id }) => id));
    for (const document of some) if (failed.has(document.id)) errors.add(document);
  }
  return errors;
}
