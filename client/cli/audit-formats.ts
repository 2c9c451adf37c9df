/** An audit for people, and for spreadsheets. */
import type { Audit, AuditedSend } from '../history/audit.js';
import type { AuditEntry } from '../history/entries.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import { counted } from '../../workflows/rules/text.js';
import { columns } from './columns.js';
import { csvOf } from './csv.js';

export type AuditFormat = 'table' | 'csv';

export function formatted(audit: Audit, format: AuditFormat): string {
  return format === 'csv' ? csvOf(audit.entries, FIELDS) : auditTable(audit);
}

function auditTable(audit: Audit): string {
  const { entries, sends, incomplete } = audit;
  return [
    ...headOf(audit),
    ...incomplete.map((gap) => `Incomplete: ${gap}.`),
    '',
    columns(entries.map((entry) => [entry.at, entry.event, textOf(entry) + inBrackets(whoOf(entry))])),
    '',
    sends.length === 0 ? 'No attempt to email was made.' : 'Sends:',
    columns(sends.flatMap(rowsOfSend)),
    '',
    LEGEND,
  ].join('\n');
}

/** What dates and places an audit that somebody attaches to a ticket. */
function headOf({ workflowId, answer, head, runIds }: Audit): readonly string[] {
  const { generatedAt, generatedBy, version, namespace, retentionDays, status, state, since } = head;
  const kept =
    retentionDays === null
      ? 'it is not known how long closed jobs are kept'
      : `closed jobs are kept for ${counted(retentionDays, 'day')}`;
  return [
    workflowId,
    answer,
    '',
    `Job        ${state ?? 'no state'}${since === null ? '' : ` since ${since}`}, ${status} in Temporal, ${counted(runIds.length, 'run')}`,
    `Made       ${generatedAt} by ${generatedBy}, bill-run-emails ${version}`,
    `Namespace  ${namespace}; ${kept}`,
    'Times      UTC',
  ];
}

const LEGEND = `Words:
  accepted        Zuora answered success, and sends the emails later
  refused         Zuora will not send, and nothing was sent
  notExecuted     Zuora was busy or refused the login, and nothing was sent
  unknown         no answer settles whether Zuora sends
  stored reply    Zuora repeated its answer to an earlier attempt, and sent nothing
  key             the idempotency key: Zuora carries it out once in 24 hours
  identity        at the end of a line: what Temporal recorded; requestedBy is the sender's own claim`;

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
  const recorded = identity ?? (orders.includes(event) ? 'no identity recorded' : null);
  return [recorded, requestedBy === null ? null : `requestedBy says ${requestedBy}`].filter(Boolean).join(', ');
}

function rowsOfSend({ name, requestedBy, outcome, attempts }: AuditedSend): string[][] {
  return [
    [name, outcome, requestedBy.length === 0 ? '' : `for ${requestedBy.join(', ')}`],
    ...attempts.map(({ startedAt, verdict, stored, httpStatus, zuoraRequestId, idempotencyKey }) => [
      `  ${startedAt}`,
      `${verdict}${stored ? ' (stored reply)' : ''}`,
      `${httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`}, key ${idempotencyKey}` +
        (zuoraRequestId === null ? '' : `, Zuora request ${zuoraRequestId}`),
    ]),
  ];
}

const FIELDS = [
  'at',
  'event',
  'text',
  'identity',
  'requestedBy',
  'requestId',
  'reason',
  'resend',
  'verdict',
  'httpStatus',
  'zuoraRequestId',
  'idempotencyKey',
  'workflowId',
  'runId',
  'eventId',
] as const;
