/** The Temporal Schedule that sweeps. */
import {
  Client,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { SWEEP_TYPE, sweepWorkflowId, type SweepInput } from '../../workflows/contract/sweep.js';
import { temporalFailure } from '../failures/temporal.js';
import type { Connected } from './connection.js';
import { lastOf } from './jobs.js';
import { taskQueueIn } from './task-queue.js';

type Action = ScheduleOptionsStartWorkflowAction<Workflow>;
type Wanted = Pick<ScheduleOptions<Action>, 'spec' | 'action' | 'policies'>;

/** How a sweep starts, by hand and by schedule. One that no worker takes ends, so that it does not keep back later ones. */
export function sweepStart(taskQueue: string, input: SweepInput): Omit<Action, 'type' | 'workflowType' | 'workflowId'> {
  return {
    taskQueue,
    args: [input],
    workflowExecutionTimeout: '2 hours',
    staticSummary: 'find bill runs that nobody emailed',
  };
}

export interface SweepScheduleWish {
  readonly entityId?: string | undefined;
  /** Milliseconds; null: no more. */
  readonly everyMs: number | null;
  /** As in the input of a sweep. Absent: report only. */
  readonly startPostedSince?: string | undefined;
}

/**
 * Creates the schedule, changes the one that is there, or removes it.
 *
 * @throws BillRunEmailsError `TemporalUnavailable`
 */
export async function scheduleSweeps(
  connected: Connected,
  wish: SweepScheduleWish,
): Promise<'created' | 'changed' | 'removed' | 'absent'> {
  const { schedule } = new Client(connected);
  const scheduleId = sweepWorkflowId(wish.entityId);
  const handle = schedule.getHandle(scheduleId);
  const { everyMs } = wish;
  try {
    if (everyMs === null) return (await isThere(handle.delete())) ? 'removed' : 'absent';
    const wanted = wanting({ ...wish, everyMs });
    if (await isThere(handle.update(({ state }) => ({ ...wanted, state })))) return 'changed';
    await schedule.create({ scheduleId, ...wanted });
    return 'created';
  } catch (error) {
    throw temporalFailure(error, scheduleId);
  }
}

function wanting({ entityId, everyMs, startPostedSince }: SweepScheduleWish & { readonly everyMs: number }): Wanted {
  const input: SweepInput = {
    ...(entityId === undefined ? {} : { entityId }),
    ...(startPostedSince === undefined ? {} : { startPostedSince }),
  };
  return {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      ...{ type: 'startWorkflow', workflowType: SWEEP_TYPE, workflowId: sweepWorkflowId(entityId) },
      ...sweepStart(taskQueueIn(process.env), input),
    },
    // Two sweeps at once find the same.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
  };
}

async function isThere(done: Promise<unknown>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

export interface SweepSchedule {
  readonly scheduleId: string;
  /** Null: somebody gave it another plan. */
  readonly everyMs: number | null;
  readonly isPaused: boolean;
  /** The last sweep, and Temporal's status of it; null before the first. */
  readonly last: { readonly at: Date; readonly workflowId: string; readonly status: string } | null;
}

/** Undefined if the namespace has no such schedule. */
export async function sweepSchedule(client: Client, entityId: string | undefined): Promise<SweepSchedule | undefined> {
  const scheduleId = sweepWorkflowId(entityId);
  try {
    const { spec, state, info } = await client.schedule.getHandle(scheduleId).describe();
    const last = info.recentActions.at(-1);
    const workflowId = last?.action.workflow.workflowId ?? '';
    const everyMs = spec.intervals?.[0]?.every ?? null;
    const swept = last && { at: last.takenAt, workflowId, status: (await lastOf(client, workflowId))?.status ?? '' };
    return { scheduleId, everyMs, isPaused: state.paused, last: swept ?? null };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}
