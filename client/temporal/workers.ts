/** The workers that take the tasks of a task queue, as Temporal knows them. */
import proto from '@temporalio/proto';
import type { WorkflowService } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { inShell } from './shell.js';

const { TaskQueueType, WorkerVersioningMode } = proto.temporal.api.enums.v1;
const TYPE = {
  workflow: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  activity: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
} as const;

export interface TaskQueueOf {
  readonly workflowService: WorkflowService;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly kind: keyof typeof TYPE;
}

export type WorkersFound =
  | { readonly result: 'ok'; readonly text: string }
  | { readonly result: 'warning' | 'error'; readonly text: string; readonly todo: string };

/** A version of a worker deployment. Absent: no version. */
type Version = proto.temporal.api.deployment.v1.IWorkerDeploymentVersion | null | undefined;

interface Poll {
  readonly identity: string;
  /** Epoch ms, by Temporal's clock. */
  readonly at: number;
  readonly version: Version;
}

/** Workers poll once a minute or more often. */
const POLLS_WITHIN_MS = 2 * 60_000;

/** Whether workers poll to which Temporal hands tasks. */
export async function workersFound({
  workflowService,
  namespace,
  taskQueue,
  kind,
}: TaskQueueOf): Promise<WorkersFound> {
  const { pollers, versioningInfo } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: TYPE[kind],
  });
  const polls = pollers
    .map(({ identity, lastAccessTime, deploymentOptions: options }): Poll => {
      const isVersioned = options?.workerVersioningMode === WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED;
      return { identity: identity ?? '', at: tsToMs(lastAccessTime), version: isVersioned ? options : undefined };
    })
    .sort((one, other) => other.at - one.at);
  const [last] = polls;
  if (last === undefined) {
    const todo = 'Start a worker: npm run worker, with the same TEMPORAL_* variables and BILL_RUN_TASK_QUEUE';
    return { result: 'error', text: `no worker takes ${kind} tasks of ${taskQueue}`, todo };
  }
  const {
    currentDeploymentVersion: current,
    rampingDeploymentVersion: ramping,
    rampingVersionPercentage,
  } = versioningInfo ?? {};
  const share = rampingVersionPercentage ?? 0;
  const wanted = [...(share < 100 ? [current] : []), ...(share > 0 ? [ramping] : [])];
  const takers = polls.filter(({ version }) => wanted.some((each) => nameOf(each) === nameOf(version)));
  const missing = wanted.find((each) => !takers.some(({ version }) => nameOf(version) === nameOf(each)));
  const [taker] = takers;
  if (taker === undefined || missing !== undefined) {
    const others = [...new Set(polls.map(({ version }) => nameOf(version)))].join(' and ');
    const ramp = share > 0 ? ` and, for ${share} %, to ${nameOf(ramping)}` : '';
    const text = `${kind} tasks of ${taskQueue} are not taken: they go to ${nameOf(current)}${ramp}, but only ${others} poll`;
    const todo =
      taker === undefined ? `Make current what polls: ${setCurrent(last, current)}` : `Start ${nameOf(missing)}`;
    return { result: 'error', text, todo };
  }
  const count = new Set(takers.map(({ identity }) => identity)).size;
  const workers = count === 1 ? '1 worker takes' : `${count} workers take`;
  const text =
    `${workers} ${kind} tasks of ${taskQueue}; the last poll was by ${taker.identity}, ` +
    `at ${new Date(taker.at).toISOString()}`;
  if (Date.now() - taker.at <= POLLS_WITHIN_MS) return { result: 'ok', text };
  const todo = 'Check whether the worker still runs, and whether the clock of this machine is right';
  return { result: 'warning', text: `${text}, which is long ago`, todo };
}

function nameOf(version: Version): string {
  return version == null
    ? 'workers without a version'
    : `workers of version ${version.buildId} of ${version.deploymentName}`;
}

/** Makes current what polls. */
function setCurrent({ version }: Poll, current: Version): string {
  const names = ['--deployment-name', inShell((version ?? current)?.deploymentName ?? '')];
  const which = version == null ? ['--unversioned'] : ['--build-id', inShell(version.buildId ?? '')];
  return ['temporal worker deployment set-current-version', ...names, ...which, '--yes'].join(' ');
}
