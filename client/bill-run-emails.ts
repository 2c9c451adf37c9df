import { randomUUID } from 'node:crypto';
import {
  Client,
  QueryRejectedError,
  WorkflowClient,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { checkInput, checkNote, checkResend, checkRetry, type Checked } from '../workflows/contract/validation.js';
import {
  billRunPostedSignal,
  canonicalWorkflowId,
  isBillRunId,
  resendSignal,
  sendsQuery,
  statusQuery,
  TASK_QUEUE,
  WORKFLOW_TYPE,
  type EmailBillRunInput,
  type EmailBillRunResult,
  type EmailState,
  type NoteMessage,
  type ResendMessage,
  type RetryMessage,
  type RunStatus,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { quoted } from '../workflows/rules/text.js';
import type { Audit } from './history/audit.js';
import { connect } from './temporal/connection.js';
import { STARTS_AT_ONCE, tryEach, type Tried } from './many.js';
import { BillRunEmailsError, valid } from './failures/errors.js';
import {
  alreadyEmailed,
  outcomeIn,
  seen,
  servedIn,
  stillWaiting,
  waitFrom,
  type ResendOutcome,
  type Seen,
} from './resend-outcome.js';
import type { ListedRun, ListFilter } from './list.js';
import { showing } from './temporal/start-attributes.js';
import { isTaskQueue, TASK_QUEUE_FAULT, taskQueueIn } from './temporal/task-queue.js';
import { temporalFailure } from './failures/temporal.js';

export interface StartResult {
  readonly workflowId: string;
  readonly runId: string;
  /**
   * - `started`: a new run waits for the bill run to post, or emails it.
   * - `joined`: a run is at it already; a resend that was asked for was handed to it.
   * - `alreadyEmailed`: an earlier run emailed it; nothing was started. `emailed` is its result.
   * - `canceled`, `terminated`: somebody stopped the last run; nothing was started. `again` starts it all the same.
   */
  readonly result: 'started' | 'joined' | 'alreadyEmailed' | 'canceled' | 'terminated';
  readonly emailed?: EmailBillRunResult;
  /** Of the run that was joined, as Temporal shows it; absent where it shows none yet. */
  readonly state?: EmailState;
}

/** How one of many was started, or why it was not. */
export type StartedOne = { readonly input: EmailBillRunInput } & Tried<StartResult>;

export interface ResendResult {
  readonly workflowId: string;
  readonly runId: string;
  readonly requestId: string;
}

/** What a run answers to the query `status`, and what it cannot know itself. */
export interface KnownStatus extends RunStatus {
  /** How Temporal ended a run that did not complete; what the run says is then its last word. Absent for all others. */
  readonly ended?: {
    readonly status: (typeof ENDED)[number];
    readonly at: string | null;
  };
}

export interface BillRunEmailsOptions {
  /** Default: `bill-run-emails`. */
  readonly taskQueue?: string;
  /** The longest a call to Temporal may take, in milliseconds. Default: 15 s. */
  readonly deadlineMs?: number;
}

/** How a bill run is named: by key, with its entity where the tenant has Zuora Multi-entity. */
export interface BillRunName {
  readonly billRunKey: string;
  readonly entityId?: string | undefined;
}

/** A run by the name of its bill run, or by its own id, as `list` tells it. */
export type RunName = BillRunName | { readonly workflowId: string };

/** A bill run, and how a run that has to be started for it is to go on. */
export type BillRunToStart = Omit<EmailBillRunInput, 'resend' | keyof ResendMessage>;

/** The signals by which operators decide, and what each may say. */
interface OperatorMessages {
  readonly retry: RetryMessage;
  readonly hold: NoteMessage;
  readonly release: NoteMessage;
  readonly finish: NoteMessage;
}
export type OperatorSignal = keyof OperatorMessages;

const checkOf: Readonly<Record<OperatorSignal, (message: unknown) => Checked<object>>> = {
  retry: checkRetry,
  hold: checkNote,
  release: checkNote,
  finish: checkNote,
};

const ENDED = ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'] as const;

const DEADLINE_MS = 15_000;

/** The longest to wait for an answer that is good to have and no more. */
const BRIEF_MS = 3_000;

/**
 * Starts, asks and signals `emailBillRun` for pipelines and operators. Every failure is a {@link BillRunEmailsError}.
 *
 * What only some calls need is imported by those, so that `status` on the command line is little slower than Temporal's client.
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

  /** As the environment says: `TEMPORAL_*`, and `BILL_RUN_TASK_QUEUE` for the task queue. */
  static async connect(options: BillRunEmailsOptions = {}): Promise<BillRunEmails> {
    const { taskQueue = taskQueueIn(process.env) } = options;
    return new BillRunEmails(new Client(await connect()), { ...options, taskQueue });
  }

  async close(): Promise<void> {
    await this.client.connection.close();
  }

  /**
   * Has a bill run emailed once: starts a run, joins the one at work, or tells that it was emailed before. Safe to repeat.
   *
   * @param options.again starts anew after a cancel or a terminate
   */
  async start(input: EmailBillRunInput, { again = false }: { again?: boolean } = {}): Promise<StartResult> {
    const settings = valid(checkInput(input));
    const workflowId = await this.#workflowId(settings);
    return this.#call(workflowId, async () => {
      const started = await this.#startRun(workflowId, input, 'REJECT_DUPLICATE');
      if (started !== undefined) return started;

      const last = await this.#describe(workflowId);
      const found = { workflowId, runId: last.runId };
      if (last.status.name === 'RUNNING' || last.status.name === 'PAUSED') {
        if (settings.resend) await this.#handToRunning(workflowId, settings);
        const { emailStateIn } = await import('./list.js');
        const state = emailStateIn(last);
        return { ...found, result: 'joined', ...(state === null ? {} : { state }) };
      }
      if (!again && last.status.name === 'CANCELLED') return { ...found, result: 'canceled' };
      if (!again && last.status.name === 'TERMINATED') return { ...found, result: 'terminated' };
      const emailed = await this.#emailedBy(
        last,
        settings.resend ? (settings.requestId ?? 'resend-at-start') : undefined,
      );
      if (emailed !== undefined) return { ...found, result: 'alreadyEmailed', emailed };
      const restarted = await this.#startRun(workflowId, input, 'ALLOW_DUPLICATE');
      // Somebody else may have started it in the meantime: then it is joined like any other.
      return restarted ?? (await this.start(input, { again }));
    });
  }

  /**
   * Starts many, `concurrency` (25) at once, and answers in their order. One that is refused does not keep the others from it; where
   * Temporal does not answer for so many in a row, the rest is not tried, and says so. One that is there twice is joined. Safe to repeat as a whole.
   */
  async *startMany(
    inputs: Iterable<EmailBillRunInput>,
    { again = false, concurrency = STARTS_AT_ONCE }: { again?: boolean; concurrency?: number } = {},
  ): AsyncGenerator<StartedOne, void, undefined> {
    const start = (input: EmailBillRunInput): Promise<StartResult> => this.start(input, { again });
    const options = { atOnce: concurrency, keyOf: ({ billRunKey }: EmailBillRunInput) => billRunKey };
    for await (const { item: input, tried } of tryEach(inputs, start, options)) yield { input, ...tried };
  }

  /**
   * Has all documents of a bill run emailed, also those emailed before: by the run at work, or else by a new one.
   * Repeating the same `requestId` does not repeat the emails, for as long as Temporal keeps the histories of earlier runs.
   */
  async requestResend(billRun: BillRunToStart, message: ResendMessage = {}): Promise<ResendResult> {
    const requestId = message.requestId ?? randomUUID();
    const request = { ...message, requestId };
    const input = { ...billRun, ...request, resend: true };
    valid(checkResend(request));
    valid(checkInput(input));
    const workflowId = await this.#workflowId(billRun);
    return this.#call(workflowId, async () => {
      await this.#describe(workflowId).catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      });
      const { signaledRunId: runId } = await showing(input, (shown) =>
        this.client.workflow.signalWithStart(WORKFLOW_TYPE, {
          ...this.#startOptions(workflowId, input),
          ...shown,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          signal: resendSignal,
          // A run that this call starts finds the request in its input as well, and takes it once.
          signalArgs: [request],
        }),
      );
      return { workflowId, runId, requestId };
    });
  }

  /**
   * Tells that a bill run has posted: its run looks at once, instead of with its next poll. A bill run without a run gets one, as
   * by `start`. Safe to repeat.
   *
   * @param options.start false: only a run at work is told
   * @throws BillRunEmailsError `NotFound` where none is at work, and none is to be started
   */
  async billRunPosted(input: BillRunToStart, { start = true }: { start?: boolean } = {}): Promise<StartResult> {
    const hint = async (): Promise<StartResult> => {
      const workflowId = await this.#workflowId(input);
      return this.#call(workflowId, async () => {
        const { runId } = await this.#describe(workflowId);
        await this.client.workflow.getHandle(workflowId).signal(billRunPostedSignal);
        return { workflowId, runId, result: 'joined' };
      });
    };
    if (!start) return hint();
    const started = await this.start(input);
    return started.result === 'joined' ? hint() : started;
  }

  /**
   * Whether the last run of a bill run has emailed for a resend with this request id, so that asking again would email nothing;
   * null where it has not, or where nobody tells within three seconds. Earlier runs are asked by the run that is to serve it.
   */
  async resendServed(name: BillRunName, requestId: string): Promise<(ResendResult & ResendOutcome) | null> {
    const workflowId = await this.#workflowId(name);
    try {
      return await this.#call(
        workflowId,
        async () => {
          const { runId } = await this.#describe(workflowId);
          const send = servedIn(await seen(this.client, workflowId), requestId);
          return send === null ? null : { workflowId, runId, requestId, ...alreadyEmailed(send) };
        },
        BRIEF_MS,
      );
    } catch {
      return null;
    }
  }

  /**
   * Waits until the send that serves a resend is settled, or a person is asked about it. The run may close meanwhile, or
   * hand the request over; a Temporal or a worker that is away for a while is waited for.
   *
   * @param longest such as `10 minutes`; when that is over, the result is `waiting`
   * @throws BillRunEmailsError `TemporalUnavailable` where nobody told anything in that time
   */
  async resendOutcome({ workflowId, requestId }: ResendResult, longest = '10 minutes'): Promise<ResendOutcome> {
    const until = Date.now() + waitFrom(longest);
    let asked = workflowId;
    let last: Seen | undefined;
    for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 1.5, 5_000)) {
      let away: unknown;
      try {
        last = await this.#call(asked, () => seen(this.client, asked), Math.max(until - Date.now(), BRIEF_MS));
        const outcome = last.handedOverTo === null ? outcomeIn(last, requestId) : undefined;
        if (outcome !== undefined) return outcome;
        asked = last.handedOverTo ?? asked;
      } catch (error) {
        if (!(error instanceof BillRunEmailsError) || error.type !== 'TemporalUnavailable') throw error;
        away = error;
      }
      const left = until - Date.now();
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, left)));
      else if (last === undefined) throw away;
      else return stillWaiting(last, requestId);
    }
  }

  /** Tells the run at work what an operator decided. */
  async signal<Name extends OperatorSignal>(
    name: RunName,
    signal: Name,
    message: OperatorMessages[Name] = {},
  ): Promise<{ workflowId: string }> {
    valid(checkOf[signal](message));
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      await this.client.workflow.getHandle(workflowId).signal(signal, message);
      return { workflowId };
    });
  }

  /**
   * The same, and sees whether it was followed, as far as a worker tells in three seconds.
   *
   * @throws BillRunEmailsError `Ignored` where the run recorded it as ignored, with the reason
   */
  async signalAndSee<Name extends OperatorSignal>(
    name: BillRunName,
    signal: Name,
    message: OperatorMessages[Name] = {},
  ): Promise<{ workflowId: string }> {
    const workflowId = await this.#workflowId(name);
    const before = await this.#ignored(workflowId);
    const signaled = await this.signal({ workflowId }, signal, message);
    const after = before === undefined ? undefined : await this.#ignored(workflowId);
    if (before === undefined || after === undefined || after.count === before.count) return signaled;
    const ignored = after.last.slice(before.count - after.count).findLast((each) => each.message === signal);
    if (ignored === undefined) return signaled;
    throw new BillRunEmailsError('Ignored', `${workflowId} ignored ${signal}: ${ignored.reason}`);
  }

  /** Undefined where nobody tells: whoever only wants to know more does without. */
  async #ignored(workflowId: string): Promise<RunStatus['ignored'] | undefined> {
    try {
      const ask = () => this.client.workflow.getHandle(workflowId).query(statusQuery);
      return (await this.#call(workflowId, ask, BRIEF_MS)).ignored;
    } catch {
      return undefined;
    }
  }

  async status(name: RunName): Promise<KnownStatus> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, async () => {
      try {
        // Rejected for a run that failed or was stopped, so that all others cost one question.
        const options = { ...this.client.workflow.options, queryRejectCondition: 'NOT_COMPLETED_CLEANLY' } as const;
        return await new WorkflowClient(options).getHandle(workflowId).query(statusQuery);
      } catch (error) {
        if (!(error instanceof QueryRejectedError)) throw error;
      }
      const { runId, status, closeTime } = await this.client.workflow.getHandle(workflowId).describe();
      const said = await this.client.workflow.getHandle(workflowId, runId).query(statusQuery);
      const ended = ENDED.find((each) => each === status.name);
      return ended === undefined ? said : { ...said, ended: { status: ended, at: closeTime?.toISOString() ?? null } };
    });
  }

  async sends(name: BillRunName): Promise<readonly SendRecord[]> {
    const workflowId = await this.#workflowId(name);
    return this.#call(workflowId, () => this.client.workflow.getHandle(workflowId).query(sendsQuery));
  }

  /** The bill runs that Temporal knows, open ones first, and the newest first; without a worker. */
  async *list(filter: ListFilter = {}): AsyncGenerator<ListedRun, void, undefined> {
    const { listRuns } = await import('./list.js');
    yield* listRuns(this.client, filter, (ask) => this.#call('the list of bill runs', ask));
  }

  /** Who sent what, when and why, from event history: it needs no worker, and works for closed runs as well. */
  async audit(name: BillRunName): Promise<Audit> {
    const workflowId = await this.#workflowId(name);
    const { auditOf } = await import('./history/audit.js');
    return this.#call(workflowId, () => auditOf(this.client, workflowId));
  }

  /** The id under which a bill run is emailed; one that is named by its ID is looked up among the runs that know its number. */
  async #workflowId(name: RunName): Promise<string> {
    if ('workflowId' in name) return name.workflowId;
    const { billRunKey, entityId } = name;
    // Without a null, which is how callers in other languages say that there is none.
    const { entityId: entity } = valid(checkInput({ billRunKey, entityId }));
    const workflowId = canonicalWorkflowId(billRunKey, entity);
    if (!isBillRunId(billRunKey)) return workflowId;
    const { searchAttributes } = await import('../workflows/contract/search-attributes.js');
    return this.#call(workflowId, async () => {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND BillRunId = '${billRunKey}'`;
      for await (const { typedSearchAttributes } of this.client.workflow.list({ query, pageSize: 1 })) {
        const number = typedSearchAttributes.get(searchAttributes.billRunNumber);
        if (number !== undefined) return canonicalWorkflowId(number, entity);
      }
      return workflowId;
    });
  }

  /**
   * The last run, which must be ours: bill runs of two tenants may have the same number, and what was or is sent for the other one
   * was not sent for this one. docs/decisions/0013.
   */
  async #describe(workflowId: string): Promise<WorkflowExecutionDescription> {
    const last = await this.client.workflow.getHandle(workflowId).describe();
    if (last.taskQueue === this.#taskQueue || last.type !== WORKFLOW_TYPE) return last;
    const message =
      `${workflowId} runs on task queue ${last.taskQueue}, and not on ${this.#taskQueue}: for another tenant? Each Zuora tenant ` +
      `needs a Temporal namespace of its own; BILL_RUN_TASK_QUEUE names the task queue`;
    throw new BillRunEmailsError('InvalidInput', message);
  }

  async #startRun(
    workflowId: string,
    input: EmailBillRunInput,
    workflowIdReusePolicy: 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE',
  ): Promise<StartResult | undefined> {
    try {
      const handle = await showing(input, (shown) =>
        this.client.workflow.start(WORKFLOW_TYPE, {
          ...this.#startOptions(workflowId, input),
          ...shown,
          workflowIdReusePolicy,
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
      return { workflowId, runId: handle.firstExecutionRunId, result: 'started' };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw error;
    }
  }

  #startOptions(workflowId: string, input: EmailBillRunInput) {
    const { billRunKey, resend = false, requestedBy, reason } = input;
    const which = resend ? 'all documents, also those emailed before,' : 'the documents';
    const asked = requestedBy === undefined ? '' : `, asked for by ${quoted(requestedBy)}`;
    const because = reason === undefined ? '' : `\n\nReason: ${quoted(reason)}`;
    return {
      workflowId,
      taskQueue: this.#taskQueue,
      args: [input] as [EmailBillRunInput],
      staticSummary: `email bill run ${billRunKey}${resend ? ' (resend)' : ''}`,
      staticDetails: `Emails ${which} of bill run ${quoted(billRunKey)} once it is posted${asked}.${because}`,
    };
  }

  async #handToRunning(workflowId: string, { requestId = 'resend-at-start', requestedBy, reason }: ResendMessage) {
    await this.client.workflow.getHandle(workflowId).signal(resendSignal, {
      requestId,
      ...(requestedBy === undefined ? {} : { requestedBy }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** The result of a closed run, if it emailed what is asked for now: anything, or the resend with that request id. */
  async #emailedBy(
    { workflowId, runId, status, type }: WorkflowExecutionDescription,
    resendId: string | undefined,
  ): Promise<EmailBillRunResult | undefined> {
    if (status.name !== 'COMPLETED' || type !== WORKFLOW_TYPE) return undefined;
    const result = (await this.client.workflow.getHandle(workflowId, runId).result()) as EmailBillRunResult;
    const accepted = result.sends.filter(({ outcome }) => outcome === 'accepted');
    const served = accepted.some(
      ({ requests }) => resendId === undefined || requests.some(({ requestId }) => requestId === resendId),
    );
    return result.state === 'Emailed' && served ? result : undefined;
  }

  async #call<T>(workflowId: string, ask: () => Promise<T>, longestMs = this.#deadlineMs): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + Math.min(longestMs, this.#deadlineMs), ask);
    } catch (error) {
      throw temporalFailure(error, workflowId);
    }
  }
}
