import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import { TASK_QUEUE } from '../workflows/contract.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: Activities;
  /** Path of the prebuilt bundle of workflow code. */
  readonly workflowBundlePath: string;
  readonly taskQueue?: string;
}

/**
 * A worker for bill runs, ready to run. The namespace must have the search attributes; `assertSearchAttributes` tells.
 */
export function createBillRunWorker({
  connection,
  namespace,
  activities,
  workflowBundlePath,
  taskQueue = TASK_QUEUE,
}: WorkerSettings): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: workflowBundlePath },
    // Above the deadline of an attempt (130 s): whoever stops a worker never cuts a send.
    shutdownGraceTime: '140 seconds',
  });
}
