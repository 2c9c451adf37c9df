/** The real parts for a test file: a Temporal server, a worker with the shipped workflows, and a simulated Zuora. */
import { randomInt, randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, WorkflowNotFoundError, type WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { msToNumber, msToTs } from '@temporalio/common/lib/time.js';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type ReplayResult,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { expect, inject } from 'vitest';
import { createActivities, type Activities } from '../../activities/index.js';
import type { Polling } from '../../activities/budget.js';
import type { Receiver } from '../../activities/notify.js';
import { failedAs } from '../../client/failures/grpc.js';
import { causeOf } from '../../client/failures/temporal.js';
import { BillRunEmails } from '../../client/index.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { SIMULATOR_CREDENTIALS, startSimulator, type SimulatorOptions } from '../../simulator/index.js';
import { timeSkipping } from '../../scripts/time-skipping.js';
import { createBillRunWorker } from '../../worker/worker.js';
import {
  canonicalWorkflowId,
  type EmailBillRunInput,
  type EmailBillRunResult,
  type JobStatus,
  type SendRecord,
} from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import type { LoggedCall } from '../../proof/explore/trace.js';
import { createZuora } from '../../zuora/client.js';
import { impossibleIn } from './traces.js';
import { indexedTypes } from '../../client/temporal/setup.js';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
});

