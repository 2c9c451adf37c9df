import { randomUUID } from 'node:crypto';
import {
  ApplicationFailure,
  Client,
  QueryRejectedError,
  WorkflowClient,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { checkInput, checkNote, checkResend, checkRetry, type Settings } from '../workflows/contract/validation.js';
import {
  billRunPostedSignal,
  canonicalWorkflowId,
  HOLD_ALL_WORKFLOW_ID,
  isBillRunId,
  resendSignal,
  sendsQuery,
  statusQuery,
  TASK_QUEUE,
  WORKFLOW_TYPE,
  type EmailBillRunInput,
  type EmailBillRunResult,
  type EmailState,
  type JobStatus,
  type MessageAnswer,
  type NoteMessage,
  type ResendMessage,
  type RetryMessage,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { quoted } from '../workflows/rules/text.js';
import type { Audit } from './history/audit.js';
import * as holdAll from './hold-all.js';
import { holdAllRequests, type HoldAllRequest } from './history/hold-all.js';
import { connect } from './temporal/connection.js';
import { tryEach, type Tried } from './many.js';
import { BillRunEmailsError, valid } from './failures/errors.js';
import { alreadyEmailed, outcomeOf, sendFor, type ResendOutcome } from './resend-outcome.js';
import { emailStateIn, listJobs, type ListedJob, type ListFilter } from './list.js';
import { withStartAttributes } from './temporal/start-attributes.js';
import { isTaskQueue, TASK_QUEUE_FAULT, taskQueueIn } from './temporal/task-queue.js';
import { temporalFailure } from './failures/temporal.js';

/** Optional fields may also be undefined. JSON leaves them out. */
type Loose<T> = { readonly [Field in keyof T]: object extends Pick<T, Field> ? T[Field] | undefined : T[Field] };

/** The input of a job, as callers give it. */
export type StartInput = Loose<EmailBillRunInput>;

/** A bill run, and the settings for a job that has to be started for it. */
export type BillRunToStart = Omit<StartInput, 'resend' | keyof ResendMessage>;

export interface StartResult {
  readonly workflowId: string;
  readonly runId: string;
  /**
   * - `started`: a new job waits for the bill run to post, or emails it.
   * - `joined`: a job is open already. A resend that was asked for was handed to it.
   * - `alreadyEmailed`: an earlier job emailed the bill run; nothing was started. `emailed` is its result.
   * - `stopped`: a person canceled or terminated the last job; nothing was started. `again` starts all the same.
   */
  readonly result: 'started' | 'joined' | 'alreadyEmailed' | 'stopped';
  /** The state of that job; null if Temporal does not list it yet. */
  readonly state: EmailState | null;
  readonly emailed?: EmailBillRunResult;
}

/** How one of many was started, or why it was not. */
export type StartedOne = { readonly input: StartInput } & Tried<StartResult>;

export interface ResendResult {
  readonly workflowId: string;
  readonly runId: string;
  readonly requestId: string;
}

/** How a job took a message. */
export interface MessageResult extends Loose<Partial<MessageAnswer>> {
  readonly workflowId: string;
  /** `update`: the job has answered. `signal`: no worker answered in time, and the job takes the message when one does. */
  readonly via: 'update' | 'signal';
}

/** The answer to the query `status`, and what Temporal knows besides. */
export interface KnownStatus extends JobStatus {
  readonly workflowId: string;
  /** How Temporal ended a job that did not complete; the other fields are then its last known state. Absent for all others. */
  readonly ended?: {
    readonly status: (typeof ENDED)[number];
    readonly at: string | null;
  };
}

export interface BillRunEmailsOptions {
  /** Default: `bill-run-emails`. */
  readonly taskQueue?: string;
  /** The deadline of a call to Temporal, in milliseconds. Default: 15 s. */
  readonly deadlineMs?: number;
}

/** Names a bill run by its ID or number, with the entity if the tenant has Zuora Multi-entity. */
export interface BillRunName {
  readonly billRunKey: string;
  readonly entityId?: string | undefined;
}

/** Names a job by its bill run, or by its workflow id, as `list` shows it. */
export type JobName = BillRunName | { readonly workflowId: string };

const ENDED = ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'] as const;

const DEADLINE_MS = 15_000;

/** How long to wait for a worker's answer that is not essential. */
const BRIEF_MS = 3_000;

/**
 * Starts email jobs, asks them and sends them messages, for pipelines and operators. Every failure is a {@link BillRunEmailsError}.
 *
 * Modules that only some calls need are loaded by those calls, so `status` on the command line is little slower than Temporal's client.
 */
export class BillRunEmails {
  readonly client: Client;
  readonly #taskQueue: string;
  readonly #deadlineMs: number;

  constructor(client: Client, { taskQueue = TASK_QUEUE, deadlineMs = DEADLINE_MS }: BillRunEmailsOptions = {}) {
    if (!isTaskQueue(taskQueue)) throw new BillRunEmailsError('InvalidInput', `taskQueue ${TASK_QUEUE_FAULT}`);
    this.client = client;
    this.#taskQueue = taskQueue;
    this.#deadlineMs = deadlineMs;
  }

  /** Connects by the environment: `TEMPORAL_*`, and `BILL_RUN_TASK_QUEUE` for the task queue. */
  static async connect(options: BillRunEmailsOptions = {}): Promise<BillRunEmails> {
    const { taskQueue = taskQueueIn(process.env) } = options;
    return new BillRunEmails(new Client(await connect()), { ...options, taskQueue });
  }

  async close(): Promise<void> {
    await this.client.connection.close();
  }

  /**
   * Emails a bill run once: starts a job, joins the open one, or reports that the bill run was emailed before. Safe to repeat.
   *
   * @param options.again starts a new job after a cancellation or a termination
   */
  async start(input: StartInput, { again = false }: { again?: boolean } = {}): Promise<StartResult> {
    const settings = valid(checkInput(input));
    const workflowId = await this.#workflowId(settings);
    return this.#call(workflowId, async () => {
      const started = await this.#startJob(workflowId, input, 'REJECT_DUPLICATE');
      if (started !== undefined) return started;

      const last = await this.#describe(workflowId);
      const found = { workflowId, runId: last.runId, state: emailStateIn(last) };
      if (last.status.name === 'RUNNING' || last.status.name === 'PAUSED') {
        if (settings.resend) await this.client.workflow.getHandle(workflowId).signal(resendSignal, requestIn(settings));
        return { ...found, result: 'joined' };
      }
      const isStopped = last.status.name === 'CANCELLED' || last.status.name === 'TERMINATED';
      if (isStopped && !again) return { ...found, result: 'stopped' };
      const emailed = await this.#emailedBy(last, settings.resend ? settings.requestId : undefined);
      if (emailed !== undefined) return { ...found, result: 'alreadyEmailed', emailed };
      const restarted = await this.#startJob(workflowId, input, 'ALLOW_DUPLICATE');
      // Another caller may have started one in the meantime: join it.
      return restarted ?? (await this.start(input, { again }));
    });
  }

  /**
   * Starts many, 25 at once, and answers in their order. One that is refused does not stop the others. After 25 failures of the
   * connection in a row, the rest is reported as not tried. Safe to repeat as a whole.
   */
  async *startMany(
    inputs: Iterable<StartInput>,
    { again = false }: { again?: boolean } = {},
  ): AsyncGenerator<StartedOne, void, undefined> {
    const start = (input: StartInput): Promise<StartResult> => this.start(input, { again });
    for await (const { item: input, tried } of tryEach(inputs, start)) yield { input, ...tried };
  }

  /**
   * Emails all documents of a bill run again, by the open job or by a new one. Repeating the same `requestId` does not repeat the
   * emails, for as long as Temporal keeps the histories of earlier jobs.
   */
  async resend(
    billRun: BillRunToStart,
    message: Loose<ResendMessage> & { readonly requestId: string },
  ): Promise<ResendResult> {
    const { requestId } = message;
    const request = message as ResendMessage;
    const input = { ...billRun, ...request, resend: true };
    valid(checkResend(request));
    valid(checkInput(input));
    const workflowId = await this.#workflowId(billRun);
    return this.#call(workflowId, async () => {
      await this.#describe(workflowId).catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      });
      const { signaledRunId: runId } = await withStartAttributes(input, (attributes) =>
        this.client.workflow.signalWithStart(WORKFLOW_TYPE, {
          ...this.#startOptions(workflowId, input),
          ...attributes,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          signal: resendSignal,
          // A job that this call starts finds the same request in its input, and takes it once.
          signalArgs: [request],
        }),
      );
      return { workflowId, runId, requestId };
    });
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
        const last = await this.#describe(workflowId);
        await this.client.workflow.getHandle(workflowId).signal(billRunPostedSignal);
        return { workflowId, runId: last.runId, result: 'joined', state: emailStateIn(last) };
      });
    };
    if (!start) return hint();
    const started = await this.start(input);
    return started.result === 'joined' ? hint() : started;
  }

  /**
   * Whether the last job of a bill run has emailed for this request id, so that asking again would email nothing. Null if it has not,
   * or if no worker answers within three seconds. A job that takes the request looks into earlier jobs itself.
   */
  async resendServed(name: BillRunName, requestId: string): Promise<(ResendResult & ResendOutcome) | null> {
    const workflowId = await this.#workflowId(name);
    const ask = async (): Promise<(ResendResult & ResendOutcome) | null> => {
      const { runId } = await this.#describe(workflowId);
      const send = sendFor(requestId, await this.client.workflow.getHandle(workflowId, runId).query(sendsQuery));
      return send?.outcome === 'accepted' ? { workflowId, runId, requestId, ...alreadyEmailed(send) } : null;
    };
    return this.client.withDeadline(Date.now() + BRIEF_MS, ask).catch(() => null);
  }

  /**
   * Waits until the send that serves a resend is settled, or a person is asked about it. Meanwhile the job may close or hand the
   * request over, and Temporal or the worker may be away.
   *
   * @param longestMs after that time the result is `waiting`
   * @throws BillRunEmailsError `TemporalUnavailable` if there was no answer at all in that time
   */
  async resendOutcome({ workflowId, requestId }: ResendResult, longestMs = 600_000): Promise<ResendOutcome> {
    const until = Date.now() + longestMs;
    let job = { workflowId };
    let last: ResendOutcome | undefined;
    for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 1.5, 5_000)) {
      try {
        const status = await this.status(job);
        last = outcomeOf(requestId, status, await this.sends(job));
        if (status.state === 'HandedOver' && status.billRunNumber !== null) {
          const [, entityId] = /^email-bill-run\/(.*)\//.exec(workflowId) ?? [];
          job = { workflowId: canonicalWorkflowId(status.billRunNumber, entityId) };
        }
      } catch (error) {
        const isAway = error instanceof BillRunEmailsError && error.type === 'TemporalUnavailable';
        if (!isAway || (last === undefined && Date.now() >= until)) throw error;
      }
      if (last !== undefined && (last.result !== 'waiting' || Date.now() >= until)) return last;
      await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, Math.max(until - Date.now(), 0))));
    }
  }

  /**
   * Tries again what did not go out: answers the open question, or looks again during a cool-down. A missing `requestId` is
   * generated; the second `retry` with the same one changes nothing.
   *
   * @throws BillRunEmailsError `Ignored` if the job rejects it, with the reason
   */
  async retry(name: JobName, message: Loose<RetryMessage> = {}): Promise<MessageResult> {
    const retry = { ...message, requestId: message.requestId ?? randomUUID() } as RetryMessage;
    valid(checkRetry(retry));
    return this.#update(name, 'retry', retry);
  }

  /** Closes the job now; nothing more is sent. An attempt under way ends first. */
  async finish(name: JobName, note: Loose<NoteMessage> = {}): Promise<MessageResult> {
    valid(checkNote(note));
    return this.#update(name, 'finish', note as NoteMessage);
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
      try {
        // Rejected for a job that failed or was stopped. All others need one call, and no memo of another starter is decoded.
        const options = { ...this.client.workflow.options, queryRejectCondition: 'NOT_COMPLETED_CLEANLY' } as const;
        return { workflowId, ...(await new WorkflowClient(options).getHandle(workflowId).query(statusQuery)) };
      } catch (error) {
        if (!(error instanceof QueryRejectedError)) throw error;
      }
      const { runId, status, closeTime } = await this.client.workflow.getHandle(workflowId).describe();
      const last = { workflowId, ...(await this.client.workflow.getHandle(workflowId, runId).query(statusQuery)) };
      const ended = ENDED.find((each) => each === status.name);
      return ended === undefined ? last : { ...last, ended: { status: ended, at: closeTime?.toISOString() ?? null } };
    });
  }

  async sends(name: JobName): Promise<readonly SendRecord[]> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, () => this.client.workflow.getHandle(workflowId).query(sendsQuery));
  }

  /** The jobs that Temporal lists, open ones first, then the newest first; needs no worker. */
  async *list(filter: ListFilter = {}): AsyncGenerator<ListedJob, void, undefined> {
    yield* listJobs(this.client, filter, (ask) => this.#call('the list of bill runs', ask));
  }

  /** Who sent what, when and why, from event history; needs no worker and covers closed jobs. */
  async audit(name: BillRunName): Promise<Audit> {
    const workflowId = await this.#workflowId(name);
    const { auditOf } = await import('./history/audit.js');
    return this.#call(workflowId, () => auditOf(this.client, workflowId));
  }

  /** The workflow id of a bill run. A bill run named by its ID is looked up among the jobs that know its number. */
  async #workflowId(name: JobName): Promise<string> {
    if ('workflowId' in name) return name.workflowId;
    const { billRunKey, entityId } = name;
    // Callers in other languages send null for an absent entity; the check drops it.
    const { entityId: entity } = valid(checkInput({ billRunKey, entityId }));
    const workflowId = canonicalWorkflowId(billRunKey, entity);
    if (!isBillRunId(billRunKey)) return workflowId;
    return this.#call(workflowId, async () => {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND BillRunId = '${billRunKey}'`;
      for await (const { typedSearchAttributes } of this.client.workflow.list({ query, pageSize: 1 })) {
        const number = typedSearchAttributes.get(searchAttributes.billRunNumber);
        if (number !== undefined) return canonicalWorkflowId(number, entity);
      }
      return workflowId;
    });
  }

  /** The last job. One on another task queue is refused: two tenants can use the same bill run number. docs/decisions/0013. */
  async #describe(workflowId: string): Promise<WorkflowExecutionDescription> {
    const last = await this.client.workflow.getHandle(workflowId).describe();
    if (last.taskQueue === this.#taskQueue || last.type !== WORKFLOW_TYPE) return last;
    const message =
      `${workflowId} runs on task queue ${last.taskQueue}, and not on ${this.#taskQueue}: for another tenant? Each Zuora tenant ` +
      `needs a Temporal namespace of its own; BILL_RUN_TASK_QUEUE names the task queue`;
    throw new BillRunEmailsError('InvalidInput', message);
  }

  async #startJob(
    workflowId: string,
    input: StartInput,
    workflowIdReusePolicy: 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE',
  ): Promise<StartResult | undefined> {
    try {
      const handle = await withStartAttributes(input, (attributes) =>
        this.client.workflow.start(WORKFLOW_TYPE, {
          ...this.#startOptions(workflowId, input),
          ...attributes,
          workflowIdReusePolicy,
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
      return { workflowId, runId: handle.firstExecutionRunId, result: 'started', state: 'Waiting' };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw error;
    }
  }

  #startOptions(workflowId: string, input: StartInput) {
    const { billRunKey, resend = false, requestedBy, reason } = input;
    const which = resend ? 'all documents, also those emailed before,' : 'the documents';
    const requester = requestedBy === undefined ? '' : `, requested by ${quoted(requestedBy)}`;
    const because = reason === undefined ? '' : `\n\nReason: ${quoted(reason)}`;
    return {
      workflowId,
      taskQueue: this.#taskQueue,
      args: [input],
      staticSummary: `email bill run ${billRunKey}${resend ? ' (resend)' : ''}`,
      staticDetails: `Emails ${which} of bill run ${quoted(billRunKey)} once it is posted${requester}.${because}`,
    };
  }

  /** The result of a closed job that emailed what is wanted now: anything, or the resend with that request id. */
  async #emailedBy(
    { workflowId, runId, status, type }: WorkflowExecutionDescription,
    resendId: string | undefined,
  ): Promise<EmailBillRunResult | undefined> {
    if (status.name !== 'COMPLETED' || type !== WORKFLOW_TYPE) return undefined;
    const result = (await this.client.workflow.getHandle(workflowId, runId).result()) as EmailBillRunResult;
    if (result.state !== 'Delivering' && result.state !== 'Emailed') return undefined;
    if (resendId === undefined) return result;
    const isServed = result.sends.some(
      ({ outcome, requests }) =>
        outcome === 'accepted' && requests.some(({ requestId, resend }) => resend && requestId === resendId),
    );
    return isServed ? result : undefined;
  }

  /** Sends a message by an update, and by the signal of the same name if no worker answers. Taking both changes nothing. */
  async #update(name: JobName, message: 'retry' | 'finish', argument: RetryMessage): Promise<MessageResult> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      const handle = this.client.workflow.getHandle(workflowId);
      try {
        const answer = await this.client.withDeadline(Date.now() + BRIEF_MS, () =>
          handle.executeUpdate<MessageAnswer, [RetryMessage]>(message, { args: [argument] }),
        );
        return { workflowId, via: 'update', ...answer };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) throw error;
        if (error instanceof WorkflowUpdateFailedError) {
          const reason = error.cause instanceof ApplicationFailure ? error.cause.message : error.message;
          throw new BillRunEmailsError('Ignored', `${workflowId} ignored ${message}: ${reason}`, { cause: error });
        }
        // No worker, or a workflow that is paused in Temporal, which takes signals only.
      }
      await handle.signal(message, argument);
      return { workflowId, via: 'signal', requestId: argument.requestId };
    });
  }

  async #signal(name: JobName, message: 'hold' | 'release', note: NoteMessage): Promise<MessageResult> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      await this.client.workflow.getHandle(workflowId).signal(message, note);
      return { workflowId, via: 'signal' };
    });
  }

  async #call<T>(workflowId: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + this.#deadlineMs, ask);
    } catch (error) {
      throw temporalFailure(error, workflowId);
    }
  }
}

function requestIn({ requestId, requestedBy, reason }: Settings): ResendMessage {
  return { requestId, requestedBy, reason } as ResendMessage;
}
