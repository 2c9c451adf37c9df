import { z } from 'zod';
import type { BillRun } from '../bill-run.js';
import { RECORD_FIELDS } from '../bill-run.js';
import type { Operation, Simulation } from '../front-door.js';
import { present, queryList } from '../object-query.js';
import { Refusal } from '../refusal.js';
import { jsonBody } from '../wire.js';

const BILLING_RUNS = {
  fields: RECORD_FIELDS,
  filterable: [
    'id',
    'createdbyid',
    'updateddate',
    'billingrunnumber',
    'executeddate',
    'name',
    'numberofaccounts',
    'numberofinvoices',
    'numberofcreditmemos',
    'status',
    'targetdate',
    'batches',
    'repeattype',
  ],
};

const date = z.iso.date();

/** Taken and left alone. */
const ignored = z.unknown().optional();

/**
 * The fields of models/create_bill_run_request.py (zuora-sdk 3.21.0). Others are refused with the category that Zuora
 * has for them, 21 (docs/guides/error-codes).
 */
const creationSchema = z.strictObject({
  name: z.string().optional(),
  autoEmail: z.boolean().default(false),
  autoPost: z.boolean().default(false),
  autoRenewal: z.boolean().default(false),
  noEmailForZeroAmountInvoice: z.boolean().default(false),
  includeSubscriptions: z.boolean().default(true),
  includeOrderLineItems: z.boolean().default(true),
  invoiceDate: date.optional(),
  targetDate: date,
  batches: ignored,
  billCycleDay: ignored,
  billRunFilters: ignored,
  billRunType: ignored,
  chargeTypeToExclude: ignored,
  invoiceDateDayOfMonth: ignored,
  invoiceDateMonthOffset: ignored,
  organizationLabels: ignored,
  schedule: ignored,
  targetDateDayOfMonth: ignored,
  targetDateMonthOffset: ignored,
});

const postingSchema = z.strictObject({ invoiceDate: date.optional() });
const cancelingSchema = z.strictObject({ cancelOnce: z.boolean().optional() });
const emailSchema = z.strictObject({
  resend: z.union([z.boolean(), z.literal(['true', 'false'])], 'must be a boolean').default(false),
});

export function createBillRun({ tenant }: Simulation, operation: Operation) {
  const body = fieldsOf(creationSchema, operation);
  const billRun = tenant.create({
    number: undefined,
    entityId: operation.entityId,
    status: 'Pending',
    planned: {},
    fields: {
      name: body.name,
      autoEmail: body.autoEmail,
      autoPost: body.autoPost,
      autoRenewal: body.autoRenewal,
      noEmailForZeroAmountInvoice: body.noEmailForZeroAmountInvoice,
      includeSubscriptions: body.includeSubscriptions,
      includeOrderLineItems: body.includeOrderLineItems,
      invoiceDate: body.invoiceDate,
      targetDate: body.targetDate,
    },
  });
  tenant.process(billRun.record.id);
  return asV1(billRun);
}

export function getBillRun({ tenant, settings }: Simulation, operation: Operation) {
  const billRun = known(tenant.find(keyOf(operation), operation.entityId), operation);
  return asV1(settings.current.readByNumberOnV1 ? billRun : identified(billRun, operation));
}

export function postBillRun({ tenant }: Simulation, operation: Operation) {
  const { invoiceDate } = fieldsOf(postingSchema, operation);
  const billRun = known(tenant.find(keyOf(operation), operation.entityId), operation);
  return asV1(tenant.post(identified(billRun, operation), invoiceDate));
}

export function cancelBillRun({ tenant }: Simulation, operation: Operation) {
  fieldsOf(cancelingSchema, operation);
  const billRun = known(tenant.find(keyOf(operation), operation.entityId), operation);
  return asV1(tenant.cancel(identified(billRun, operation)));
}

/** Emails the documents. The answer names no document, and the emails leave later. */
export function emailBillRun({ tenant, settings }: Simulation, operation: Operation) {
  const { resend } = fieldsOf(emailSchema, operation);
  if (typeof resend === 'string' && settings.current.stringResend === 'refuse') {
    throw new Refusal(20, "'resend' must be a boolean.");
  }
  const billRun = known(tenant.find(keyOf(operation), operation.entityId), operation);
  tenant.email(billRun, { resend: String(resend) === 'true', idempotencyKey: operation.idempotencyKey });
  return { success: true };
}

export function queryBillingRun({ tenant }: Simulation, operation: Operation) {
  const billRun = known(tenant.find(keyOf(operation), operation.entityId), operation);
  const answer = present({ ...billRun.record }, BILLING_RUNS, operation.request.query);
  tenant.wasRead(billRun.record.id);
  return answer;
}

export function queryBillingRuns({ tenant }: Simulation, operation: Operation) {
  const rows = tenant.billRuns(operation.entityId).map((billRun) => ({ ...billRun.record }));
  return queryList(rows, BILLING_RUNS, operation.request.query);
}

/** models/bill_run_response.py of zuora-sdk 3.21.0: it does not show whether emails were sent, or the number of documents. */
function asV1({ record }: BillRun) {
  return {
    success: true,
    id: record.id,
    name: record.name ?? null,
    billRunNumber: record.billingRunNumber,
    status: record.status,
    batches: record.batches === undefined ? null : [record.batches],
    billCycleDay: record.billCycleDay ?? 'AllBillCycleDays',
    autoPost: record.autoPost,
    autoEmail: record.autoEmail,
    autoRenewal: record.autoRenewal,
    noEmailForZeroAmountInvoice: record.noEmailForZeroAmountInvoice,
    includeSubscriptions: record.includeSubscriptions,
    includeOrderLineItems: record.includeOrderLineItems,
    invoiceDate: record.invoiceDate,
    targetDate: record.targetDate,
    createdById: record.createdById,
    createdDate: withoutOffset(record.createdDate),
    updatedById: record.updatedById,
    updatedDate: withoutOffset(record.updatedDate),
  };
}

function withoutOffset(moment: string | undefined): string | undefined {
  return moment?.slice(0, 19).replace('T', ' ');
}

function keyOf(operation: Operation): string {
  return operation.request.params['key'] ?? '';
}

function known(billRun: BillRun | undefined, operation: Operation): BillRun {
  if (billRun === undefined) throw new Refusal(40, `Cannot find entity by key: '${keyOf(operation)}'.`);
  return billRun;
}

/** If the documentation allows only the ID, the number finds nothing. */
function identified(billRun: BillRun, operation: Operation): BillRun {
  return known(billRun.record.id === keyOf(operation) ? billRun : undefined, operation);
}

function fieldsOf<Fields extends z.ZodType>(schema: Fields, operation: Operation): z.infer<Fields> {
  const parsed = schema.safeParse(jsonBody(operation.request));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') throw new Refusal(21, `Unknown field: ${issue.keys.join(', ')}.`);
  const field = issue?.path.join('.') ?? '';
  const missing = issue?.code === 'invalid_type' && issue.input === undefined;
  throw new Refusal(missing ? 22 : 20, `'${field}' ${issue?.message ?? 'is not valid'}.`);
}
