import { withoutZone } from '../dates.js';
import type { Operation, Simulation } from '../front-door.js';
import { Refusal } from '../refusal.js';
import type { SentEmail } from '../tenant.js';
import { paged } from './pages.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_WINDOW_MS = 3 * DAY_MS;

/** Codes and names of standard events: on request, and at the post. */
export const EVENTS = {
  requested: {
    Invoice: { category: '1130', notification: 'Manual Email For Invoice' },
    CreditMemo: { category: '2730', notification: 'Email Credit Memo' },
  },
  posted: {
    Invoice: { category: '1110', notification: 'Invoice Posted' },
    CreditMemo: { category: '2720', notification: 'Credit Memo Posted' },
  },
} as const;

/**
 * `GET /v1/notification-history/email` (api/notifications_api.py of zuora-sdk 3.21.0): the last day by default,
 * three days at most, and only failures unless `failedOnly=false`. Every email here succeeds. A row names no
 * document: that takes one query for each document, by `objectId`.
 */
export function listEmailHistory(simulation: Simulation, operation: Operation) {
  const { query } = operation.request;
  const { clock, settings, tenant } = simulation;
  const end = momentOf(query, 'endTime') ?? clock.now();
  const start = momentOf(query, 'startTime') ?? end - DAY_MS;
  if (end < start) throw new Refusal(20, "'startTime' must be before 'endTime'.");
  if (end - start > LONGEST_WINDOW_MS)
    throw new Refusal(20, 'The time between startTime and endTime must not exceed 3 days.');

  const failedOnly = query.get('failedOnly')?.toLowerCase() !== 'false';
  const [objectId, accountId, category] = ['objectId', 'accountId', 'eventCategory'].map((name) => query.get(name));
  const emails = failedOnly
    ? []
    : tenant.mailbox
        .filter((email) => email.entityId === operation.entityId)
        .filter((email) => email.sentAt >= start && email.sentAt <= end)
        .filter((email) => !objectId || email.document.id === objectId)
        .filter((email) => !accountId || email.document.accountId === accountId)
        .filter((email) => !category || eventOf(email).category === category);
  const { rows, nextPage } = paged(emails, operation.request, settings.current);
  return { emailHistories: rows.map((email) => asRow(email, settings.current.utcOffset)), ...nextPage, success: true };
}

function asRow(email: SentEmail, utcOffset: string) {
  const { document } = email;
  const { category, notification } = eventOf(email);
  return {
    accountId: document.accountId,
    toEmail: `${document.accountNumber.toLowerCase()}@customer.example`,
    cc: '',
    bcc: '',
    fromEmail: 'billing@tenant.example',
    replyTo: '',
    subject: `Your ${document.type === 'Invoice' ? 'invoice' : 'credit memo'} ${document.number}`,
    notification,
    eventCategory: category,
    result: 'OK',
    errorMessage: null,
    sendTime: withoutZone(email.sentAt, utcOffset),
  };
}

function eventOf({ cause, document }: SentEmail) {
  return EVENTS[cause.resend === undefined ? 'posted' : 'requested'][document.type];
}

/** `yyyy-MM-ddTHH:mm:ss`, in a time zone that is not documented: read as UTC here unless it names one. */
function momentOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const moment = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(moment)) throw new Refusal(20, `'${name}' must look like 2026-01-31T12:00:00.`);
  return moment;
}
