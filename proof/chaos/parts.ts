/** The real parts of a chaos run, and the disruptions that apply to them. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { BillRunEmails, BillRunEmailsError } from '../../client/index.js';
import { startSimulator } from '../../simulator/index.js';
import type { Child } from '../../scripts/processes.js';
import { controlOf, type Control } from '../../scripts/simulator-control.js';
import {
  billRunSearchAttributes,
  startTemporalServer,
  type TemporalServer,
  type TemporalServerOptions,
} from '../../scripts/temporal-server.js';
import { spawnWorker, startWorker } from '../../scripts/worker-process.js';
import type { Evidence } from './evidence.js';
import { linksOf, TROUBLES, UNREACHABLE_MS, type Disruption, type Plan } from './plan.js';
import { openLink, type Link } from './proxy.js';

export interface Parts {
  readonly control: Control;
  /** Bypasses the proxies; for observation. */
  readonly client: Client;
  /** Temporal through a proxy, by name of the pipeline or operator. */
  readonly emailsOf: ReadonlyMap<string, BillRunEmails>;
  apply(disruption: Disruption): Promise<void>;
  /** Ends all disruptions; everything is up afterwards. */
  restore(): Promise<void>;
  readonly counts: Readonly<DisruptionCounts>;
  /** When connections to Zuora were stalled or slow (epoch, ms). */
  readonly delays: Evidence['delays'];
  readonly troubles: Evidence['troubles'];
}

export interface DisruptionCounts {
  kills: { SIGKILL: number; SIGTERM: number };
  serverRestarts: number;
  cuts: number;
  /** Connections that a cut ended. */
  cutConnections: number;
  stalls: number;
  slowed: number;
  holdsOnAll: number;
  outages: number;
  /** How often Zuora refused to log in. */
  refusals: number;
  /** How often Temporal listed nothing. */
  listsNothing: number;
  /** How often no worker ran. */
  workersStopped: number;
  /** Worker processes that ended by themselves, as they do when Temporal is down at their start. */
  workersGone: number;
}

/** How long a worker may drain after SIGTERM before it is killed, as supervisors do. */
const DRAIN_MS = 20_000;
/** How long a client waits for an answer of Temporal before it repeats the call. */
const CALL_LIMIT_MS = 5_000;

/** A Temporal server that can be killed, and started again with its data and address. */
export interface RestartableTemporal extends Pick<TemporalServer, 'address' | 'namespace' | 'kill'> {
  start(): Promise<void>;
  /** Starts it so that it lists no workflows. Absent: it cannot. */
  startWithoutLists?(): Promise<void>;
}

export interface PartsOptions {
  /** For the database and the logs. */
  readonly folder: string;
  readonly workers: number;
  /** Main file of another build of the worker. */
  readonly workerMain?: string | undefined;
  /** Default: Temporal's development server. */
  readonly temporal?: RestartableTemporal | undefined;
  /** Arguments of Node, before the worker's main file. */
  readonly workerNodeArgs?: readonly string[];
  /** Called with each worker process that starts, including replacements. */
  readonly onWorker?: (worker: Child) => void;
  /** Called with a function that stops a part, in the order of start. */
  readonly onStop: (stop: () => Promise<unknown>) => void;
}

