import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import { workerDataConverter } from '../encryption/data-converter.js';
import type { EncryptionKeys } from '../encryption/keys.js';
import { TASK_QUEUE } from '../workflows/contract.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: Activities;
  /** Path of the prebuilt bundle of workflow code; with keys, the one that encodes failures. */
  readonly workflowBundlePath: string;
  /** Absent: nothing is encrypted. */
  readonly encryption?: EncryptionKeys | undefined;
  readonly taskQueue?: string;
}

/** The workflow code that the build has made, for workers with and without keys. */
export function shippedBundle(encryption: EncryptionKeys | undefined): string {
  const name = encryption === undefined ? 'workflow-bundle.js' : 'workflow-bundle-encrypted.js';
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

/**
 * A worker for bill runs, ready to run. The namespace must have the search attributes; `assertSearchAttributes` tells.
 */
export function createBillRunWorker({
  connection,
  namespace,
  activities,
  workflowBundlePath,
  encryption,
  taskQueue = TASK_QUEUE,
}: WorkerSettings): Promise<Worker> {
  shortenStackTraces();
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: workflowBundlePath },
    ...(encryption === undefined ? {} : { dataConverter: workerDataConverter(encryption) }),
    // Above the deadline of an attempt (130 s): whoever stops a worker never cuts a send.
    shutdownGraceTime: '140 seconds',
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
