import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Client } from '@temporalio/client';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import ms from 'ms';
import { WORKFLOW_TYPE } from '../../workflows/contract/contract.js';
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
import { listed } from '../temporal/jobs.js';
import { faultOfSearchAttributes } from '../temporal/setup.js';
import { retentionDays } from '../temporal/retention.js';
import { inShell } from '../temporal/shell.js';
import { sweepSchedule } from '../temporal/sweep-schedule.js';
import { taskQueueIn } from '../temporal/task-queue.js';
import { workersFound, type TaskQueueOf } from '../temporal/workers.js';

/** Closed jobs that Temporal has deleted have no audit, and nobody remembers their resends. */
const LEAST_RETENTION_DAYS = 30;

/** Paused jobs that are named. */
const NAMED = 5;

/** The checks of Temporal; `close` ends their connection. */
export function temporalChecks(entityId: string | undefined, deadlineMs: number) {
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

  const workers = (kind: TaskQueueOf['kind']) =>
    bounded(({ connection: { workflowService }, namespace }) =>
      workersFound({ workflowService, namespace, taskQueue, kind }),
    );

  const checks: readonly CheckToRun[] = [
    { name: 'temporalConfiguration', run: configuration, explain: explainConfiguration },
    { name: 'temporal', needs: ['temporalConfiguration'], run: connection, explain: explainConnection },
    { name: 'temporalVersion', needs: ['temporal'], run: bounded(versions), explain },
    { name: 'namespace', needs: ['temporal'], run: bounded(registration), explain: explainNamespace },
    { name: 'searchAttributes', needs: ['namespace'], run: bounded(searchAttributesFinding), explain },
    { name: 'workflowWorkers', needs: ['namespace'], run: workers('workflow'), explain },
    { name: 'activityWorkers', needs: ['namespace'], run: workers('activity'), explain },
    { name: 'holdAll', needs: ['namespace'], run: bounded(holdAllFinding), explain },
    { name: 'paused', needs: ['namespace'], run: bounded(pausedFinding), worst: 'warning', explain },
    {
      name: 'sweep',
      needs: ['namespace'],
      run: bounded((to) => sweepFinding(to, entityId)),
      worst: 'warning',
      explain,
    },
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
  const days = (await retentionDays(connection.workflowService, namespace)) ?? 0;
  if (days === 0) return { result: 'ok', text: `${namespace} is registered` };
  const time = `${Math.round(days * 10) / 10} day${days === 1 ? '' : 's'}`;
  const text = `${namespace} is registered; it keeps closed jobs and their audit for ${time}`;
  if (days >= LEAST_RETENTION_DAYS) return { result: 'ok', text };
  return {
    result: 'warning',
    text: `${text}, and then also forgets which resends it emailed`,
    todo: `Keep them longer: temporal operator namespace update --namespace ${inShell(namespace)} --retention 90d`,
  };
}

async function searchAttributesFinding({ connection, namespace }: Connected): Promise<Finding> {
  const fault = await faultOfSearchAttributes(connection, namespace);
  return fault === undefined ? { result: 'ok', text: 'all are registered' } : { result: 'error', ...fault };
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

/** What somebody paused by Temporal's own buttons, which nothing else reports. */
async function pausedFinding(to: Connected): Promise<Finding> {
  const client = new Client(to);
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND CloseTime IS NULL AND TemporalPauseInfo IS NOT NULL`;
  const names: string[] = [];
  const commands: string[] = [];
  let count = 0;
  for await (const { workflowId } of listed(client, query)) {
    count += 1;
    if (count > NAMED) continue;
    const { workflowExtendedInfo, pendingActivities } = await client.workflowService.describeWorkflowExecution({
      namespace: to.namespace,
      execution: { workflowId },
    });
    const id = `--workflow-id ${inShell(workflowId)}`;
    if (workflowExtendedInfo?.pauseInfo != null) commands.push(`temporal workflow unpause ${id}`);
    for (const { paused, activityId } of pendingActivities) {
      if (paused === true) commands.push(`temporal activity unpause ${id} --activity-id ${inShell(activityId ?? '')}`);
    }
    names.push(workflowId);
  }
  if (count === 0) return { result: 'ok', text: 'no job is paused in Temporal' };
  const more = count > names.length ? ` and ${count - names.length} more` : '';
  return {
    result: 'warning',
    text: `${count} open job${count === 1 ? ' is' : 's are'} paused in Temporal, and wait${count === 1 ? 's' : ''} for somebody: ${names.join(', ')}${more}`,
    todo: `To go on: ${commands.join('; ')}`,
  };
}

/** Sweeps that are so late were missed. */
const LATE_SWEEPS = 3;

async function sweepFinding(connected: Connected, entityId: string | undefined): Promise<Finding> {
  const entity = entityId === undefined ? '' : ` --entity ${inShell(entityId)}`;
  const schedule = await sweepSchedule(new Client(connected), entityId);
  if (schedule === undefined) {
    // Somebody may sweep by other means.
    const text = `no schedule looks for bill runs that nobody emailed; to have one: bill-run-emails setup --sweep 1h${entity}`;
    return { result: 'ok', text };
  }
  const { everyMs, isPaused, last } = schedule;
  const when = last === null ? 'it has not run yet' : `last at ${last.at.toISOString()}`;
  const text = `bill runs that nobody emailed are looked for ${everyMs === null ? 'by schedule' : `every ${ms(everyMs)}`}; ${when}`;
  if (isPaused) {
    const todo = `To go on: temporal schedule toggle --unpause --schedule-id ${inShell(schedule.scheduleId)}`;
    return { result: 'warning', text: `${text}; the schedule is paused`, todo };
  }
  if (last !== null && ['FAILED', 'TIMED_OUT', 'TERMINATED'].includes(last.status)) {
    const todo = `See why: temporal workflow show --workflow-id ${inShell(last.workflowId)}`;
    return { result: 'warning', text: `${text}, and it ended as ${last.status}`, todo };
  }
  const isLate = last !== null && everyMs !== null && Date.now() - last.at.getTime() > LATE_SWEEPS * everyMs;
  if (!isLate) return { result: 'ok', text };
  return { result: 'warning', text: `${text}, which is long ago`, todo: 'See whether Temporal runs its schedules' };
}