export async function startParts(
  plan: Plan,
  { folder, workers: count, workerMain, temporal: given, workerNodeArgs = [], onWorker, onStop }: PartsOptions,
): Promise<Parts> {
  const counts: DisruptionCounts = {
    kills: { SIGKILL: 0, SIGTERM: 0 },
    ...{ serverRestarts: 0, cuts: 0, cutConnections: 0, stalls: 0, slowed: 0, workersGone: 0 },
    ...{ holdsOnAll: 0, workersStopped: 0, outages: 0, refusals: 0, listsNothing: 0 },
  };
  const troubles: Evidence['troubles'][number][] = [];
  const delays: { from: number; until: number }[] = [];
  const noteDelay = (link: string, ms: number): void => {
    if (link.endsWith('/zuora')) delays.push({ from: Date.now(), until: Date.now() + ms });
  };
  // Emails leave so late that a first send repeated under a new key would choose the same documents again.
  const simulator = await startSimulator({ seed: plan.seed, emailDelayMs: 20_000 });
  onStop(() => simulator.close());

  const temporal = given ?? (await developmentServer(folder));
  const { address, namespace } = temporal;
  let restarting: Promise<void> = Promise.resolve();
  onStop(async () => {
    await restarting.catch(() => undefined);
    await temporal.kill();
  });
  const restart = async (downMs: number): Promise<void> => {
    await temporal.kill();
    await delay(downMs);
    await temporal.start();
    counts.serverRestarts += 1;
  };
  const listNothing = async (ms: number): Promise<void> => {
    if (temporal.startWithoutLists === undefined) return;
    await temporal.kill();
    await temporal.startWithoutLists();
    await delay(ms);
    await restart(0);
    counts.listsNothing += 1;
  };
  const control = controlOf(simulator.url);
  const trouble = async (kind: keyof typeof TROUBLES, ms: number): Promise<void> => {
    const faults: { id: number }[] = [];
    for (const fault of TROUBLES[kind]) faults.push(await control('POST', '/faults', fault));
    if (kind === 'refuseLogins') await control('DELETE', '/tokens');
    const from = Date.now();
    await delay(ms);
    troubles.push({ kind, from, until: Date.now() });
    for (const { id } of faults) await control('DELETE', `/faults/${id}`);
  };

  const links = new Map<string, Link>();
  for (const name of linksOf(count)) {
    const link = await openLink(name.endsWith('/zuora') ? new URL(simulator.url).host : address);
    links.set(name, link);
    onStop(() => link.close());
  }
  const linkTo = (name: string): Link => {
    const link = links.get(name);
    if (link === undefined) throw new Error(`there is no connection ${name}`);
    return link;
  };

  const workers = Array.from({ length: count }, (_, index) => {
    const name = `worker-${index + 1}`;
    return supervised(async (starts) => {
      const worker = await spawnWorker({
        temporal: { address: linkTo(`${name}/temporal`).address, namespace },
        simulatorUrl: `http://${linkTo(`${name}/zuora`).address}`,
        pollInterval: '500ms',
        env: { BILL_RUN_DELIVERY_INTERVAL: '2s' },
        logLevel: 'warn',
        logFile: join(folder, `${name}-${starts}.log`),
        nodeArgs: workerNodeArgs,
        ...(workerMain === undefined ? {} : { main: workerMain }),
      });
      onWorker?.(worker);
      return worker;
    });
  });
  // A worker that cannot start at all should fail here, with its output.
  const proof = { temporal, simulatorUrl: simulator.url, ...(workerMain === undefined ? {} : { main: workerMain }) };
  await (await startWorker(proof)).stop();
  for (const worker of workers) onStop(() => worker.stop());
  await Promise.all(workers.map((worker) => worker.start()));

  const connection = await Connection.connect({ address });
  onStop(() => connection.close());
  const emailsOf = new Map<string, BillRunEmails>();
  for (const name of ['pipeline-1', 'pipeline-2', 'operators']) {
    const connection = Connection.lazy({
      address: linkTo(`${name}/temporal`).address,
      channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1_000 },
    });
    onStop(() => connection.close());
    emailsOf.set(name, new BillRunEmails(new Client({ connection, identity: name }), { deadlineMs: CALL_LIMIT_MS }));
  }

  const client = new Client({ connection });
  const direct = new BillRunEmails(client, { deadlineMs: CALL_LIMIT_MS });
  return {
    control,
    client,
    emailsOf,
    delays,
    troubles,
    get counts() {
      return { ...counts, workersGone: workers.reduce((sum, { gone }) => sum + gone(), 0) };
    },
    async apply(disruption) {
      switch (disruption.kind) {
        case 'kill':
          await workers[disruption.worker - 1]?.kill(disruption.signal);
          counts.kills[disruption.signal] += 1;
          return;
        case 'restartTemporal':
          restarting = restarting.then(() => restart(disruption.downMs));
          return restarting;
        case 'listNothing':
          restarting = restarting.then(() => listNothing(disruption.ms));
          return restarting;
        case 'outage':
          await trouble('outage', disruption.ms);
          counts.outages += 1;
          return;
        case 'refuseLogins':
          await trouble('refuseLogins', disruption.ms);
          counts.refusals += 1;
          return;
        case 'holdAll':
          await untilTaken(() => direct.holdAll(NOTE));
          await delay(disruption.ms);
          await untilTaken(() => direct.releaseAll(NOTE));
          counts.holdsOnAll += 1;
          return;
        case 'stopWorkers':
          for (const [name, link] of links) if (name.endsWith('/zuora')) link.cut(UNREACHABLE_MS);
          await delay(UNREACHABLE_MS);
          await Promise.all(workers.map((worker) => worker.pause(disruption.ms)));
          counts.workersStopped += 1;
          return;
        case 'cut':
          counts.cutConnections += linkTo(disruption.link).cut(disruption.ms);
          counts.cuts += 1;
          return;
        case 'stall':
          linkTo(disruption.link).stall(disruption.ms);
          noteDelay(disruption.link, disruption.ms);
          counts.stalls += 1;
          return;
        case 'slow':
          linkTo(disruption.link).slow(disruption.ms);
          noteDelay(disruption.link, disruption.ms);
          counts.slowed += 1;
          return;
      }
    },
    async restore() {
      await restarting;
      for (const link of links.values()) link.heal();
    },
  };
}

