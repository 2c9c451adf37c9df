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

/** They become part of paths, workflow ids and search attributes. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
/** Without what would end a worker (half a character) or a line. */
const text = z.string().regex(/^[^\p{Control}\p{Surrogate}]{0,100}$/u);

const record = z.object({
  id: name,
  billingRunNumber: name,
  status: text.min(1),
  autoEmail: z.boolean().nullish(),
  lastEmailSentTime: text.nullish(),
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
