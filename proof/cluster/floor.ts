/** The least that recovers: workflows that are one email call each, with our heartbeat time-out and the SDK's own retries. */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { projectRoot } from '../../scripts/project-root.js';
import type { Child } from '../../scripts/processes.js';
import type { TemporalServer } from '../../scripts/temporal-server.js';
import type { Surroundings } from '../command.js';
import { billRunWithFault, each, openSide, workerInCall } from './side.js';

const TASK_QUEUE = 'floor';
/** In proof/bench/floor/. */
const WORKFLOW = 'emailFloor';
const ACTIVITY = 'emailWithHeartbeats';

export interface Floor {
  /** Starts workflows whose replies come late. */
  start(count: number): Promise<void>;
  /** Waits until all are in their call. @returns the worker that has the first of them */
  workerInCall(): Promise<Child>;
  /** Waits until all have closed. @returns when the last one did (epoch, ms) */
  lastClosedAt(): Promise<number>;
}

export async function openFloor(
  temporal: Pick<TemporalServer, 'address' | 'namespace'>,
  client: Client,
  surroundings: Pick<Surroundings, 'folder' | 'onStop'>,
): Promise<Floor> {
  const main = join(projectRoot, 'dist', 'proof', 'bench', 'floor', 'worker.js');
  const side = await openSide('floor', surroundings, { temporal, main, taskQueue: TASK_QUEUE });
  const numbers: string[] = [];
  const workflowId = (number: string): string => `floor/${number}`;
  return {
    async start(count) {
      while (numbers.length < count) {
        const number = await billRunWithFault(side, 'Posted', false);
        const options = { taskQueue: TASK_QUEUE, workflowId: workflowId(number), args: [number] };
        await client.workflow.start(WORKFLOW, options);
        numbers.push(number);
      }
    },
    workerInCall: () => workerInCall(side, client, ACTIVITY, numbers.map(workflowId)),
    async lastClosedAt() {
      const closedAt = await each(numbers, async (number) => {
        const handle = client.workflow.getHandle(workflowId(number));
        await handle.result();
        return (await handle.describe()).closeTime?.getTime() ?? NaN;
      });
      return Math.max(...closedAt);
    },
  };
}
