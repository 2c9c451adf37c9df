/** Starts a job, or joins the open one: for pipelines, callouts and handed-over requests alike. */
import { randomUUID } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  billRunIn,
  canonicalWorkflowId,
  holdSignal,
  WORKFLOW_TYPE,
  type EmailBillRunInput,
  type EmailState,
  type JobMemo,
} from '../workflows/contract/contract.js';
import { noteOf, type Settings } from '../workflows/contract/validation.js';
import { quoted } from '../workflows/rules/text.js';
import { BillRunEmailsError } from './failures/errors.js';
import { decide, lastJob, type LastJob, type Wanted } from './last-job.js';
import { updateOrSignal, type MessageResult } from './messages.js';
import { withStartAttributes } from './temporal/start-attributes.js';

/** Optional fields may also be undefined. JSON leaves them out. */
export type Loose<T> = {
  readonly [Field in keyof T]: object extends Pick<T, Field> ? T[Field] | undefined : T[Field];
};

/** The input of a job, as callers give it. */
export type StartInput = Loose<EmailBillRunInput>;

export interface StartResult {
  readonly workflowId: string;
  readonly runId: string;
  /**
   * - `started`: a new job waits for the bill run to post, or emails it.
   * - `joined`: a job is open already. A resend, a hold or `missing` that was asked for was handed to it.
   * - `alreadyEmailed`: Zuora accepted this before, or sent by itself; nothing was started.
   * - `stopped`: a person closed the last job; nothing was started. With `again`, a new one is.
   */
  readonly result: 'started' | 'joined' | 'alreadyEmailed' | 'stopped';
  /** The state of that job; null if Temporal does not list it yet. */
  readonly state: EmailState | null;
  /** It was joined, but an order that no worker has taken yet may close it. */
  readonly closing?: true;
  /** Only for `alreadyEmailed`: how many documents were not sent, and `retry` sends them; null if that is not known. */
  readonly documentsNotSent?: number | null;
  /** How the open job took a resend or `missing`, and the send that serves it, if that exists. */
  readonly via?: MessageResult['via'];
  readonly ordinal?: number;
  /** What keeps the order from being carried out, each with what to do: no worker polls, or all jobs are on hold. */
  readonly warnings?: readonly string[];
}

export interface Starter {
  readonly client: Client;
  readonly taskQueue: string;
}

/** How long a job that is closing is waited for, so that a new one can be opened. */
const CLOSES_WITHIN_MS = 3_000;
const ASK_AGAIN_MS = 100;

/**
 * @throws BillRunEmailsError `InvalidInput` if the workflow id belongs to something else; `NothingMissing`
 * @throws WorkflowNotFoundError if there is no job after which something could be missing
 */
export async function startOrJoin(
  starter: Starter,
  canonicalId: string,
  input: StartInput,
  settings: Settings,
): Promise<StartResult> {
  const wanted: Wanted = {
    resend: settings.resend ? settings.requestId : undefined,
    missing: settings.missing,
    again: settings.again === true,
  };
  const until = performance.now() + CLOSES_WITHIN_MS;
  let workflowId = canonicalId;
  // Before the first job of an id nothing can be missing.
  let started = wanted.missing === true ? undefined : await startJob(starter, workflowId, input, undefined);
  while (started === undefined) {
    const last = await lastJob(starter.client, workflowId);
    if (last !== undefined) assertOurs(last, starter);
    else if (wanted.missing === true) throw new WorkflowNotFoundError('there is no job', workflowId, undefined);
    const decision = last === undefined ? 'start' : decide(last, wanted);
    if (last === undefined || decision === 'start') {
      started = await startJob(starter, workflowId, input, last);
    } else if (decision === 'handedOver') {
      workflowId = canonicalWorkflowId(last.billRunNumber ?? '', settings.entityId);
      started = wanted.missing === true ? undefined : await startJob(starter, workflowId, input, undefined);
    } else if (decision === 'nothingMissing') {
      throw new BillRunEmailsError('NothingMissing', nothingMissing(last));
    } else if (decision === 'stopped') {
      return { ...found(last), result: decision };
    } else if (decision === 'alreadyEmailed') {
      return { ...found(last), result: decision, documentsNotSent: last.documentsNotSent };
    } else if (last.isChanging && performance.now() < until) {
      await pause();
    } else {
      const joined = await join(starter, last, settings, until);
      if (joined !== undefined) return joined;
    }
  }
  return started;
}

