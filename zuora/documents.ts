import { z } from 'zod';
import { jsonIn } from './json.js';
import { keepable } from './words.js';

export type DocumentKind = 'invoice' | 'creditMemo';

/** Plural names. */
export const namesOf: Readonly<Record<DocumentKind, string>> = { invoice: 'invoices', creditMemo: 'credit memos' };

/** The fields of a billing document that matter for emailing. None is about the customer. */
export interface BillingDocument {
  readonly kind: DocumentKind;
  readonly number: string;
  /** One of Zuora's statuses, such as `Draft` or `Posted`; null if Zuora does not return it. */
  readonly status: string | null;
  /** In Zuora's format: a number, in units of the currency. */
  readonly amount: number | string | null;
  readonly currency: string | null;
  /** The time of the last email, in Zuora's format; null if Zuora shows no email, as always for credit memos. */
  readonly lastEmailed: string | null;
}

export interface DocumentList {
  readonly documents: readonly BillingDocument[];
  /** All pages were read. A large bill run has too many, and pages may lead in circles. */
  readonly complete: boolean;
}

/** One page, and Zuora's name for the next one. */
interface DocumentPage {
  readonly documents: readonly BillingDocument[];
  readonly next: string | undefined;
}

/** The API call that lists the documents of one kind by the number of their bill run. */
interface Listing {
  /** Relative to the base URL. */
  readonly path: string;
  readonly parameters: (billRunNumber: string) => readonly (readonly [string, string])[];
  readonly pageIn: (body: string) => DocumentPage | undefined;
  /** The parameter for the page with this number (from 2 on), by the name that the page before gave it. */
  readonly nextPage: (page: number, next: string) => readonly [string, string];
}

const text = z.string().transform((written) => keepable(written, 100));
const optional = text.nullish().transform((given) => given ?? null);
const amount = z
  .union([z.number(), text])
  .nullish()
  .transform((given) => given ?? null);

/** Undefined on the last page. */
const nextPage = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .transform((cursor) => (cursor == null || cursor.trim() === '' ? undefined : cursor));

const invoicePage = z.object({
  data: z.array(
    z.object({ invoiceNumber: text, status: optional, amount, currency: optional, lastEmailSentDate: optional }),
  ),
  nextPage,
});

const creditMemoPage = z.object({
  creditmemos: z.array(z.object({ number: text, status: optional, amount, currency: optional })),
  nextPage,
  // Old versions of the API report failures as HTTP 200.
  success: z.literal(true).nullish(),
});

/** Sources: Zuora's pages on `GET /object-query/invoices` and `GET /v1/credit-memos`. */
export const listings: Readonly<Record<DocumentKind, Listing>> = {
  invoice: {
    path: 'object-query/invoices',
    parameters: (billRunNumber) => [
      ['filter[]', `sourceid.EQ:${billRunNumber}`],
      ['fields[]', 'invoicenumber,status,amount,currency,lastemailsentdate'],
      // By default the newest changes come first, and an email that leaves meanwhile moves its invoice to another page.
      ['sort[]', 'invoicenumber.ASC'],
      ['pageSize', '99'],
    ],
    pageIn: (body) => {
      const { success, data: page } = invoicePage.safeParse(jsonIn(body));
      if (!success) return undefined;
      const documents = page.data.map(({ invoiceNumber: number, lastEmailSentDate: lastEmailed, ...rest }) => {
        return { kind: 'invoice', number, ...rest, lastEmailed } as const;
      });
      return { documents, next: page.nextPage };
    },
    nextPage: (_page, next) => ['cursor', next],
  },
  creditMemo: {
    // Object Query cannot find credit memos by their bill run. This list has no parameter for the fields.
    path: 'v1/credit-memos',
    parameters: (billRunNumber) => [
      ['sourceId', billRunNumber],
      ['pageSize', '40'],
    ],
    pageIn: (body) => {
      const { success, data: page } = creditMemoPage.safeParse(jsonIn(body));
      if (!success) return undefined;
      const documents = page.creditmemos.map((memo) => ({ kind: 'creditMemo', ...memo, lastEmailed: null }) as const);
      return { documents, next: page.nextPage };
    },
    // Zuora gives the whole URL of the next page; our token goes only to the configured address.
    nextPage: (page) => ['page', String(page)],
  },
};
