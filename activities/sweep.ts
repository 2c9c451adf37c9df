import { activityInfo, Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { BillRunEmails } from '../client/bill-run-emails.js';
import { tryEach } from '../client/many.js';
import { compareWithJobs, STILL_WAITS } from '../client/standing.js';
import { isHoldAllOpen } from '../client/temporal/hold-all.js';
import { listed } from '../client/temporal/jobs.js';
import { retentionDays } from '../client/temporal/retention.js';
import type { Activities } from '../workflows/contract/activities.js';
import { namesIn } from '../workflows/rules/sweep-details.js';
import type { ForgottenBillRun } from '../workflows/contract/sweep.js';
import type { Zuora } from '../zuora/client.js';
import { postedSince, postOf } from '../zuora/posted-bill-runs.js';
import { whileAlive } from './alive.js';
import { turnsOf, type Budget } from './budget.js';
import { unreadIn } from './unread.js';
import { checkEntity } from './watch-bill-run.js';

const DAY_MS = 24 * 60 * 60_000;
/** In one sweep: a date that was chosen by mistake does limited harm. */
const MOST_STARTED = 100;
const MOST_REASONS = 5;
/** Reads that fail so fail again. */
const NEEDS_A_PERSON = new Set(['NotFound', 'Unauthorized', 'ReadRefused', 'TOKEN_REFUSED']);

export function createFindForgotten({
  zuora,
  multiEntity,
  budget,
}: {
  zuora: Zuora;
  multiEntity: boolean;
  budget: Budget;
}): Activities['findForgotten'] {
  const turn = turnsOf(budget);
  return ({ postedSinceMs, entityId, scheduleId }) =>
    whileAlive(async () => {
      checkEntity({ entityId }, multiEntity);
      const { client } = Context.current();
      const { currentAttemptScheduledTimestampMs: now } = activityInfo();
      // Of older bill runs, Temporal may have forgotten the jobs.
      const keptMs = ((await retentionDays(client.workflowService, client.options.namespace)) ?? Infinity) * DAY_MS;
      const since = Math.max(now - postedSinceMs, now - keptMs);
      const { billRuns, complete } = await postedSince(zuora, since, { entityId }, turn).catch((error: unknown) => {
        const { type, message } = unreadIn(error);
        throw ApplicationFailure.create({ type: 'ZuoraUnavailable', message, nonRetryable: NEEDS_A_PERSON.has(type) });
      });
      if (!complete) {
        const message = 'Zuora did not list all posted bill runs; look back less far';
        throw ApplicationFailure.nonRetryable(message, 'ZuoraUnavailable');
      }
      const compared = await compareWithJobs(client, billRuns, { entityId, since, now });
      const known = await foundBefore(client, scheduleId);
      return { since: new Date(since).toISOString(), looked: billRuns.length, ...compared, known };
    });
}

/** A Schedule does not hand the last result on (tried: server 1.32). */
async function foundBefore(client: Context['client'], scheduleId: string): Promise<readonly string[]> {
  const query = `WorkflowType = 'sweepBillRuns' AND WorkflowId STARTS_WITH '${scheduleId}-' AND ExecutionStatus = 'Completed'`;
  try {
    for await (const { workflowId, runId } of listed(client, query, 1)) {
      return namesIn(await client.workflow.getHandle(workflowId, runId).result());
    }
  } catch (error) {
    log.warn('the last sweep cannot be read, so people may be notified again', { reason: String(error) });
  }
  return [];
}

export const startForgotten: Activities['startForgotten'] = ({ billRuns, postedSince: from, entityId }) =>
  whileAlive(async () => {
    const { client, info } = Context.current();
    const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
    const request = { requestedBy: 'sweep', reason: `forgotten; sweep ${workflowId}, run ${runId}` };
    const emails = new BillRunEmails(client, { taskQueue: info.taskQueue, warns: false });
    const start = async ({ billRunNumber: billRunKey, why: reasonToStart }: ForgottenBillRun): Promise<boolean> => {
      if (await isHoldAllOpen(client)) throw new Error('all jobs are on hold; to go on: bill-run-emails release --all');
      const { result } = await emails.billRunPosted({ billRunKey, entityId, ...request });
      // Whether a look helps a job that waited already, the next sweep sees.
      return result !== 'stopped' && !reasonToStart.startsWith(STILL_WAITS);
    };

    const posted = billRuns.filter((billRun) => postOf(billRun).from >= from);
    const started: string[] = [];
    const why = new Set<string>();
    if (posted.length < billRuns.length) {
      why.add(`${billRuns.length - posted.length} may have been posted before ${new Date(from).toISOString()}`);
    }
    if (posted.length > MOST_STARTED) why.add(`one sweep starts at most ${MOST_STARTED}, so the next one goes on`);
    for await (const { item, tried } of tryEach(posted.slice(0, MOST_STARTED), start)) {
      if (!tried.ok) why.add(tried.error.message);
      else if (tried.value) started.push(item.billRunNumber);
      else why.add('jobs that waited already look now, and jobs that a person stopped stay so');
    }
    return { started, ...(why.size === 0 ? {} : { notStarted: [...why].slice(0, MOST_REASONS).join('; ') }) };
  });
