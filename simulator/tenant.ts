/**
 * The tenant: bill runs, their documents, and the emails that left.
 *
 * A bill run goes Pending → Processing → Completed (its documents exist now, as drafts) → PostInProgress → Posted, or
 * back to Completed when a document could not be posted; from Pending and Completed also CancelInProgress → Canceled.
 * Each step waits on the clock. Any other status can be set from outside and stays until something else is set.
 *
 * An email call chooses its documents when it is made, and their emails leave later (emails.ts). Only then are they
 * recorded as sent, so a second call with `resend=false` in between chooses the same documents again: the double emails
 * that the endpoint's own page warns of.
 */
import {
  changed,
  hasGenerated,
  ON_THE_WAY_TO_POSTED,
  type BillingDocument,
  type BillRun,
  type DocumentChange,
  type DocumentEdit,
  type PlannedDocuments,
  type RecordChange,
} from './bill-run.js';
import type { SimulatorClock } from './clock.js';
import { day, withOffset } from './dates.js';
import { Emails, hasAutoEmail, type EmailCause } from './emails.js';
import { hasNotification } from './notifications.js';
import { objectId, type Random } from './random.js';
import { Refusal } from './refusal.js';
import type { SettingsInForce } from './settings.js';

export interface NewBillRun {
  readonly number: string | undefined;
  readonly entityId: string | undefined;
  readonly status: string;
  readonly planned: Partial<PlannedDocuments>;
  readonly fields: RecordChange;
}

export interface FoundDocument {
  readonly billRun: BillRun;
  readonly document: BillingDocument;
}

/** Why a status could not be reached, for the record's errorMessage. */
const POSTING_FAILED = 'One or more billing documents could not be posted. Post the bill run again.';

export class Tenant {
  readonly emails: Emails;
  readonly #clock: SimulatorClock;
  readonly #settings: SettingsInForce;
  readonly #random: Random;
  readonly #billRuns = new Map<string, BillRun>();
  /** A number may exist once in every entity. */
  readonly #idsOfNumber = new Map<string, readonly string[]>();
  /** Steps of a bill run that are still to come; a status set from outside calls them off. */
  readonly #comingSteps = new Map<string, (() => void)[]>();
  /** How many reads are still to come before a bill run posts; likewise. */
  readonly #readsToPosted = new Map<string, number>();
  /** By ID and by number of a document. */
  readonly #billRunsOfDocuments = new Map<string, string>();
  readonly #userId: string;
  #billRunsSoFar = 0;
  #documentsSoFar = { Invoice: 0, CreditMemo: 0, account: 0 };

