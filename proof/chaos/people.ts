/** Pipelines and operators. They repeat each request until Temporal acknowledges it, as careful clients do. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { BillRunEmails, BillRunEmailsError, type BillRunToStart } from '../../client/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import type { AcceptedRequest } from './evidence.js';
import type { Parts } from './parts.js';
import { leaveUnreadable } from './unreadable.js';
import { EMAILS_BECOME, type Order, type Plan, type PlannedBillRun, type PlannedStart } from './plan.js';

/** The requests that Temporal accepted, and how often one had to be repeated, by reason. */
export interface Ledger {
  readonly accepted: (AcceptedRequest & { readonly billRun: string })[];
  readonly repeated: Map<string, number>;
}

/** Waits until this time, in milliseconds since the start. */
export type At = (ms: number) => Promise<void>;

/** Executes the plan of one bill run, from its creation to the last order. */
export async function live(planned: PlannedBillRun, parts: Parts, ledger: Ledger, at: At): Promise<void> {
  const { number, autoEmail, emailedJustNow, fate } = planned;
  const { control } = parts;
  await at(planned.at);
  const { id, documents } = await control<{ id: string; documents: readonly { number: string }[] }>(
    'POST',
    '/bill-runs',
    {
      number,
      invoices: planned.invoices,
      creditMemos: planned.creditMemos,
      autoEmail,
      status: 'Completed',
      ...(fate === 'posts' ? { postsAfterMs: planned.postsAfterMs } : {}),
    },
  );
  for (const { place, becomes } of planned.emails) {
    await control('PATCH', `/documents/${documents[place]?.number ?? ''}`, EMAILS_BECOME[becomes]);
  }
  if (fate === 'isCanceled') await control('PATCH', `/bill-runs/${number}`, { status: 'Canceled' });
  if (emailedJustNow) {
    await control('PATCH', `/bill-runs/${number}`, { lastEmailSentTime: new Date().toISOString() });
  }
  if (planned.isForgotten) return;
  if (planned.unreadableBefore) await leaveUnreadable(parts.client, canonicalWorkflowId(number));
  await Promise.all([
    ...planned.starts.map((start) => startAsPlanned(start, { planned, id }, parts, ledger, at)),
    follow(planned, parts, ledger, at),
    retryNotSent(planned, parts, ledger, at),
  ]);
}

/** One sweep starts what was forgotten since then. Each bill run whose starts were lost counts as asked for. */
export async function sweepUp(plan: Plan, parts: Parts, ledger: Ledger, since: number): Promise<readonly string[]> {
  const emails = new BillRunEmails(parts.client);
  const startPostedSince = new Date(since).toISOString();
  const { started } = await insist(ledger, () => emails.sweep({ startPostedSince }));
  const forgotten = plan.billRuns.filter(({ isForgotten, fate }) => isForgotten && fate === 'posts');
  for (const billRun of new Set([...started, ...forgotten.map(({ number }) => number)])) {
    const workflowId = canonicalWorkflowId(billRun);
    ledger.accepted.push({ billRun, kind: 'start', requestId: null, requestedBy: 'sweep', workflowId });
  }
  return started;
}

async function startAsPlanned(
  { pipeline, by, resend, requestId, at: moment }: PlannedStart,
  { planned, id }: { planned: PlannedBillRun; id: string },
  parts: Parts,
  ledger: Ledger,
  at: At,
): Promise<void> {
  await at(moment);
  const { number: billRun, input } = planned;
  const emails = clientOf(parts, pipeline);
  const billRunKey = by === 'id' ? id : billRun;
  const request = { requestId, requestedBy: pipeline, reason: 'month end' };
  const { workflowId, result } = await insist(ledger, () => emails.start({ billRunKey, resend, ...request, ...input }));
  const requestedBy = result === 'alreadyEmailed' || result === 'stopped' ? null : pipeline;
  ledger.accepted.push({ billRun, kind: resend ? 'resend' : 'start', requestId, requestedBy, workflowId });
}

async function follow({ number, orders, input }: PlannedBillRun, parts: Parts, ledger: Ledger, at: At): Promise<void> {
  const emails = clientOf(parts, 'operators');
  const workflowId = canonicalWorkflowId(number);
  for (const order of orders) {
    await at(order.at);
    for (let time = 1; time <= order.times; time++) {
      const { requestId = null } = order;
      const requestedBy = `operator-${time}`;
      const taken = await insist(ledger, () =>
        give(order, emails, { billRunKey: number, ...input }, requestedBy),
      ).catch(notIfDefinite);
      const asks = order.what === 'resend' || order.what === 'signal' || order.what === 'update';
      if (taken && asks) ledger.accepted.push({ billRun: number, kind: 'resend', requestId, requestedBy, workflowId });
    }
  }
}

