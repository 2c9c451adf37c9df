/**
 * What Zuora shows per document, what a send would email now, and what would keep it back. It only reads Zuora, and needs no
 * Temporal.
 */
import { canonicalWorkflowId } from '../workflows/contract/contract.js';
import { checkInput, type Settings } from '../workflows/contract/validation.js';
import { hasNoDocuments, obstaclesIn, type Look, type Obstacle } from '../workflows/rules/send-step.js';
import { waitingFor, willNotPost } from '../workflows/rules/waiting.js';
import { sentence } from '../workflows/rules/status.js';
import { iso, time } from '../workflows/rules/text.js';
import { createZuora, ZuoraFailure, type Scope, type Zuora } from '../zuora/client.js';
import { zuoraConfiguration } from '../zuora/configuration.js';
import { namesOf, type BillingDocument, type DocumentKind, type DocumentList } from '../zuora/documents.js';
import { keepable } from '../zuora/words.js';
import { BillRunEmailsError, valid } from './failures/errors.js';
import { zuoraTroubleIn } from './failures/zuora.js';

export interface DocumentsInput {
  /** ID or number. */
  readonly billRunKey: string;
  /** Required where the tenant has Zuora Multi-entity, and refused elsewhere. */
  readonly entityId?: string | undefined;
  readonly orgIds?: readonly string[] | undefined;
  /** As in the input of a job: how long a first send waits after Zuora's last emails. Default: 24 hours. */
  readonly coolDown?: string | undefined;
}

export interface BillRunDocuments {
  /** The workflow id of the bill run's job, which may not exist. */
  readonly workflowId: string;
  readonly billRunNumber: string;
  readonly billRunId: string;
  readonly billRunStatus: string;
  /** When Zuora was read; ISO 8601, by this machine's clock. */
  readonly at: string;
  /** A first send (`resend=false`), and a resend (`resend=true`). */
  readonly sends: readonly [PossibleSend, PossibleSend];
  /** Invoices, then credit memos, each by number. */
  readonly documents: readonly ListedDocument[];
  /** What may make this wrong, one sentence each. */
  readonly warnings: readonly string[];
}

export interface PossibleSend {
  readonly resend: boolean;
  /** Why it would not begin now; the first one counts. Empty if an attempt would be made at once. */
  readonly keptBackBy: readonly KeptBack[];
  /** How many of the documents a call would email now. */
  readonly wouldEmail: Readonly<Record<Answer, number>>;
}

export interface KeptBack {
  readonly kind: 'notPosted' | Obstacle['kind'];
  readonly text: string;
  /** When it ends by itself, as ISO 8601; null if it does not. */
  readonly until: string | null;
}

export type Answer = 'yes' | 'no' | 'unknown';

export interface ListedDocument extends BillingDocument {
  /** As far as Zuora shows it: never for credit memos, and for invoices only emails that have left. */
  readonly emailedBefore: Answer;
  /** Whether a call would email it now, with `resend=false` (`first`) and with `resend=true` (`resend`). */
  readonly wouldEmail: { readonly first: Answer; readonly resend: Answer };
}

/** What Zuora says about a bill run now. */
export interface Reading extends Look {
  readonly invoices: DocumentList;
  /** Why the notifications cannot be read by which Zuora may email at the post. */
  readonly notificationsUnreadable?: string;
  /** `refused` says why Zuora does not list credit memos. */
  readonly creditMemos: DocumentList | { readonly refused: string };
}

/**
 * @param env holds the `ZUORA_*` variables
 * @throws {@link BillRunEmailsError} `InvalidInput`, `NotFound` or `ZuoraUnavailable`; {@link ConfigurationError}
 */
export async function documents(
  input: DocumentsInput,
  env: NodeJS.ProcessEnv = process.env,
): Promise<BillRunDocuments> {
  const settings = valid(checkInput(input));
  const { zuora: zuoraSettings, multiEntity } = zuoraConfiguration(env);
  checkEntity(settings, multiEntity);
  const zuora = createZuora(zuoraSettings);
  try {
    return documentsOf(await readingOf(zuora, settings), settings);
  } catch (error) {
    throw zuoraFailure(error);
  } finally {
    await zuora.close();
  }
}

function checkEntity({ entityId }: Settings, multiEntity: boolean): void {
  if (multiEntity === (entityId !== undefined)) return;
  const message = multiEntity
    ? 'invalid input: entityId is missing; ZUORA_MULTI_ENTITY says that the tenant has Zuora Multi-entity'
    : 'invalid input: entityId must be left out; ZUORA_MULTI_ENTITY does not say that the tenant has Zuora Multi-entity';
  throw new BillRunEmailsError('InvalidInput', message);
}

async function readingOf(zuora: Zuora, { billRunKey, entityId, orgIds }: Settings): Promise<Reading> {
  const scope = { entityId, orgIds };
  const billRun = await zuora.getBillRun(billRunKey, scope);
  const at = Date.now();
  const [notifications, invoices, creditMemos] = await Promise.all([
    billRun.status === 'Posted' ? notificationsOf(zuora, scope) : [],
    zuora.listDocuments('invoice', billRun.number, scope),
    creditMemosOf(zuora, billRun.number, scope),
  ]);
  return 'unreadable' in notifications
    ? { billRun, at, invoices, creditMemos, notificationsUnreadable: notifications.unreadable }
    : { billRun: { ...billRun, postedNotifications: notifications }, at, invoices, creditMemos };
}

