import { z } from 'zod';
import { jsonIn } from './json.js';
import { keepable } from './words.js';

/**
 * What Zuora tells of a bill run, as far as it matters for emailing. Absent means that Zuora did not say.
 * Source: `GET /object-query/billing-runs/{key}`.
 */
export interface BillRun {
  readonly id: string;
  readonly number: string;
  /** One of Zuora's statuses, such as `Posted`, or one that is new to us. */
  readonly status: string;
  /** Zuora emails the documents by itself. */
  readonly autoEmail?: boolean;
  /** When Zuora last sent emails for this bill run, as Zuora writes it. */
  readonly lastEmailSentTime?: string;
  readonly numberOfInvoices?: number;
  readonly numberOfCreditMemos?: number;
  /** Zuora's own account of what went wrong in the run. */
  readonly errorMessage?: string;
}

const record = z.object({
  id: z.string().min(1).max(100),
  billingRunNumber: z.string().min(1).max(100),
  status: z.string().min(1).max(100),
  autoEmail: z.boolean().nullish(),
  lastEmailSentTime: z.string().max(100).nullish(),
  numberOfInvoices: z.int().nonnegative().nullish(),
  numberOfCreditMemos: z.int().nonnegative().nullish(),
  errorMessage: z.string().nullish(),
});

/** The bill run in a body of Zuora's, or undefined where the body is none. */
export function billRunIn(body: string): BillRun | undefined {
  const parsed = record.safeParse(jsonIn(body));
  if (!parsed.success) return undefined;
  const { id, billingRunNumber, status, autoEmail, lastEmailSentTime, numberOfInvoices, numberOfCreditMemos } =
    parsed.data;
  const errorMessage = parsed.data.errorMessage;
  return {
    id,
    number: billingRunNumber,
    status,
    ...(autoEmail == null ? {} : { autoEmail }),
    ...(lastEmailSentTime == null ? {} : { lastEmailSentTime }),
    ...(numberOfInvoices == null ? {} : { numberOfInvoices }),
    ...(numberOfCreditMemos == null ? {} : { numberOfCreditMemos }),
    ...(errorMessage == null || errorMessage === '' ? {} : { errorMessage: keepable(errorMessage) }),
  };
}
