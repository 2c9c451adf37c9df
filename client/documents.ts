/**
 * Reads what became of each document, and what a send would meet now. It changes nothing. Without Temporal it says what it cannot know.
 */
import { Client } from '@temporalio/client';
import { canonicalWorkflowId } from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { checkInput, type Settings } from '../workflows/contract/validation.js';
import { iso } from '../workflows/rules/text.js';
import type { BillRun } from '../zuora/bill-run.js';
import { createZuora, type Scope, type Zuora } from '../zuora/client.js';
import { zuoraConfiguration } from '../zuora/configuration.js';
import { readDocuments, type DeliveryMemory, type DocumentsRead } from '../zuora/delivery.js';
import { momentOf } from '../zuora/moment.js';
import { readRecipients } from '../zuora/recipients.js';
import { documentsOf, type BillRunDocuments, type EmailedSend, type Hold, type Reading } from './documents-report.js';
import { BillRunEmailsError, failureIn, valid } from './failures/errors.js';
import { temporalFailure } from './failures/temporal.js';
import { zuoraTroubleIn } from './failures/zuora.js';
import { lastAccepted } from './history/last-send.js';
import type { Call } from './history/history.js';
import { connect } from './temporal/connection.js';
import { isHoldAllOpen } from './temporal/hold-all.js';
import { lastOf, type KnownWorkflow } from './temporal/jobs.js';

export interface DocumentsInput {
  /** ID or number. */
  readonly billRunKey: string;
  /** Required where the tenant has Zuora Multi-entity, and refused elsewhere. */
  readonly entityId?: string | undefined;
  readonly orgIds?: readonly string[] | undefined;
  /** As in the input of a job: how long a first send waits after Zuora's last emails. Default: 24 hours. */
  readonly coolDown?: string | undefined;
  /** Shows to whom Zuora addresses each document. Default: false. */
  readonly recipients?: boolean | undefined;
}

/** For one call to Temporal. */
const TEMPORAL_DEADLINE_MS = 15_000;
/** The default of `BILL_RUN_DELIVERY_INTERVAL`, which workers have. */
const DELIVERY_INTERVAL_MS = 5 * 60 * 1000;

/**
 * @param env holds the `ZUORA_*` variables; Temporal is found by those of the process
 * @throws {@link BillRunEmailsError} `InvalidInput`, `NotFound` or `ZuoraUnavailable`; {@link ConfigurationError}
 */
