import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import { workerDataConverter } from '../encryption/data-converter.js';
import type { EncryptionKeys } from '../encryption/keys.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import type { Limits } from './configuration.js';
import { billRunInLogs } from './telemetry.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: Activities;
  /** Path of the prebuilt bundle of workflow code; with keys, the one that encodes failures. */
  readonly workflowBundlePath: string;
  /** Absent: nothing is encrypted. */
  readonly encryption?: EncryptionKeys | undefined;
  readonly taskQueue?: string;
  /** None unless given. */
  readonly limits?: Limits;
  /** The version of a worker deployment that this worker is: Temporal gives it work once that version is current. */
  readonly version?: { readonly deploymentName: string; readonly buildId: string };
}

/** What supervises a worker must wait for longer. */
export const SHUTDOWN_GRACE_SECONDS = 140;

/**
 * Runs that a worker keeps in memory, some 0.2 MB each: those at work. Nearly all open runs wait, and one that goes on is replayed from
 * some twenty events. docs/decisions/0018.
 */
const CACHED_RUNS = 500;

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
  limits,
  version,
}: WorkerSettings): Promise<Worker> {
  shortenStackTraces();
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: workflowBundlePath },
    interceptors: { activity: [billRunInLogs] },
    maxCachedWorkflows: CACHED_RUNS,
    ...(limits === undefined
      ? {}
      : {
          maxConcurrentActivityTaskExecutions: limits.activitiesAtOnce,
          ...(limits.activitiesPerSecond === undefined
            ? {}
            : { maxTaskQueueActivitiesPerSecond: limits.activitiesPerSecond }),
        }),
    // A run may be open for months: it goes on with the current version, not the one that it began on. docs/decisions/0014.
    ...(version === undefined
      ? {}
      : { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'AUTO_UPGRADE' } }),
    ...(encryption === undefined ? {} : { dataConverter: workerDataConverter(encryption) }),
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
