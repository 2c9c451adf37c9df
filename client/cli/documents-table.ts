/** What `documents` prints for people. */
import { columns } from './columns.js';
import type { BillRunDocuments, ListedDocument, PossibleSend } from '../documents.js';

export function documentsTable({
  billRunNumber,
  billRunStatus,
  at,
  sends,
  documents,
  warnings,
}: BillRunDocuments): string {
  const head = [
    ['bill run', `${billRunNumber}, ${billRunStatus}`],
    ['read at', at],
    ...sends.flatMap(rowsOfSend),
    ...warnings.map((warning) => ['warning', warning]),
  ];
  const table = [
    ['document', 'kind', 'status', 'amount', 'last emailed', 'resend=false', 'resend=true'],
    ...documents.map(rowOf),
  ];
  return `${columns(head)}\n\n${documents.length === 0 ? 'No documents.' : columns(table)}\nNothing was changed.`;
}

function rowsOfSend({ resend, keptBackBy, wouldEmail: { yes, no, unknown } }: PossibleSend): string[][] {
  const counts = [
    `${yes} of ${yes + no + unknown} documents would be emailed`,
    ...(unknown === 0 ? [] : [`for ${unknown} Zuora does not show it`]),
  ].join('; ');
  const name = `resend=${resend}`;
  if (keptBackBy.length === 0) return [[name, `would be sent now: ${counts}`]];
  const isPosted = keptBackBy.every(({ kind }) => kind !== 'notPosted');
  return [
    [name, isPosted ? `would not be sent now; if it were: ${counts}` : 'would not be sent now'],
    ...keptBackBy.map(({ text }) => ['', text]),
  ];
}

function rowOf({ number, kind, status, amount, currency, lastEmailed, emailedBefore, wouldEmail }: ListedDocument) {
  return [
    number,
    kind === 'invoice' ? 'invoice' : 'credit memo',
    status ?? 'unknown',
    amount === null ? '' : `${amount}${currency === null ? '' : ` ${currency}`}`,
    lastEmailed ?? (emailedBefore === 'no' ? 'never' : 'unknown'),
    wouldEmail.first,
    wouldEmail.resend,
  ];
}
