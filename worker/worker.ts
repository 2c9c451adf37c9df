import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import { TASK_QUEUE } from '../workflows/contract.js';
import { assertSearchAttributes } from './search-attributes.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: Activities;
  /** Path of the prebuilt bundle of workflow code. */
  readonly workflowBundlePath: string;
  readonly taskQueue?: string;
}

/**
 * A worker for bill runs, ready to run.
 *
 * @throws {@link SearchAttributesMissing} when the namespace lacks what the workflows write
 */
export async function createBillRunWorker({
  connection,
  namespace,
  activities,
  workflowBundlePath,
  taskQueue = TASK_QUEUE,
}: WorkerSettings): Promise<Worker> {
  await assertSearchAttributes(connection, namespace);
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
