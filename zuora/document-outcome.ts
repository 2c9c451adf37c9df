import type { DocumentKind } from './documents.js';
import { isLater, momentOf, type Moment } from './moment.js';
import { impersonal } from './words.js';

/**
 * What became of a document after a send.
 *
 * - `sent`: Zuora shows an email: any for a first send, one since the send began for a resend.
 * - `waiting`: not yet: its PDF is missing, or it is too early to say.
 * - `notSent`: Zuora shows a cause now, or showed no email for 24 hours.
 * - `leftOut`: a setting leaves it out on purpose. It never counts as trouble.
 * - `unknown`: Zuora does not let us see it.
 */
export type DocumentOutcome = 'sent' | 'waiting' | 'notSent' | 'leftOut' | 'unknown';

/** What decided: a read of Zuora's, or the time that has passed. */
export type OutcomeSource = 'document' | 'emailHistory' | 'settings' | 'pdfStatus' | 'contact' | 'time';

export interface OutcomeOfDocument {
  readonly outcome: DocumentOutcome;
  /** Without addresses and names; null if there is nothing to explain. */
  readonly reason: string | null;
  readonly source: OutcomeSource;
}

/** A row of Zuora's email history. */
export interface HistoryRow {
  /** `sendTime` in Zuora's format; null if it has none. */
  readonly at: string | null;
  /** `OK`, `Failed`, `Warning`, or another word. */
  readonly result: string;
  readonly message: string | null;
}

/** All that is known about one document. Null: not known, or not there. Times of Zuora's are as Zuora writes them. */
export interface DocumentEvidence {
  readonly kind: DocumentKind;
  readonly status: string | null;
  readonly amount: number | string | null;
  readonly resend: boolean;
  /** The first attempt under the key of the send, and now; in milliseconds since the epoch. */
  readonly since: number;
  readonly now: number;
  /** Since when emails are on their way: from the acceptance, or the last emails of others (epoch, ms). */
  readonly from: number;
  /** Of the document; null if Zuora shows no email, as always for credit memos. */
  readonly lastEmailed: string | null;
  /** What Zuora showed before the send: null if it showed no email, undefined if nobody looked. */
  readonly lastEmailedBefore: string | null | undefined;
  /** It follows another send whose emails may have failed a moment before. */
  readonly missing: boolean;
  /** The newest row before the send: null if there was none, undefined if nobody looked. */
  readonly rowBefore: HistoryRow | null | undefined;
  /** Rows about the document itself, from this check and from those before. */
  readonly rows: readonly HistoryRow[];
  /** Whether this check read them. `notReached`: too many documents; `denied`: the permission is missing. */
  readonly history: 'read' | 'notReached' | 'denied' | 'failed';
  readonly pdf: { readonly status: string; readonly message: string | null; readonly errorBefore: boolean } | null;
  /** Of the kind, for the communication profile of the document. */
  readonly notificationActive: boolean | null;
  /** Since when every check found no active one (epoch, ms); null if one was active. */
  readonly notificationInactiveSince: number | null;
  /** Three delivery intervals, in milliseconds. */
  readonly notificationWaitMs: number;
  readonly profileMuted: boolean | null;
  readonly emailPreference: boolean | null;
  /** The bill run leaves out invoices with a total of zero. */
  readonly leavesOutZero: boolean | null;
  /** Since when a contact that we may read has no address (epoch, ms); null if it has one, or is not known. */
  readonly noAddressSince: number | null;
  /** The cause that an earlier check of the same send found: Zuora dropped the email then, and sends none when the cause is gone. */
  readonly droppedBefore: string | null;
  /** Names of other reads that failed. */
  readonly failedReads: readonly string[];
}

/** Of Zuora, for `GET /v1/notification-history/email`. */
export const HISTORY_PERMISSION = 'Events & Notifications View Access';

const HOUR = 60 * 60 * 1000;
/** In characters: a list of documents has many. */
const LONGEST_REASON = 160;

/** By which Zuora emails documents on request. */
export const NOTIFICATIONS: Readonly<Record<DocumentKind, string>> = {
  invoice: 'Manual Email For Invoice',
  creditMemo: 'Email Credit Memo',
};

