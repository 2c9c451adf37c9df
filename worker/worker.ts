import { setFlagsFromString } from 'node:v8';
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

/** What supervises a worker must wait for longer. */
export const SHUTDOWN_GRACE_SECONDS = 140;

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
  shortenStackTraces();
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: workflowBundlePath },
    // Above the deadline of an attempt (130 s): whoever stops a worker never cuts a send.
    shutdownGraceTime: `${SHUTDOWN_GRACE_SECONDS} seconds`,
  });
}

/**
 * For workflow code in this process. The SDK takes a stack trace for every promise of a workflow, the larger part of what a
 * message costs; a task of thousands of messages would compute for five seconds, and that ends the process.
 * docs/decisions/0009.
 */
export function shortenStackTraces(): void {
  setFlagsFromString('--stack-trace-limit=2');
}
