/**
 * Emails, from the event that asks for them until they left, failed, or were never tried.
 *
 * The notification, profile and address that count are those at the event. An email leaves after `emailDelayMs` and
 * after its PDF is there (docs.zuora.com: email-delivery), and only then is its document recorded as emailed.
 */
import type { BillingDocument, BillRun, DocumentEdit, RecordChange } from './bill-run.js';
import type { SimulatorClock } from './clock.js';
import type { SettingsInForce } from './settings.js';

/** What asked for an email: a call, or the tenant itself after a post. */
export interface EmailCause {
  readonly idempotencyKey: string | undefined;
  readonly resend: boolean | undefined;
}

/** A row of the email history. */
export interface EmailRecord {
  readonly billRunId: string;
  readonly billRunNumber: string;
  readonly entityId: string | undefined;
  readonly document: BillingDocument;
  readonly cause: EmailCause;
  readonly sentAt: number;
  readonly result: 'OK' | 'Warning' | 'Failed';
  /** Null only with OK. */
  readonly errorMessage: string | null;
}

interface PendingEmail {
  readonly billRun: BillRun;
  readonly document: BillingDocument;
  readonly cause: EmailCause;
  readonly fate: NonNullable<BillingDocument['nextEmail']>;
}

/** What the tenant keeps of bill runs, also of those that are deleted meanwhile. */
export interface Books {
  readonly find: (billRunId: string) => BillRun | undefined;
  readonly edit: (billRunId: string, edits: ReadonlyMap<string, DocumentEdit>) => void;
  readonly record: (billRunId: string, change: (written: string) => RecordChange) => void;
}

/** The only text of a failed email in Zuora's documentation. */
const CANNOT_BE_SENT = 'The notification cannot be sent';

export class Emails {
  readonly #clock: SimulatorClock;
  readonly #settings: SettingsInForce;
  readonly #books: Books;
  readonly #history: EmailRecord[] = [];
  #waitingForPdf: PendingEmail[] = [];

  constructor(clock: SimulatorClock, settings: SettingsInForce, books: Books) {
    this.#clock = clock;
    this.#settings = settings;
    this.#books = books;
  }

  get history(): readonly EmailRecord[] {
    return this.#history;
  }

  /** What left. */
  get mailbox(): readonly EmailRecord[] {
    return this.#history.filter(({ result }) => result !== 'Failed');
  }

  /** Documents that a notification answers for. Where nothing is to be sent, the history has no row. */
  request(billRun: BillRun, documents: readonly BillingDocument[], cause: EmailCause): void {
    const { current: settings } = this.#settings;
    const emailsByDelay = new Map<number, PendingEmail[]>();
    const edits = new Map<string, DocumentEdit>();
    for (const document of documents) {
      if (settings.profileMuted || (!hasAddress(document) && settings.missingAddress === 'silent')) continue;
      const fate = document.nextEmail ?? { kind: 'sent' };
      const isQueued = fate.kind !== 'never';
      const isDated = isQueued && settings.lastEmailSentDateSet === 'whenQueued';
      edits.set(document.id, { nextEmail: undefined, ...(isDated ? { lastEmailSentAt: this.#clock.now() } : {}) });
      if (!isQueued) continue;
      const delayMs = settings.emailDelayMs + (fate.delayMs ?? 0);
      const emails = emailsByDelay.get(delayMs) ?? [];
      emailsByDelay.set(delayMs, emails);
      emails.push({ billRun, document, cause, fate: hasAddress(document) ? fate : { kind: 'failed' } });
    }
    this.#books.edit(billRun.record.id, edits);
    for (const [delayMs, emails] of emailsByDelay) {
      this.#clock.after(delayMs, () => {
        this.#leave(emails);
      });
    }
  }

  /** The PDF of a document has another state. */
  pdfChanged(documentId: string): void {
    const concerned = this.#waitingForPdf.filter(({ document }) => document.id === documentId);
    this.#waitingForPdf = this.#waitingForPdf.filter((email) => !concerned.includes(email));
    if (concerned.length > 0) this.#leave(concerned);
  }

  /** All of one bill run. */
  #leave(emails: readonly PendingEmail[]): void {
    const [first] = emails;
    if (first === undefined) return;
    const { current: settings } = this.#settings;
    const sentAt = this.#clock.now();
    const { id: billRunId, billingRunNumber: billRunNumber } = first.billRun.record;
    const present = new Map(this.#books.find(billRunId)?.documents?.map((document) => [document.id, document]));
    const edits = new Map<string, DocumentEdit>();
    const departed: PendingEmail[] = [];
    for (const email of emails) {
      const { cause, fate } = email;
      const document = present.get(email.document.id) ?? email.document;
      const isPdfLost = document.pdf.status === 'error' && settings.emailWithPdfError === 'failed';
      if (document.pdf.status !== 'generated' && !isPdfLost) {
        this.#waitingForPdf.push(email);
        continue;
      }
      const hasFailed = isPdfLost || fate.kind === 'failed';
      const result = hasFailed ? 'Failed' : fate.kind === 'warning' ? 'Warning' : 'OK';
      const errorMessage = result === 'OK' ? null : (fate.reason ?? CANNOT_BE_SENT);
      const { entityId } = email.billRun;
      this.#history.push({ billRunId, billRunNumber, entityId, document, cause, sentAt, result, errorMessage });
      const counts = hasFailed ? !settings.retriesFailed : cause.resend !== undefined || settings.autoEmailCounts;
      edits.set(document.id, {
        ...(hasFailed ? {} : { lastEmailSentAt: sentAt }),
        ...(counts ? { countsAsEmailed: true } : {}),
      });
      if (!hasFailed) departed.push(email);
    }
    this.#books.edit(billRunId, edits);
    // Only the batch action sets the second field. Emails of a notification are not emails of the bill run.
    const isRequested = departed.some(({ cause }) => cause.resend !== undefined);
    if (!isRequested && !departed.some(({ billRun }) => hasAutoEmail(billRun))) return;
    this.#books.record(billRunId, (now) => ({
      lastEmailSentTime: now,
      ...(isRequested ? { invoicesEmailed: true } : {}),
    }));
  }
}

export function hasAutoEmail({ record }: BillRun): boolean {
  return record.autoPost === true && record.autoEmail === true;
}

function hasAddress(document: BillingDocument): boolean {
  return addressOf(document) !== '';
}

/** The work address of the bill-to contact, the personal one only without it, then the additional ones of the account. */
export function addressOf({ workEmail, personalEmail, additionalEmailAddresses }: BillingDocument): string {
  return [workEmail ?? personalEmail, additionalEmailAddresses].filter((address) => address !== null).join(',');
}
