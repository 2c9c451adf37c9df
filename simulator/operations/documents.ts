import type { BillingDocument, BillRun } from '../bill-run.js';
import { day, withoutZone, withOffset } from '../dates.js';
import type { Operation, Simulation } from '../front-door.js';
import { queryList } from '../object-query.js';
import { PROFILES } from '../notifications.js';
import { paged } from './pages.js';
import { demand } from './permissions.js';

const CURRENCY = 'USD';

const ACCOUNTS = {
  fields: [
    'id',
    'accountNumber',
    'additionalEmailAddresses',
    'billToId',
    'communicationProfileId',
    'currency',
    'invoiceDeliveryPrefsEmail',
    'updatedDate',
  ],
  filterable: ['id', 'accountnumber', 'currency', 'updateddate'],
  expandable: ['billTo'],
};

const INVOICES = {
  fields: [
    'id',
    'accountId',
    'amount',
    'balance',
    'communicationProfileId',
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
  expandable: ['account', 'account.billTo', 'billToContact'],
};

/** `sourceId` of an invoice is the number of its bill run, not the ID (models/invoice.py of zuora-sdk 3.21.0). */
export function queryInvoices(simulation: Simulation, operation: Operation) {
  const expands = operation.request.query.has('expand[]');
  if (expands) demand('accounts', simulation);
  const rows = documents(simulation, operation.entityId, 'Invoice').map(([billRun, document]) => ({
    ...invoice(simulation, billRun, document),
    ...(expands ? { account: account(document, simulation), billToContact: contact(document) } : {}),
  }));
  return queryList(rows, INVOICES, operation.request.query);
}

/** Every document has an account of its own. */
export function queryAccounts(simulation: Simulation, operation: Operation) {
  const rows = (['Invoice', 'CreditMemo'] as const)
    .flatMap((type) => documents(simulation, operation.entityId, type))
    .map(([, document]) => account(document, simulation));
  return queryList(rows, ACCOUNTS, operation.request.query);
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
  return { creditmemos: rows, ...(nextPage === undefined ? {} : { nextPage }), success: true };
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
    communicationProfileId: PROFILES[document.communicationProfile].id,
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

/** models/expanded_account.py and models/expanded_contact.py of zuora-sdk 3.21.0. */
function account(document: BillingDocument, { settings }: Simulation) {
  return {
    id: document.accountId,
    accountNumber: document.accountNumber,
    additionalEmailAddresses: document.additionalEmailAddresses,
    billToId: document.billToId,
    communicationProfileId: PROFILES[document.communicationProfile].id,
    currency: CURRENCY,
    invoiceDeliveryPrefsEmail: document.invoiceDeliveryPrefsEmail,
    updatedDate: withOffset(document.createdAt, settings.current.utcOffset),
    billTo: contact(document),
  };
}

function contact({ accountId, billToId, personalEmail, workEmail }: BillingDocument) {
  return { id: billToId, accountId, personalEmail, workEmail };
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
