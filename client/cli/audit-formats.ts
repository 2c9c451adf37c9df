/** An audit for people, and for spreadsheets. */
import { stringify } from 'csv-stringify/sync';
import type { Audit, AuditedSend } from '../history/audit.js';
import type { AuditEntry } from '../history/entries.js';
import { columns } from './columns.js';

export type AuditFormat = 'table' | 'csv';

export function formatted(audit: Audit, format: AuditFormat): string {
  return format === 'csv' ? auditCsv(audit) : auditTable(audit);
}

function auditTable(audit: Audit): string {
  const { workflowId, runIds, entries, sends, incomplete } = audit;
  return [
    `${workflowId}: ${runIds.length} run${runIds.length === 1 ? '' : 's'}`,
    ...incomplete.map((gap) => `Incomplete: ${gap}.`),
    '',
    columns(entries.map((entry) => [entry.at, entry.event, entry.text + inBrackets(whoOf(entry))])),
    '',
    sends.length === 0 ? 'No attempt to email was made.' : 'Sends:',
    columns(sends.flatMap(rowsOfSend)),
  ].join('\n');
}

function inBrackets(text: string): string {
  return text === '' ? '' : `  [${text}]`;
}

/** The events that a person or a pipeline causes. */
const orders: readonly AuditEntry['event'][] = ['started', 'signal', 'update', 'cancelRequested', 'paused', 'resumed'];

/** The identity that Temporal recorded, and the claim of the message. A gap is named, never filled. */
function whoOf({ event, identity, requestedBy }: AuditEntry): string {
  if (identity === null && !orders.includes(event)) return '';
  const claim = requestedBy === null ? '' : `, requestedBy says ${requestedBy}`;
  return `${identity ?? 'no identity recorded'}${claim}`;
}

function rowsOfSend({ resend, requestIds, outcome, attempts }: AuditedSend): string[][] {
  return [
    [`resend=${resend}`, outcome, requestIds.length === 0 ? '' : `for ${requestIds.join(', ')}`],
    ...attempts.map(({ startedAt, verdict, stored, httpStatus, zuoraRequestId, idempotencyKey }) => [
      `  ${startedAt}`,
      `${verdict}${stored ? ' (stored reply)' : ''}`,
      `${httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`}, key ${idempotencyKey}` +
        (zuoraRequestId === null ? '' : `, Zuora request ${zuoraRequestId}`),
    ]),
  ];
}

const FIELDS = ['at', 'event', 'text', 'identity', 'requestedBy', 'workflowId', 'runId', 'eventId'] as const;

/** Spreadsheets take a file without it for the encoding of their country. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * RFC 4180, with a header and one line for each entry. Messages hold texts that anyone typed, and spreadsheets run text that begins
 * like a formula, so such text gets an apostrophe in front.
 */
function auditCsv({ entries }: Audit): string {
  const csv = stringify([...entries], {
    header: true,
    columns: [...FIELDS],
    record_delimiter: 'windows',
    eof: false,
    // By default the library quotes CR LF, but not a CR or LF alone.
    quoted_match: /[\r\n]/,
    cast: { string: (text) => (isLikeFormula(text) ? `'${text}` : text) },
  });
  return `${BYTE_ORDER_MARK}${csv}`;
}

/** NFKC makes full-width and small signs plain ones. Some spreadsheets leave out what stands before a sign and shows nothing. */
function isLikeFormula(text: string): boolean {
  return /^(?:[\t\r]|[\s\p{C}]*[=+\-@])/u.test(text.normalize('NFKC'));
}
