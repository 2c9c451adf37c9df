/** Whether somebody cares for a posted bill run: by what Zuora lists of it, and by what Temporal shows of its job. */
import type { Client } from '@temporalio/client';
import { billRunIn, canonicalWorkflowId, WORKFLOW_TYPE } from '../workflows/contract/contract.js';
import type { ForgottenBillRun, Standing, SweepFindings, WaitingForPeople } from '../workflows/contract/sweep.js';
import { notSentInWords } from '../workflows/rules/text.js';
import { postOf, type PostedBillRun } from '../zuora/posted-bill-runs.js';
import { decide, lastJob, type LastJob } from './last-job.js';
import { tryEach } from './many.js';
import { listed } from './temporal/jobs.js';

/** How long a job may need to notice the post, and a person to act. */
const NOTICES_WITHIN_MS = 30 * 60_000;
const PEOPLE_ACT_WITHIN_MS = 24 * 60 * 60_000;
/** Zuora writes times to the second. */
const SECOND_MS = 1_000;
/** A result of a workflow has at most 2 MB. */
const MOST_NAMED = 1_000;

/** How the reason begins where a job is open: it has to look, and no other one can be started. */
export const STILL_WAITS = 'its job still waits';

/** With a reason if it is forgotten. */
export type Stands =
  { readonly standing: Exclude<Standing, 'forgotten'> } | { readonly standing: 'forgotten'; readonly why: string };

/** @param now epoch, ms */
export function standingOf(billRun: PostedBillRun, job: LastJob | undefined, now: number): Stands {
  const stands = job === undefined ? forgotten('no job') : standingByJob(job, billRun, now);
  if (stands.standing !== 'forgotten') return stands;
  if (billRun.numberOfInvoices === 0 && billRun.numberOfCreditMemos === 0) return { standing: 'empty' };
  if (billRun.autoEmail === true) return { standing: 'autoEmail' };
  return billRun.invoicesEmailed === true ? { standing: 'invoicesEmailed' } : stands;
}

function standingByJob(job: LastJob, billRun: PostedBillRun, now: number): Stands {
  const { state, reason, status, closedAt } = job;
  const post = postOf(billRun);
  switch (decide(job, { again: false })) {
    case 'alreadyEmailed':
    case 'nothingMissing':
      return { standing: 'emailed' };
    case 'stopped':
      return { standing: 'stopped' };
    case 'handedOver':
      return { standing: 'underWay' };
    case 'join': {
      const waits = state === null || (state === 'Waiting' && reason !== 'coolDown');
      const isLate = post.to === Infinity || now - post.to >= NOTICES_WITHIN_MS;
      if (!waits || !isLate) return { standing: 'underWay' };
      return forgotten(`${STILL_WAITS} as ${reason ?? 'notPosted'}, over 30 minutes after the post`);
    }
    case 'start': {
      if (state === 'Skipped') return { standing: 'empty' };
      if (state === 'Unsettled') return { standing: 'unsettled' };
      if (status === 'TIMED_OUT') return forgotten('its job timed out');
      if (state !== 'NotPosted') return forgotten('its job failed');
      const isBefore = closedAt !== null && closedAt.getTime() < post.from + SECOND_MS;
      return forgotten(`its job closed as NotPosted${isBefore ? ' before the post' : ''}`);
    }
  }
}

function forgotten(why: string): Stands {
  return { standing: 'forgotten', why };
}

/** Why a job does nothing until a person acts; undefined if it does something, or nobody has to act. */
export function whyWaiting(
  { isOpen, state, reason, since, documentsNotSent, paused }: LastJob,
  now: number,
): string | undefined {
  if (isOpen) {
    const isLong = (at: number): boolean => now - at >= PEOPLE_ACT_WITHIN_MS;
    if (paused.some(({ at }) => at !== null && isLong(Date.parse(at)))) return 'paused in Temporal for over 24 hours';
    // Attempts end within 20 hours, so a job that still sends is stuck.
    const isWaiting = state === 'Held' || state === 'NeedsAttention' || state === 'Sending';
    if (!isWaiting || since === null || !isLong(since.getTime())) return undefined;
    return `${state}${reason === null ? '' : ` (${reason})`} for over 24 hours`;
  }
  if (state === 'Unsettled') return 'its job closed as Unsettled';
  if (documentsNotSent === null || documentsNotSent === 0) return undefined;
  return notSentInWords(documentsNotSent);
}

