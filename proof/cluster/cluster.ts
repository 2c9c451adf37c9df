/**
 * Temporal's server on PostgreSQL, with separate processes: frontend, two of history, matching, and the worker for Temporal's own
 * workflows. Everything listens on the loopback interface only.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { setup } from '../../client/temporal/setup.js';
import { bareEnvironment, runToEnd, startChild, type Child } from '../../scripts/processes.js';
import { assertPortIsFree, PortTakenError } from '../../scripts/temporal-server.js';
import { HOST, startPostgres, type Postgres } from './postgres.js';
import { clusterTools, type ClusterTools } from './tools.js';

export interface Cluster {
  /** `host:port` of the frontend. */
  readonly address: string;
  /** Starts the processes that are not running, on their previous ports, and waits until Temporal serves. */
  start(): Promise<void>;
  /** Kills all processes of Temporal, or one. PostgreSQL keeps running. */
  kill(name?: ProcessName): Promise<void>;
}

const PROCESSES = ['frontend', 'history-1', 'history-2', 'matching', 'worker'] as const;
type ProcessName = (typeof PROCESSES)[number];

/** As in a small production cluster. The number cannot be changed after the database is created. */
const HISTORY_SHARDS = 512;
const START_LIMIT_MS = 90_000;
const LOOK_AGAIN_MS = 500;
const NAMESPACE_LIMIT_MS = 30_000;
const SERVING = 1;
const FRONTEND_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';
/** For one health check. */
const HEALTH_CHECK_LIMIT_MS = 2_000;

interface Surroundings {
  /** For the logs. */
  readonly folder: string;
  readonly report: (text: string) => void;
  /** Called with a function that stops a part, in the order of start. */
  readonly onStop: (stop: () => Promise<unknown>) => void;
}

/** @throws ToolMissing when a program is missing */
export async function startCluster({ folder, report, onStop }: Surroundings): Promise<Cluster> {
  const tools = await clusterTools(report);
  const postgres = await startPostgres(tools, folder);
  onStop(() => postgres.stop());
  await setUpSchemas(tools, postgres);
  const dynamicConfig = join(folder, 'dynamic-config.yaml');
  // The server would ask the vendor's site for new releases. Everything else is the default.
  writeFileSync(dynamicConfig, 'frontend.enableServerVersionCheck:\n  - value: false\n');

  const ports = await portsOfAll();
  const address = `${HOST}:${ports.FRONTEND_GRPC_PORT}`;
  const running = new Map<ProcessName, Child>();
  const start = async (name: ProcessName): Promise<void> => {
    const child = await startChild({
      name: `Temporal's ${name}`,
      command: tools.server,
      args: ['--allow-no-auth', 'start', '--service', name.replace(/-\d$/, '')],
      env: { ...bareEnvironment(), ...configuration(postgres, dynamicConfig), ...ports, ...portsOf(name, ports) },
      logFile: join(folder, `temporal-${name}.log`),
    });
    running.set(name, child);
    void child.ended.then(() => {
      if (running.get(name) === child) running.delete(name);
    });
  };
  const cluster: Cluster = {
    address,
    async start() {
      const limit = Date.now() + START_LIMIT_MS;
      do {
        if (Date.now() > limit)
          throw new Error(`Temporal does not serve after ${START_LIMIT_MS / 1_000} s; its logs say why`);
        // Repeatedly, as supervisors do: processes that find an empty database race to initialize it, and the slower ones fail.
        for (const name of PROCESSES) if (!running.has(name)) await start(name);
        await delay(LOOK_AGAIN_MS);
      } while (!(await serves(address)) || running.size < PROCESSES.length);
    },
    async kill(name) {
      const named = name === undefined ? PROCESSES : [name];
      await Promise.all(named.flatMap((each) => running.get(each)?.stop(0) ?? []));
    },
  };
  onStop(() => cluster.kill());
  await cluster.start();
  return cluster;
}

