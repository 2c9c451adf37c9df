/** Pipelines and operators: they ask until Temporal says that it has their word, as careful clients do. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { BillRunEmailsError, type BillRunEmails, type BillRunToStart } from '../../client/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import type { AcceptedRequest } from './evidence.js';
import type { Parts } from './parts.js';
import type { Order, PlannedBillRun, PlannedStart } from './plan.js';

/** What Temporal took, and how often somebody had to ask again, by reason. */
export interface Ledger {
  readonly accepted: (AcceptedRequest & { readonly billRun: string })[];
  readonly askedAgain: Map<string, number>;
}

/** Waits until so many milliseconds after the start. */
export type At = (ms: number) => Promise<void>;

/** All that is planned for one bill run, from its creation to the last order. */
export async function live(planned: PlannedBillRun, parts: Parts, ledger: Ledger, at: At): Promise<void> {
  const { number, autoEmail, emailedJustNow, fate } = planned;
  const { control } = parts;
  await at(planned.at);
  const { id } = await control<{ id: string }>('POST', '/bill-runs', {
    number,
    invoices: planned.invoices,
    creditMemos: planned.creditMemos,
    autoEmail,
    status: 'Completed',
    ...(fate === 'posts' ? { postsAfterMs: planned.postsAfterMs } : {}),
  });
  if (fate === 'isCanceled') await control('PATCH', `/bill-runs/${number}`, { status: 'Canceled' });
  if (emailedJustNow) {
    await control('PATCH', `/bill-runs/${number}`, { lastEmailSentTime: new Date().toISOString() });
  }
  await Promise.all([
    ...planned.starts.map((start) => startAsPlanned(start, { planned, id }, parts, ledger, at)),
    follow(planned, parts, ledger, at),
  ]);
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
  const requestedBy = result === 'alreadyEmailed' ? null : pipeline;
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
      ).catch((error: unknown) => {
        // The run has closed, or its pipeline has not come yet: the operator is told, and nothing is promised.
        if (isTold(error)) return false;
        throw error;
      });
      const asks = order.what === 'resend' || order.what === 'signal' || order.what === 'update';
      if (taken && asks) ledger.accepted.push({ billRun: number, kind: 'resend', requestId, requestedBy, workflowId });
    }
  }
}

/** @returns whether it was taken, as far as the answer tells */
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
      await emails.requestResend(billRun, message);
      return true;
    case 'signal':
      await bounded(emails, () => handle.signal('resend', message));
      return true;
    case 'update':
      await bounded(emails, () => handle.executeUpdate('requestResend', { args: [message] }));
      return true;
    case 'hint':
      await bounded(emails, () => handle.signal('billRunPosted'));
      return false;
    case 'query':
      await emails.status(billRun);
      return false;
    case 'retry':
    case 'hold':
    case 'release':
      // Never with `sendAnyway`: no risk is taken here.
      await emails.signal(billRun, what, note);
      return false;
  }
}

/** Calls of the SDK's own client have no deadline of themselves. */
function bounded<T>(emails: BillRunEmails, ask: () => Promise<T>): Promise<T> {
  return emails.client.withDeadline(Date.now() + 5_000, ask);
}

function isTold(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError) return true;
  if (error instanceof BillRunEmailsError) return error.type === 'NotFound';
  return error instanceof Error && error.name === 'WorkflowNotFoundError';
}

/** Far above what the parts need to come back: what takes longer is stuck. */
const STUCK_AFTER_MS = 300_000;

/** Asks again and again. Safe, because all that is asked here has an id of its own, or does no harm twice. */
async function insist<T>(ledger: Ledger, ask: () => Promise<T>): Promise<T> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (isTold(error)) throw error;
      if (Date.now() > stuckAt) throw new Error('Temporal does not come back', { cause: error });
      const reason = error instanceof BillRunEmailsError ? error.type : error instanceof Error ? error.name : 'unknown';
      ledger.askedAgain.set(reason, (ledger.askedAgain.get(reason) ?? 0) + 1);
      await delay(500);
    }
  }
}

function clientOf({ emailsOf }: Parts, who: string): BillRunEmails {
  const emails = emailsOf.get(who);
  if (emails === undefined) throw new Error(`nobody is called ${who}`);
  return emails;
}