/** Gives the outcome for any evidence. The first row that matches counts, as in the table of the design. */
export function documentOutcome(evidence: DocumentEvidence): OutcomeOfDocument {
  const { kind, status, amount, resend, from, now, lastEmailed, rows, history, pdf } = evidence;
  const written = lastEmailed === null ? undefined : ageOf(lastEmailed, evidence);
  const date = isOfFailure(evidence) ? undefined : written;
  const dated = rows.map((row) => ({ ...row, age: ageOf(row.at, evidence, true) }));
  const emails = dated.filter(({ result }) => isWord(result, 'ok'));
  const newest = newestOf(dated.filter(({ age }) => age !== 'older'));
  const emailed = emails.some(({ age }) => !resend || age === 'newer');

  // Only posted documents are emailed. One that was emailed and unposted later is sent.
  const noEmailSince =
    (written === undefined || (resend && written === 'older')) && emails.every(({ age }) => resend && age === 'older');
  if (status !== null && !isWord(status, 'posted') && noEmailSince) {
    return outcome('notSent', 'document', `not posted: its status is ${status}`);
  }
  // It may be an email of this send.
  if (date === 'unreadable') {
    return outcome('unknown', 'document', `Zuora's time of its last email cannot be read: ${lastEmailed ?? ''}`);
  }
  if (emailed) return outcome('sent', 'emailHistory');

  if (newest !== undefined && !isWord(newest.result, 'ok')) {
    const quote = `${newest.result || 'no result'}${newest.message === null ? '' : `: ${newest.message}`}`;
    // A first send waits out a cool-down after earlier emails, so a failure near its beginning is its own.
    const isOfThisSend = newest.age === 'newer' || (!resend && !evidence.missing && newest.age === 'unclear');
    if (!isOfThisSend) {
      return outcome(
        'unknown',
        'emailHistory',
        `Zuora's email history has a row that may be of an earlier send: ${quote}`,
      );
    }
    // Zuora may set the date of an email that failed.
    if (isWord(newest.result, 'failed')) {
      return outcome('notSent', 'emailHistory', `failed: ${newest.message ?? 'Zuora does not say why'}`);
    }
    return outcome('unknown', 'emailHistory', `Zuora's email history says ${quote}`);
  }

  if (date === 'newer' || (!resend && date !== undefined)) {
    // Zuora would not email it now, so something else may have set the date.
    const doubt =
      evidence.notificationActive === false
        ? 'its notification is inactive'
        : evidence.profileMuted === true
          ? 'its communication profile is muted'
          : undefined;
    if (doubt === undefined) return outcome('sent', 'document');
    return outcome('unknown', 'settings', `Zuora shows an email, but ${doubt} and the email history shows no email`);
  }
  if (date === 'unclear' || newest !== undefined) {
    const source = date === 'unclear' ? 'document' : 'emailHistory';
    const fault = newest?.age === 'unreadable' ? 'cannot be read' : 'has no zone';
    return outcome('unknown', source, `the time of its last email ${fault}, so it may be older than this send`);
  }

  if (kind === 'invoice' && evidence.leavesOutZero === true && isZero(amount)) {
    return outcome('leftOut', 'settings', 'its total is zero, and the bill run has noEmailForZeroAmountInvoice');
  }
  if (evidence.profileMuted === true) return outcome('leftOut', 'settings', 'its communication profile is muted');
  if (evidence.emailPreference === false) {
    return outcome('leftOut', 'settings', 'its account does not have the delivery preference Email');
  }

  const { notificationInactiveSince, notificationWaitMs, noAddressSince } = evidence;
  if (
    evidence.notificationActive === false &&
    notificationInactiveSince !== null &&
    now - notificationInactiveSince >= notificationWaitMs
  ) {
    return outcome(
      'notSent',
      'settings',
      `notification inactive: ${NOTIFICATIONS[kind]}, in its communication profile`,
    );
  }
  if (pdf !== null && isWord(pdf.status, 'error') && pdf.errorBefore) {
    return outcome('notSent', 'pdfStatus', `PDF error: ${pdf.message ?? 'Zuora does not say why'}`);
  }
  if (noAddressSince !== null && now - noAddressSince >= HOUR) {
    return outcome('notSent', 'contact', 'no address: its bill-to contact and its account have none');
  }

  if (evidence.droppedBefore !== null) return outcome('notSent', 'settings', evidence.droppedBefore);

  // Nothing but the history shows emails of credit memos.
  if (kind === 'creditMemo' && history === 'denied') return outcome('unknown', 'emailHistory', HISTORY_FAULTS.denied);
  if (kind === 'creditMemo' && history === 'notReached') {
    return outcome('unknown', 'emailHistory', HISTORY_FAULTS.notReached);
  }

  // A time that is not a number has not passed.
  if (!(now - from >= 24 * HOUR)) {
    if (pdf !== null && (isWord(pdf.status, 'pending') || isWord(pdf.status, 'processing'))) {
      return outcome('waiting', 'pdfStatus', `its PDF is not ready: ${pdf.status}`);
    }
    return outcome('waiting', 'time');
  }
  const failed = [...(history === 'read' ? [] : [HISTORY_FAULTS[history]]), ...evidence.failedReads];
  if (failed.length === 0) return outcome('notSent', 'time', 'no email within 24 h');
  return outcome('unknown', 'time', `no email within 24 h, but not all could be read: ${failed.join('; ')}`);
}

