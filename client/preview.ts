/** A dry run: what would be emailed now, and what would hold it back. It reads Zuora, changes nothing, and needs no Temporal. */
import { checkInput, type Settings } from '../workflows/contract/validation.js';
import { hasNoDocuments, obstaclesIn, type Look } from '../workflows/rules/send-step.js';
import { waitingFor, willNotPost } from '../workflows/rules/waiting.js';
import * as words from '../workflows/rules/text.js';
import { createZuora, ZuoraFailure, type Scope, type Zuora } from '../zuora/client.js';
import { zuoraConfiguration } from '../zuora/configuration.js';
import { namesOf, type BillingDocument, type DocumentKind, type DocumentList } from '../zuora/documents.js';
import { keepable } from '../zuora/words.js';
import { BillRunEmailsError, valid } from './failures/errors.js';
import { zuoraTroubleIn } from './failures/zuora.js';

export interface PreviewInput {
  /** ID or number. */
  readonly billRunKey: string;
  /** Required where the tenant has Zuora Multi-entity, and refused elsewhere. */
  readonly entityId?: string;
  readonly orgIds?: readonly string[];
  /** As `coolDown` of a start: how long after Zuora's last emails a first send waits. Default: 24 hours. */
  readonly coolDown?: string;
}

export interface Preview {
  readonly billRunNumber: string;
  readonly billRunId: string;
  readonly billRunStatus: string;
  /** When Zuora was looked at; ISO 8601, by this machine's clock. */
  readonly at: string;
  /** The first send (`resend=false`), and an escalation (`resend=true`). */
  readonly sends: readonly [PreviewedSend, PreviewedSend];
  /** Invoices, then credit memos, each by number. */
  readonly documents: readonly PreviewedDocument[];
  readonly listed: Readonly<Record<'invoices' | 'creditMemos', Listed>>;
  /** In words, what may make the preview wrong. */
  readonly warnings: readonly string[];
}

export interface PreviewedSend {
  readonly resend: boolean;
  /** Why it would not begin now; the first one counts first. Empty where an attempt would be made at once. */
  readonly heldBackBy: readonly HeldBack[];
  /** How many of the documents a call made now would email. */
  readonly wouldEmail: Readonly<Record<Answer, number>>;
}

export interface HeldBack {
  readonly kind: 'notPosted' | 'autoEmail' | 'noDocuments' | 'coolDown';
  readonly text: string;
  /** When it ends by itself, as ISO 8601; null where it does not. */
  readonly until: string | null;
}

export type Answer = 'yes' | 'no' | 'unknown';

export interface PreviewedDocument extends BillingDocument {
  /** By what Zuora shows: nothing at all for credit memos, and for invoices nothing of emails that have not left yet. */
  readonly emailedBefore: Answer;
  /** Whether a call made now would email it, with `resend=false` (`first`) and with `resend=true` (`resend`). */
  readonly wouldEmail: { readonly first: Answer; readonly resend: Answer };
}

/** How many documents of a kind were listed, and how many the bill run itself says it has; null where it does not say. */
interface Listed {
  readonly listed: number;
  readonly expected: number | null;
  readonly complete: boolean;
}

/** What Zuora says about a bill run now. */
export interface Reading extends Look {
  readonly invoices: DocumentList;
  /** In words, why Zuora does not list credit memos, where it does not. */
  readonly creditMemos: DocumentList | { readonly refused: string };
}

/**
 * @param env holds the `ZUORA_*` variables
 * @throws {@link BillRunEmailsError} `InvalidInput`, `NotFound` or `ZuoraUnavailable`; {@link ConfigurationError}
 */
