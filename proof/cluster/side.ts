/** What is measured side by side on one cluster: two workers each, with a simulated Zuora of their own. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { BillRunEmailsError } from '../../client/index.js';
import { startSimulator } from '../../simulator/index.js';
import type { Child } from '../../scripts/processes.js';
import { controlOf, type Control } from '../../scripts/simulator-control.js';
import { startWorker, type WorkerProcessOptions } from '../../scripts/worker-process.js';
import type { Surroundings } from '../command.js';

const { PendingActivityState } = proto.temporal.api.enums.v1;

export interface Side {
  readonly simulatorUrl: string;
  readonly control: Control;
  readonly workers: readonly Child[];
}

/** A lost worker costs 30 s, and pauses between attempts begin with 5 s. This is ample. */
const STUCK_AFTER_MS = 240_000;
/** Long enough to kill a worker meanwhile, even on a slow machine. */
const LATE_MS = 20_000;

/** @param name the first part of the names of its log files */
export async function openSide(
  name: string,
  { folder, onStop }: Pick<Surroundings, 'folder' | 'onStop'>,
  options: Omit<WorkerProcessOptions, 'simulatorUrl' | 'logFile'>,
): Promise<Side> {
  const simulator = await startSimulator({ emailDelayMs: 500 });
  onStop(() => simulator.close());
  const workers: Child[] = [];
  for (const number of [1, 2]) {
    const logFile = join(folder, `${name}-${number}.log`);
    const worker = await startWorker({ ...options, simulatorUrl: simulator.url, logFile });
    workers.push(worker);
    onStop(() => worker.stop());
  }
  return { simulatorUrl: simulator.url, control: controlOf(simulator.url), workers };
}

/** A bill run whose first email call is emailed, but the reply comes late, or the connection is cut before it. */
export async function billRunWithFault(
  { control }: Side,
  status: 'Posted' | 'Completed',
  isCut: boolean,
): Promise<string> {
  const { number } = await control<{ number: string }>('POST', '/bill-runs', { invoices: 3, creditMemos: 1, status });
  const fault = { method: 'POST', path: `/v1/bill-runs/${number}/emails`, when: 'after' };
  const kind = isCut ? { fault: 'reset' } : { fault: 'stall', afterMs: LATE_MS };
  await control('POST', '/faults', { ...fault, ...kind });
  return number;
}

/** Has Zuora take long over the next read of a bill run. */
export async function delayNextRead({ control }: Side, number: string): Promise<void> {
  const path = `/object-query/billing-runs/${number}`;
  await control('POST', '/faults', { method: 'GET', path, when: 'before', fault: 'stall', afterMs: LATE_MS });
}

/** Waits until all these workflows are in the activity. @returns the worker that has the first of them */
export async function workerInCall(
  { workers }: Side,
  client: Client,
  activity: string,
  workflowIds: readonly string[],
): Promise<Child> {
  const holders = await each(workflowIds, (workflowId) =>
    untilFound(`${workflowId} is not in ${activity}`, async () => {
      const { raw } = await client.workflow.getHandle(workflowId).describe();
      const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
      return pending?.state === PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        ? (pending.lastWorkerIdentity ?? undefined)
        : undefined;
    }),
  );
  // The SDK's identity begins with the process id.
  const found = workers.find(({ pid }) => holders[0]?.startsWith(`${pid}@`));
  if (found === undefined) throw new Error(`${holders[0] ?? 'nobody'} is not one of our workers`);
  return found;
}

export function each<Of, Result>(items: readonly Of[], act: (item: Of) => Promise<Result>): Promise<Result[]> {
  return Promise.all(items.map(act));
}

export async function untilFound<Result>(what: string, look: () => Promise<Result | undefined>): Promise<Result> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    const found = await look().catch(unlessAway);
    if (found !== undefined) return found;
    if (Date.now() > stuckAt) throw new Error(`${what} after ${STUCK_AFTER_MS / 1_000} s`);
    await delay(250);
  }
}

/** Calls time out while the shards of a killed history process move to the other one; then they are repeated. */
function unlessAway(error: unknown): undefined {
  if (!(error instanceof BillRunEmailsError && error.type === 'TemporalUnavailable')) throw error;
}