const HISTORY_FAULTS: Readonly<Record<Exclude<DocumentEvidence['history'], 'read'>, string>> = {
  denied: `its email history needs Zuora's permission ${HISTORY_PERMISSION}`,
  notReached: 'its email history was not looked at in this check, which has too many documents',
  failed: 'its email history',
};

/** Zuora may set the date of an email that failed: before this first send, if no later row says otherwise. */
function isOfFailure({ lastEmailed, resend, rows, rowBefore }: DocumentEvidence): boolean {
  const last = newestOf(rowBefore == null ? rows : [...rows, rowBefore]);
  if (resend || last === undefined || !isWord(last.result, 'failed')) return false;
  const [date, failure] = [momentOf(lastEmailed), momentOf(last.at)];
  return date !== undefined && failure !== undefined && isLater(date, failure) === false;
}

type Age = 'newer' | 'older' | 'unclear' | 'unreadable';

/** Newer: since the send began, or later than what Zuora showed before. */
function ageOf(written: string | null, evidence: DocumentEvidence, isRow = false): Age {
  const { since, lastEmailedBefore, rowBefore } = evidence;
  const at = momentOf(written);
  if (at === undefined) return 'unreadable';
  if (at.from >= since) return 'newer';
  if (isRow && rowBefore !== undefined) {
    if (at.to < since) return 'older';
    const last = momentOf(rowBefore?.at);
    return rowBefore === null || (last !== undefined && isLater(at, last) === true) ? 'newer' : 'older';
  }
  // The date showed no email before, but there may have been rows, of emails that failed.
  if (lastEmailedBefore === null && !(isRow && at.to < since)) return 'newer';
  const before = momentOf(lastEmailedBefore);
  const later = before === undefined ? undefined : isLater(at, before);
  if (later !== undefined) return later ? 'newer' : 'older';
  return at.to < since ? 'older' : 'unclear';
}

/** A time that cannot be read may be the newest. */
export function newestOf<T extends HistoryRow>(rows: readonly T[]): T | undefined {
  const last = ({ at }: T): Moment['to'] => momentOf(at)?.to ?? Infinity;
  return rows.reduce<T | undefined>(
    (one, other) => (one === undefined || last(other) > last(one) ? other : one),
    undefined,
  );
}

export function isWord(given: string, word: string): boolean {
  return given.trim().toLowerCase() === word;
}

export function isZero(amount: number | string | null): boolean {
  return amount !== null && String(amount).trim() !== '' && Number(amount) === 0;
}

function outcome(of: DocumentOutcome, source: OutcomeSource, reason?: string): OutcomeOfDocument {
  return { outcome: of, reason: reason === undefined ? null : impersonal(reason, LONGEST_REASON), source };
}