export async function preview(input: PreviewInput, env: NodeJS.ProcessEnv = process.env): Promise<Preview> {
  const settings = valid(checkInput(input));
  const { zuora: zuoraSettings, multiEntity } = zuoraConfiguration(env);
  checkEntity(settings, multiEntity);
  const zuora = createZuora(zuoraSettings);
  try {
    return previewOf(await readingOf(zuora, settings), settings);
  } catch (error) {
    throw inWords(error);
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
  const [invoices, creditMemos] = await Promise.all([
    zuora.listDocuments('invoice', billRun.number, scope),
    creditMemosOf(zuora, billRun.number, scope),
  ]);
  return { billRun, at, invoices, creditMemos };
}

/** Zuora lists credit memos only for tenants with Invoice Settlement; the others are to see their invoices. */
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

function inWords(error: unknown): unknown {
  const trouble = zuoraTroubleIn(error);
  if (trouble === undefined) return error;
  const type = trouble.kind === 'notFound' ? 'NotFound' : 'ZuoraUnavailable';
  return new BillRunEmailsError(type, `${trouble.text.replace(/\.$/, '')}. ${trouble.todo}.`, { cause: error });
}

/** Pure: what a send begun now would come to, by the rules that `emailBillRun` itself goes by. */
export function previewOf(reading: Reading, settings: Pick<Settings, 'coolDownMs'>): Preview {
  const { billRun, at, invoices, creditMemos } = reading;
  const memos = 'refused' in creditMemos ? { documents: [], complete: false } : creditMemos;
  const posted = billRun.status === 'Posted';
  const documents = [...invoices.documents, ...memos.documents.toSorted(byNumber)].map((document) =>
    previewed(document, posted),
  );
  const notPosted = posted ? [] : [heldUntilPosted(reading)];
  const first = obstaclesIn(reading, settings, at).map(({ kind, ...rest }): HeldBack => {
    const until = 'until' in rest ? rest.until : null;
    return { kind, text: textOf(kind, reading, until), until: until === null ? null : new Date(until).toISOString() };
  });
  return {
    billRunNumber: billRun.number,
    billRunId: billRun.id,
    billRunStatus: keepable(billRun.status),
    at: new Date(at).toISOString(),
    sends: [
      {
        resend: false,
        heldBackBy: [...notPosted, ...first],
        wouldEmail: counted(documents.map(({ wouldEmail }) => wouldEmail.first)),
      },
      {
        resend: true,
        heldBackBy: notPosted,
        wouldEmail: counted(documents.map(({ wouldEmail }) => wouldEmail.resend)),
      },
    ],
    documents,
    listed: {
      invoices: listedOf(invoices, billRun.numberOfInvoices),
      creditMemos: listedOf(memos, billRun.numberOfCreditMemos),
    },
    warnings: warningsOf(reading, documents),
  };
}

function byNumber(one: BillingDocument, other: BillingDocument): number {
  return one.number < other.number ? -1 : one.number > other.number ? 1 : 0;
}

function previewed(document: BillingDocument, billRunPosted: boolean): PreviewedDocument {
  // Zuora emails only what is posted.
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

function heldUntilPosted({ billRun }: Reading): HeldBack {
  const status = keepable(billRun.status);
  const text = willNotPost(billRun.status)
    ? `The bill run ended as ${status}. It will not post, and a run started now fails as NotPosted.`
    : `Nothing is emailed before the bill run is posted. A run waits for ` +
      `${waitingFor(status, { postingFailed: false, empty: hasNoDocuments(billRun) })}.`;
  return { kind: 'notPosted', text, until: null };
}

function textOf(kind: Exclude<HeldBack['kind'], 'notPosted'>, { billRun }: Reading, until: number | null): string {
  const override = 'retry --send-anyway overrides that.';
  switch (kind) {
    case 'autoEmail':
      return `Zuora emails the documents by itself (autoEmail is on), so a first send is skipped; ${override}`;
    case 'noDocuments':
      return `The bill run has no invoices and no credit memos, so a first send is skipped; ${override}`;
    case 'coolDown':
      return (
        `Zuora sent emails for this bill run at ${keepable(billRun.lastEmailSentTime ?? '')}, so a first send waits ` +
        `until ${words.time(until ?? NaN)}; ${override}`
      );
  }
}

function listedOf({ documents, complete }: DocumentList, expected: number | undefined): Listed {
  return { listed: documents.length, expected: expected ?? null, complete };
}

function warningsOf(
  { billRun, invoices, creditMemos }: Reading,
  documents: readonly PreviewedDocument[],
): readonly string[] {
  const { numberOfInvoices, numberOfCreditMemos } = billRun;
  const warnings = [...mismatch('invoice', invoices, numberOfInvoices)];
  if (!('refused' in creditMemos)) warnings.push(...mismatch('creditMemo', creditMemos, numberOfCreditMemos));
  else if (numberOfCreditMemos !== 0) {
    warnings.push(
      `Zuora does not list credit memos here, so none are shown, and a send may email some: ${creditMemos.refused}`,
    );
  }
  const overNothing = documents.filter(
    ({ kind, amount, wouldEmail }) => kind === 'invoice' && Number(amount ?? 1) === 0 && wouldEmail.resend !== 'no',
  ).length;
  if (overNothing > 0) {
    warnings.push(
      `${overNothing} of the invoices are over nothing: if the bill run says noEmailForZeroAmountInvoice, Zuora may ` +
        `leave them out.`,
    );
  }
  return warnings;
}

function mismatch(kind: DocumentKind, { documents, complete }: DocumentList, expected: number | undefined): string[] {
  const listed = documents.length;
  if (!complete) {
    const all = expected === undefined ? '' : ` of ${expected}`;
    return [`Only the first ${listed}${all} ${namesOf[kind]} are listed; a send is about all of them.`];
  }
  return expected === undefined || expected === listed
    ? []
    : [
        `Zuora lists ${listed} ${namesOf[kind]}, but counts ${expected} in the bill run: some may have been deleted or ` +
          `moved since, or these credentials do not see all.`,
      ];
}