  constructor(clock: SimulatorClock, settings: SettingsInForce, random: Random) {
    this.#clock = clock;
    this.#settings = settings;
    this.#random = random;
    this.#userId = objectId(random);
    this.emails = new Emails(clock, settings, {
      find: (id) => this.#billRuns.get(id),
      edit: (id, edits) => {
        if (this.#billRuns.has(id)) this.#edit(id, edits);
      },
      record: (id, change) => {
        if (this.#billRuns.has(id)) this.#record(id, change(this.#written(clock.now())));
      },
    });
  }

  get userId(): string {
    return this.#userId;
  }

  /** All of an entity; without one, all there are. */
  billRuns(entityId?: string): readonly BillRun[] {
    const all = [...this.#billRuns.values()];
    return entityId === undefined ? all : all.filter((billRun) => billRun.entityId === entityId);
  }

  find(key: string, entityId?: string): BillRun | undefined {
    const ids = [key, ...(this.#idsOfNumber.get(key) ?? [])];
    const found = ids.map((id) => this.#billRuns.get(id));
    return found.find((billRun) => billRun !== undefined && (entityId === undefined || billRun.entityId === entityId));
  }

  findDocument(key: string): FoundDocument | undefined {
    const billRun = this.#billRuns.get(this.#billRunsOfDocuments.get(key) ?? '');
    const document = billRun?.documents?.find(({ id, number }) => id === key || number === key);
    return billRun === undefined || document === undefined ? undefined : { billRun, document };
  }

  create(wanted: NewBillRun): BillRun {
    const { current: settings } = this.#settings;
    const moment = this.#clock.now();
    const today = day(moment, settings.utcOffset);
    const id = objectId(this.#random);
    const number = wanted.number ?? this.#nextNumber();
    const billRun: BillRun = {
      entityId: wanted.entityId,
      documents: undefined,
      planned: {
        invoices: wanted.planned.invoices ?? settings.invoicesPerBillRun,
        creditMemos: wanted.planned.creditMemos ?? settings.creditMemosPerBillRun,
        zeroAmountInvoices: wanted.planned.zeroAmountInvoices ?? 0,
      },
      record: changed(
        {
          id,
          billingRunNumber: number,
          billingRunType: 'Regular',
          targetType: 'Batch',
          batches: 'AllBatches',
          autoPost: false,
          autoEmail: false,
          autoRenewal: false,
          includeOrderLineItems: true,
          includeSubscriptions: true,
          invoicesEmailed: false,
          noEmailForZeroAmountInvoice: false,
          invoiceDate: today,
          targetDate: today,
          createdById: this.#userId,
          createdDate: this.#written(moment),
        },
        wanted.fields,
      ),
    };
    this.#billRuns.set(id, billRun);
    this.#idsOfNumber.set(number, [...(this.#idsOfNumber.get(number) ?? []), id]);
    this.#enter(id, wanted.status);
    return this.#known(id);
  }

  remove(id: string): void {
    this.#callOff(id);
    this.#billRuns.delete(id);
  }

  /** From outside, whatever the rules are. */
  change(id: string, change: RecordChange): BillRun {
    const { status, ...fields } = change;
    if (status !== undefined) this.#callOff(id);
    if (typeof status === 'string' && status !== this.#known(id).record.status) this.#enter(id, status);
    this.#record(id, status === null ? { ...fields, status } : fields);
    return this.#known(id);
  }

  /** From outside, as an operator or a fault in Zuora would. */
  changeDocument({ billRun, document }: FoundDocument, change: DocumentChange): void {
    const { email, reason, delayMs, pdf, pdfDelayMs, status, ...account } = change;
    const words = reason === undefined ? {} : { reason };
    const { id } = billRun.record;
    const edit: DocumentEdit = {
      ...Object.fromEntries(Object.entries(account).filter(([, value]) => value !== undefined)),
      ...(email === undefined
        ? {}
        : { nextEmail: { kind: email, ...words, ...(delayMs === undefined ? {} : { delayMs }) } }),
      ...(pdf === undefined ? {} : { pdf: { status: pdf, ...words } }),
    };
    this.#edit(id, new Map([[document.id, edit]]));
    if (pdf !== undefined) this.emails.pdfChanged(document.id);
    if (pdfDelayMs !== undefined) {
      this.#clock.after(pdfDelayMs, () => {
        // Unless it was changed meanwhile.
        const present = this.findDocument(document.id);
        if (present !== undefined && present.document.pdf === edit.pdf)
          this.changeDocument(present, { pdf: 'generated' });
      });
    }
    if (status === 'Draft') this.#unpost(id, document.id);
    if (status === 'Posted') this.#post(id, [document.id]);
  }

  /** Walks the steps from the present status to Posted, evenly over the time given. */
  postBy(id: string, postedAfterMs: number): void {
    const reached = ON_THE_WAY_TO_POSTED.findIndex((status) => status === this.#known(id).record.status);
    const ahead = ON_THE_WAY_TO_POSTED.slice(reached + 1);
    ahead.forEach((status, index) => {
      this.#later(id, (postedAfterMs * (index + 1)) / ahead.length, () => {
        if (status === 'Posted') this.#finishPosting(id);
        else this.#enter(id, status);
      });
    });
    this.#clock.runDue();
  }

  postAfterReads(id: string, reads: number): void {
    this.#readsToPosted.set(id, reads);
  }

  /** Object Query has shown it. */
  wasRead(id: string): void {
    const reads = this.#readsToPosted.get(id);
    if (reads === undefined) return;
    if (reads > 1) this.#readsToPosted.set(id, reads - 1);
    else this.change(id, { status: 'Posted' });
  }

  process(id: string): void {
    const { processingMs } = this.#settings.current;
    this.#later(id, processingMs / 2, () => {
      this.#enter(id, 'Processing');
    });
    this.#later(id, processingMs, () => {
      this.#enter(id, 'Completed');
      if (this.#known(id).record.autoPost === true) this.#startPosting(id);
    });
  }

  post(billRun: BillRun, invoiceDate: string | undefined): BillRun {
    const { id, status } = billRun.record;
    if (status !== 'Completed') {
      throw new Refusal(30, `The bill run cannot be posted: its status is ${status ?? 'unknown'}, not Completed.`);
    }
    this.#callOff(id);
    this.#record(id, invoiceDate === undefined ? {} : { invoiceDate });
    this.#startPosting(id);
    return this.#known(id);
  }

  cancel(billRun: BillRun): BillRun {
    const { id, status } = billRun.record;
    if (billRun.documents?.some((document) => document.postedAt !== undefined) === true) {
      throw new Refusal(30, 'The Bill Run cannot be Cancelled, There are Posted invoices.');
    }
    if (status !== 'Pending' && status !== 'Paused' && status !== 'Completed') {
      throw new Refusal(30, `The bill run cannot be canceled: its status is ${status ?? 'unknown'}.`);
    }
    this.#callOff(id);
    this.#enter(id, 'CancelInProgress');
    this.#later(id, this.#settings.current.cancelingMs, () => {
      this.#enter(id, 'Canceled');
    });
    return this.#known(id);
  }