async function developmentServer(folder: string): Promise<RestartableTemporal> {
  let current = await startServer(folder);
  const { address, namespace } = current;
  const port = Number(address.split(':')[1]);
  return {
    address,
    namespace,
    kill: () => current.kill(),
    async start() {
      current = await startServer(folder, { port });
    },
    async startWithoutLists() {
      current = await startServer(folder, { port, dynamicConfig: { 'frontend.namespaceRPS.visibility': 0 } });
    },
  };
}

/** Always with the same database file, and after the first start with the same port. */
async function startServer(
  folder: string,
  options: Pick<TemporalServerOptions, 'port' | 'dynamicConfig'> = {},
): Promise<TemporalServer> {
  const started = (): Promise<TemporalServer> =>
    startTemporalServer({
      ...options,
      headless: true,
      dbFilename: join(folder, 'temporal.db'),
      searchAttributes: billRunSearchAttributes,
      logFile: join(folder, 'temporal.log'),
    });
  // The server chooses its internal ports at each start, and another process may take one first.
  return started().catch(started);
}

const NOTE = { requestedBy: 'operator', reason: 'chaos' };

/**
 * Repeats an order until Temporal takes it. A hold that a caller had given up can arrive after the release, which then has to be
 * repeated. A release whose answer was lost finds nothing to release.
 */
async function untilTaken(order: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await order();
      return;
    } catch (error) {
      if (!(error instanceof BillRunEmailsError)) throw error;
      if (error.type === 'NotFound') return;
      if (error.type !== 'TemporalUnavailable' && error.type !== 'Ignored') throw error;
      await delay(500);
    }
  }
}

interface Supervised {
  start: () => Promise<void>;
  /** SIGKILL ends it at once. With SIGTERM the next one starts while it drains, as in a rolling deployment. */
  kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
  /** No process runs for this time. */
  pause: (ms: number) => Promise<void>;
  stop: () => Promise<void>;
  /** How often it ended by itself. */
  gone: () => number;
}

/** A process that is restarted whenever it ends, as by a supervisor. */
function supervised(spawn: (starts: number) => Promise<Child>): Supervised {
  let current: Child | undefined;
  let starts = 0;
  let gone = 0;
  let stopped = false;
  const ending = new Set<Promise<unknown>>();

  async function start(): Promise<void> {
    starts += 1;
    const child = await spawn(starts);
    current = child;
    void child.ended.then(async () => {
      if (current !== child || stopped) return;
      gone += 1;
      await delay(300);
      await start();
    });
    if (stopped) await child.stop(0);
  }

  function end(child: Child | undefined, graceMs: number): Promise<unknown> {
    if (child === undefined) return Promise.resolve();
    const ended = child.stop(graceMs).finally(() => ending.delete(ended));
    ending.add(ended);
    return ended;
  }

  return {
    start,
    gone: () => gone,
    async kill(signal) {
      const child = current;
      current = undefined;
      const ended = end(child, signal === 'SIGKILL' ? 0 : DRAIN_MS);
      if (signal === 'SIGKILL') await ended;
      if (!stopped) await start();
    },
    async pause(ms) {
      const child = current;
      current = undefined;
      await end(child, 0);
      await delay(ms);
      if (!stopped) await start();
    },
    async stop() {
      stopped = true;
      await end(current, 0);
      await Promise.all(ending);
    },
  };
}
