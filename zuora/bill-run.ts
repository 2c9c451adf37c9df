import { z } from 'zod';
import { jsonIn } from './json.js';
import { keepable } from './words.js';

/**
 * The fields of a bill run that matter for emailing. Absent: Zuora did not return it.
 * Source: `GET /object-query/billing-runs/{key}`.
 */
export interface BillRun {
  readonly id: string;
  readonly number: string;
  /** One of Zuora's statuses, such as `Posted`, or an unknown one. */
  readonly status: string;
  /** Zuora itself emails the documents. */
  readonly autoEmail?: boolean;
  /** Somebody emailed the documents by the action on the whole bill run. */
  readonly invoicesEmailed?: boolean;
  /** When it was posted, in Zuora's format. */
  readonly postedDate?: string;
  /** When Zuora last sent emails for this bill run, in Zuora's format. */
  readonly lastEmailSentTime?: string;
  readonly numberOfInvoices?: number;
  readonly numberOfCreditMemos?: number;
  /** Zuora's own description of the failure of the bill run. */
  readonly errorMessage?: string;
}

/** A part of paths, workflow ids and search attributes. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
/** Without half characters, which would end a worker, and control characters. */
const text = z.string().regex(/^[^\p{Control}\p{Surrogate}]{0,100}$/u);

const record = z.object({
  id: name,
  billingRunNumber: name,
  status: text.min(1),
  autoEmail: z.boolean().nullish(),
  invoicesEmailed: z.boolean().nullish(),
  postedDate: text.nullish(),
  lastEmailSentTime: text.nullish(),
  numberOfInvoices: z.int().nonnegative().nullish(),
  numberOfCreditMemos: z.int().nonnegative().nullish(),
  errorMessage: z.string().nullish(),
});

/** Undefined if the body is not a bill run. */
export function billRunIn(body: string): BillRun | undefined {
  const parsed = record.safeParse(jsonIn(body));
  if (!parsed.success) return undefined;
  const { id, billingRunNumber, status, autoEmail, invoicesEmailed, postedDate } = parsed.data;
  const { lastEmailSentTime, numberOfInvoices, numberOfCreditMemos, errorMessage } = parsed.data;
  return {
    id,
    number: billingRunNumber,
    status,
    ...(autoEmail == null ? {} : { autoEmail }),
    ...(invoicesEmailed == null ? {} : { invoicesEmailed }),
    ...(postedDate == null ? {} : { postedDate }),
    ...(lastEmailSentTime == null ? {} : { lastEmailSentTime }),
    ...(numberOfInvoices == null ? {} : { numberOfInvoices }),
    ...(numberOfCreditMemos == null ? {} : { numberOfCreditMemos }),
    ...(errorMessage == null || errorMessage === '' ? {} : { errorMessage: keepable(errorMessage) }),
  };
}
