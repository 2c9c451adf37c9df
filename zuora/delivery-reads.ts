/** What Zuora shows about emails: the shapes of its answers, without anything about the customer. */
import { z } from 'zod';
import { amount, listings, nextPage, optional, orNull, success, type DocumentKind, type Listing } from './documents.js';
import type { HistoryRow } from './document-outcome.js';
import { flag, time, words } from './members.js';
import { impersonal } from './words.js';

/** The account of a document, as far as it decides about emails. Null: not known. */
export interface Account {
  readonly profileId: string | null;
  readonly emailPreference: boolean | null;
  readonly billToId: string | null;
  readonly hasAddress: boolean | null;
}

/** A document as a check of its delivery needs it. */
export interface FollowedDocument {
  readonly kind: DocumentKind;
  readonly id: string;
  readonly number: string;
  readonly status: string | null;
  readonly amount: number | string | null;
  readonly accountId: string | null;
  readonly lastEmailed: string | null;
  /** Its own, if it does not use its account's. */
  readonly profileId: string | null;
  readonly billToId: string | null;
  readonly account: Account | null;
}

/** For the events "Manual Email For Invoice" and "Email Credit Memo". */
export const EVENTS: Readonly<Record<DocumentKind, string>> = { invoice: '1130', creditMemo: '2730' };

/** In characters. Rows are remembered. */
const LONGEST_MESSAGE = 120;

const yesOrNo = flag.catch(undefined).transform(orNull);

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
        ...{ id: words, invoiceNumber: words, status: optional, amount, accountId: optional, account },
        ...{ communicationProfileId: optional, billToContactId: optional, lastEmailSentDate: time.transform(orNull) },
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
        ...{ id: words, number: words, status: optional, amount, accountId: optional },
        billToContactId: optional,
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

const FIELDS = 'id,invoicenumber,status,amount,accountid,communicationprofileid,billtocontactid,lastemailsentdate';
const bareInvoices: Listing<FollowedDocument> = {
  ...listings.invoice,
  parameters: (number) =>
    listings.invoice.parameters(number).map((each) => (each[0] === 'fields[]' ? ['fields[]', FIELDS] : each)),
  page: invoices,
};

/** Source of the nested fields: developer.zuora.com, "Expand, filter, fields, and sort". */
export const followed = {
  invoice: {
    ...bareInvoices,
    parameters: (number: string) => [
      ...bareInvoices.parameters(number),
      ['expand[]', 'account.billto'],
      ['account.fields[]', 'id,communicationprofileid,invoicedeliveryprefsemail,billtoid,additionalemailaddresses'],
      ['billto.fields[]', 'id,workemail,personalemail'],
    ],
  } satisfies Listing<FollowedDocument>,
  bareInvoice: bareInvoices,
  creditMemo: { ...listings.creditMemo, page: memos } satisfies Listing<FollowedDocument>,
};

/** Row 8 of the table needs it for invoices with a total of zero. */
export const zeroFlag = z
  .object({ data: z.array(z.object({ noEmailForZeroAmountInvoice: yesOrNo })) })
  .transform(({ data }) => data[0]?.noEmailForZeroAmountInvoice ?? null);

export type Definition = z.infer<typeof definition>;
const definition = z
  .object({
    active: flag,
    emailActive: flag,
    communicationProfileId: optional,
    communicationProfileIds: z.array(words).nullish().catch(undefined),
  })
  .transform(({ active, emailActive, communicationProfileId: one, communicationProfileIds: several }) => ({
    /** Null: Zuora does not say. */
    emails: active === true && emailActive === true ? true : active === false || emailActive === false ? false : null,
    /** Null: Zuora does not name them, so it may be for any. */
    profileIds: several ?? (one === null ? null : [one]),
  }));

/** Source: `GET /notifications/notification-definitions`. One that is missing on the page may be on the next. */
export const definitions = z
  .object({ data: z.array(definition), next: nextPage })
  .transform(({ data, next }): readonly Definition[] =>
    next === undefined ? data : [...data, { emails: null, profileIds: null }],
  );

/** Source: `GET /settings/communication-profiles`. */
export const profiles = z.array(z.object({ id: words, isDefault: yesOrNo, muted: yesOrNo }));

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
