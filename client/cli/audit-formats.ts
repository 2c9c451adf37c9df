/** An audit for people, for spreadsheets, and as a page that can be attached to a ticket. */
import { stringify } from 'csv-stringify/sync';
import type { Audit, AuditedSend } from '../history/audit.js';
import type { AuditEntry } from '../history/entries.js';
import { columns } from './columns.js';

export type AuditFormat = 'table' | 'csv' | 'html';

export function formatted(audit: Audit, format: AuditFormat): string {
  switch (format) {
    case 'table':
      return auditTable(audit);
    case 'csv':
      return auditCsv(audit);
    case 'html':
      return auditPage(audit);
  }
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
const orders: readonly AuditEntry['event'][] = ['started', 'signal', 'update', 'cancelRequested'];

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

/**
 * RFC 4180, with a header and one line for each entry. Messages hold texts that anyone typed, and spreadsheets run text that begins
 * like a formula, so such text gets an apostrophe in front.
 */
function auditCsv({ entries }: Audit): string {
  return stringify([...entries], {
    header: true,
    columns: [...FIELDS],
    record_delimiter: 'windows',
    eof: false,
    // By default the library quotes CR LF, but not a CR or LF alone.
    quoted_match: /[\r\n]/,
    escape_formulas: true,
  });
}

/** Needs only a browser: no scripts, and no fonts or pictures from elsewhere. */
function auditPage(audit: Audit): string {
  const { workflowId, runIds, aliases, incomplete, entries, sends } = audit;
  const facts = [
    `${runIds.length} run${runIds.length === 1 ? '' : 's'}: ${runIds.join(', ')}`,
    ...(aliases.length === 0 ? [] : [`also started as ${aliases.join(', ')}`]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Audit of ${html(workflowId)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Audit of ${html(workflowId)}</h1>
${facts.map((fact) => `<p>${html(fact)}</p>`).join('\n')}
${incomplete.map((gap) => `<p class="gap">Incomplete: ${html(gap)}.</p>`).join('\n')}
<h2>Sends</h2>
${sends.length === 0 ? '<p>No attempt to email was made.</p>' : sends.map(sendHtml).join('\n')}
<h2>Timeline</h2>
<ol>
${entries.map(entryHtml).join('\n')}
</ol>
<p>Read from Temporal's event history. An identity is what Temporal recorded; Temporal UI without login records none. The sender's own claim
stands beside it.</p>
</body>
</html>`;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}
ol{list-style:none;border-left:3px solid #ccc;padding-left:1rem}li{margin:.6rem 0;position:relative;overflow-wrap:anywhere}
li::before{content:"";position:absolute;left:-1.5rem;top:.4rem;width:.8rem;height:.8rem;border-radius:50%;background:#888}
li.signal::before,li.update::before,li.cancelRequested::before{background:#7a3e9d}
li.attempt::before,li.attemptEnded::before{background:#1f6feb}li.state::before{background:#2da44e}
li.closed::before,li.reset::before,li.started::before,li.continued::before{background:#1a1a1a}
time{color:#555;font-variant-numeric:tabular-nums}.who{color:#555}.gap{background:#fff3cd;padding:.5rem}
td,li{font-size:14px}`;

function sendHtml({ resend, requestIds, outcome, attempts }: AuditedSend): string {
  const served = requestIds.length === 0 ? '' : `, for ${requestIds.join(', ')}`;
  const rows = attempts.map(
    ({ startedAt, verdict, stored, httpStatus, zuoraRequestId, idempotencyKey, reasons }) =>
      `<tr>${[
        startedAt,
        `${verdict}${stored ? ' (stored reply)' : ''}`,
        httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`,
        zuoraRequestId ?? '',
        idempotencyKey,
        reasons.map(({ code, message }) => `${code}: ${message}`).join('; '),
      ]
        .map((text) => `<td>${html(text)}</td>`)
        .join('')}</tr>`,
  );
  return `<h3>resend=${resend}: ${outcome}${html(served)}</h3>
<table><tr><th>attempt</th><th>verdict</th><th>answer</th><th>Zuora request</th><th>idempotency key</th><th>reasons</th></tr>
${rows.join('\n')}
</table>`;
}

function entryHtml(entry: AuditEntry): string {
  const who = whoOf(entry);
  return (
    `<li class="${entry.event}"><time datetime="${entry.at}">${entry.at}</time> <strong>${entry.event}</strong> ` +
    `${html(entry.text)}${who === '' ? '' : ` <span class="who">[${html(who)}]</span>`}</li>`
  );
}

function html(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
