import { createRequire } from 'node:module';
import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { clientDataConverter } from '../../encryption/data-converter.js';
import { ConfigurationError } from '../../zuora/configuration.js';
import { missingSearchAttributes, searchAttributes } from '../../workflows/contract/search-attributes.js';
import { Checkup, NOTHING, type Check, type Done } from './checkup.js';
import { aheadOfWorker, clockFinding } from './clocks.js';
import { connect, connectionSettings } from '../temporal/connection.js';
import { firstLineOf } from '../failures/errors.js';
import { CREDENTIALS, failedAs } from '../failures/grpc.js';
import { indexedTypes } from '../temporal/setup.js';
import { taskQueueIn } from '../temporal/task-queue.js';

interface Connected {
  readonly connection: Connection;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** Workers ask for tasks once a minute or more often. */
const WORKER_ASKS_WITHIN_MS = 2 * 60_000;

/** Numbers of Temporal's enum `TaskQueueType`. */
const TASK_QUEUE_TYPE: Readonly<Record<WorkerKind, number>> = { workflow: 1, activity: 2 };
type WorkerKind = 'workflow' | 'activity';

export async function temporalChecks({
  taskQueue: wanted,
  deadlineMs,
}: {
  readonly taskQueue: string | undefined;
  readonly deadlineMs: number;
}): Promise<readonly Check[]> {
  const checkup = new Checkup(deadlineMs);
  const configured = await checkup.check('temporalConfiguration', NOTHING, explainConfiguration, async () => {
    const { address, namespace, options } = connectionSettings();
    const taskQueue = wanted ?? taskQueueIn(process.env);
    const { payloadCodecs } = await clientDataConverter(process.env);
    const secured = [options.tls ? 'TLS' : 'no TLS', options.apiKey === undefined ? 'no API key' : 'an API key'];
    const encrypts = payloadCodecs.length > 0 ? ['payloads encrypted'] : [];
    const text = `${address}, namespace ${namespace}, ${[...secured, ...encrypts].join(', ')}`;
    const found = { address, taskQueue };
    return options.apiKey !== undefined && !options.tls
      ? { result: 'warning', text, todo: 'Use TLS: whoever is on the way reads the API key', found }
      : { result: 'ok', text, found };
  });
  const connected = await checkup.check('temporal', configured, explainConnection, async ({ address, taskQueue }) => {
    const opened = await connect();
    return { result: 'ok', text: `reached at ${address}`, found: { ...opened, taskQueue } };
  });
  try {
    await ask(checkup, connected, deadlineMs);
  } finally {
    if ('found' in connected) await connected.found.connection.close();
  }
  return checkup.checks;
}

async function ask(checkup: Checkup, connected: Done<Connected>, deadlineMs: number): Promise<void> {
  /** A check whose calls end when its time is over. */
  const bounded =
    <Given extends Connected, Found>(find: (given: Given) => Promise<Found>) =>
    (given: Given): Promise<Found> =>
      given.connection.withDeadline(Date.now() + deadlineMs, () => find(given));

  await checkup.check('temporalVersion', connected, explain, bounded(versions));
  const namespace = await checkup.check('namespace', connected, explainNamespace, bounded(registered));
  await checkup.check('searchAttributes', namespace, explain, bounded(searchAttributesIn));
  const workers = (type: WorkerKind) => bounded((given: Connected) => workersOn(given, type));
  const workflows = await checkup.check('workflowWorkers', namespace, explain, workers('workflow'));
  const activities = await checkup.check('activityWorkers', namespace, explain, workers('activity'));
  await checkup.check('temporalClock', 'found' in workflows ? workflows : activities, explain, clockOf);
}

function explainConfiguration(error: unknown): { text: string; todo: string } {
  if (error instanceof ConfigurationError) return { text: error.message, todo: 'Mend them where the worker runs, too' };
  const todo = "Mend the variable, or the file that TEMPORAL_CONFIG_FILE or Temporal's own default names";
  return { text: firstLineOf(error), todo };
}

function explainConnection(error: unknown): { text: string; todo: string } {
  const todo = 'Check TEMPORAL_ADDRESS, TEMPORAL_TLS_* and TEMPORAL_API_KEY, and that the server runs';
  return { text: firstLineOf(error), todo };
}

function explainNamespace(error: unknown): { text: string; todo: string } {
  const { text, todo } = explain(error);
  const register = 'Check TEMPORAL_NAMESPACE, or register it: bill-run-emails setup --create-namespace';
  return { text, todo: failedAs(error, 'notFound') ? register : todo };
}

function explain(error: unknown): { text: string; todo: string } {
  const todo = failedAs(error, 'refused')
    ? `Check ${CREDENTIALS}, and that it may read this namespace`
    : 'Check that the credentials may read this namespace, or try again in a moment';
  return { text: isGrpcServiceError(error) ? error.details : firstLineOf(error), todo };
}

async function versions({ connection }: Connected) {
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  const sdk = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  const server = serverVersion === '' ? 'the server does not tell its version' : `server ${serverVersion}`;
  return { result: 'ok', text: `${server}, client SDK ${sdk.version}`, found: undefined } as const;
}

async function registered(connected: Connected) {
  const { connection, namespace } = connected;
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
  const kept =
    days === 0 ? '' : `; closed runs are kept for ${Math.round(days * 10) / 10} days, and the audit with them`;
  return { result: 'ok', text: `${namespace} is registered${kept}`, found: connected } as const;
}

async function searchAttributesIn({ connection, namespace }: Connected) {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length > 0) {
    const text = `${namespace} lacks ${missing.join(', ')}, and no worker starts without them`;
    return { result: 'error', text, todo: 'Register them: bill-run-emails setup' } as const;
  }
  const wanted = indexedTypes();
  const other = Object.keys(wanted).filter((name) => customAttributes[name] !== wanted[name]);
  if (other.length > 0) {
    const types = Object.values(searchAttributes).map(({ name, type }) => `${name} ${type}`);
    return {
      result: 'error',
      text: `${other.join(', ')} ${other.length === 1 ? 'is' : 'are'} registered with another type`,
      todo: `Use another namespace, or one where they are ${types.join(', ')}`,
    } as const;
  }
  return { result: 'ok', text: `all ${Object.keys(wanted).length} are registered`, found: undefined } as const;
}

