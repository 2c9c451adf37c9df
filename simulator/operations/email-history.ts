import { withOffset } from '../dates.js';
import { addressOf, type EmailRecord } from '../emails.js';
import type { Operation, Simulation } from '../front-door.js';
import { EVENTS } from '../notifications.js';
import { Refusal } from '../refusal.js';
import type { Settings } from '../settings.js';
import { paged } from './pages.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_WINDOW_MS = 3 * DAY_MS;

/**
 * `GET /v1/notification-history/email` (api/notifications_api.py of zuora-sdk 3.21.0): the last day by default,
 * three days at most, and only failures unless `failedOnly=false`. A row names no document: that takes one query for
 * each document, by `objectId`. The last page has an empty `nextPage`.
 */
export function listEmailHistory(simulation: Simulation, operation: Operation) {
  const { query } = operation.request;
  const { clock, tenant } = simulation;
  const settings = simulation.settings.current;
  const end = momentOf(query, 'endTime', zoneOf(settings)) ?? clock.now();
  const start = momentOf(query, 'startTime', zoneOf(settings)) ?? end - DAY_MS;
  if (end < start) throw new Refusal(20, "'startTime' must be before 'endTime'.");
  if (end - start > LONGEST_WINDOW_MS)
    throw new Refusal(20, 'The time between startTime and endTime must not exceed 3 days.');

  const failedOnly = query.get('failedOnly')?.toLowerCase() !== 'false';
  const [objectId, accountId, category] = ['objectId', 'accountId', 'eventCategory'].map((name) => query.get(name));
  const emails = tenant.emails.history
    .filter((email) => email.entityId === operation.entityId)
    .filter((email) => email.sentAt >= start && email.sentAt <= end)
    .filter((email) => !failedOnly || email.result === 'Failed')
    .filter((email) => !objectId || email.document.id === objectId)
    .filter((email) => !accountId || email.document.accountId === accountId)
    .filter((email) => !category || eventOf(email).category === category);
  const { rows, nextPage = '' } = paged(emails, operation.request, settings);
  return {
    emailHistories: rows.map((email) => asRow(email, settings)),
    nextPage: settings.historyNextPage === 'own' ? nextPage : nextPage.replace(/^http:\/\/[^/]*\/v1\//, FOREIGN),
    success: true,
  };
}

/** As in the sample: another host, and another path. */
const FOREIGN = 'https://tenant.zuora.example/apps/v1/';

function asRow(email: EmailRecord, settings: Settings) {
  const { document, result, errorMessage } = email;
  const { category, notification } = eventOf(email);
  return {
    accountId: document.accountId,
    toEmail: addressOf(document),
    cc: '',
    bcc: '',
    fromEmail: 'billing@tenant.example',
    replyTo: '',
    subject: `Your ${document.type === 'Invoice' ? 'invoice' : 'credit memo'} ${document.number}`,
    notification,
    eventCategory: settings.eventCategoryAs === 'number' ? Number(category) : category,
    result,
    errorMessage,
    // With a T and without a zone, as in the sample.
    sendTime: withOffset(email.sentAt, zoneOf(settings)).slice(0, 19),
  };
}

function eventOf({ cause, document }: EmailRecord) {
  return EVENTS[cause.resend === undefined ? 'posted' : 'requested'][document.type];
}

function zoneOf({ historyTimesIn, utcOffset }: Settings): string {
  return historyTimesIn === 'utc' ? '+00:00' : utcOffset;
}

/** `yyyy-MM-ddTHH:mm:ss`, in the zone of the setting unless it names one. */
function momentOf(query: URLSearchParams, name: string, zone: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const moment = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}${zone}`);
  if (Number.isNaN(moment)) throw new Refusal(20, `'${name}' must look like 2026-01-31T12:00:00.`);
  return moment;
}