/** A job sends all the same if they cannot be read. */
async function notificationsOf(
  zuora: Zuora,
  scope: Scope,
): Promise<readonly string[] | { readonly unreadable: string }> {
  try {
    return await zuora.postedNotifications(scope);
  } catch (error) {
    const trouble = zuoraTroubleIn(error);
    if (trouble === undefined) throw error;
    return { unreadable: trouble.text };
  }
}

/** Zuora lists credit memos only for tenants with Invoice Settlement. The others still see their invoices. */
async function creditMemosOf(zuora: Zuora, number: string, scope: Scope): Promise<Reading['creditMemos']> {
  try {
    return await zuora.listDocuments('creditMemo', number, scope);
  } catch (error) {
    if (error instanceof ZuoraFailure && (error.kind === 'refused' || error.kind === 'notFound')) {
      return { refused: error.message };
    }
    throw error;
  }
}

function zuoraFailure(error: unknown): unknown {
  const trouble = zuoraTroubleIn(error);
  if (trouble === undefined) return error;
  const type = trouble.kind === 'notFound' ? 'NotFound' : 'ZuoraUnavailable';
  return new BillRunEmailsError(type, `${trouble.text.replace(/\.$/, '')}. ${trouble.todo}.`, { cause: error });
}

/** Pure, by the rules of `emailBillRun` itself. */
export function documentsOf(
  reading: Reading,
  { entityId, coolDownMs }: Pick<Settings, 'coolDownMs' | 'entityId'>,
): BillRunDocuments {
  const { billRun, at, invoices, creditMemos } = reading;
  const memos = 'refused' in creditMemos ? { documents: [], complete: false } : creditMemos;
  const isPosted = billRun.status === 'Posted';
  const listed = [...invoices.documents, ...memos.documents.toSorted(byNumber)].map((each) => listedOf(each, isPosted));
  const notPosted = isPosted ? [] : [keptBackUntilPosted(reading)];
  const obstacles = obstaclesIn(reading, { coolDownMs }, at).map(keptBackBy);
  const emailed = (send: 'first' | 'resend') => counted(listed.map(({ wouldEmail }) => wouldEmail[send]));
  return {
    workflowId: canonicalWorkflowId(billRun.number, entityId),
    billRunNumber: billRun.number,
    billRunId: billRun.id,
    billRunStatus: keepable(billRun.status),
    at: iso(at),
    sends: [
      { resend: false, keptBackBy: [...notPosted, ...obstacles], wouldEmail: emailed('first') },
      { resend: true, keptBackBy: notPosted, wouldEmail: emailed('resend') },
    ],
    documents: listed,
    warnings: warningsOf(reading, listed),
  };
}

function byNumber(one: BillingDocument, other: BillingDocument): number {
  return one.number < other.number ? -1 : one.number > other.number ? 1 : 0;
}

function listedOf(document: BillingDocument, billRunPosted: boolean): ListedDocument {
  // Zuora emails only posted documents.
  const posted = document.status === null ? 'unknown' : answer(document.status === 'Posted');
  const sendable = both(answer(billRunPosted), posted);
  const emailedBefore = document.kind === 'creditMemo' ? 'unknown' : answer(document.lastEmailed !== null);
  return {
    ...document,
    emailedBefore,
    wouldEmail: { first: both(sendable, not[emailedBefore]), resend: sendable },
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

function counted(answers: readonly Answer[]): Record<Answer, number> {
  const counts = { yes: 0, no: 0, unknown: 0 };
  for (const each of answers) counts[each] += 1;
  return counts;
}

function keptBackUntilPosted({ billRun }: Reading): KeptBack {
  const status = keepable(billRun.status);
  const text = willNotPost(billRun.status)
    ? `The bill run ended as ${status}. It will not post, and a job started now fails as NotPosted.`
    : `Nothing is emailed before the bill run is posted. ` +
      sentence(waitingFor(status, { postingFailed: false, empty: hasNoDocuments(billRun) }));
  return { kind: 'notPosted', text, until: null };
}

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

function warningsOf(
  { billRun, invoices, creditMemos, notificationsUnreadable }: Reading,
  documents: readonly ListedDocument[],
): readonly string[] {
  const { numberOfInvoices, numberOfCreditMemos } = billRun;
  const warnings = [...mismatch('invoice', invoices, numberOfInvoices)];
  if (!('refused' in creditMemos)) warnings.push(...mismatch('creditMemo', creditMemos, numberOfCreditMemos));
  else if (numberOfCreditMemos !== 0) {
    warnings.push(
      `Zuora does not list credit memos here, so none are shown, and a send may email some: ${creditMemos.refused}`,
    );
  }
  if (notificationsUnreadable !== undefined) {
    warnings.push(
      `Zuora's notifications cannot be read, so a first send does not wait for emails that a post brings about: ` +
        notificationsUnreadable,
    );
  }
  const zeroInvoices = documents.filter(
    ({ kind, amount, wouldEmail }) => kind === 'invoice' && Number(amount ?? 1) === 0 && wouldEmail.resend !== 'no',
  ).length;
  if (zeroInvoices > 0) {
    warnings.push(
      `${zeroInvoices} of the invoices have an amount of zero: Zuora leaves them out if the bill run has ` +
        `noEmailForZeroAmountInvoice.`,
    );
  }
  return warnings;
}

function mismatch(kind: DocumentKind, { documents, complete }: DocumentList, expected: number | undefined): string[] {
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
