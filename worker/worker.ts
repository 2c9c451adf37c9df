import { fileURLToPath } from 'node:url';
import type { PayloadCodec } from '@temporalio/common';
import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../activities/index.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { billRunInLogs } from './telemetry.js';
import type { WorkerTraces } from './traces.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: Activities;
  /** Path of the prebuilt bundle of workflow code. */
  readonly workflowBundlePath: string;
  readonly payloadCodecs?: PayloadCodec[];
  readonly taskQueue?: string;
  /** Activities at the same time. Default: the SDK's. */
  readonly activitiesAtOnce?: number;
  /** Default: none are made. */
  readonly traces?: WorkerTraces | undefined;
  /** The worker deployment and version of this worker. It gets work once that version is current. */
  readonly version?: { readonly deploymentName: string; readonly buildId: string };
}

/** A supervisor must wait longer than this before it kills a worker. */
export const SHUTDOWN_GRACE_SECONDS = 140;

/**
 * Jobs in a worker's memory, some 0.2 MB each: those with work to do. Nearly all open jobs wait, and a replay reads some
 * twenty events. docs/decisions/0018.
 */
const CACHED_RUNS = 1_000;

/** The workflow code of the build. */
export const SHIPPED_BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

/** Creates a worker that is ready to run. The namespace must have the search attributes: see `assertSearchAttributes`. */
export function createBillRunWorker({
  connection,
  namespace,
  activities,
  workflowBundlePath,
  payloadCodecs = [],
  taskQueue = TASK_QUEUE,
  activitiesAtOnce,
  traces,
  version,
}: WorkerSettings): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: workflowBundlePath },
    dataConverter: { payloadCodecs },
    interceptors:
      traces === undefined
        ? { activity: [billRunInLogs] }
        : { activity: [traces.activity, billRunInLogs], client: { workflow: [traces.calls] } },
    maxCachedWorkflows: CACHED_RUNS,
    ...(activitiesAtOnce === undefined ? {} : { maxConcurrentActivityTaskExecutions: activitiesAtOnce }),
    // A job may be open for months, so it moves to the current version. docs/decisions/0014.
    ...(version === undefined
      ? {}
      : { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'AUTO_UPGRADE' } }),
    // Above the deadline of an attempt (130 s), so that stopping a worker never cuts a send.
    shutdownGraceTime: `${SHUTDOWN_GRACE_SECONDS} seconds`,
  });
}