  email(billRun: BillRun, cause: EmailCause & { readonly resend: boolean }): void {
    const { record, documents = [] } = billRun;
    if (record.status !== 'Posted') {
      throw new Refusal(
        30,
        `Only posted billing documents can be emailed: bill run ${record.billingRunNumber} is not posted.`,
      );
    }
    const { current: settings } = this.#settings;
    const hasNone = !documents.some((document) => hasNotification(settings, 'requested', document));
    if (settings.inactiveNotification === 'refuse' && documents.length > 0 && hasNone) {
      throw new Refusal(
        30,
        'The notification for manually emailing the billing documents of this bill run is not active.',
      );
    }
    const chosen = documents
      .filter((document) => hasNotification(settings, 'requested', document))
      .filter((document) => document.postedAt !== undefined && (cause.resend || !document.countsAsEmailed))
      .filter((document) => !settings.zeroAmountRuleHoldsForEmailCall || !isSuppressed(billRun, document))
      .filter((document) => !settings.emailPreferenceHoldsForEmailCall || document.invoiceDeliveryPrefsEmail);
    this.emails.request(billRun, chosen, cause);
  }

  #startPosting(id: string): void {
    this.#enter(id, 'PostInProgress');
    this.#later(id, this.#settings.current.postingMs, () => {
      this.#finishPosting(id);
    });
  }

  #finishPosting(id: string): void {
    const { failPostings, emptyBillRunsPost } = this.#settings.current;
    const { documents = [] } = this.#known(id);
    if (failPostings > 0) {
      this.#settings.change({ failPostings: failPostings - 1 });
      const [, ...others] = documents;
      this.#post(
        id,
        others.map((document) => document.id),
      );
      this.#enter(id, 'Completed');
      this.#record(id, { errorMessage: POSTING_FAILED });
    } else if (documents.length === 0 && !emptyBillRunsPost) {
      this.#enter(id, 'Completed');
    } else {
      this.#enter(id, 'Posted');
    }
  }

  /** The one place where a status changes, with what comes with it. */
  #enter(id: string, status: string): void {
    const now = this.#written(this.#clock.now());
    this.#record(id, { status, updatedDate: now, updatedById: this.#userId });
    if (status === 'Processing') this.#record(id, { executedDate: now, startDate: now });
    if (hasGenerated(status)) this.#generateDocuments(id);
    if (status === 'Posted') {
      this.#record(id, { postedDate: now, errorMessage: null });
      this.#post(
        id,
        (this.#known(id).documents ?? []).map((document) => document.id),
      );
    }
  }

  #generateDocuments(id: string): void {
    const { documents, planned, record } = this.#known(id);
    if (documents !== undefined) return;
    const generated = [
      ...Array.from({ length: planned.invoices }, (_, index) =>
        this.#newDocument('Invoice', index < planned.zeroAmountInvoices ? 0 : 100 + index),
      ),
      ...Array.from({ length: planned.creditMemos }, (_, index) => this.#newDocument('CreditMemo', 10 + index)),
    ];
    const now = this.#written(this.#clock.now());
    this.#billRuns.set(id, { ...this.#known(id), documents: generated });
    for (const document of generated) {
      this.#billRunsOfDocuments.set(document.id, id);
      this.#billRunsOfDocuments.set(document.number, id);
    }
    this.#record(id, {
      numberOfAccounts: generated.length,
      numberOfInvoices: planned.invoices,
      numberOfCreditMemos: planned.creditMemos,
      executedDate: record.executedDate ?? now,
      startDate: record.startDate ?? now,
      endDate: now,
      totalTime: this.#settings.current.processingMs,
    });
  }

  #newDocument(type: BillingDocument['type'], amount: number): BillingDocument {
    const numberOf = { Invoice: 'INV', CreditMemo: 'CM' }[type];
    const accountNumber = `A${counted(++this.#documentsSoFar.account)}`;
    return {
      id: objectId(this.#random),
      type,
      number: `${numberOf}${counted(++this.#documentsSoFar[type])}`,
      accountId: objectId(this.#random),
      accountNumber,
      billToId: objectId(this.#random),
      workEmail: `${accountNumber.toLowerCase()}@customer.example`,
      personalEmail: null,
      additionalEmailAddresses: null,
      invoiceDeliveryPrefsEmail: true,
      communicationProfile: 'default',
      amount,
      createdAt: this.#clock.now(),
      postedAt: undefined,
      lastEmailSentAt: undefined,
      countsAsEmailed: false,
      nextEmail: undefined,
      pdf: { status: 'generated' },
    };
  }

  /** Each document posts by itself, and with the last one its bill run is posted. */
  #post(id: string, documentIds: readonly string[]): void {
    const wanted = new Set(documentIds);
    const drafts = (this.#known(id).documents ?? []).filter((document) => document.postedAt === undefined);
    const posting = drafts.filter((document) => wanted.has(document.id));
    this.#edit(id, new Map(posting.map((document) => [document.id, { postedAt: this.#clock.now() }])));
    this.#emailAfterPost(id, posting);
    const { status } = this.#known(id).record;
    if (status === 'Completed' && posting.length > 0 && posting.length === drafts.length) this.#enter(id, 'Posted');
  }

  /** A posted bill run with a document that is unposted goes back to Completed (docs.zuora.com, on bill runs). */
  #unpost(id: string, documentId: string): void {
    this.#edit(id, new Map([[documentId, { postedAt: undefined }]]));
    if (this.#known(id).record.status === 'Posted') this.change(id, { status: 'Completed' });
  }

  /**
   * `autoEmail` means: after auto-post. A bill run that somebody posts sends nothing by itself, whatever the field says, unless a
   * notification about the post is active. That one emails also accounts without the Email preference (docs.zuora.com:
   * email-delivery).
   */
  #emailAfterPost(id: string, documents: readonly BillingDocument[]): void {
    const billRun = this.#known(id);
    const settings = this.#settings.current;
    const isAutomatic = (document: BillingDocument) =>
      hasAutoEmail(billRun) &&
      document.communicationProfile === 'default' &&
      document.invoiceDeliveryPrefsEmail &&
      !isSuppressed(billRun, document);
    const chosen = documents.filter(
      (document) => hasNotification(settings, 'posted', document) || isAutomatic(document),
    );
    this.emails.request(billRun, chosen, { idempotencyKey: undefined, resend: undefined });
  }

  #later(id: string, delayMs: number, step: () => void): void {
    const callOff = this.#clock.after(delayMs, step);
    this.#comingSteps.set(id, [...(this.#comingSteps.get(id) ?? []), callOff]);
  }

  #callOff(id: string): void {
    this.#readsToPosted.delete(id);
    for (const callOff of this.#comingSteps.get(id) ?? []) callOff();
    this.#comingSteps.delete(id);
  }

  #record(id: string, change: RecordChange): void {
    const billRun = this.#known(id);
    this.#billRuns.set(id, { ...billRun, record: changed(billRun.record, change) });
  }

  #edit(id: string, edits: ReadonlyMap<string, DocumentEdit>): void {
    const billRun = this.#known(id);
    const documents = billRun.documents?.map((document) =>
      edits.has(document.id) ? { ...document, ...edits.get(document.id) } : document,
    );
    this.#billRuns.set(id, { ...billRun, documents });
  }

  #known(id: string): BillRun {
    const billRun = this.#billRuns.get(id);
    if (billRun === undefined) throw new Error(`no bill run ${id}: its coming steps should have been called off`);
    return billRun;
  }

  #nextNumber(): string {
    let number: string;
    do number = `BR-${counted(++this.#billRunsSoFar)}`;
    while (this.find(number) !== undefined);
    return number;
  }

  #written(moment: number): string {
    return withOffset(moment, this.#settings.current.utcOffset);
  }
}

function isSuppressed(billRun: BillRun, document: BillingDocument): boolean {
  return billRun.record.noEmailForZeroAmountInvoice === true && document.type === 'Invoice' && document.amount === 0;
}

function counted(number: number): string {
  return String(number).padStart(8, '0');
}