export interface Email {
  readonly billRunNumber: string;
  readonly documentNumber: string;
  readonly idempotencyKey: string | null;
  readonly resend: boolean | null;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface RigOptions {
  /** From `newNamespace`. Default: the one that all test files share. */
  readonly namespace?: string;
  /** Activities at the same time. Default: the SDK's. */
  readonly activitiesAtOnce?: number;
  readonly polling?: Polling;
  /** From an acceptance to the first check of the documents. Default: 5 minutes. */
  readonly deliveryIntervalMs?: number;
  readonly multiEntity?: boolean;
  readonly simulator?: SimulatorOptions;
  /** Default: a task queue of its own. */
  readonly taskQueue?: string;
  /** The Zuora of another rig, instead of one of its own. */
  readonly zuoraUrl?: string;
  /** Jobs stay open after the test that started them. */
  readonly keepsJobs?: boolean;
  /** Who is notified. Default: nobody. */
  readonly receiver?: Receiver;
  /** Whether the attempts of all jobs are walked through the explorer's transitions after a test. Default: after each. */
  readonly traces?: () => boolean;
  /** Wraps the worker's activities. */
  readonly around?: (activities: Activities) => Activities;
}

type Duration = Parameters<typeof msToNumber>[0];
type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** A fault: every read of a bill run fails, by the status that is added. */
export const READS_FAIL = {
  ...{ method: 'GET', path: '/object-query/billing-runs/*', when: 'before', fault: 'respond', times: 10_000 },
} as const;

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** A worker that shares two cores with two other test files may take seconds to replay a history. */
const QUERY_LIMIT_MS = 30_000;

/** In milliseconds: so fast that a test never waits for a poll. */
const POLLING: Polling = { first: 100, longest: 100, afterAnHour: 100 };

const bundle = { codePath: inject('workflowBundlePath') };

export async function openRig({
  namespace = 'default',
  activitiesAtOnce,
  polling = POLLING,
  deliveryIntervalMs,
  multiEntity = false,
  simulator: options,
  taskQueue = `test-${randomUUID()}`,
  zuoraUrl,
  keepsJobs = false,
  receiver,
  traces = () => true,
  around = (activities) => activities,
}: RigOptions = {}) {
  const environment = await TestWorkflowEnvironment.createFromExistingServer({
    address: inject('temporalAddress'),
    namespace,
  });
  const time = timeSkipping(environment.client);
  // Test files share a server, and a bill run may be found there by its ID, so the IDs of two simulators must differ.
  const simulator = await startSimulator({ seed: randomInt(2 ** 31), emailDelayMs: 0, ...options });
  const zuora = createZuora({
    baseUrl: new URL(`${zuoraUrl ?? simulator.url}/`),
    credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const createWorker = (): Promise<Worker> =>
    createBillRunWorker({
      connection: environment.nativeConnection,
      namespace,
      activities: around(
        createActivities({
          zuora,
          multiEntity,
          polling,
          ...(deliveryIntervalMs === undefined ? {} : { deliveryIntervalMs }),
          ...(receiver === undefined ? {} : { receiver }),
        }),
      ),
      workflowBundlePath: bundle.codePath,
      taskQueue,
      ...(activitiesAtOnce === undefined ? {} : { activitiesAtOnce }),
    });
  let worker = await createWorker();
  let running = worker.run();
  const emails = new BillRunEmails(environment.client, { taskQueue });
  const replayer = openReplayer();
  const started = new Set<string>();

  const control = controlOf(simulator.url);

  const billRun = {
    /** Creates a posted bill run with two invoices and a credit memo in the simulated Zuora, unless `wanted` differs. */
    create: (wanted: object = {}) =>
      control<{ id: string; number: string }>('POST', '/bill-runs', {
        number: uniqueNumber(),
        invoices: 2,
        creditMemos: 1,
        status: 'Posted',
        ...wanted,
      }),
    change: (key: string, change: object) => control('PATCH', `/bill-runs/${key}`, change),
  };

  /** Once a worker has taken all that is new, as our clients do: a query before that can break replay (decision 10). */
  const query = async <T>(handle: WorkflowHandle, name: string): Promise<T> => {
    const until = performance.now() + 2_000;
    while (performance.now() < until) {
      if ((await handle.describe()).raw.pendingWorkflowTask == null) break;
      await delay(50);
    }
    // Temporal never repeats a query whose task gets lost on its way to a worker: it only ends at its deadline.
    for (let left = 3; ; left--) {
      try {
        return await environment.client.withDeadline(Date.now() + QUERY_LIMIT_MS, () => handle.query<T>(name));
      } catch (error) {
        if (left === 0 || !failedAs(causeOf(error), 'unavailable')) throw error;
      }
    }
  };

  const handleOf = (workflowId: string): WorkflowHandle => environment.client.workflow.getHandle(workflowId);

  return {
    client: environment.client,
    connection: environment.connection,
    environment,
    emails,
    taskQueue,
    control,
    billRun,
    simulatorUrl: simulator.url,

    /** Starts a job as the library does. Its history is replayed after the test. */
    async start(input: EmailBillRunInput): Promise<WorkflowHandle> {
      const { workflowId } = await emails.start(input);
      started.add(workflowId);
      return handleOf(workflowId);
    },

    /** A job that has seen that its bill run waits for the post. */
    async startWaiting(input: object = {}): Promise<{ readonly number: string; readonly job: WorkflowHandle }> {
      const { number } = await billRun.create({ status: 'Completed' });
      const { workflowId } = await emails.start({ billRunKey: number, ...input });
      started.add(workflowId);
      const job = handleOf(workflowId);
      await until(
        () => query<JobStatus>(job, 'status'),
        ({ billRunStatus }) => billRunStatus === 'Completed',
      );
      return { number, job };
    },

    /** Starts a job past the library, under any id and with any arguments. */
    async startAs(workflowId: string, ...args: unknown[]): Promise<WorkflowHandle> {
      started.add(workflowId);
      return environment.client.workflow.start('emailBillRun', { workflowId, taskQueue, args });
    },

    /** The canonical job of a bill run, however it was started. Its history is replayed as well. */
    own(billRunNumber: string, entityId?: string): WorkflowHandle {
      const workflowId = canonicalWorkflowId(billRunNumber, entityId);
      started.add(workflowId);
      return handleOf(workflowId);
    },

    /** Asks the open job for a resend, or starts a job for it. */
    async resend(billRunKey: string, requestId: string, input: object = {}): Promise<WorkflowHandle> {
      const { workflowId, runId } = await emails.resend({ billRunKey, ...input }, { requestId });
      started.add(workflowId);
      return environment.client.workflow.getHandle(workflowId, runId);
    },

    /** Resets a job to a workflow task, by the call that `temporal workflow reset` makes. */
    async reset(workflowId: string, runId: string, eventId: number, signalsAgain = true): Promise<void> {
      await environment.client.workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution: { workflowId, runId },
        reason: 'a test',
        requestId: randomUUID(),
        // Numbers are as good as `Long`, but not by their type.
        workflowTaskFinishEventId: eventId as unknown as null,
        // RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the SDK exports no such enum
        resetReapplyExcludeTypes: signalsAgain ? [] : [1],
      });
    },

    /** Deletes a closed job with its history, as Temporal does after the retention time. */
    async forget(workflowId: string, runId: string): Promise<void> {
      const { client } = environment;
      const listed = async (): Promise<string | undefined> => {
        for await (const execution of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
          if (execution.runId === runId) return execution.status.name;
        }
        return undefined;
      };
      // A job that is deleted before visibility lists it as closed stays listed forever.
      await until(listed, (status) => status !== 'RUNNING');
      const workflowExecution = { workflowId, runId };
      await client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
      await until(listed, (status) => status === undefined);
    },

    fault: (fault: object) =>
      control('POST', '/faults', { method: 'POST', path: '/v1/bill-runs/*/emails', when: 'before', ...fault }),
    mailbox: (number: string) => control<Email[]>('GET', `/mailbox?billRun=${number}`),
    requests: () => control<SeenRequest[]>('GET', '/requests'),
    /** All calls to email this bill run, with any result. */
    async emailCalls(key: string): Promise<SeenRequest[]> {
      return (await control<SeenRequest[]>('GET', '/requests')).filter(
        ({ path }) => path === `/v1/bill-runs/${key}/emails`,
      );
    },

    status: (handle: WorkflowHandle) => query<JobStatus>(handle, 'status'),
    sends: (handle: WorkflowHandle) => query<SendRecord[]>(handle, 'sends'),
    result: (handle: WorkflowHandle) => handle.result() as Promise<EmailBillRunResult>,

    /** Waits until the job has a state, with any reason unless one is given, and returns its status. */
    async state(handle: WorkflowHandle, state: JobStatus['state'], reason?: JobStatus['reason']): Promise<JobStatus> {
      return until(
        () => query<JobStatus>(handle, 'status'),
        (status) => status.state === state && (reason === undefined || status.reason === reason),
      );
    },

    /** What Temporal's list shows about the job; undefined where a search attribute is unset. */
    async listed(handle: WorkflowHandle) {
      const { typedSearchAttributes: indexed } = await handle.describe();
      return {
        state: indexed.get(searchAttributes.emailState),
        reason: indexed.get(searchAttributes.emailReason),
        since: indexed.get(searchAttributes.emailStateSince)?.toISOString(),
        sends: indexed.get(searchAttributes.emailSends),
        notSent: indexed.get(searchAttributes.documentsNotSent),
      };
    },

    /** Waits until so many sends of the job are accepted, and returns all its sends. */
    async accepted(handle: WorkflowHandle, count: number): Promise<readonly SendRecord[]> {
      return until(
        () => query<SendRecord[]>(handle, 'sends'),
        (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
      );
    },

    /** Waits until the next check of the documents is planned: only then may time be skipped for it. */
    async checkPlanned(handle: WorkflowHandle): Promise<void> {
      await until(
        () => handle.describe(),
        ({ raw }) => checksIn(raw).some(isPlanned),
      );
    },

    /** Skips so much of a job's time. */
    skip: (job: WorkflowHandle, duration: Duration) => time.forward(job, msToNumber(duration)),
    /** Skips all waits of a job, until it closes in any way. */
    async skipToEnd(job: WorkflowHandle): Promise<void> {
      await time.freely(job);
      await job.result().catch(() => undefined);
    },
    /** A job's time (epoch, ms). */
    now: (job: WorkflowHandle) => time.now(job),

    /** After each test: removes all faults, replays the history of every job that was started, and ends the open ones. */
    async afterTest(): Promise<void> {
      await control('DELETE', '/faults');
      await control('PATCH', '/settings', {
        inactiveNotification: 'silent',
        notificationActive: true,
        postedNotificationActive: false,
      });
      const log = zuoraUrl === undefined ? () => control<LoggedCall[]>('GET', '/requests') : null;
      const workflowIds = [...started];
      started.clear();
      for (const workflowId of workflowIds) {
        const job = handleOf(workflowId);
        await replayer.replay(job);
        if (traces()) expect(await impossibleIn(environment.client, workflowId, log), workflowId).toEqual([]);
        if (!keepsJobs) await end(job);
      }
    },

    /** Activities under way end first. */
    async stopWorker(): Promise<void> {
      worker.shutdown();
      await running;
    },

    async startWorker(): Promise<void> {
      worker = await createWorker();
      running = worker.run();
    },

    async close(): Promise<void> {
      await replayer.close();
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await zuora.close();
      await simulator.close();
      await environment.teardown();
    },
  };
}

type Description = Awaited<ReturnType<WorkflowHandle['describe']>>['raw'];
type PendingActivity = NonNullable<Description['pendingActivities']>[number];

function checksIn({ pendingActivities }: Description): readonly PendingActivity[] {
  return (pendingActivities ?? []).filter(({ activityType }) => activityType?.name === 'watchDelivery');
}

/** Its first try has ended: it says when the check is due. */
function isPlanned({ lastFailure }: PendingActivity): boolean {
  return lastFailure != null;
}

/** A namespace of its own: what holds all jobs of a namespace must not hold those of other test files. */
export async function newNamespace(): Promise<string> {
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  // The server learns of a namespace after some seconds.
  await until(
    () =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: indexedTypes() }).then(
        () => true,
        () => false,
      ),
    (done) => done,
  );
  await until(
    () =>
      connection.operatorService.listSearchAttributes({ namespace }).then(
        ({ customAttributes }) => Object.keys(indexedTypes()).every((name) => name in customAttributes),
        () => false,
      ),
    (done) => done,
  );
  await connection.close();
  return namespace;
}

