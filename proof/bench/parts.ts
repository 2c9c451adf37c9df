/** The parts that are measured, each in its own process. */
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { BillRunEmails } from '../../client/index.js';
import { withStartAttributes } from '../../client/temporal/start-attributes.js';
import { clusterWithNamespace } from '../cluster/cluster.js';
import type { Surroundings } from '../command.js';
import { projectRoot } from '../../scripts/project-root.js';
import { startChild, type Child } from '../../scripts/processes.js';
import { controlOf, type Control } from '../../scripts/simulator-control.js';
import { billRunSearchAttributes, startTemporalServer, type TemporalServer } from '../../scripts/temporal-server.js';
import { startWorker, type WorkerProcessOptions } from '../../scripts/worker-process.js';

export interface Parts extends Surroundings {
  readonly temporal: Pick<TemporalServer, 'address' | 'namespace'>;
  readonly simulatorUrl: string;
  readonly control: Control;
  readonly client: Client;
  readonly emails: BillRunEmails;
  /** A trial with small numbers. */
  readonly quick: boolean;
}

/** One way of emailing a bill run. */
export interface Variant {
  readonly name: 'ours' | 'floor' | 'listedFloor' | 'emailFloor' | 'pollLoop';
  start(billRunKey: string): Promise<WorkflowHandle>;
}

const FLOOR_TASK_QUEUE = 'floor';
const NAMESPACE = 'bill-runs';

/** Temporal, and the simulator. */
export async function openParts(
  surroundings: Surroundings,
  { quick, cluster }: { readonly quick: boolean; readonly cluster: boolean },
): Promise<Parts> {
  const { onStop } = surroundings;
  const temporal = await (cluster ? clusterWithNamespace(NAMESPACE, surroundings) : developmentServer(surroundings));
  const simulator = await startChild({
    name: 'the simulator',
    command: process.execPath,
    args: [join(projectRoot, 'dist', 'simulator', 'main.js'), '--port', '0'],
  });
  onStop(() => simulator.stop());
  const simulatorUrl = await urlIn(simulator);
  const connection = await Connection.connect({ address: temporal.address });
  onStop(() => connection.close());
  const client = new Client({ connection, namespace: temporal.namespace });
  const emails = new BillRunEmails(client);
  return { ...surroundings, temporal, simulatorUrl, control: controlOf(simulatorUrl), client, emails, quick };
}

/** In memory. */
async function developmentServer({ folder, onStop }: Surroundings): Promise<TemporalServer> {
  const temporal = await startTemporalServer({
    headless: true,
    searchAttributes: billRunSearchAttributes,
    // By default timers and retries may be 1 s late, which would distort polls every 100 ms.
    dynamicConfig: { 'history.timerProcessorMaxTimeShift': '10ms' },
    logFile: join(folder, 'temporal.log'),
  });
  onStop(() => temporal.stop());
  return temporal;
}

async function urlIn(simulator: Child): Promise<string> {
  const url = new Promise<string>((resolve) => {
    simulator.onLine((line) => {
      const [found] = /http:\S+/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const ended = simulator.ended.then(() => {
    throw new Error(`the simulator ended:\n${simulator.lastLines.join('\n')}`);
  });
  return Promise.race([url, ended]);
}

interface Workers extends Partial<WorkerProcessOptions> {
  readonly floor: boolean;
  /** Another main file for our worker, in floor/. */
  readonly own?: string;
}

/** Starts our worker as it is shipped, and if asked the floor's with the same settings. */
export async function startWorkers(
  { temporal, simulatorUrl }: Parts,
  { floor, own, ...options }: Workers,
): Promise<readonly [Child, ...Child[]]> {
  const common = { temporal, simulatorUrl, logLevel: 'warn', ...options };
  const mainOf = (name: string) => join(import.meta.dirname, 'floor', name);
  const ours = await startWorker({ ...common, ...(own === undefined ? {} : { main: mainOf(own) }) });
  if (!floor) return [ours];
  return [ours, await startWorker({ ...common, main: mainOf('worker.js'), taskQueue: FLOOR_TASK_QUEUE })];
}

/** Runs workers for the time of one figure. */
export async function withWorkers<T>(parts: Parts, wanted: Workers, measure: (ours: Child) => Promise<T>): Promise<T> {
  const workers = await startWorkers(parts, wanted);
  try {
    return await measure(workers[0]);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

const LISTED = {
  waiting: "EmailState = 'Waiting' AND BillRunStatus = 'Completed'",
  open: "WorkflowType = 'emailBillRun' AND ExecutionStatus = 'Running'",
} as const;

/** How many jobs Temporal lists: those that wait for the post, or all open ones. */
export async function jobs({ client }: Parts, which: keyof typeof LISTED): Promise<number> {
  return (await client.workflow.count(LISTED[which])).count;
}

/** Started as by a pipeline. The job closes at acceptance. */
export function ours({ client, emails }: Parts): Variant {
  return {
    name: 'ours',
    async start(billRunKey) {
      const { workflowId, runId } = await emails.start({ billRunKey, openFor: '0s' });
      return client.workflow.getHandle(workflowId, runId);
    },
  };
}

export function bare({ client }: Parts, name: Exclude<Variant['name'], 'ours'>, intervalMs?: number): Variant {
  const start = (billRunKey: string, attributes: object) =>
    client.workflow.start(name, {
      workflowId: `${name}/${billRunKey}`,
      taskQueue: FLOOR_TASK_QUEUE,
      args: [billRunKey, ...(intervalMs === undefined ? [] : [intervalMs])],
      ...attributes,
    });
  return {
    name,
    start: (billRunKey) =>
      name === 'listedFloor'
        ? withStartAttributes({ billRunKey }, { sends: 0, notSent: null }, (attributes) =>
            start(billRunKey, attributes),
          )
        : start(billRunKey, {}),
  };
}

/** Numbers of new bill runs in the simulator. */
export async function billRuns({ control }: Parts, count: number, wanted: object): Promise<readonly string[]> {
  const numbers: string[] = [];
  await atOnce(20, Array.from({ length: count }), async () => {
    numbers.push((await control<{ number: string }>('POST', '/bill-runs', wanted)).number);
  });
  return numbers;
}

/** A closed loop: the next item begins when one ends. */
export async function atOnce<T>(concurrency: number, items: readonly T[], work: (item: T) => Promise<void>) {
  const left = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** @returns milliseconds */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** @returns milliseconds until a process has ended with 0 */
export function timedProcess(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}) {
  return timed(async () => {
    const child = await startChild({ name: args.join(' '), command: process.execPath, args, env });
    const { code } = await child.ended;
    if (code !== 0)
      throw new Error(`node ${args.join(' ')} ended with ${code ?? 'a signal'}:\n${child.lastLines.join('\n')}`);
  });
}
