/** What Zuora shows about emails: the shapes of its answers, without anything about the customer. */
import { z } from 'zod';
import {
  amount,
  nextPage,
  optional,
  orNull,
  success,
  type BillingDocument,
  type Listing,
  type Query,
  yesOrNo,
} from './documents.js';
import type { HistoryRow } from './document-outcome.js';
import { time, words } from './members.js';
import { impersonal } from './words.js';

/** The account of a document, as far as it decides about emails. Null: not known. */
export interface Account {
  readonly profileId: string | null;
  readonly emailPreference: boolean | null;
  readonly billToId: string | null;
  readonly hasAddress: boolean | null;
}

/** A document, with what decides about its emails. */
export interface FollowedDocument extends BillingDocument {
  readonly id: string;
  readonly accountId: string | null;
  /** Its own, if it does not use its account's. */
  readonly profileId: string | null;
  readonly billToId: string | null;
  readonly account: Account | null;
}

/** In characters. Rows are remembered. */
const LONGEST_MESSAGE = 120;

/** Only whether there is one: the address itself is not kept. */
const hasText = z
  .unknown()
  .optional()
  .transform((given) => typeof given === 'string' && given.trim() !== '');
/** Fields without a value are left out, so the ID proves that the contact was read. */
const contact = z
  .object({ id: z.unknown().optional(), workEmail: hasText, personalEmail: hasText })
  .transform(({ id, workEmail, personalEmail }) => workEmail || personalEmail || (id == null ? null : false))
  .nullish()
  .catch(undefined);
const account = z
  .object({
    communicationProfileId: optional,
    invoiceDeliveryPrefsEmail: yesOrNo,
    billToId: optional,
    additionalEmailAddresses: hasText,
    billTo: contact,
  })
  .transform(
    ({ communicationProfileId, invoiceDeliveryPrefsEmail, billToId, additionalEmailAddresses, billTo }): Account => ({
      profileId: communicationProfileId,
      emailPreference: invoiceDeliveryPrefsEmail,
      billToId,
      hasAddress: additionalEmailAddresses || (billTo ?? null),
    }),
  )
  .nullish()
  .catch(undefined)
  .transform(orNull);

const invoices = z
  .object({
    data: z.array(
      z.object({
        ...{ id: words, invoiceNumber: words, status: optional, amount, currency: optional },
        ...{ accountId: optional, account, communicationProfileId: optional, billToContactId: optional },
        lastEmailSentDate: time.transform(orNull),
      }),
    ),
    nextPage,
  })
  .transform(({ data, nextPage: next }) => ({
    documents: data.map(
      ({
        invoiceNumber: number,
        lastEmailSentDate,
        communicationProfileId,
        billToContactId,
        ...rest
      }): FollowedDocument => ({
        ...{ kind: 'invoice', number, lastEmailed: lastEmailSentDate, ...rest },
        ...{ profileId: communicationProfileId, billToId: billToContactId },
      }),
    ),
    next,
  }));

const memos = z
  .object({
    creditmemos: z.array(
      z.object({
        ...{ id: words, number: words, status: optional, amount, currency: optional },
        ...{ accountId: optional, billToContactId: optional },
      }),
    ),
    nextPage,
    success,
  })
  .transform(({ creditmemos, nextPage: next }) => ({
    documents: creditmemos.map(({ billToContactId: billToId, ...rest }): FollowedDocument => ({
      ...{ kind: 'creditMemo', lastEmailed: null, profileId: null, billToId, account: null, ...rest },
    })),
    next,
  }));

/** Sources: Zuora's pages on `GET /object-query/invoices` and `GET /v1/credit-memos`. */
const bareInvoices: Listing<FollowedDocument> = {
  path: 'object-query/invoices',
  parameters: (billRunNumber) => [
    ['filter[]', `sourceid.EQ:${billRunNumber}`],
    [
      'fields[]',
      'id,invoicenumber,status,amount,currency,accountid,communicationprofileid,billtocontactid,lastemailsentdate',
    ],
    // By default the newest changes come first, and an email that leaves meanwhile moves its invoice to another page.
    ['sort[]', 'invoicenumber.ASC'],
    ['pageSize', '99'],
  ],
  page: invoices,
  nextPage: (_page, next) => ['cursor', next],
};

const ACCOUNT_FIELDS = 'id,communicationprofileid,invoicedeliveryprefsemail,billtoid,additionalemailaddresses';
const CONTACT_FIELDS = ['billto.fields[]', 'id,workemail,personalemail'] as const;

