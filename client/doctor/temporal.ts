import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Client } from '@temporalio/client';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { missingSearchAttributes, searchAttributes } from '../../workflows/contract/search-attributes.js';
import type { CheckToRun, Explanation, Finding } from './checkup.js';
import { BillRunEmailsError, firstLineOf } from '../failures/errors.js';
import { CREDENTIALS, failedAs } from '../failures/grpc.js';
import { reasonOf } from '../failures/temporal.js';
import { holdAllRequests } from '../history/hold-all.js';
import {
  connect,
  connectionSettings,
  notReachedBecause,
  proxyInUse,
  temporalEnvironment,
  type Connected,
} from '../temporal/connection.js';
import { clientDataConverter } from '../temporal/data-converter.js';
import { indexedTypes } from '../temporal/setup.js';
import { taskQueueIn } from '../temporal/task-queue.js';

/** Workers poll once a minute or more often. */
const WORKER_POLLS_WITHIN_MS = 2 * 60_000;

/** Numbers of Temporal's enum `TaskQueueType`. */
const TASK_QUEUE_TYPE = { workflow: 1, activity: 2 } as const;
type WorkerKind = keyof typeof TASK_QUEUE_TYPE;

/** The checks of Temporal; `close` ends their connection. */
export function temporalChecks(deadlineMs: number) {
  let connected: Connected | undefined;
  let taskQueue = '';

  async function configuration(): Promise<Finding> {
    const { address, namespace, options } = connectionSettings();
    taskQueue = taskQueueIn(process.env);
    const { payloadCodecs } = await clientDataConverter(process.env);
    const ignored = ignoredByEnvconfig();
    if (ignored !== undefined) return { result: 'error', ...ignored };
    const security = [options.tls ? 'TLS' : 'no TLS', options.apiKey === undefined ? 'no API key' : 'an API key'];
    const codecs = payloadCodecs.length > 0 ? ['payload codecs'] : [];
    const text = `${address}, namespace ${namespace}, ${[...security, ...codecs].join(', ')}`;
    return options.apiKey !== undefined && !options.tls
      ? { result: 'warning', text, todo: 'Use TLS: without it, the network in between can read the API key' }
      : { result: 'ok', text };
  }

  async function connection(): Promise<Finding> {
    connected = await connect();
    return { result: 'ok', text: `reached at ${connectionSettings().address}` };
  }

  /** A check whose calls end at its time limit. */
  const bounded = (find: (to: Connected) => Promise<Finding>) => (): Promise<Finding> => {
    if (connected === undefined) throw new Error('not connected');
    const to = connected;
    return to.connection.withDeadline(Date.now() + deadlineMs, () => find(to));
  };

  const workers = (kind: WorkerKind) =>
    bounded(async (to) => workersFinding(await pollsOf(to, taskQueue, kind), taskQueue, kind));

  const checks: readonly CheckToRun[] = [
    { name: 'temporalConfiguration', run: configuration, explain: explainConfiguration },
    { name: 'temporal', needs: ['temporalConfiguration'], run: connection, explain: explainConnection },
    { name: 'temporalVersion', needs: ['temporal'], run: bounded(versions), explain },
    { name: 'namespace', needs: ['temporal'], run: bounded(registration), explain: explainNamespace },
    { name: 'searchAttributes', needs: ['namespace'], run: bounded(searchAttributesFinding), explain },
    { name: 'workflowWorkers', needs: ['namespace'], run: workers('workflow'), explain },
    { name: 'activityWorkers', needs: ['namespace'], run: workers('activity'), explain },
    { name: 'holdAll', needs: ['namespace'], run: bounded(holdAllFinding), explain },
  ];
  return { checks, close: async () => connected?.connection.close() };
}

/** Two mistakes that envconfig ignores; the connection then goes elsewhere, or without the client certificate. */
function ignoredByEnvconfig(): Explanation | undefined {
  const env = temporalEnvironment(process.env);
  const { TEMPORAL_CONFIG_FILE: file = '' } = env;
  if (file !== '' && !existsSync(file)) {
    return { text: `TEMPORAL_CONFIG_FILE names ${file}, which does not exist`, todo: FIX_CONFIGURATION };
  }
  const { tls } = loadClientConfigProfile({ overrideEnvVars: env });
  if ((tls?.clientCert === undefined) === (tls?.clientKey === undefined)) return undefined;
  return {
    text: 'TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH go together, and one is missing',
    todo: FIX_CONFIGURATION,
  };
}

const FIX_CONFIGURATION = "Fix the variable, or the file that TEMPORAL_CONFIG_FILE or Temporal's own default names";

function explainConfiguration(error: unknown): Explanation {
  return { text: firstLineOf(error), todo: FIX_CONFIGURATION };
}

