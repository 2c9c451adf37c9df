/** Reports what became of each document, what a send would email now, and what would keep it back. Pure, by the rules of `emailBillRun` itself. */
import { canonicalWorkflowId } from '../workflows/contract/contract.js';
import type { Settings } from '../workflows/contract/validation.js';
import { hasNoDocuments, obstaclesIn, type Look, type Obstacle } from '../workflows/rules/send-step.js';
import { sentence } from '../workflows/rules/status.js';
import { iso, time } from '../workflows/rules/text.js';
import { willNotPost } from '../workflows/rules/outlook.js';
import { waitingFor } from '../workflows/rules/waiting.js';
import type { DocumentsRead, Unread } from '../zuora/delivery.js';
import type { DocumentOutcome } from '../zuora/document-outcome.js';
import { namesOf, type BillingDocument, type DocumentKind } from '../zuora/documents.js';
import type { readRecipients } from '../zuora/recipients.js';
import { keepable } from '../zuora/words.js';

export interface BillRunDocuments {
  /** The workflow id of the bill run's job, which may not exist. */
  readonly workflowId: string;
  readonly billRunNumber: string;
  readonly billRunId: string;
  readonly billRunStatus: string;
  /** When Zuora was read; ISO 8601, by this machine's clock. */
  readonly at: string;
  /** The send of which the outcomes tell; null if the bill run was never emailed, as far as is known. */
  readonly emailed: EmailedSend | null;
  /** How many documents have each outcome. */
  readonly outcomes: Readonly<Record<DocumentOutcome, number>>;
  /** How many documents a send would not reach now, by the reason. */
  readonly obstacles: Readonly<Record<string, number>>;
  /** A first send (`resend=false`), and a resend (`resend=true`). */
  readonly sends: readonly [PossibleSend, PossibleSend];
  /** Invoices, then credit memos, each by number. */
  readonly documents: readonly ListedDocument[];
  /** What may make this wrong, one sentence each. */
  readonly warnings: readonly string[];
}

export interface EmailedSend {
  /** `job`: the last send of its jobs that Zuora accepted. `zuora`: Zuora emailed by itself, or for somebody else. */
  readonly by: 'job' | 'zuora';
  readonly resend: boolean;
  /** The first attempt of the send, or the post; ISO 8601. */
  readonly since: string;
}

export interface PossibleSend {
  readonly resend: boolean;
  /** Why it would not begin now; the first one counts. Empty if an attempt would be made at once. */
  readonly keptBackBy: readonly KeptBack[];
  /** How many of the documents a call would email now. */
  readonly wouldEmail: Readonly<Record<Answer, number>>;
}

export interface KeptBack {
  readonly kind: 'held' | 'notPosted' | Obstacle['kind'];
  readonly text: string;
  /** When it ends by itself, as ISO 8601; null if it does not. */
  readonly until: string | null;
}

export type Answer = 'yes' | 'no' | 'unknown';

export interface ListedDocument extends BillingDocument {
  /** What became of it after the last send. If there was none: `sent` if Zuora shows an email, else null. */
  readonly outcome: DocumentOutcome | null;
  /** Of the outcome; null if there is nothing to explain. */
  readonly reason: string | null;
  /** As far as Zuora shows it: for credit memos, only after a send. */
  readonly emailedBefore: Answer;
  /** Whether a call would email it now, with `resend=false` (`first`) and with `resend=true` (`resend`). */
  readonly wouldEmail: { readonly first: Answer; readonly resend: Answer };
  /** Why no send would email it now; null if nothing is known to keep it back. */
  readonly obstacle: string | null;
  /** Only if asked for: addresses, or null if they are not known. */
  readonly recipients?: readonly string[] | null;
}

/** An order to send nothing. */
export type Hold = 'job' | 'all' | null;

/** What Zuora and Temporal say about a bill run now. */
export interface Reading extends Look {
  readonly documents: DocumentsRead;
  readonly emailed: EmailedSend | null;
  readonly hold: Hold;
  /** Why the jobs' sends are not all known; one sentence each. */
  readonly gaps: readonly string[];
  /** Why the notifications cannot be read by which Zuora may email at the post. */
  readonly notificationsUnreadable?: string;
  readonly recipients?: Awaited<ReturnType<typeof readRecipients>> | { readonly unreadable: string };
}