/** Source of the nested fields: developer.zuora.com, "Expand, filter, fields, and sort". */
export const followed = {
  invoice: {
    ...bareInvoices,
    parameters: (number: string) => [
      ...bareInvoices.parameters(number),
      ['expand[]', 'account.billto'],
      ['account.fields[]', ACCOUNT_FIELDS],
      CONTACT_FIELDS,
    ],
  } satisfies Listing<FollowedDocument>,
  bareInvoice: bareInvoices,
  creditMemo: {
    // Object Query cannot find credit memos by their bill run. This list has no parameter for the fields.
    path: 'v1/credit-memos',
    parameters: (billRunNumber) => [
      ['sourceId', billRunNumber],
      ['pageSize', '40'],
    ],
    page: memos,
    // Zuora gives the whole URL of the next page; our token goes only to the configured address.
    nextPage: (page) => ['page', String(page)],
  } satisfies Listing<FollowedDocument>,
};

/** In one call: their IDs have 32 characters each. */
const ACCOUNTS_PER_CALL = 50;

/** The calls that read accounts, each with its bill-to contact. */
export function accountCalls(ids: readonly string[]): readonly { readonly path: string; readonly query: Query }[] {
  const calls: { path: string; query: Query }[] = [];
  for (let at = 0; at < ids.length; at += ACCOUNTS_PER_CALL) {
    const query = [
      ['filter[]', `id.IN:[${ids.slice(at, at + ACCOUNTS_PER_CALL).join(',')}]`],
      ['fields[]', ACCOUNT_FIELDS],
      ['expand[]', 'billto'],
      CONTACT_FIELDS,
      ['pageSize', '99'],
    ] as const;
    calls.push({ path: 'object-query/accounts', query });
  }
  return calls;
}

/** An answer to one of {@link accountCalls}. */
export const accounts = z
  .object({ data: z.array(z.looseObject({ id: words })) })
  .transform(({ data }) => data.map((each) => ({ id: each.id, account: account.parse(each) })));

/** Row 8 of the table needs it for invoices with a total of zero. */
export const zeroFlag = z
  .object({ data: z.array(z.object({ noEmailForZeroAmountInvoice: yesOrNo })) })
  .transform(({ data }) => data[0]?.noEmailForZeroAmountInvoice ?? null);

export interface ListedRow extends HistoryRow {
  readonly accountId: string | null;
  /** A number for Zuora's standard events. */
  readonly event: string | null;
}

const hasNext = z
  .unknown()
  .optional()
  .transform((next) => (typeof next === 'string' ? next.trim() !== '' : next != null));

/** Source: `GET /v1/notification-history/email`. Its `nextPage` may name another host, so only its presence counts. */
export const emailHistory = z
  .object({
    emailHistories: z.array(
      z.object({
        accountId: optional,
        eventCategory: z
          .union([z.number().transform(String), words])
          .nullish()
          .catch(undefined)
          .transform(orNull),
        result: words.nullish().catch(undefined),
        errorMessage: z
          .string()
          .transform((text) => impersonal(text, LONGEST_MESSAGE))
          .nullish()
          .catch(undefined),
        sendTime: time,
      }),
    ),
    nextPage: hasNext,
    success,
  })
  .transform(({ emailHistories, nextPage: hasMore }) => ({
    rows: emailHistories.map(({ accountId, eventCategory, result, errorMessage, sendTime }): ListedRow => ({
      ...{ accountId, event: eventCategory, result: result ?? '', message: errorMessage ?? null, at: sendTime ?? null },
    })),
    hasMore,
  }));

const file = z
  .object({
    ...{ invoiceId: optional, creditMemoId: optional, pdfGenerationStatus: optional },
    ...{ errorCode: optional, errorMessage: optional },
  })
  .transform((given) => ({
    id: given.invoiceId ?? given.creditMemoId,
    status: given.pdfGenerationStatus ?? '',
    message: given.errorMessage ?? given.errorCode,
  }));

/** Sources: Zuora's pages on `GET /v1/invoices/pdf-status` and `GET /v1/credit-memos/pdf-status`. */
export const pdfReads = {
  invoice: {
    ...{ path: 'v1/invoices/pdf-status', keys: 'invoiceKeys' },
    page: z.object({ invoiceFiles: z.array(file), success }).transform(({ invoiceFiles }) => invoiceFiles),
  },
  creditMemo: {
    ...{ path: 'v1/credit-memos/pdf-status', keys: 'creditMemoKeys' },
    page: z.object({ creditMemoFiles: z.array(file), success }).transform(({ creditMemoFiles }) => creditMemoFiles),
  },
};
