import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { startChild, type Child, type ChildOptions } from './processes.js';
import { projectRoot } from './project-root.js';
import { simulatorEnvironment } from './simulator-control.js';
import { environmentFor, type TemporalServer } from './temporal-server.js';

export interface WorkerProcessOptions {
  readonly temporal: Pick<TemporalServer, 'address' | 'namespace'>;
  readonly simulatorUrl: string;
  /** How often the worker reads a bill run that is not posted yet. Default: the worker's. */
  readonly pollInterval?: string;
  /** Default: that of the contract. */
  readonly taskQueue?: string;
  readonly logFile?: string;
  /** Main file of another build. Default: the one in dist/. */
  readonly main?: string;
  /** Arguments of Node, before the main file. */
  readonly nodeArgs?: readonly string[];
  /** The whole command instead of Node with a main file, with its folder and account. */
  readonly command?: Pick<ChildOptions, 'command' | 'args' | 'cwd' | 'account' | 'env'>;
  readonly logLevel?: string;
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** From the start of Node to the first poll takes about a second. */
const READY_LIMIT_MS = 60_000;

/** Starts a worker process against the simulator, and waits until it polls. */
export async function startWorker(options: WorkerProcessOptions): Promise<Child> {
  const worker = await spawnWorker(options);
  const connection = Connection.lazy({ address: options.temporal.address });
  try {
    const { taskQueue = TASK_QUEUE, temporal } = options;
    await Promise.race([untilItPolls(connection, temporal.namespace, taskQueue, worker), failIfItEnds(worker)]);
    return worker;
  } catch (error) {
    await worker.stop(0);
    throw error;
  } finally {
    await connection.close();
  }
}

/** Starts a worker process and does not wait. It gets no ZUORA_* variable of the shell, which may name a real tenant. */
export async function spawnWorker(options: WorkerProcessOptions): Promise<Child> {
  const { command, nodeArgs = [], pollInterval, taskQueue, logLevel, logFile, env } = options;
  const { main = join(projectRoot, 'dist', 'worker', 'main.js') } = options;
  const zuora = Object.keys(process.env).filter((name) => name.startsWith('ZUORA_'));
  return startChild({
    name: 'the worker',
    command: process.execPath,
    args: ['--enable-source-maps', ...nodeArgs, main],
    ...command,
    env: {
      ...command?.env,
      ...environmentFor(options.temporal),
      ...Object.fromEntries(zuora.map((name) => [name, undefined])),
      ...simulatorEnvironment(options.simulatorUrl),
      ...(pollInterval === undefined ? {} : { BILL_RUN_POLL_INTERVAL: pollInterval }),
      ...(taskQueue === undefined ? {} : { BILL_RUN_TASK_QUEUE: taskQueue }),
      ...(logLevel === undefined ? {} : { LOG_LEVEL: logLevel }),
      ...env,
    },
    ...(logFile === undefined ? {} : { logFile }),
  });
}

async function untilItPolls(
  connection: Connection,
  namespace: string,
  taskQueue: string,
  worker: Child,
): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
    });
    // The SDK's identity begins with the process id. The server also remembers workers that ended.
    if (pollers.some(({ identity }) => identity?.startsWith(`${worker.pid}@`))) return;
    if (Date.now() > deadline) throw new Error(`The worker does not poll:\n${worker.lastLines.join('\n')}`);
    await delay(50);
  }
}

async function failIfItEnds(worker: Child): Promise<never> {
  await worker.ended;
  throw new Error(`The worker ended before it polled:\n${worker.lastLines.join('\n')}`);
}