/** From the post until an email has failed and a check has seen it: 24 s, and what the chaos adds. */
const NOT_SENT_WITHIN_MS = 75_000;

/** Asks once for what was not sent, when the job says so. */
async function retryNotSent(planned: PlannedBillRun, parts: Parts, ledger: Ledger, at: At): Promise<void> {
  const { number: billRunKey, retriesNotSent, fate } = planned;
  if (!retriesNotSent || fate !== 'posts') return;
  const emails = clientOf(parts, 'operators');
  const postedAt = planned.at + planned.postsAfterMs;
  const isNotSent = (): Promise<boolean> =>
    insist(ledger, () => emails.status({ billRunKey })).then(({ reason }) => reason === 'notSent', notIfDefinite);
  for (let ms = postedAt; ms < postedAt + NOT_SENT_WITHIN_MS; ms += 1_000) {
    await at(ms);
    if (!(await isNotSent())) continue;
    const note = { requestId: `MISSED-${billRunKey}`, requestedBy: 'operator', reason: 'mailbox is empty again' };
    await insist(ledger, () => emails.retry({ billRunKey }, note)).catch(notIfDefinite);
    return;
  }
}

/** @returns whether it was accepted, according to the answer */
async function give(
  order: Order,
  emails: BillRunEmails,
  billRun: BillRunToStart,
  requestedBy: string,
): Promise<boolean> {
  const { what, requestId } = order;
  const note = { requestedBy, reason: 'wrong template' };
  const message = requestId === undefined ? note : { requestId, ...note };
  const handle = emails.client.workflow.getHandle(canonicalWorkflowId(billRun.billRunKey));
  switch (what) {
    case 'resend':
      return (await emails.resend(billRun, { requestId: requestId ?? '', ...note })).result !== 'alreadyEmailed';
    case 'signal':
      await bounded(emails, () => handle.signal('resend', message));
      return true;
    case 'update':
      await bounded(emails, () => handle.executeUpdate('resend', { args: [message] }));
      return true;
    case 'hint':
      await bounded(emails, () => handle.signal('billRunPosted'));
      return false;
    case 'query':
      await emails.status(billRun);
      return false;
    case 'start':
    case 'again':
      await emails.start({ ...billRun, ...note, again: what === 'again' });
      return false;
    case 'cancel':
      await bounded(emails, () => handle.cancel());
      return false;
    case 'terminate':
      await bounded(emails, () => handle.terminate(note.reason));
      return false;
    case 'finish':
    case 'retry':
    case 'hold':
    case 'release':
      // Never with `sendAnyway`, so that no risk is taken.
      await emails[what](billRun, note);
      return false;
  }
}

/** Calls of the SDK's client have no deadline by default. */
function bounded<T>(emails: BillRunEmails, ask: () => Promise<T>): Promise<T> {
  return emails.client.withDeadline(Date.now() + 5_000, ask);
}

/** The job has closed, or no pipeline has started it yet: a definite answer, and nothing is promised. */
function notIfDefinite(error: unknown): false {
  if (isDefinite(error)) return false;
  throw error;
}

function isDefinite(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError) return true;
  if (error instanceof BillRunEmailsError) return ['NotFound', 'Ignored', 'NothingMissing'].includes(error.type);
  return error instanceof Error && error.name === 'WorkflowNotFoundError';
}

/** Far above what the parts need to recover. */
const STUCK_AFTER_MS = 300_000;

/** Repeats a request until it is answered. Safe, because each request has an id or is idempotent. */
async function insist<T>(ledger: Ledger, ask: () => Promise<T>): Promise<T> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (isDefinite(error)) throw error;
      if (Date.now() > stuckAt) throw new Error('Temporal does not come back', { cause: error });
      const reason = error instanceof BillRunEmailsError ? error.type : error instanceof Error ? error.name : 'unknown';
      ledger.repeated.set(reason, (ledger.repeated.get(reason) ?? 0) + 1);
      await delay(500);
    }
  }
}

function clientOf({ emailsOf }: Parts, name: string): BillRunEmails {
  const emails = emailsOf.get(name);
  if (emails === undefined) throw new Error(`there is no client ${name}`);
  return emails;
}
