/** An audit for people, and for spreadsheets. */
import type { Audit, AuditedSend } from '../history/audit.js';
import type { AuditEntry } from '../history/entries.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import { columns } from './columns.js';
import { csvOf } from './csv.js';

export type AuditFormat = 'table' | 'csv';

export function formatted(audit: Audit, format: AuditFormat): string {
  return format === 'csv' ? csvOf(audit.entries, FIELDS) : auditTable(audit);
}

function auditTable(audit: Audit): string {
  const { workflowId, runIds, entries, sends, incomplete } = audit;
  return [
    `${workflowId}: ${runIds.length} run${runIds.length === 1 ? '' : 's'}`,
    ...incomplete.map((gap) => `Incomplete: ${gap}.`),
    '',
    columns(entries.map((entry) => [entry.at, entry.event, textOf(entry) + inBrackets(whoOf(entry))])),
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

/** An order is quoted as it was written. */
function textOf({ event, text }: AuditEntry): string {
  return orders.includes(event) ? text : withoutMarkdown(text);
}

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
