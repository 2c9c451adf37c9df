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
  /** How often it looks at a bill run that is not posted yet; default as in production. */
  readonly pollInterval?: string;
  /** Default: that of the contract. */
  readonly taskQueue?: string;
  readonly logFile?: string;
  /** The main file of another build; default: that of dist/. */
  readonly main?: string;
  /** For Node, before the main file. */
  readonly nodeArgs?: readonly string[];
  /** The whole command, instead of Node with a main file, and where and as whom it runs. */
  readonly command?: Pick<ChildOptions, 'command' | 'args' | 'cwd' | 'account' | 'env'>;
  readonly logLevel?: string;
  /** Further variables, such as those of its configuration. */
  readonly env?: Readonly<Record<string, string>>;
}

/** From the start of Node to the first poll takes about a second. */
const READY_LIMIT_MS = 60_000;

/** Starts the worker in a process of its own, against the simulator, and waits until it asks for work. */
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

/** The same, and does not wait. Nothing of a real tenant that the shell knows reaches it. */
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
    // The SDK's identity begins with the process id; the server also remembers workers that ended.
    if (pollers.some(({ identity }) => identity?.startsWith(`${worker.pid}@`))) return;
    if (Date.now() > deadline) throw new Error(`The worker does not ask for work:\n${worker.lastLines.join('\n')}`);
    await delay(10);
  }
}

async function failIfItEnds(worker: Child): Promise<never> {
  await worker.ended;
  throw new Error(`The worker ended before it asked for work:\n${worker.lastLines.join('\n')}`);
}
