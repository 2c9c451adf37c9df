import { z } from 'zod';
import { flag, words } from './members.js';

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

/** Names and values of a URL's query. */
export type Query = readonly (readonly [string, string])[];

/** One page, and Zuora's name for the next one. */
export interface DocumentPage<Document> {
  readonly documents: readonly Document[];
  readonly next: string | undefined;
}

/** The API call that lists rows: documents by the number of their bill run, or bill runs by a time. */
export interface Listing<Document> {
  /** Relative to the base URL. */
  readonly path: string;
  readonly parameters: (billRunNumber: string) => Query;
  readonly page: z.ZodType<DocumentPage<Document>>;
  /** The parameter for the page with this number (from 2 on), by the name that the page before gave it. */
  readonly nextPage: (page: number, next: string) => readonly [string, string];
}

/** Lists documents page by page, each once. Pages that lead in circles, and the most pages, end the list. */
export async function listed<Document extends { readonly number: string }>(
  { parameters, nextPage }: Listing<Document>,
  billRunNumber: string,
  read: (query: Query) => Promise<DocumentPage<Document>>,
  mostPages: number,
): Promise<{ readonly documents: readonly Document[]; readonly complete: boolean }> {
  const documents = new Map<string, Document>();
  const cursors = new Set<string>();
  let query = parameters(billRunNumber);
  for (let pages = 1; ; pages++) {
    const page = await read(query);
    const known = documents.size;
    for (const document of page.documents) documents.set(document.number, document);
    const { next } = page;
    const goesInCircles = documents.size === known || (next !== undefined && cursors.has(next));
    if (next === undefined || goesInCircles || pages === mostPages) {
      return { documents: [...documents.values()], complete: next === undefined };
    }
    cursors.add(next);
    query = [...parameters(billRunNumber), nextPage(pages + 1, next)];
  }
}

export const orNull = <T>(given: T): NonNullable<T> | null => given ?? null;
/** What only informs, and cannot be read, counts as absent. */
export const optional = words.nullish().catch(undefined).transform(orNull);
export const yesOrNo = flag.catch(undefined).transform(orNull);
export const amount = z.union([z.number(), words]).nullish().catch(undefined).transform(orNull);

/** Old versions of the API report failures as HTTP 200. */
export const success = flag.refine((given) => given !== false, 'is false');

/** Undefined on the last page. */
export const nextPage = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .transform((cursor) => (cursor == null || cursor.trim() === '' ? undefined : cursor));