/** @returns when a worker last asked for such tasks (epoch, ms, by Temporal's clock) */
async function workersOn({ connection, namespace, taskQueue }: Connected, type: WorkerKind) {
  const request = { namespace, taskQueue: { name: taskQueue }, taskQueueType: TASK_QUEUE_TYPE[type] };
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the SDK's client does not export the enum
  const { pollers } = await connection.workflowService.describeTaskQueue(request);
  const asked = pollers
    .map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      at: Number(lastAccessTime?.seconds ?? 0) * 1000,
    }))
    .sort((one, other) => other.at - one.at);
  const [last] = asked;
  if (last === undefined) {
    const todo = 'Start a worker: npm run worker, with the same TEMPORAL_* variables and BILL_RUN_TASK_QUEUE';
    return { result: 'error', text: `no worker takes ${type} tasks of ${taskQueue}`, todo } as const;
  }
  const count = new Set(asked.map(({ identity }) => identity)).size;
  const workers = count === 1 ? '1 worker takes' : `${count} workers take`;
  const text =
    `${workers} ${type} tasks of ${taskQueue}; the last one to ask was ${last.identity}, ` +
    `at ${new Date(last.at).toISOString()}`;
  return Date.now() - last.at > WORKER_ASKS_WITHIN_MS
    ? ({
        result: 'warning',
        text: `${text}, which is long ago`,
        todo: 'See whether the worker still runs, and whether the clocks are right',
        found: last.at,
      } as const)
    : ({ result: 'ok', text, found: last.at } as const);
}

function clockOf(lastAsked: number) {
  const agreed = "this machine's clock and Temporal's agree, as far as the workers' last calls tell: to some minutes";
  return clockFinding(aheadOfWorker(lastAsked, Date.now()), "Temporal's", agreed);
}