export function documentsOf(
  reading: Reading,
  { entityId, coolDownMs }: Pick<Settings, 'coolDownMs' | 'entityId'>,
): BillRunDocuments {
  const { billRun, at, emailed, documents: read } = reading;
  const isPosted = billRun.status === 'Posted';
  const delivered = new Map(read.delivery?.documents.map((each) => [`${each.kind} ${each.number}`, each]));
  const { recipients } = reading;
  const addresses = recipients === undefined || 'unreadable' in recipients ? undefined : recipients;
  const listed = [...read.invoices.documents, ...read.creditMemos.documents.toSorted(byNumber)].map((document) =>
    listedOf(document, {
      ...{ isPosted, obstacle: read.obstacles.get(document) ?? null },
      ...(delivered.get(`${document.kind} ${document.number}`) ?? notSentYet(document)),
      ...(recipients === undefined ? {} : { recipients: addresses?.get(document) ?? null }),
    }),
  );
  const always = [...holdIn(reading), ...(isPosted ? [] : [keptBackUntilPosted(reading)])];
  const obstacles = emailed?.by === 'job' ? [AFTER_A_SEND] : obstaclesIn(reading, { coolDownMs }, at).map(keptBackBy);
  const answers = (send: 'first' | 'resend') =>
    counted(
      ANSWERS,
      listed.map(({ wouldEmail }) => wouldEmail[send]),
    );
  return {
    workflowId: canonicalWorkflowId(billRun.number, entityId),
    billRunNumber: billRun.number,
    billRunId: billRun.id,
    billRunStatus: keepable(billRun.status),
    at: iso(at),
    emailed,
    outcomes: counted(
      OUTCOMES,
      listed.map(({ outcome }) => outcome),
    ),
    obstacles: counted(
      [],
      listed.map(({ obstacle }) => obstacle),
    ),
    sends: [
      { resend: false, keptBackBy: [...always, ...obstacles], wouldEmail: answers('first') },
      { resend: true, keptBackBy: always, wouldEmail: answers('resend') },
    ],
    documents: listed,
    warnings: warningsOf(reading),
  };
}

function byNumber(one: BillingDocument, other: BillingDocument): number {
  return one.number < other.number ? -1 : one.number > other.number ? 1 : 0;
}

function notSentYet({ lastEmailed }: BillingDocument): Pick<ListedDocument, 'outcome' | 'reason'> {
  return { outcome: lastEmailed === null ? null : 'sent', reason: null };
}

function listedOf(
  { kind, number, status, amount, currency, lastEmailed }: BillingDocument,
  {
    isPosted,
    ...found
  }: { isPosted: boolean } & Pick<ListedDocument, 'outcome' | 'reason' | 'obstacle' | 'recipients'>,
): ListedDocument {
  const { outcome, reason, obstacle, ...recipients } = found;
  // Zuora emails only posted documents.
  const posted = status === null ? 'unknown' : answer(status === 'Posted');
  const sendable = both(answer(isPosted && obstacle === null), posted);
  const hasEmail = lastEmailed !== null || outcome === 'sent';
  const emailedBefore = kind === 'creditMemo' && !hasEmail ? 'unknown' : answer(hasEmail);
  return {
    ...{ kind, number, status, amount, currency, lastEmailed, outcome, reason, emailedBefore },
    ...{ wouldEmail: { first: both(sendable, not[emailedBefore]), resend: sendable }, obstacle, ...recipients },
  };
}

function answer(yes: boolean): Answer {
  return yes ? 'yes' : 'no';
}

const not: Readonly<Record<Answer, Answer>> = { yes: 'no', no: 'yes', unknown: 'unknown' };

function both(one: Answer, other: Answer): Answer {
  if (one === 'no' || other === 'no') return 'no';
  return one === 'unknown' ? one : other;
}

const ANSWERS: readonly Answer[] = ['yes', 'no', 'unknown'];
const OUTCOMES: readonly DocumentOutcome[] = ['sent', 'waiting', 'notSent', 'leftOut', 'unknown'];

/** @param always counted, even if there are none */
function counted<T extends string>(always: readonly T[], all: readonly (T | null)[]): Record<T, number> {
  const counts = new Map<T, number>(always.map((each) => [each, 0]));
  for (const each of all) if (each !== null) counts.set(each, (counts.get(each) ?? 0) + 1);
  return Object.fromEntries(counts) as Record<T, number>;
}