/** An open job looks at its bill run ten times a second. */
async function end(job: WorkflowHandle): Promise<void> {
  await job.terminate('the test is over').catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

/** Test files share a server, and a number gives a workflow id, so no two bill runs may have the same number. */
export function uniqueNumber(): string {
  return `BR-${randomUUID().slice(0, 8).toUpperCase()}`;
}

export type Replayer = ReturnType<typeof openReplayer>;

/**
 * Replays histories, by default with the workflow code of the sources. One worker replays all of them, because its start costs more
 * than a replay.
 */
export function openReplayer(workflowBundle: WorkflowBundleOption = bundle) {
  const histories = new PassThrough({ objectMode: true });
  const results = Worker.runReplayHistories({ workflowBundle }, histories);
  const replayer = {
    /** Calls at the same time wait for each other. */
    async replayHistory(history: History, workflowId: string): Promise<void> {
      histories.write({ history, workflowId });
      const { value } = (await results.next()) as IteratorYieldResult<ReplayResult>;
      if (value.error === undefined) return;
      // A history that fails once in a hundred runs is gone with its server.
      value.error.message += `\n${workflowId}\n${eventsIn(history).join('\n')}`;
      throw value.error;
    },
    async replay(job: WorkflowHandle): Promise<void> {
      await replayer.replayHistory(await job.fetchHistory(), job.workflowId);
    },
    async close(): Promise<void> {
      await results.return?.();
    },
  };
  return replayer;
}

/** A line for each event: its id, its time, and what it is, without its content. */
function eventsIn({ events }: History): readonly string[] {
  return (events ?? []).map((event) => {
    const what = Object.keys(event)
      .find((name) => name.endsWith('EventAttributes'))
      ?.replace('EventAttributes', '');
    // Plain numbers where the history was read from JSON, otherwise of `long`.
    const { seconds, nanos } = event.eventTime ?? {};
    const at = new Date(Number(String(seconds ?? 0)) * 1000 + (nanos ?? 0) / 1e6);
    return `${String(event.eventId)} ${at.toISOString()} ${what ?? ''}`;
  });
}

/**
 * Asks until the answer is right. Only the test's time limit ends it. After a long wait it asks less often: each question costs the
 * server and the worker CPU time, which the thing that is waited for needs too.
 */
export async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  const began = performance.now();
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    await delay(Math.min(Math.max((performance.now() - began) / 20, 50), 500));
  }
}

/** The type and the message of the ApplicationFailure with which a job failed. */
export async function failureOf(handle: WorkflowHandle): Promise<{ type: unknown; message: string }> {
  const error = (await handle.result().then(
    () => expect.unreachable('the job completed'),
    (failure: unknown) => failure,
  )) as WorkflowFailedError;
  return { type: (error.cause as { type?: unknown }).type, message: error.cause?.message ?? '' };
}

/** The fewest and the most emails that a document got. Documents without an email are not counted. */
export function emailsPerDocument(emails: readonly Email[]): { min: number; max: number } {
  const counts = new Map<string, number>();
  for (const { documentNumber } of emails) counts.set(documentNumber, (counts.get(documentNumber) ?? 0) + 1);
  return { min: Math.min(...counts.values()), max: Math.max(...counts.values()) };
}
