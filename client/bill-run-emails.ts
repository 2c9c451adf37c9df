import { randomUUID } from 'node:crypto';
import { Client, QueryNotRegisteredError, WorkflowNotFoundError } from '@temporalio/client';
import { checkInput, checkNote, checkRetry, checkSweep, noteOf } from '../workflows/contract/validation.js';
import {
  billRunPostedSignal,
  canonicalWorkflowId,
  HOLD_ALL_WORKFLOW_ID,
  isBillRunId,
  retrySignal,
  billRunIn,
  sendsQuery,
  statusQuery,
  TASK_QUEUE,
  WORKFLOW_TYPE,
  type JobStatus,
  type NoteMessage,
  type ResendMessage,
  type RetryMessage,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { sweepWorkflowId, type SweepInput, type SweepResult } from '../workflows/contract/sweep.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import type { Audit } from './history/audit.js';
import * as holdAll from './hold-all.js';
import { holdAllRequests, type HoldAllRequest } from './history/hold-all.js';
import { connect } from './temporal/connection.js';
import { hasTraceEndpoint } from '../environment/otlp.js';
import { tryEach, type Tried } from './many.js';
import { BillRunEmailsError, naming, valid } from './failures/errors.js';
import { lastJob, type LastJob } from './last-job.js';
import type { Asked, Settled, SettleOptions } from './settled.js';
import type { SettledOne } from './settled-many.js';
import { listJobs, type ListedJob, type ListFilter } from './list.js';
import { assertOurs, startOrJoin, type Loose, type StartInput, type StartResult } from './starting.js';
import { signalAndConfirm, updateOrSignal, type MessageResult } from './messages.js';
import { caughtUp, listed, newsOf, orNotFound, type DescribedWorkflow } from './temporal/jobs.js';
import { listedStatus, type Pause } from './temporal/paused.js';
import { isTaskQueue, TASK_QUEUE_FAULT, taskQueueIn } from './temporal/task-queue.js';
import { failedAs } from './failures/grpc.js';
import { causeOf, temporalFailure } from './failures/temporal.js';

/** A bill run, and the settings for a job that has to be started for it. */
export type BillRunToStart = Omit<StartInput, 'resend' | keyof ResendMessage>;

/** How one of many was started, or why it was not. */
export type StartedOne = { readonly input: StartInput } & Tried<StartResult>;

export interface ResendResult extends StartResult {
  readonly requestId: string;
}

/** How an open job took the `retry`; or, with a `result`, the job that was started for what the closed one left unsent. */
export type RetryResult =
  (MessageResult & { readonly result?: never }) | (StartResult & { readonly requestId: string });

/** The answer to the query `status`, and what Temporal knows besides. */
export interface KnownStatus extends JobStatus {
  readonly workflowId: string;
  /** How many documents were not sent, also where no worker answers; null before the first check after an acceptance. */
  readonly documentsNotSent: number | null;
  /** ISO 8601; null while the job is open. */
  readonly closedAt: string | null;
  /** How Temporal ended a job that did not complete; the other fields are then its last known state. Absent for all others. */
  readonly ended?: {
    readonly status: (typeof ENDED)[number];
    readonly at: string | null;
  };
  /** No worker answered in time, or the job is paused: the other fields are what Temporal lists, and `sends` cannot be asked. */
  readonly unanswered?: true;
  /** What somebody paused by Temporal's own buttons; absent if nothing is. */
  readonly paused?: readonly Pause[];
}

export interface BillRunEmailsOptions {
  /** Default: `bill-run-emails`. */
  readonly taskQueue?: string;
  /** The deadline of a call to Temporal, in milliseconds. Default: 15 s. */
  readonly deadlineMs?: number;
  /** Whether a start asks Temporal what keeps it from being carried out. Default: true. Services that show nobody the answer do not. */
  readonly warns?: boolean;
}

/** Names a bill run by its ID or number, with the entity if the tenant has Zuora Multi-entity. */
export interface BillRunName {
  readonly billRunKey: string;
  readonly entityId?: string | undefined;
}

/** Names a job by its bill run, or by its workflow id, as `list` shows it. */
export type JobName = BillRunName | { readonly workflowId: string };

/** A job, and what was asked of it. */
export type JobRequest = JobName & Asked;

const ENDED = ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'] as const;

const DEADLINE_MS = 15_000;
const WARNINGS_HOLD_MS = 30_000;
/** A worker's time to take what waits for it, or to answer. */
const ANSWERS_WITHIN_MS = 2_300;

/**
 * Starts email jobs, asks them and sends them messages, for pipelines and operators. Every failure is a {@link BillRunEmailsError}.
 *
 * Modules that only some calls need are loaded by those calls, so `status` on the command line is little slower than Temporal's client.
 */
export class BillRunEmails {
  readonly client: Client;
  readonly #taskQueue: string;
  readonly #deadlineMs: number;
  readonly #warns: boolean;
  #endTraces = (): Promise<void> => Promise.resolve();
  #question: { readonly at: number; readonly warnings: Promise<readonly string[]> } | undefined;

  constructor(
    client: Client,
    { taskQueue = TASK_QUEUE, deadlineMs = DEADLINE_MS, warns = true }: BillRunEmailsOptions = {},
  ) {
    if (!isTaskQueue(taskQueue)) throw new BillRunEmailsError('InvalidInput', `taskQueue ${TASK_QUEUE_FAULT}`);
    this.client = client;
    this.#taskQueue = taskQueue;
    this.#deadlineMs = deadlineMs;
    this.#warns = warns;
  }

  /** Connects by the environment: `TEMPORAL_*`, `BILL_RUN_TASK_QUEUE` for the task queue, and `OTEL_*` for traces. */
  static async connect(options: BillRunEmailsOptions = {}): Promise<BillRunEmails> {
    const { taskQueue = taskQueueIn(process.env) } = options;
    const isTraced = hasTraceEndpoint(process.env);
    const connected = await connect();
    if (!isTraced) return new BillRunEmails(new Client(connected), { ...options, taskQueue });
    const [{ openTraces }, { tracedCalls }] = await Promise.all([
      import('../environment/traces.js'),
      import('./temporal/traces.js'),
    ]);
    const { tracer, close } = openTraces();
    const client = new Client({ ...connected, interceptors: { workflow: [tracedCalls(tracer)] } });
    const emails = new BillRunEmails(client, { ...options, taskQueue });
    emails.#endTraces = close;
    return emails;
  }

  /** Closes the connection, and exports what is left of traces, which takes about two seconds if nobody answers. */
  async close(): Promise<void> {
    await this.client.connection.close();
    await this.#endTraces();
  }

  /** Emails a bill run once: starts a job, joins the open one, or says why it does neither. Safe to repeat. */
  async start(given: StartInput): Promise<StartResult> {
    const settings = valid(checkInput(given));
    const input = { ...given, billRunKey: settings.billRunKey };
    const workflowId = await this.#workflowId(settings);
    const starter = { client: this.client, taskQueue: this.#taskQueue };
    const both = [
      this.#call(workflowId, () => startOrJoin(starter, workflowId, input, settings)),
      this.#warnings(),
    ] as const;
    await Promise.allSettled(both);
    const [started, warnings] = await Promise.all(both);
    const isOrder = started.result === 'started' || started.result === 'joined';
    return isOrder && warnings.length > 0 ? { ...started, warnings } : started;
  }

  /** Asked while starts are under way, at most once in that time. */
  #warnings(): Promise<readonly string[]> {
    if (!this.#warns) return Promise.resolve([]);
    const at = performance.now();
    if (this.#question === undefined || at - this.#question.at > WARNINGS_HOLD_MS) {
      const loading = import('./start-warnings.js');
      const warnings = loading.then(({ startWarnings }) => startWarnings(this.client, this.#taskQueue));
      this.#question = { at, warnings };
    }
    return this.#question.warnings;
  }

  /**
   * Starts many, 25 at once, and answers in their order. One that is refused does not stop the others. After 25 failures of the
   * connection in a row, the rest is reported as not tried. Safe to repeat as a whole.
   */
  async *startMany(inputs: Iterable<StartInput>): AsyncGenerator<StartedOne, void, undefined> {
    const start = (input: StartInput): Promise<StartResult> => this.start(input);
    for await (const { item: input, tried } of tryEach(inputs, start)) yield { input, ...tried };
  }

  /**
   * Emails all documents of a bill run again, by the open job or by a new one. Repeating the same `requestId` does not repeat the
   * emails, for as long as Temporal keeps the histories of earlier jobs. Every error names the request.
   */
  async resend(
    billRun: BillRunToStart,
    message: Loose<ResendMessage> & { readonly requestId: string },
  ): Promise<ResendResult> {
    const { requestId } = message;
    const started = await naming(requestId, () => this.start({ ...billRun, ...message, resend: true }));
    return { ...started, requestId };
  }

  /**
   * Reports that a bill run has posted: its job looks at once, instead of with its next poll. A bill run without an open job gets
   * one, as by `start`. Safe to repeat.
   *
   * @param options.start false: only an open job is signaled
   * @throws BillRunEmailsError `NotFound` if no job is open and none may be started
   */
  async billRunPosted(input: BillRunToStart, { start = true }: { start?: boolean } = {}): Promise<StartResult> {
    const hint = async (): Promise<StartResult> => {
      const workflowId = await this.#workflowId(input);
      return this.#call(workflowId, async () => {
        const { runId, state } = await this.#lastJob(workflowId);
        await this.client.workflow.getHandle(workflowId).signal(billRunPostedSignal);
        return { workflowId, runId, result: 'joined', state };
      });
    };
    if (!start) return hint();
    const started = await this.start(input);
    if (started.result !== 'joined') return started;
    try {
      return await hint();
    } catch (error) {
      if (!(error instanceof BillRunEmailsError && error.type === 'NotFound')) throw error;
      // The job saw the post by itself, and closed meanwhile. A start says how.
      return this.start(input);
    }
  }

  /** Whether Zuora accepted a resend of this request id before, so that asking again emails nothing. It needs no worker. */
  async isResent(name: BillRunName, requestId: string): Promise<boolean> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      const last = await lastJob(this.client, workflowId);
      if (last !== undefined) assertOurs(last, { taskQueue: this.#taskQueue });
      return last?.resends.includes(requestId) === true;
    });
  }

  /**
   * Waits until Zuora has accepted what was asked for, or until its documents were followed to the end; or until the job closes or needs
   * a person. Needs no worker, and Temporal may be away meanwhile.
   *
   * @throws BillRunEmailsError `NotFound`; `TemporalUnavailable` if there was no answer at all in that time, or at once if waiting does
   * not help, as without the namespace or a permission; `InvalidInput`
   */
  async settled(request: JobRequest, options: SettleOptions = {}): Promise<Settled> {
    const { settled } = await import('./settled.js');
    return settled(this.#jobs(), request, newsOf(this.client), options);
  }

  /**
   * Waits for many, thousands as well, and answers as each settles. One that fails does not stop the others.
   */
  async *settledMany<R extends JobRequest>(
    requests: Iterable<R>,
    options: SettleOptions = {},
  ): AsyncGenerator<SettledOne<R>, void, undefined> {
    const { changesIn, settledMany } = await import('./settled-many.js');
    const changes = changesIn(this.client, (ask) => this.#call('the list of bill runs', ask));
    yield* settledMany(this.#jobs(), requests, changes, options);
  }

  #jobs() {
    return {
      idOf: (request: JobRequest) => this.#workflowId(request),
      last: (id: string) => this.#call(id, () => this.#lastJob(id)),
      status: (id: string) => this.status({ workflowId: id }),
      sends: (id: string) => this.sends({ workflowId: id }),
    };
  }

  /**
   * Tries again what did not go out: answers the open question, looks again during a cool-down, or sends documents that were not
   * sent, by a new job if the last one has closed. A missing `requestId` is generated; the second `retry` with the same one changes
   * nothing.
   *
   * @throws BillRunEmailsError `Ignored` if the job rejects it, with the reason; `NothingMissing` if the last job has closed, and
   *   nothing is known to be missing
   */
  async retry(name: JobName, message: Loose<RetryMessage> = {}): Promise<RetryResult> {
    const requestId = message.requestId ?? randomUUID();
    const retry = { ...message, requestId } as RetryMessage;
    const { sendAnyway, ordinal, ...note } = valid(checkRetry(retry));
    const workflowId = await this.#workflowId(name);
    // The send of an open question is meant, and a closed job asks none.
    const billRun = ordinal === undefined ? billRunIn(workflowId) : undefined;
    try {
      return await this.#updateOrSignal({ workflowId }, 'retry', retry);
    } catch (error) {
      const isClosed = error instanceof BillRunEmailsError && error.cause instanceof WorkflowNotFoundError;
      if (!isClosed || billRun === undefined) throw error;
    }
    const started = await this.start({ ...billRun, ...note, missing: true });
    // The job knows the request already, so what overrides its wait is a message of its own.
    if (sendAnyway === true) await this.#override(started.workflowId, noteOf(note));
    return { ...started, requestId };
  }

  async #override(workflowId: string, note: NoteMessage): Promise<void> {
    const message: RetryMessage = { ...note, sendAnyway: true };
    await this.#call(workflowId, () => this.client.workflow.getHandle(workflowId).signal(retrySignal, message));
  }

  /** Closes the job now; nothing more is sent. An attempt under way ends first. */
  async finish(name: JobName, note: Loose<NoteMessage> = {}): Promise<MessageResult> {
    valid(checkNote(note));
    return this.#updateOrSignal(name, 'finish', note as NoteMessage);
  }

  /** Starts no further attempt until `release`. Needs no worker. A note that is not valid holds as well, and is kept as text. */
  async hold(name: JobName, note: Loose<NoteMessage> = {}): Promise<MessageResult> {
    return this.#signal(name, 'hold', note as NoteMessage);
  }

  /** Lets attempts continue after `hold`. Needs no worker. */
  async release(name: JobName, note: Loose<NoteMessage> = {}): Promise<MessageResult> {
    valid(checkNote(note));
    return this.#signal(name, 'release', note as NoteMessage);
  }

  /**
   * Holds all jobs of the namespace, also those that start later: when it returns, only email calls under way end. Needs no worker,
   * and nothing ends it but `releaseAll`.
   */
  async holdAll(note: Loose<NoteMessage> = {}): Promise<{ readonly workflowId: string }> {
    await this.#call('the hold on all', () => holdAll.holdAll(this.client, this.#taskQueue, note as NoteMessage));
    this.#question = undefined;
    return { workflowId: HOLD_ALL_WORKFLOW_ID };
  }

  /** Who asked for the hold on all that is open, oldest first; null if none is open. */
  async holdAllRequests(): Promise<readonly HoldAllRequest[] | null> {
    return this.#call('the hold on all', () => holdAllRequests(this.client));
  }

  /**
   * Ends the hold on all, and has the jobs that it kept back go on. Jobs held one by one stay held. Needs no worker.
   *
   * @returns how many jobs it kept back, as far as Temporal lists them
   * @throws BillRunEmailsError `NotFound` if no hold on all is open
   */
  async releaseAll(note: Loose<NoteMessage> = {}): Promise<{ readonly workflowId: string; readonly jobs: number }> {
    valid(checkNote(note));
    await this.#call('the hold on all', () => holdAll.releaseAll(this.client, note as NoteMessage));
    this.#question = undefined;
    let nudged = 0;
    const nudge = (workflowId: string): Promise<void> =>
      this.#call(workflowId, () => holdAll.nudge(this.client, workflowId));
    const jobs: string[] = [];
    await this.#call('the jobs on hold', async () => {
      for await (const workflowId of holdAll.jobsHeldByAll(this.client)) jobs.push(workflowId);
    });
    for await (const { tried } of tryEach(jobs, nudge)) if (tried.ok) nudged += 1;
    return { workflowId: HOLD_ALL_WORKFLOW_ID, jobs: nudged };
  }

  async status(name: JobName): Promise<KnownStatus> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      const last = orNotFound(await caughtUp(this.client, workflowId, ANSWERS_WITHIN_MS), workflowId);
      const paused = last.paused.length === 0 ? {} : { paused: last.paused };
      // A query before the next task can make a job that cannot be replayed: decision 10.
      const isSilent = last.status === 'PAUSED' || last.hasNews;
      const answer = isSilent ? undefined : await this.#statusIn(last);
      const status = answer ?? { ...listedStatus(last), unanswered: true as const };
      const saysWhy = answer !== undefined && last.status !== 'TERMINATED' && last.status !== 'TIMED_OUT';
      const why = last.closedAt === null || saysWhy ? {} : { text: await this.#whyClosed(last) };
      const ended = ENDED.find((each) => each === last.status);
      const end = ended === undefined ? {} : { ended: { status: ended, at: last.closedAt?.toISOString() ?? null } };
      const closedAt = last.closedAt?.toISOString() ?? null;
      const notSent = last.attributes.get(searchAttributes.documentsNotSent) ?? null;
      return { workflowId, ...status, documentsNotSent: notSent, ...why, closedAt, ...paused, ...end };
    });
  }

  async #whyClosed(run: DescribedWorkflow): Promise<string> {
    const { whyClosed } = await import('./history/closing.js');
    return whyClosed(this.client, run);
  }

  /** Undefined if no worker answers in time, or the job failed before it could be asked. */
  async #statusIn({ workflowId, runId, closedAt }: DescribedWorkflow): Promise<JobStatus | undefined> {
    const handle = this.client.workflow.getHandle(workflowId, runId);
    try {
      return await this.client.withDeadline(Date.now() + ANSWERS_WITHIN_MS, () => handle.query(statusQuery));
    } catch (error) {
      const isGone = closedAt !== null && error instanceof QueryNotRegisteredError;
      if (isGone || failedAs(causeOf(error), 'unavailable')) return undefined;
      throw error;
    }
  }

  async sends(name: JobName): Promise<readonly SendRecord[]> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      const { hasNews } = orNotFound(await caughtUp(this.client, workflowId, ANSWERS_WITHIN_MS), workflowId);
      if (!hasNews) return this.client.workflow.getHandle(workflowId).query(sendsQuery);
      throw new BillRunEmailsError(
        'TemporalUnavailable',
        `no worker has taken what waits for ${workflowId}; repeat it, or see the audit`,
      );
    });
  }

  /** The jobs that Temporal lists, open ones first, then the newest first; needs no worker. */
  async *list(filter: ListFilter = {}): AsyncGenerator<ListedJob, void, undefined> {
    yield* listJobs(this.client, filter, (ask) => this.#call('the list of bill runs', ask));
  }

  /**
   * Names the bill runs that Zuora posted and nobody emailed, and the jobs that wait for people. With `startPostedSince` it starts what
   * was forgotten, at most 100 at once. It needs a worker.
   *
   * @throws BillRunEmailsError `Ignored` if a sweep is under way; `ZuoraUnavailable`
   */
  async sweep(input: Loose<SweepInput> = {}): Promise<SweepResult & { readonly workflowId: string }> {
    // Callers in other languages send null for an absent entity; the check drops it.
    const workflowId = sweepWorkflowId(valid(checkSweep(input)).entityId);
    const { runSweep } = await import('./sweep.js');
    try {
      return { workflowId, ...(await runSweep(this.client, workflowId, this.#taskQueue, input as SweepInput)) };
    } catch (error) {
      throw temporalFailure(error, workflowId);
    }
  }

  /** Who sent what, when and why, from event history; needs no worker and covers closed jobs. */
  async audit(name: BillRunName): Promise<Audit> {
    const workflowId = await this.#workflowId(name);
    const { auditOf } = await import('./history/audit.js');
    return this.#call(workflowId, () => auditOf(this.client, workflowId, (ask) => this.#withDeadline(ask)));
  }

  /** The workflow id of a bill run. A bill run named by its ID is looked up among the jobs that know its number. */
  async #workflowId(name: JobName): Promise<string> {
    if ('workflowId' in name) return name.workflowId;
    // Callers in other languages send null for an absent entity; the check drops it.
    const { billRunKey, entityId: entity } = valid(
      checkInput({ billRunKey: name.billRunKey, entityId: name.entityId }),
    );
    const workflowId = canonicalWorkflowId(billRunKey, entity);
    if (!isBillRunId(billRunKey)) return workflowId;
    return this.#call(workflowId, async () => {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND BillRunId = '${billRunKey}'`;
      for await (const { attributes } of listed(this.client, query, 1)) {
        const number = attributes.get(searchAttributes.billRunNumber);
        if (number !== undefined) return canonicalWorkflowId(number, entity);
      }
      return workflowId;
    });
  }

  async #lastJob(workflowId: string): Promise<LastJob> {
    const last = orNotFound(await lastJob(this.client, workflowId), workflowId);
    assertOurs(last, { taskQueue: this.#taskQueue });
    return last;
  }

  async #updateOrSignal(name: JobName, message: 'retry' | 'finish', argument: RetryMessage): Promise<MessageResult> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, () => updateOrSignal(this.client, workflowId, message, argument));
  }

  async #signal(name: JobName, signal: 'hold' | 'release', note: NoteMessage): Promise<MessageResult> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, () => signalAndConfirm(this.client, workflowId, signal, note));
  }

  async #call<T>(workflowId: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await this.#withDeadline(ask);
    } catch (error) {
      throw temporalFailure(error, workflowId);
    }
  }

  #withDeadline<T>(ask: () => Promise<T>): Promise<T> {
    return this.client.withDeadline(Date.now() + this.#deadlineMs, ask);
  }
}
