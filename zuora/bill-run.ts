import { z } from 'zod';
import { count, flag, time } from './members.js';
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
export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'is not a name of letters, digits, dots, dashes and underscores');
/** Without half characters, which would end a worker, and control characters. */
const text = z
  .string()
  .regex(/^[^\p{Control}\p{Surrogate}]{0,100}$/u, 'is longer than 100 characters, or has some that do harm');

/** Without what Zuora leaves out. */
export const billRun = z
  .object({
    id: name,
    billingRunNumber: name,
    status: text.min(1),
    autoEmail: flag,
    invoicesEmailed: flag,
    postedDate: time,
    lastEmailSentTime: time,
    numberOfInvoices: count,
    numberOfCreditMemos: count,
    errorMessage: z
      .string()
      .min(1)
      .transform((written) => keepable(written))
      .nullish()
      .catch(undefined),
  })
  .transform(({ billingRunNumber: number, ...members }): BillRun => {
    const present = Object.entries(members).filter(([, value]) => value != null);
    return { ...(Object.fromEntries(present) as Omit<BillRun, 'number'>), number };
  });