/** A cluster with a namespace for bill runs. */
export async function clusterWithNamespace(
  namespace: string,
  surroundings: Surroundings,
): Promise<Cluster & { readonly namespace: string }> {
  const cluster = await startCluster(surroundings);
  await createNamespace(cluster.address, namespace);
  return { ...cluster, namespace };
}

/** Registers a namespace with our search attributes. Parts of the server know a new one only after seconds. */
export async function createNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    const workflowExecutionRetentionPeriod = msToTs('30 days');
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const endsAt = Date.now() + NAMESPACE_LIMIT_MS;
    for (;;) {
      try {
        await setup(connection, namespace);
        return;
      } catch (error) {
        if (Date.now() > endsAt) throw error;
      }
      await delay(LOOK_AGAIN_MS);
    }
  } finally {
    await connection.close();
  }
}

/** Variables that the server's configuration template reads. */
function configuration({ port, user, password }: Postgres, dynamicConfig: string): Record<string, string> {
  return {
    DB: 'postgres12',
    POSTGRES_SEEDS: HOST,
    DB_PORT: String(port),
    POSTGRES_USER: user,
    POSTGRES_PWD: password,
    NUM_HISTORY_SHARDS: String(HISTORY_SHARDS),
    BIND_ON_IP: HOST,
    DYNAMIC_CONFIG_FILE_PATH: dynamicConfig,
    LOG_LEVEL: 'warn',
  };
}

async function setUpSchemas({ schemaTool }: ClusterTools, { port, user, password }: Postgres): Promise<void> {
  const env = {
    ...bareEnvironment(),
    ...{ SQL_PLUGIN: 'postgres12', SQL_HOST: HOST, SQL_PORT: String(port), SQL_USER: user, SQL_PASSWORD: password },
  };
  for (const [database, schema] of [
    ['temporal', 'postgresql/v12/temporal'],
    ['temporal_visibility', 'postgresql/v12/visibility'],
  ] as const) {
    for (const args of [['create'], ['setup-schema', '--version', '0.0'], ['update-schema', '--schema-name', schema]]) {
      await runToEnd({ name: args[0] ?? '', command: schemaTool, args: ['--database', database, ...args], env });
    }
  }
}

type Ports = Readonly<Record<string, string>>;

async function portsOfAll(): Promise<Ports & { readonly FRONTEND_GRPC_PORT: string }> {
  const names = ['FRONTEND', 'HISTORY', 'HISTORY_2', 'MATCHING', 'WORKER'].flatMap((service) => [
    `${service}_GRPC_PORT`,
    `${service}_MEMBERSHIP_PORT`,
  ]);
  const ports = new Map<string, string>();
  const taken = new Set<number>();
  for (const name of [...names, 'FRONTEND_HTTP_PORT']) {
    const port = await freeLowPort(taken);
    taken.add(port);
    ports.set(name, String(port));
  }
  return { FRONTEND_GRPC_PORT: '', ...Object.fromEntries(ports) };
}

/** PostgreSQL's schema stores a member's port as smallint, at most 32,767. */
async function freeLowPort(taken: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768);
    if (taken.has(port)) continue;
    try {
      await assertPortIsFree(port);
      return port;
    } catch (error) {
      if (!(error instanceof PortTakenError)) throw error;
    }
  }
}

/** Variables that differ for the second process of a service. */
function portsOf(name: ProcessName, ports: Ports): Ports {
  if (name !== 'history-2') return {};
  return {
    HISTORY_GRPC_PORT: ports['HISTORY_2_GRPC_PORT'] ?? '',
    HISTORY_MEMBERSHIP_PORT: ports['HISTORY_2_MEMBERSHIP_PORT'] ?? '',
  };
}

async function serves(address: string): Promise<boolean> {
  const connection = Connection.lazy({ address });
  try {
    const { status } = await connection.withDeadline(Date.now() + HEALTH_CHECK_LIMIT_MS, () =>
      connection.healthService.check({ service: FRONTEND_SERVICE }),
    );
    return (status as number) === SERVING;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  } finally {
    await connection.close();
  }
}
