import type { BillingDocument } from '../bill-run.js';
import { withoutZone } from '../dates.js';
import type { Operation, Simulation } from '../front-door.js';
import { Refusal } from '../refusal.js';

const MOST_KEYS = 50;
const STATUS = { generated: 'Generated', pending: 'Pending', error: 'Error' } as const;

/** `GET /v1/invoices/pdf-status` (models/get_invoice_pdf_status_response.py of zuora-sdk 3.21.0). */
export function invoicePdfStatus(simulation: Simulation, operation: Operation) {
  const files = documentsIn('invoiceKeys', 'Invoice', simulation, operation).map((document) => ({
    invoiceId: document.id,
    invoiceNumber: document.number,
    ...pdfOf(document, simulation),
  }));
  return { invoiceFiles: files, success: true };
}

/** `GET /v1/credit-memos/pdf-status` (models/get_credit_memo_pdf_status_response.py of zuora-sdk 3.21.0). */
export function creditMemoPdfStatus(simulation: Simulation, operation: Operation) {
  const files = documentsIn('creditMemoKeys', 'CreditMemo', simulation, operation).map((document) => ({
    creditMemoId: document.id,
    creditMemoNumber: document.number,
    ...pdfOf(document, simulation),
  }));
  return { creditMemoFiles: files, success: true };
}

/** IDs or numbers, 50 at most. What comes of one that is not there is not documented; it is refused as elsewhere. */
function documentsIn(
  parameter: string,
  type: BillingDocument['type'],
  { tenant }: Simulation,
  { request, entityId }: Operation,
): BillingDocument[] {
  const text = request.query.get(parameter) ?? '';
  if (text === '') throw new Refusal(23, `'${parameter}' is required.`);
  const keys = text.split(',').map((key) => key.trim());
  if (keys.length > MOST_KEYS) throw new Refusal(20, `'${parameter}' must have at most ${MOST_KEYS} keys.`);
  return keys.map((key) => {
    const found = tenant.findDocument(key);
    if (found?.document.type !== type || found.billRun.entityId !== entityId) {
      throw new Refusal(40, `Cannot find entity by key: '${key}'.`);
    }
    return found.document;
  });
}

/** A draft has no PDF yet. The reference has `errorCode`, Zuora's Python client `errorCategory`; both are here. */
function pdfOf({ id, pdf, postedAt }: BillingDocument, { settings }: Simulation) {
  const isThere = postedAt !== undefined && pdf.status === 'generated';
  const isLost = postedAt !== undefined && pdf.status === 'error';
  const requested = postedAt === undefined ? null : withoutZone(postedAt, settings.current.utcOffset);
  return {
    pdfGenerationStatus: postedAt === undefined ? 'None' : STATUS[pdf.status],
    pdfFileUrl: isThere ? `/v1/files/${id}` : null,
    errorCode: isLost ? 'GenerationError' : null,
    errorCategory: isLost ? 'GenerationError' : null,
    errorMessage: isLost ? (pdf.reason ?? 'The PDF could not be generated.') : null,
    createdOn: requested,
    updatedOn: requested,
  };
}
