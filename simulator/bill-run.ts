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

export interface BillingDocument {
  readonly id: string;
  readonly type: 'Invoice' | 'CreditMemo';
  readonly number: string;
  readonly accountId: string;
  readonly accountNumber: string;
  readonly amount: number;
  readonly createdAt: number;
  readonly postedAt: number | undefined;
  /** When an email of it was last recorded as sent. Zuora shows this for invoices only. */
  readonly lastEmailSentAt: number | undefined;
  /** What `resend=false` goes by. */
  readonly countsAsEmailed: boolean;
}

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
