/** What `preview` prints for people. */
import { columns } from './columns.js';
import type { Preview, PreviewedDocument, PreviewedSend } from '../preview.js';

export function previewTable({ billRunNumber, billRunStatus, at, sends, documents, warnings }: Preview): string {
  const head = [
    ['bill run', `${billRunNumber}, ${billRunStatus}`],
    ['looked at', at],
    ...sends.flatMap(rowsOfSend),
    ...warnings.map((warning) => ['warning', warning]),
  ];
  const table = [
    ['document', 'kind', 'status', 'amount', 'last emailed', 'resend=false', 'resend=true'],
    ...documents.map(rowOf),
  ];
  return `${columns(head)}\n\n${documents.length === 0 ? 'No documents.' : columns(table)}\nNothing was changed.`;
}

function rowsOfSend({ resend, heldBackBy, wouldEmail: { yes, no, unknown } }: PreviewedSend): string[][] {
  const counts = [
    `${yes} of ${yes + no + unknown} documents would be emailed`,
    ...(unknown === 0 ? [] : [`for ${unknown} Zuora does not tell`]),
  ].join('; ');
  const name = `resend=${resend}`;
  if (heldBackBy.length === 0) return [[name, `would be sent now: ${counts}`]];
  const posted = heldBackBy.every(({ kind }) => kind !== 'notPosted');
  return [
    [name, posted ? `would not be sent now; if it were: ${counts}` : 'would not be sent now'],
    ...heldBackBy.map(({ text }) => ['', text]),
  ];
}

function rowOf({ number, kind, status, amount, currency, lastEmailed, emailedBefore, wouldEmail }: PreviewedDocument) {
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