function holdIn({ hold }: Reading): readonly KeptBack[] {
  switch (hold) {
    case 'job':
      return [
        { kind: 'held', text: 'The job is on hold, so nothing is sent until a person releases it.', until: null },
      ];
    case 'all':
      return [{ kind: 'held', text: 'All jobs are on hold, so nothing is sent until a release of all.', until: null }];
    case null:
      return [];
  }
}

function keptBackUntilPosted({ billRun }: Reading): KeptBack {
  const status = keepable(billRun.status);
  const text = willNotPost(billRun.status)
    ? `The bill run ended as ${status}. It will not post, and a job started now fails as NotPosted.`
    : `Nothing is emailed before the bill run is posted. ` +
      sentence(waitingFor(status, { postingFailed: false, empty: hasNoDocuments(billRun) }));
  return { kind: 'notPosted', text, until: null };
}

const AFTER_A_SEND: KeptBack = {
  kind: 'emailedElsewhere',
  text: 'Its job emailed the bill run, so start sends nothing more. retry emails what was not sent, once no email can be on its way.',
  until: null,
};

function keptBackBy(obstacle: Obstacle): KeptBack {
  const { kind } = obstacle;
  switch (kind) {
    case 'autoEmail':
      return {
        kind,
        text: 'Zuora should email the documents by itself (autoEmail is on), so a first send waits for a retry.',
        until: null,
      };
    case 'emailedElsewhere':
      return {
        kind,
        text: 'Zuora says that the bill run was emailed. Unless its job did that, a first send waits for a retry.',
        until: null,
      };
    case 'noDocuments':
      return {
        kind,
        text: 'The bill run has no invoices and no credit memos, so a job closes as Skipped.',
        until: null,
      };
    case 'coolDown': {
      const { until, text } = obstacle;
      const wait = `a first send waits until ${time(until)}; retry --send-anyway ends the wait.`;
      return { kind, text: `${text}; ${wait}`, until: iso(until) };
    }
  }
}

function warningsOf({
  billRun,
  documents: { invoices, creditMemos, unread, delivery },
  gaps,
  notificationsUnreadable,
  recipients,
}: Reading): readonly string[] {
  const { numberOfInvoices, numberOfCreditMemos } = billRun;
  const withoutMemos = unread.find(({ what }) => what === 'credit memos');
  const warnings = [...gaps, ...mismatch('invoice', invoices, numberOfInvoices)];
  if (withoutMemos === undefined) {
    // They are not asked for if there are none.
    if (numberOfCreditMemos !== 0) warnings.push(...mismatch('creditMemo', creditMemos, numberOfCreditMemos));
  } else {
    const { message } = withoutMemos;
    warnings.push(`Zuora does not list credit memos here, so none are shown, and a send may email some: ${message}`);
  }
  warnings.push(...unread.filter((each) => each !== withoutMemos).map(unreadWarning));
  if (notificationsUnreadable !== undefined) {
    warnings.push(
      `Zuora's notifications cannot be read, so a first send does not wait for emails that a post brings about: ` +
        notificationsUnreadable,
    );
  }
  if (delivery !== null && delivery.otherFailures > 0) {
    warnings.push(
      `Zuora's email history shows ${delivery.otherFailures} failed emails of other accounts since the send, as those of other bill runs.`,
    );
  }
  if (recipients !== undefined && 'unreadable' in recipients) {
    warnings.push(`Recipients are not known, because accounts and contacts cannot be read: ${recipients.unreadable}`);
  }
  return warnings;
}

function unreadWarning({ what, permission, message }: Unread): string {
  const why = permission === null ? '' : `the permission for ${permission} is missing: `;
  return `Zuora's answer about ${what} is missing, so an outcome or an obstacle may be: ${why}${message}`;
}

function mismatch(
  kind: DocumentKind,
  { documents, complete }: DocumentsRead['invoices'],
  expected: number | undefined,
): string[] {
  const listed = documents.length;
  if (!complete) {
    const all = expected === undefined ? '' : ` of ${expected}`;
    return [`Only the first ${listed}${all} ${namesOf[kind]} are listed; a send emails all of them.`];
  }
  return expected === undefined || expected === listed
    ? []
    : [
        `Zuora lists ${listed} ${namesOf[kind]}, but counts ${expected} in the bill run: some may have been deleted or ` +
          `moved since, or these credentials cannot see all.`,
      ];
}