function found({ workflowId, runId, state }: LastJob): Pick<StartResult, 'workflowId' | 'runId' | 'state'> {
  return { workflowId, runId, state };
}

function nothingMissing({ workflowId, sends }: LastJob): string {
  const key = billRunIn(workflowId)?.billRunKey ?? '';
  return sends === 0
    ? `${workflowId} has closed, and nothing was accepted, so nothing is missing from it; to start anew: bill-run-emails start ${key} --again`
    : `${workflowId} has closed, and nothing is known to be missing: nothing was started; what Zuora shows: bill-run-emails documents ${key}`;
}

/** Undefined if the job has closed meanwhile, or is closing. */
async function join(
  { client }: Starter,
  last: LastJob,
  { resend, missing, hold, requestId = randomUUID(), ...request }: Settings,
  until: number,
): Promise<StartResult | undefined> {
  const { workflowId, isChanging } = last;
  const note = noteOf(request);
  try {
    if (hold === true) await client.workflow.getHandle(workflowId).signal(holdSignal, note);
    const message = resend ? 'resend' : missing === true ? 'retry' : undefined;
    const { via, ordinal } =
      message === undefined ? {} : await updateOrSignal(client, workflowId, message, { requestId, ...note });
    return {
      ...found(last),
      result: 'joined',
      ...(isChanging ? { closing: true } : {}),
      ...(via === undefined ? {} : { via }),
      ...(ordinal === undefined ? {} : { ordinal }),
    };
  } catch (error) {
    const isIgnored = error instanceof BillRunEmailsError && error.type === 'Ignored';
    const isClosing = resend && isIgnored && performance.now() < until;
    if (!(error instanceof WorkflowNotFoundError) && !isClosing) throw error;
    await pause();
    return undefined;
  }
}

/** One on another task queue is refused: two tenants can use the same bill run number. docs/decisions/0013. */
export function assertOurs(
  { workflowId, type, taskQueue }: Pick<LastJob, 'workflowId' | 'type' | 'taskQueue'>,
  { taskQueue: ours }: Pick<Starter, 'taskQueue'>,
): void {
  if (type !== WORKFLOW_TYPE) {
    const message = `${workflowId} is a workflow of type ${type}, and not of ours; give that one another id`;
    throw new BillRunEmailsError('InvalidInput', message);
  }
  if (taskQueue === ours) return;
  const message =
    `${workflowId} runs on task queue ${taskQueue}, and not on ${ours}: for another tenant? Each Zuora tenant ` +
    `needs a Temporal namespace of its own; BILL_RUN_TASK_QUEUE names the task queue`;
  throw new BillRunEmailsError('InvalidInput', message);
}

/**
 * Undefined if a job of the id is open; without a `last` one, also if Temporal has any. So a job knows whether there are earlier ones to
 * look up.
 */
async function startJob(
  { client, taskQueue }: Starter,
  workflowId: string,
  input: StartInput,
  last: LastJob | undefined,
): Promise<StartResult | undefined> {
  const { runId: earlierRun = '', sends = 0, resends = [], documentsNotSent: notSent = null } = last ?? {};
  const memo: JobMemo = { earlierRun, ...(resends.length === 0 ? {} : { resends }) };
  try {
    const handle = await withStartAttributes(input, { sends, notSent }, (attributes) =>
      client.workflow.start(WORKFLOW_TYPE, {
        ...{ workflowId, taskQueue, args: [input], memo: { ...memo }, ...described(input) },
        ...attributes,
        workflowIdReusePolicy: last === undefined ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
      }),
    );
    const state = input.hold === true ? 'Held' : 'Waiting';
    return { workflowId, runId: handle.firstExecutionRunId, result: 'started', state };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** What Temporal UI shows until the job runs. */
function described({ billRunKey, resend = false, missing = false, requestedBy, reason }: StartInput) {
  const sent = missing ? 'the documents that were not sent' : 'the documents';
  const which = resend ? 'all documents, also those emailed before,' : sent;
  const requester = requestedBy === undefined ? '' : `, requested by ${quoted(requestedBy)}`;
  const because = reason === undefined ? '' : `\n\nReason: ${quoted(reason)}`;
  return {
    staticSummary: `email bill run ${billRunKey}${resend ? ' (resend)' : missing ? ' (missing)' : ''}`,
    staticDetails: `Emails ${which} of bill run ${quoted(billRunKey)} once it is posted${requester}.${because}`,
  };
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
}
