import { z } from 'zod';

/** Zuora's words for the status of a bill run (models/bill_run_status.py of zuora-sdk 3.21.0). Others can be patched in. */
export const ON_THE_WAY_TO_POSTED = ['Pending', 'Processing', 'Completed', 'PostInProgress', 'Posted'] as const;

const text = z.string().nullable().optional();
const count = z.number().int().nonnegative().nullable().optional();
const flag = z.boolean().nullable().optional();

/**
 * The fields of a bill run in Object Query (models/expanded_billing_run.py of zuora-sdk 3.21.0), as the control
 * interface takes them. `id` and `billingRunNumber` are missing: they are what a bill run is found by.
 */
export const recordChangeSchema = z.strictObject({
  accountId: text,
  autoEmail: flag,
  autoPost: flag,
  autoRenewal: flag,
  batches: text,
  billCycleDay: text,
  billingRunType: text,
  chargeTypeToExclude: text,
  createdById: text,
  createdDate: text,
  endDate: text,
  errorMessage: text,
  executedDate: text,
  includeOrderLineItems: flag,
  includeSubscriptions: flag,
  invoiceDate: text,
  invoiceDateDayOfMonth: text,
  invoiceDateMonthOffset: count,
  invoiceDateOffSet: count,
  invoicesEmailed: flag,
  lastEmailSentTime: text,
  monthlyOnDay: text,
  name: text,
  noEmailForZeroAmountInvoice: flag,
  numberOfAccounts: count,
  numberOfCreditMemos: count,
  numberOfInvoices: count,
  postedDate: text,
  repeatFrom: text,
  repeatTo: text,
  repeatType: text,
  runTime: count,
  scheduledExecutionTime: text,
  startDate: text,
  status: text,
  targetDate: text,
  targetDateDayOfMonth: text,
  targetDateMonthOffset: count,
  targetDateOffSet: count,
  targetType: text,
  timeZone: text,
  totalTime: count,
  updatedById: text,
  updatedDate: text,
  weeklyOnDay: text,
});

export type RecordChange = Readonly<z.infer<typeof recordChangeSchema>>;

/** As Object Query answers it, without the fields that are null. */
export type BillRunRecord = {
  readonly [Field in keyof RecordChange]?: NonNullable<RecordChange[Field]>;
} & { readonly id: string; readonly billingRunNumber: string };

export const RECORD_FIELDS: readonly string[] = ['id', 'billingRunNumber', ...Object.keys(recordChangeSchema.shape)];

export interface BillRun {
  readonly record: BillRunRecord;
  /** Where it lives in a tenant with Multi-entity. */
  readonly entityId: string | undefined;
  /** What it will generate on reaching Completed. */
  readonly planned: PlannedDocuments;
  readonly documents: readonly BillingDocument[] | undefined;
}

export interface PlannedDocuments {
  readonly invoices: number;
  readonly creditMemos: number;
  /** How many of the invoices are over nothing. */
  readonly zeroAmountInvoices: number;
}

const delay = z.number().int().nonnegative();
const address = z.string().min(1).nullable().optional();

/**
 * `PATCH /simulator/documents/{number}`. `email` says what the next email of the document comes to:
 *
 * - `sent`: it leaves. The default.
 * - `warning`: it leaves, and the history says Warning.
 * - `failed`: the history says Failed.
 * - `never`: Zuora does not try, and the history has no row.
 * - `delayed`: it leaves `delayMs` later.
 *
 * All emails of the document wait for its PDF: `generated` (the default), `pending`, for `pdfDelayMs` if they are given, or `error`.
 */
export const documentChangeSchema = z
  .strictObject({
    email: z.enum(['sent', 'warning', 'failed', 'never', 'delayed']).optional(),
    /** Zuora's words for what failed. */
    reason: z.string().min(1).optional(),
    delayMs: delay.optional(),
    pdf: z.enum(['generated', 'pending', 'error']).optional(),
    pdfDelayMs: delay.optional(),
    /** A document that goes back to Draft takes a posted bill run to Completed. The last one that is posted takes it to Posted. */
    status: z.enum(['Draft', 'Posted']).optional(),
    /** Of its account, and of the bill-to contact of the account. */
    workEmail: address,
    personalEmail: address,
    additionalEmailAddresses: address,
    invoiceDeliveryPrefsEmail: z.boolean().optional(),
    communicationProfile: z.enum(['default', 'bare']).optional(),
  })
  .superRefine(({ email, reason, delayMs, pdf, pdfDelayMs }, context) => {
    const demand = (path: string, holds: boolean, message: string) => {
      if (!holds) context.addIssue({ code: 'custom', path: [path], message });
    };
    const isForReason = email === 'failed' || email === 'warning' || pdf === 'error';
    demand('reason', reason === undefined || isForReason, 'needs an email that failed or warned, or a pdf in error');
    demand('delayMs', (delayMs !== undefined) === (email === 'delayed'), 'belongs to an email that is delayed');
    demand('pdfDelayMs', pdfDelayMs === undefined || pdf === 'pending', 'needs a pdf that is pending');
  });

export type DocumentChange = Readonly<z.infer<typeof documentChangeSchema>>;

export interface BillingDocument {
  readonly id: string;
  readonly type: 'Invoice' | 'CreditMemo';
  readonly number: string;
  readonly accountId: string;
  readonly accountNumber: string;
  readonly billToId: string;
  readonly workEmail: string | null;
  readonly personalEmail: string | null;
  readonly additionalEmailAddresses: string | null;
  readonly invoiceDeliveryPrefsEmail: boolean;
  readonly communicationProfile: 'default' | 'bare';
  readonly amount: number;
  readonly createdAt: number;
  readonly postedAt: number | undefined;
  /** When an email of it was last recorded as sent. Zuora shows this for invoices only. */
  readonly lastEmailSentAt: number | undefined;
  /** What `resend=false` goes by. */
  readonly countsAsEmailed: boolean;
  readonly nextEmail:
    | { readonly kind: NonNullable<DocumentChange['email']>; readonly reason?: string; readonly delayMs?: number }
    | undefined;
  readonly pdf: { readonly status: NonNullable<DocumentChange['pdf']>; readonly reason?: string };
}

export type DocumentEdit = Partial<BillingDocument>;

/** `null` removes a field, as it does in the control interface; what is undefined stays. */
export function changed(record: BillRunRecord, change: RecordChange): BillRunRecord {
  const fields = new Map<string, unknown>(Object.entries(record));
  for (const [field, value] of Object.entries(change)) {
    if (value === null) fields.delete(field);
    else if (value !== undefined) fields.set(field, value);
  }
  return { ...Object.fromEntries(fields), id: record.id, billingRunNumber: record.billingRunNumber };
}

/** Its documents exist from here on. */
export function hasGenerated(status: string | undefined): boolean {
  return status === undefined || !['Pending', 'Processing', 'Paused'].includes(status);
}