export async function documents(
  { recipients = false, ...input }: DocumentsInput,
  env: NodeJS.ProcessEnv = process.env,
): Promise<BillRunDocuments> {
  const settings = valid(checkInput(input));
  const { zuora: zuoraSettings, multiEntity } = zuoraConfiguration(env);
  checkEntity(settings, multiEntity);
  const zuora = createZuora(zuoraSettings);
  try {
    return documentsOf(await readingOf(zuora, settings, recipients), settings);
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

async function readingOf(
  zuora: Zuora,
  { billRunKey, entityId, orgIds }: Settings,
  withRecipients: boolean,
): Promise<Reading> {
  const scope = { entityId, orgIds };
  const billRun = await zuora.getBillRun(billRunKey, scope);
  const [notifications, { ours, memory, mayHaveSent, hold, gaps }] = await Promise.all([
    billRun.status === 'Posted' ? notificationsOf(zuora, scope) : [],
    sendsOf(canonicalWorkflowId(billRun.number, entityId)),
  ]);
  const at = Date.now();
  const emailed = ours ?? emailedByZuora(billRun, at, mayHaveSent);
  const { id: billRunId, number: billRunNumber, postedDate, numberOfInvoices, numberOfCreditMemos } = billRun;
  const read = await readDocuments(
    zuora,
    { billRunNumber, billRunId, numberOfInvoices, numberOfCreditMemos, scope },
    emailed && {
      ...{ resend: emailed.resend, since: Date.parse(emailed.since), now: at, postedDate },
      from: onTheirWaySince(emailed, billRun),
      atPost: emailed.by === 'zuora' && billRun.autoEmail,
      ...{ before: {}, intervalMs: DELIVERY_INTERVAL_MS, previous: memory },
    },
  );
  return {
    ...{ at, documents: read, emailed, hold, gaps },
    ...('unreadable' in notifications
      ? { billRun, notificationsUnreadable: notifications.unreadable }
      : { billRun: { ...billRun, postedNotifications: notifications } }),
    ...(withRecipients ? { recipients: await recipientsOf(zuora, read, scope) } : {}),
  };
}

async function recipientsOf(
  zuora: Zuora,
  { invoices, creditMemos }: DocumentsRead,
  scope: Scope,
): Promise<NonNullable<Reading['recipients']>> {
  try {
    return await readRecipients(zuora, [...invoices.documents, ...creditMemos.documents], scope);
  } catch (error) {
    const trouble = zuoraTroubleIn(error);
    if (trouble === undefined) throw error;
    return { unreadable: trouble.text };
  }
}

interface JobSends {
  /** The last send of the jobs that Zuora accepted. */
  readonly ours: EmailedSend | null;
  /** What the job's last check of its documents remembered. */
  readonly memory: DeliveryMemory | null;
  readonly mayHaveSent: boolean;
  readonly hold: Hold;
  readonly gaps: readonly string[];
}

/** Without Temporal, and for histories that cannot be read, it says so. */
async function sendsOf(workflowId: string): Promise<JobSends> {
  let client: Client | undefined;
  try {
    const opened = (client = new Client(await connect()));
    const call: Call = (ask) => opened.withDeadline(Date.now() + TEMPORAL_DEADLINE_MS, ask);
    const { send, mayHaveSent, unreadable } = await lastAccepted(opened, workflowId, call);
    return {
      ours: send === null ? null : { by: 'job', resend: send.resend, since: iso(send.since) },
      memory: send?.memory ?? null,
      mayHaveSent,
      hold: await call(() => holdOn(opened, workflowId)),
      gaps: unreadable.map((runId) => `The history of run ${runId} cannot be read, so it is not known what it sent.`),
    };
  } catch (error) {
    const { message } = failureIn(temporalFailure(error, workflowId));
    const gaps = [`Without Temporal it is not known what the jobs of this bill run sent, or when: ${message}`];
    return { ours: null, memory: null, mayHaveSent: true, hold: null, gaps };
  } finally {
    await client?.connection.close();
  }
}

async function holdOn(client: Client, workflowId: string): Promise<Hold> {
  const last = await lastOf(client, workflowId);
  if (last?.closedAt === null && isHeld(last)) return 'job';
  return (await isHoldAllOpen(client)) ? 'all' : null;
}

function isHeld({ attributes }: KnownWorkflow): boolean {
  return (
    attributes.get(searchAttributes.emailState) === 'Held' && attributes.get(searchAttributes.emailReason) === 'job'
  );
}

/** Zuora emailed a bill run of which no send of ours is known. */
function emailedByZuora(
  { status, autoEmail, invoicesEmailed, postedDate, lastEmailSentTime }: BillRun,
  at: number,
  mayBeOurs: boolean,
): EmailedSend | null {
  if (invoicesEmailed !== true && !(autoEmail === true && status === 'Posted')) return null;
  // A send of ours may have come long after the post, and its documents must have their time.
  const times = mayBeOurs ? [lastEmailSentTime, postedDate] : [postedDate, lastEmailSentTime];
  const since = times.map((time) => momentOf(time)?.from).find((from) => from !== undefined) ?? at;
  return { by: 'zuora', resend: false, since: iso(since) };
}

/** Others may email long after the post. */
function onTheirWaySince({ by, since }: EmailedSend, { lastEmailSentTime }: BillRun): number {
  const last = by === 'job' ? undefined : momentOf(lastEmailSentTime);
  return Math.max(Date.parse(since), last?.from ?? -Infinity);
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

function zuoraFailure(error: unknown): unknown {
  const trouble = zuoraTroubleIn(error);
  if (trouble === undefined) return error;
  const type = trouble.kind === 'notFound' ? 'NotFound' : 'ZuoraUnavailable';
  return new BillRunEmailsError(type, `${trouble.text.replace(/\.$/, '')}. ${trouble.todo}.`, { cause: error });
}
