import { z } from 'zod';
import { jsonIn } from './json.js';

/** Emails of the invoices of a bill run, as Zuora shows them. Credit memos show no emails. */
export interface InvoiceCount {
  /** Invoices read. */
  readonly invoices: number;
  /** Those with an email that may be new enough. */
  readonly emailed: number;
  /** All invoices were read; a large bill run has too many. */
  readonly complete: boolean;
}

/** A page of `GET /object-query/invoices`: the time of each invoice's last email, in Zuora's format. */
export interface InvoicePage {
  readonly lastEmailed: readonly (string | undefined)[];
  readonly cursor: string | undefined;
}

const page = z.object({
  data: z.array(z.object({ lastEmailSentDate: z.string().nullish() })),
  nextPage: z.string().nullish(),
});

/** Undefined if the body is not a page of invoices. */
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
 * Whether a time of Zuora's may be at or after another (epoch ms). Zuora writes whole seconds, and may omit the time of day, or the
 * zone, which is up to 12 h off.
 */
export function maybeSince(lastEmailed: string | undefined, since: number): boolean {
  if (lastEmailed === undefined) return false;
  const [date = '', time] = lastEmailed.split(/[ T]/);
  const zoned = time !== undefined && /(Z|[+-]\d{2}:?\d{2})$/i.test(time);
  const written =
    time === undefined ? Date.parse(date) + 24 * HOUR_MS : Date.parse(`${date}T${time}${zoned ? '' : 'Z'}`);
  return (zoned ? written : written + 12 * HOUR_MS) >= since - (since % 1000);
}
