/** The real parts, wired for a test file: a Temporal server, a worker with the shipped workflows, and a simulated Zuora. */
import { randomInt, randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { WorkflowNotFoundError, type WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
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
import type { Polling } from '../../activities/watch-bill-run.js';
import { BillRunEmails } from '../../client/index.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { SIMULATOR_CREDENTIALS, startSimulator, type SimulatorOptions } from '../../simulator/index.js';
import { createBillRunWorker } from '../../worker/worker.js';
import {
  canonicalWorkflowId,
  type EmailBillRunInput,
  type EmailBillRunResult,
  type JobStatus,
  type SendRecord,
} from '../../workflows/contract/contract.js';
import { createZuora } from '../../zuora/client.js';
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
  /** `real`: the development server of all test files. `timeSkipping`: one of its own, where waiting takes no time. */
  readonly server: 'real' | 'timeSkipping';
  /** On the real server only, and registered before. */
  readonly namespace?: string;
  readonly polling?: Polling;
  readonly multiEntity?: boolean;
  readonly simulator?: SimulatorOptions;
  /** Default: one of its own. */
  readonly taskQueue?: string;
  /** The Zuora of another rig, instead of one of its own. */
  readonly zuoraUrl?: string;
  /** On the real server, jobs stay open after the test that started them. */
  readonly keepsJobs?: boolean;
  /** Puts something around the worker's activities. */
  readonly around?: (activities: Activities) => Activities;
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** Fast enough that a test never waits for a poll. */
const POLLING: Polling = { first: 100, longest: 100, afterAnHour: 100 };

const bundle = { codePath: inject('workflowBundlePath') };

export async function openRig({
  server,
  namespace = 'default',
  polling = POLLING,
  multiEntity = false,
  simulator: options,
  taskQueue = `test-${randomUUID()}`,
  zuoraUrl,
  keepsJobs = false,
  around = (activities) => activities,
}: RigOptions) {
  const environment =
    server === 'real'
      ? await TestWorkflowEnvironment.createFromExistingServer({ address: inject('temporalAddress'), namespace })
      : await TestWorkflowEnvironment.createTimeSkipping({
          server: { executable: { type: 'existing-path', path: inject('testServerPath') } },
        });
  if (server === 'timeSkipping') {
    await environment.connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: indexedTypes(),
    });
  }
  // Test files share a server, and a bill run may be found there by its ID: no two simulators give the same.
  const simulator = await startSimulator({ seed: randomInt(2 ** 31), emailDelayMs: 0, ...options });
  const zuora = createZuora({
    baseUrl: new URL(`${zuoraUrl ?? simulator.url}/`),
    credentials: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const worker = await createBillRunWorker({
    connection: environment.nativeConnection,
    namespace,
    activities: around(createActivities({ zuora, multiEntity, polling })),
    workflowBundlePath: bundle.codePath,
    taskQueue,
  });
  const running = worker.run();
  const emails = new BillRunEmails(environment.client, { taskQueue });
  const replayer = openReplayer();
  const started = new Set<string>();

  const control = controlOf(simulator.url);

  const billRun = {
    /** A bill run of Zuora's with two invoices and a credit memo, posted unless said otherwise. */
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

    /** Starts `emailBillRun` as `BillRunEmails` does; its history is replayed when the test is over. */
    async start(input: EmailBillRunInput): Promise<WorkflowHandle> {
      const { workflowId } = await emails.start(input);
      started.add(workflowId);
      return handleOf(workflowId);
    },

    /** Starts it as anybody may, under any id and with any argument. */
    async startAs(workflowId: string, ...args: unknown[]): Promise<WorkflowHandle> {
      started.add(workflowId);
      return environment.client.workflow.start('emailBillRun', { workflowId, taskQueue, args });
    },

    /** The run of a bill run's own workflow id, however it was started; its history is replayed, too. */
    own(billRunNumber: string, entityId?: string): WorkflowHandle {
      const workflowId = canonicalWorkflowId(billRunNumber, entityId);
      started.add(workflowId);
      return handleOf(workflowId);
    },

    /** Asks for a resend: of the run at work, or of one that is started for it. */
    async resend(billRunKey: string, requestId: string, input: object = {}): Promise<WorkflowHandle> {
      const { workflowId, runId } = await emails.requestResend({ billRunKey, ...input }, { requestId });
      started.add(workflowId);
      return environment.client.workflow.getHandle(workflowId, runId);
    },

    /** Resets a Temporal run to a workflow task's start or end, by the call that `temporal workflow reset` makes. */
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

    /** Has Temporal delete a closed run with its history, as it does when the retention time is over. */
    async forget(workflowId: string, runId: string): Promise<void> {
      const { client } = environment;
      const listed = async (): Promise<string | undefined> => {
        for await (const execution of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
          if (execution.runId === runId) return execution.status.name;
        }
        return undefined;
      };
      // What is deleted before visibility has heard of its end stays listed for ever.
      await until(listed, (status) => status !== 'RUNNING');
      const workflowExecution = { workflowId, runId };
      await client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
      await until(listed, (status) => status === undefined);
    },

    fault: (fault: object) =>
      control('POST', '/faults', { method: 'POST', path: '/v1/bill-runs/*/emails', when: 'before', ...fault }),
    mailbox: (number: string) => control<Email[]>('GET', `/mailbox?billRun=${number}`),
    requests: () => control<SeenRequest[]>('GET', '/requests'),
    /** The calls to email this bill run, whatever became of them. */
    async emailCalls(key: string): Promise<SeenRequest[]> {
      return (await control<SeenRequest[]>('GET', '/requests')).filter(
        ({ path }) => path === `/v1/bill-runs/${key}/emails`,
      );
    },

    status: (handle: WorkflowHandle) => handle.query<JobStatus>('status'),
    sends: (handle: WorkflowHandle) => handle.query<SendRecord[]>('sends'),
    result: (handle: WorkflowHandle) => handle.result() as Promise<EmailBillRunResult>,

    /** Waits until the run is in a state, and answers with its status. */
    async state(handle: WorkflowHandle, state: JobStatus['state']): Promise<JobStatus> {
      return until(
        () => handle.query<JobStatus>('status'),
        (status) => status.state === state,
      );
    },

    /** After each test: has Zuora work again, replays the history of every job that was started, and ends those that are open. */
    async afterTest(): Promise<void> {
      await control('DELETE', '/faults');
      await control('PATCH', '/settings', { notificationActive: true });
      for (const workflowId of started) {
        const job = handleOf(workflowId);
        await replayer.replay(job);
        if (server === 'real' && !keepsJobs) await end(job);
      }
      started.clear();
    },

    async close(): Promise<void> {
      await replayer.close();
      worker.shutdown();
      await running;
      await zuora.close();
      await simulator.close();
      await environment.teardown();
    },
  };
}

/** An open job looks at its bill run ten times a second. */
async function end(job: WorkflowHandle): Promise<void> {
  await job.terminate('the test is over').catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

/** Test files share a server, and a number gives a workflow id: so no two bill runs have the same. */
function uniqueNumber(): string {
  return `BR-${randomUUID().slice(0, 8).toUpperCase()}`;
}

export type Replayer = ReturnType<typeof openReplayer>;

/**
 * Replays histories, by default on the workflow code as it is in the sources. All run on one worker, which starts with the first history:
 * its start costs more than a replay.
 */
export function openReplayer(workflowBundle: WorkflowBundleOption = bundle) {
  const histories = new PassThrough({ objectMode: true });
  const results = Worker.runReplayHistories({ workflowBundle }, histories);
  const replayer = {
    /** Calls at the same time wait for each other. */
    async replayHistory(history: History, workflowId: string): Promise<void> {
      histories.write({ history, workflowId });
      const { value } = (await results.next()) as IteratorYieldResult<ReplayResult>;
      if (value.error !== undefined) throw value.error;
    },
    async replay(run: WorkflowHandle): Promise<void> {
      await replayer.replayHistory(await run.fetchHistory(), run.workflowId);
    },
    async close(): Promise<void> {
      await results.return?.();
    },
  };
  return replayer;
}

/** Asks again and again until the answer is right. The test's own time limit is the only clock. */
export async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How a run failed: the type of its ApplicationFailure, and what it says. */
export async function failureOf(handle: WorkflowHandle): Promise<{ type: unknown; message: string }> {
  const error = (await handle.result().then(
    () => expect.unreachable('the run completed'),
    (failure: unknown) => failure,
  )) as WorkflowFailedError;
  return { type: (error.cause as { type?: unknown }).type, message: error.cause?.message ?? '' };
}

/** How many emails each document got: the least and the most. */
export function emailsPerDocument(emails: readonly Email[]): { min: number; max: number } {
  const counts = new Map<string, number>();
  for (const { documentNumber } of emails) counts.set(documentNumber, (counts.get(documentNumber) ?? 0) + 1);
  return { min: Math.min(...counts.values()), max: Math.max(...counts.values()) };
}
