import { z } from 'zod';
import { jsonIn } from './json.js';

/** What Zuora shows about the invoices of a bill run. Credit memos show no emails. */
export interface InvoiceCount {
  /** How many were looked at. */
  readonly invoices: number;
  /** How many of them show an email that may be new enough. */
  readonly emailed: number;
  /** All were looked at; a large bill run has too many. */
  readonly complete: boolean;
}

/** A page of `GET /object-query/invoices`: when each invoice was last emailed, as Zuora writes it. */
export interface InvoicePage {
  readonly lastEmailed: readonly (string | undefined)[];
  readonly cursor: string | undefined;
}

const page = z.object({
  data: z.array(z.object({ lastEmailSentDate: z.string().nullish() })),
  nextPage: z.string().nullish(),
});

/** The page in a body of Zuora's, or undefined where the body is none. */
export function invoicePageIn(body: string): InvoicePage | undefined {
  const parsed = page.safeParse(jsonIn(body));
  if (!parsed.success) return undefined;
  const { data, nextPage } = parsed.data;
  return {
    lastEmailed: data.map(({ lastEmailSentDate }) => lastEmailSentDate ?? undefined),
    cursor: nextPage ?? undefined,
  };
}

const HOUR_MS = 60 * 60_000;

/**
 * Whether a time of Zuora's may be since then (epoch, ms). Zuora writes whole seconds, and may leave out the zone, which is up
 * to 12 h off, or the time of day.
 */
export function maybeSince(lastEmailed: string | undefined, since: number): boolean {
  if (lastEmailed === undefined) return false;
  const [date = '', time] = lastEmailed.split(/[ T]/);
  const zoned = time !== undefined && /(Z|[+-]\d{2}:?\d{2})$/i.test(time);
  const written =
    time === undefined ? Date.parse(date) + 24 * HOUR_MS : Date.parse(`${date}T${time}${zoned ? '' : 'Z'}`);
  return (zoned ? written : written + 12 * HOUR_MS) >= since - (since % 1000);
}