function explainConnection(error: unknown): Explanation {
  const cause = error instanceof BillRunEmailsError ? error.cause : error;
  return {
    text: notReachedBecause(connectionSettings(), cause, proxyInUse()),
    todo:
      'Check TEMPORAL_ADDRESS (host:port), and that the server runs; TEMPORAL_TLS, on or off as the server wants it; its CA ' +
      '(TEMPORAL_TLS_SERVER_CA_CERT_PATH) and name (TEMPORAL_TLS_SERVER_NAME); the client certificate; TEMPORAL_API_KEY',
  };
}

function explainNamespace(error: unknown): Explanation {
  const { text, todo } = explain(error);
  const register = 'Check TEMPORAL_NAMESPACE, or register it, for example by: temporal operator namespace create';
  return { text, todo: failedAs(error, 'notFound') ? register : todo };
}

function explain(error: unknown): Explanation {
  const todo = failedAs(error, 'refused')
    ? `Check ${CREDENTIALS}, and that it may read this namespace`
    : 'Check that the credentials may read this namespace, or try again in a moment';
  return { text: reasonOf(error), todo };
}

async function versions({ connection }: Connected): Promise<Finding> {
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  const sdk = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  const server = serverVersion === '' ? 'server of unknown version' : `server ${serverVersion}`;
  return { result: 'ok', text: `${server}, client SDK ${sdk.version}` };
}

async function registration({ connection, namespace }: Connected): Promise<Finding> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
  const kept = days === 0 ? '' : `; it keeps closed jobs and their audit for ${Math.round(days * 10) / 10} days`;
  return { result: 'ok', text: `${namespace} is registered${kept}` };
}

async function searchAttributesFinding({ connection, namespace }: Connected): Promise<Finding> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length > 0) {
    const text = `${namespace} lacks ${missing.join(', ')}, and no worker starts without them`;
    return { result: 'error', text, todo: 'Register them: bill-run-emails setup' };
  }
  const expected = indexedTypes();
  const other = Object.keys(expected).filter((name) => customAttributes[name] !== expected[name]);
  if (other.length > 0) {
    const types = Object.values(searchAttributes).map(({ name, type }) => `${name} ${type}`);
    return {
      result: 'error',
      text: `${other.join(', ')} ${other.length === 1 ? 'is' : 'are'} registered with another type`,
      todo: `Use another namespace, or one with ${types.join(', ')}`,
    };
  }
  return { result: 'ok', text: `all ${Object.keys(expected).length} are registered` };
}

async function holdAllFinding(to: Connected): Promise<Finding> {
  const requests = await holdAllRequests(new Client(to));
  if (requests === null) return { result: 'ok', text: 'not all jobs are on hold' };
  const by = requests.map(({ at, requestedBy, identity, reason }) => {
    return `by ${requestedBy ?? identity ?? 'somebody'} since ${at}${reason === null ? '' : ` (${reason})`}`;
  });
  return {
    result: 'warning',
    text: `all jobs are on hold, ${by.join(', ')}, so nothing is sent`,
    todo: 'To go on: bill-run-emails release --all',
  };
}

interface Poll {
  readonly identity: string;
  /** Epoch ms, by Temporal's clock. */
  readonly at: number;
}

/** The last poll of each worker, newest first. */
async function pollsOf({ connection, namespace }: Connected, taskQueue: string, kind: WorkerKind): Promise<Poll[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the SDK's client does not export the enum
    taskQueueType: TASK_QUEUE_TYPE[kind],
  });
  return pollers
    .map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      at: Number(lastAccessTime?.seconds ?? 0) * 1000,
    }))
    .sort((one, other) => other.at - one.at);
}

function workersFinding(polls: readonly Poll[], taskQueue: string, kind: WorkerKind): Finding {
  const [last] = polls;
  if (last === undefined) {
    const todo = 'Start a worker: npm run worker, with the same TEMPORAL_* variables and BILL_RUN_TASK_QUEUE';
    return { result: 'error', text: `no worker takes ${kind} tasks of ${taskQueue}`, todo };
  }
  const count = new Set(polls.map(({ identity }) => identity)).size;
  const workers = count === 1 ? '1 worker takes' : `${count} workers take`;
  const text =
    `${workers} ${kind} tasks of ${taskQueue}; the last poll was by ${last.identity}, ` +
    `at ${new Date(last.at).toISOString()}`;
  if (Date.now() - last.at <= WORKER_POLLS_WITHIN_MS) return { result: 'ok', text };
  const todo = 'Check whether the worker still runs, and whether the clock of this machine is right';
  return { result: 'warning', text: `${text}, which is long ago`, todo };
}
