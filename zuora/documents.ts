import { z } from 'zod';
import { jsonIn } from './json.js';
import { keepable } from './words.js';

export type DocumentKind = 'invoice' | 'creditMemo';

/** What several of a kind are called. */
export const namesOf: Readonly<Record<DocumentKind, string>> = { invoice: 'invoices', creditMemo: 'credit memos' };

/** A billing document of a bill run, as far as it matters for emailing. Nothing about the customer is kept. */
export interface BillingDocument {
  readonly kind: DocumentKind;
  readonly number: string;
  /** One of Zuora's statuses, such as `Draft` or `Posted`; null where Zuora does not say. */
  readonly status: string | null;
  /** As Zuora writes it: a number, in units of the currency. */
  readonly amount: number | string | null;
  readonly currency: string | null;
  /** When it was last emailed, as Zuora writes it; null where Zuora shows no email, which it never does for credit memos. */
  readonly lastEmailed: string | null;
}

export interface DocumentList {
  readonly documents: readonly BillingDocument[];
  /** There were no further pages; a large bill run has too many. */
  readonly complete: boolean;
}

/** One page, and what Zuora names the next one by. */
interface DocumentPage {
  readonly documents: readonly BillingDocument[];
  readonly next: string | undefined;
}

/** How the documents of one kind are listed by the number of their bill run. */
interface Listing {
  /** Relative to the base URL. */
  readonly path: string;
  readonly parameters: (billRunNumber: string) => readonly (readonly [string, string])[];
  readonly pageIn: (body: string) => DocumentPage | undefined;
  /** The parameter that asks for the page with this number (from 2 on), which the page before named so. */
  readonly turn: (page: number, next: string) => readonly [string, string];
}

const text = z
  .string()
  .transform((written) => keepable(written, 100))
  .nullish();
const amount = z.union([z.number(), z.string().transform((written) => keepable(written, 50))]).nullish();

const invoicePage = z.object({
  data: z.array(z.object({ invoiceNumber: z.string(), status: text, amount, currency: text, lastEmailSentDate: text })),
  nextPage: z.string().nullish(),
});

const creditMemoPage = z.object({
  creditmemos: z.array(z.object({ number: z.string(), status: text, amount, currency: text })),
  nextPage: z.string().nullish(),
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
      // Without it the newest changes come first, and an email that leaves meanwhile moves its invoice to another page.
      ['sort[]', 'invoicenumber.ASC'],
      ['pageSize', '99'],
    ],
    pageIn: (body) => {
      const { success, data: page } = invoicePage.safeParse(jsonIn(body));
      if (!success) return undefined;
      const documents = page.data.map(({ invoiceNumber, lastEmailSentDate, ...rest }) =>
        documentOf('invoice', { ...rest, number: invoiceNumber, lastEmailed: lastEmailSentDate }),
      );
      return { documents, next: page.nextPage ?? undefined };
    },
    turn: (_page, next) => ['cursor', next],
  },
  creditMemo: {
    // Object Query finds no credit memos by their bill run. This list cannot be told which fields to give.
    path: 'v1/credit-memos',
    parameters: (billRunNumber) => [
      ['sourceId', billRunNumber],
      ['pageSize', '40'],
    ],
    pageIn: (body) => {
      const { success, data: page } = creditMemoPage.safeParse(jsonIn(body));
      if (!success) return undefined;
      const documents = page.creditmemos.map((memo) => documentOf('creditMemo', memo));
      return { documents, next: page.nextPage ?? undefined };
    },
    // Zuora names the next page by a whole URL: our token goes only where the configuration says.
    turn: (page) => ['page', String(page)],
  },
};

interface Listed {
  readonly number: string;
  readonly status?: string | null | undefined;
  readonly amount?: number | string | null | undefined;
  readonly currency?: string | null | undefined;
  readonly lastEmailed?: string | null | undefined;
}

function documentOf(kind: DocumentKind, { number, status, amount, currency, lastEmailed }: Listed): BillingDocument {
  return {
    kind,
    number: keepable(number, 100),
    status: status ?? null,
    amount: amount ?? null,
    currency: currency ?? null,
    lastEmailed: lastEmailed ?? null,
  };
}