/**
 * Compares bill runs with the last jobs of their ids. Jobs that wait for people are found by visibility, too, because their bill runs may
 * have been posted long ago.
 *
 * @param since epoch, ms: closed jobs that wait for people count from then on
 * @throws Error if a job cannot be described
 */
export async function compareWithJobs(
  client: Client,
  billRuns: readonly PostedBillRun[],
  { entityId, since, now }: { readonly entityId: string | undefined; readonly since: number; readonly now: number },
): Promise<Pick<SweepFindings, 'counts' | 'forgotten' | 'waitingForPeople'>> {
  const counts: Record<Standing, number> = { ...NONE };
  const found: (ForgottenBillRun & { readonly postedAt: number })[] = [];
  const waiting = new Map<string, WaitingForPeople>();
  const note = (job: LastJob): void => {
    const { workflowId, state, reason } = job;
    const why = whyWaiting(job, now);
    const billRun = billRunIn(workflowId);
    if (why === undefined || state === null || billRun === undefined || billRun.entityId !== entityId) return;
    waiting.set(workflowId, { billRunNumber: billRun.billRunKey, workflowId, state, reason, why });
  };
  const compared = async (billRun: PostedBillRun): Promise<{ job: LastJob | undefined; stands: Stands }> => {
    const job = await lastJob(client, canonicalWorkflowId(billRun.number, entityId));
    const stands = standingOf(billRun, job, now);
    if (stands.standing !== 'forgotten') return { job, stands };
    // One that was started by the ID keeps its requests while it is held, and stays closed if a person closed it.
    const alias = await lastJob(client, canonicalWorkflowId(billRun.id, entityId));
    const decides = alias !== undefined && (alias.isOpen || decide(alias, { again: false }) === 'stopped');
    return decides ? { job: alias, stands: standingOf(billRun, alias, now) } : { job, stands };
  };

  for await (const { item, tried } of tryEach(billRuns, compared)) {
    if (!tried.ok) throw new Error(`the job of ${item.number} cannot be described: ${tried.error.message}`);
    const { job, stands } = tried.value;
    if (job !== undefined) note(job);
    counts[stands.standing] += 1;
    if (stands.standing !== 'forgotten') continue;
    const { number: billRunNumber, id: billRunId, postedDate } = item;
    found.push({ billRunNumber, billRunId, postedDate, why: stands.why, postedAt: postOf(item).to });
  }
  for await (const { workflowId } of listed(client, mayWait(since, now))) {
    if (waiting.has(workflowId)) continue;
    const job = await lastJob(client, workflowId);
    if (job !== undefined) note(job);
  }
  return {
    counts,
    forgotten: found
      .toSorted((one, other) => other.postedAt - one.postedAt || one.billRunNumber.localeCompare(other.billRunNumber))
      .slice(0, MOST_NAMED)
      .map(({ postedAt: _, ...billRun }) => billRun),
    waitingForPeople: [...waiting.values()].slice(0, MOST_NAMED),
  };
}

const NONE = {
  emailed: 0,
  underWay: 0,
  autoEmail: 0,
  invoicesEmailed: 0,
  empty: 0,
  stopped: 0,
  unsettled: 0,
  forgotten: 0,
};

function mayWait(since: number, now: number): string {
  const [from, before] = [since, now - PEOPLE_ACT_WITHIN_MS].map((at) => new Date(at).toISOString());
  const open = `CloseTime IS NULL AND EmailState IN ('Held', 'NeedsAttention', 'Sending') AND EmailStateSince < '${before ?? ''}'`;
  const closed = `CloseTime >= '${from ?? ''}' AND (EmailState = 'Unsettled' OR DocumentsNotSent > 0)`;
  return `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus != 'ContinuedAsNew' AND ((${open}) OR (${closed}))`;
}
