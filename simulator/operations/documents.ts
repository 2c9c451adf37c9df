import type { BillingDocument, BillRun } from '../bill-run.js';
import { day, withoutZone, withOffset } from '../dates.js';
import type { Operation, Simulation } from '../front-door.js';
import { queryList } from '../object-query.js';
import { paged } from './pages.js';

const CURRENCY = 'USD';

const INVOICES = {
  fields: [
    'id',
    'accountId',
    'amount',
    'balance',
    'createdById',
    'createdDate',
    'currency',
    'dueDate',
    'invoiceDate',
    'invoiceNumber',
    'lastEmailSentDate',
    'postedBy',
    'postedDate',
    'reversed',
    'source',
    'sourceId',
    'sourceType',
    'status',
    'targetDate',
    'updatedById',
    'updatedDate',
  ],
  filterable: [
    'id',
    'updateddate',
    'accountid',
    'amount',
    'balance',
    'duedate',
    'invoicedate',
    'invoicenumber',
    'reversed',
    'sourceid',
    'sourcetype',
    'status',
    'einvoicestatus',
  ],
};

/** `sourceId` of an invoice is the number of its bill run, not the ID (models/invoice.py of zuora-sdk 3.21.0). */
export function queryInvoices(simulation: Simulation, operation: Operation) {
  const rows = documents(simulation, operation.entityId, 'Invoice').map(([billRun, document]) =>
    invoice(simulation, billRun, document),
  );
  return queryList(rows, INVOICES, operation.request.query);
}

/**
 * Object Query cannot filter credit memos by their source; this list can, and knows nothing of their emails. Highest
 * number first, as its page says.
 */
export function listCreditMemos(simulation: Simulation, operation: Operation) {
  const { query } = operation.request;
  const [sourceId, status] = [query.get('sourceId'), query.get('status')];
  const memos = documents(simulation, operation.entityId, 'CreditMemo')
    .map(([billRun, document]) => creditMemo(simulation, billRun, document))
    .filter((memo) => sourceId === null || memo.sourceId === sourceId)
    .filter((memo) => status === null || memo.status === status)
    .toSorted((one, other) => (one.number < other.number ? 1 : -1));
  const { rows, nextPage } = paged(memos, operation.request, simulation.settings.current);
  return { creditmemos: rows, ...nextPage, success: true };
}

function documents({ tenant }: Simulation, entityId: string | undefined, type: BillingDocument['type']) {
  return tenant
    .billRuns(entityId)
    .flatMap((billRun) => (billRun.documents ?? []).map((document) => [billRun, document] as const))
    .filter(([, document]) => document.type === type);
}

function invoice({ settings, tenant }: Simulation, { record }: BillRun, document: BillingDocument) {
  const { utcOffset } = settings.current;
  const { createdAt, postedAt, lastEmailSentAt } = document;
  const written = (moment: number | undefined) => (moment === undefined ? null : withOffset(moment, utcOffset));
  const date = record.invoiceDate ?? day(createdAt, utcOffset);
  return {
    id: document.id,
    accountId: document.accountId,
    amount: document.amount,
    balance: document.amount,
    createdById: tenant.userId,
    createdDate: written(createdAt),
    currency: CURRENCY,
    dueDate: date,
    invoiceDate: date,
    invoiceNumber: document.number,
    lastEmailSentDate: written(lastEmailSentAt),
    postedBy: postedAt === undefined ? null : tenant.userId,
    postedDate: written(postedAt),
    reversed: false,
    source: 'BillRun',
    sourceId: record.billingRunNumber,
    sourceType: 'Subscription',
    status: postedAt === undefined ? 'Draft' : 'Posted',
    targetDate: record.targetDate ?? null,
    updatedById: tenant.userId,
    updatedDate: written(Math.max(createdAt, postedAt ?? 0, lastEmailSentAt ?? 0)),
  };
}

function creditMemo({ settings, tenant }: Simulation, { record }: BillRun, document: BillingDocument) {
  const { utcOffset } = settings.current;
  const { createdAt, postedAt } = document;
  return {
    id: document.id,
    number: document.number,
    accountId: document.accountId,
    accountNumber: document.accountNumber,
    amount: document.amount,
    appliedAmount: 0,
    refundAmount: 0,
    unappliedAmount: document.amount,
    createdById: tenant.userId,
    createdDate: withoutZone(createdAt, utcOffset),
    creditMemoDate: record.invoiceDate ?? day(createdAt, utcOffset),
    currency: CURRENCY,
    postedById: postedAt === undefined ? null : tenant.userId,
    postedOn: postedAt === undefined ? null : withoutZone(postedAt, utcOffset),
    reversed: false,
    source: 'BillRun',
    sourceId: record.billingRunNumber,
    sourceType: 'Subscription',
    status: postedAt === undefined ? 'Draft' : 'Posted',
    targetDate: record.targetDate ?? null,
    updatedById: tenant.userId,
    updatedDate: withoutZone(Math.max(createdAt, postedAt ?? 0), utcOffset),
  };
}
