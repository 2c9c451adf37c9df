/** What `documents` prints for people, and for spreadsheets. */
import { counted, kindOf } from '../../workflows/rules/text.js';
import { columns } from './columns.js';
import { csvOf } from './csv.js';
import { hanging, timeHere, timesHere } from './terminal.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import type { BillRunDocuments, ListedDocument, PossibleSend } from '../documents-report.js';

export function documentsTable(found: BillRunDocuments): string {
  const { billRunNumber, billRunStatus, at, sends, documents, warnings } = found;
  const head = [
    ['bill run', `${billRunNumber}, ${billRunStatus}`],
    ['read at', timeHere(at)],
    ['emailed', emailedInWords(found)],
    ...sends.flatMap(rowsOfSend),
    ...obstacleRows(found),
    ...warnings.map((warning) => ['warning', warning]),
  ];
  const names = ['document', 'kind', 'status', 'amount', 'last emailed', 'outcome', 'first send', 'resend'];
  const table = [
    [...names, 'reason', ...(documents.some(({ recipients }) => recipients !== undefined) ? ['recipients'] : [])],
    ...documents.map(rowOf),
  ];
  const lines = head.map(([name = '', text = '']) => hanging(name.padEnd(13), text));
  return `${lines.join('\n')}\n\n${documents.length === 0 ? 'No documents.' : columns(table)}\nNothing was changed.`;
}

function emailedInWords({ emailed, outcomes }: BillRunDocuments): string {
  if (emailed === null) return 'never, as far as is known';
  const { by, resend, since } = emailed;
  const counts = Object.entries(outcomes).flatMap(([outcome, count]) => (count === 0 ? [] : [`${count} ${outcome}`]));
  const how = by === 'job' ? `by the job's ${kindOf(resend)}` : 'by Zuora itself, or by somebody else';
  return `since ${timeHere(since)}, ${how}: ${counts.join(', ') || 'no documents'}`;
}

function rowsOfSend({ resend, keptBackBy, wouldEmail: { yes, no, unknown } }: PossibleSend): string[][] {
  const counts = [
    `${yes} of ${counted(yes + no + unknown, 'document')} would be emailed`,
    ...(unknown === 0 ? [] : [`for ${unknown} Zuora does not show it`]),
  ].join('; ');
  if (keptBackBy.length === 0) return [[kindOf(resend), `would be sent now: ${counts}`]];
  const isPosted = keptBackBy.every(({ kind }) => kind !== 'notPosted');
  return [
    [kindOf(resend), isPosted ? `would not be sent now; if it were: ${counts}` : 'would not be sent now'],
    ...keptBackBy.map(({ text }) => ['', timesHere(withoutMarkdown(text))]),
  ];
}

function obstacleRows({ obstacles }: BillRunDocuments): string[][] {
  const all = Object.entries(obstacles);
  if (all.length === 0) return [];
  const count = all.reduce((sum, [, each]) => sum + each, 0);
  return [
    ['not reached', `no send would email ${count} of the documents now`],
    ...all.map(([reason, each]) => ['', `${each}: ${reason}`]),
  ];
}

function rowOf(document: ListedDocument): string[] {
  const { number, kind, status, currency, lastEmailed, outcome, reason, emailedBefore, wouldEmail } = document;
  const { amount, obstacle, recipients } = document;
  return [
    number,
    kind === 'invoice' ? 'invoice' : 'credit memo',
    status ?? 'unknown',
    amount === null ? '' : `${amount}${currency === null ? '' : ` ${currency}`}`,
    lastEmailed ?? (emailedBefore === 'no' ? 'never' : 'unknown'),
    outcome ?? '-',
    wouldEmail.first,
    wouldEmail.resend,
    [...new Set([reason, obstacle])].filter((each) => each !== null).join('; now: '),
    ...(recipients === undefined ? [] : [recipientsInWords(recipients)]),
  ];
}

function recipientsInWords(recipients: readonly string[] | null): string {
  return recipients === null ? 'unknown' : recipients.length === 0 ? 'none' : recipients.join(', ');
}

const FIELDS = ['number', 'kind', 'status', 'amount', 'currency', 'lastEmailed', 'outcome', 'reason'] as const;

export function documentsCsv({ documents }: BillRunDocuments, withRecipients: boolean): string {
  const rows = documents.map(({ wouldEmail: { first, resend }, recipients, ...document }) => {
    return { ...document, first, resend, recipients: recipients == null ? null : recipients.join(', ') };
  });
  return csvOf(rows, [...FIELDS, 'first', 'resend', 'obstacle', ...(withRecipients ? (['recipients'] as const) : [])]);
}
