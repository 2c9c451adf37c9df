/** Lives of email jobs on real parts, for the model-based test. */
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { emailFaults } from '../../proof/chaos/email-faults.js';
import type { EmailCall } from '../../proof/chaos/evidence.js';
import { endIn, readHistory } from '../../proof/history.js';
import type { Control } from '../../scripts/simulator-control.js';
import { checkInput, type Settings } from '../../workflows/contract/validation.js';
import {
  canonicalWorkflowId,
  type EmailBillRunInput,
  type JobStatus,
  type MessageAnswer,
  type SendRecord,
} from '../../workflows/contract/contract.js';
import { checkEnd, checkRules, type Evidence } from './evidence.js';
import { MINUTE } from './life.js';
import { uniqueNumber, type Email, type Replayer } from './rig.js';

/** The parts that lives share. */
export interface Place {
  readonly client: Client;
  readonly control: Control;
  readonly taskQueue: string;
  /** Whether the server skips waits. */
  readonly skips: boolean;
  /** Lets the job's time pass, if the server skips it. */
  readonly pass: (job: WorkflowHandle, ms: number) => Promise<void>;
  /** Zuora's clock (epoch, ms). */
  readonly now: () => Promise<number>;
  readonly replayer: Replayer;
  /** Kills the worker process and starts another. */
  readonly crash: () => Promise<void>;
  /** Queries a job while no worker is killed. Before that, the present worker takes a task of the job, unless it is gone by then. */
  readonly ask: <T>(
    knows: (pid: number, isGone: () => boolean) => Promise<void>,
    question: () => Promise<T>,
  ) => Promise<T>;
}

export interface Circumstances {
  readonly input: Omit<EmailBillRunInput, 'billRunKey'>;
  readonly status: string;
  /** Fields of the bill run beside those that it is created with. */
  readonly visible: Shown | null;
  /** The faults of the first calls. */
  readonly faults: readonly string[];
}

const DOCUMENTS = 3;
export const START_REQUEST = 'start';

/** One bill run, and the job that emails it. */
export class Life {
  readonly number: string;
  readonly place: Place;
  private readonly handle: WorkflowHandle;
  private readonly settings: Settings;
  posted: boolean;
  /** The job is closed, so no message arrives. */
  over = false;
  /** The send that serves a request, by the answers of the update. */
  readonly answered = new Map<string, number>();
  last: Evidence | undefined;
  /** The worker process that last took a task of the job, if that matters. */
  private knownBy: number | undefined;

  private constructor(place: Place, number: string, { input, status }: Circumstances, handle: WorkflowHandle) {
    this.place = place;
    this.number = number;
    this.handle = handle;
    this.posted = status === 'Posted';
    const { value, faults } = checkInput({ billRunKey: number, requestId: START_REQUEST, ...input });
    if (faults !== undefined) throw new Error(faults.join('; '));
    this.settings = value;
  }

  static async begin(place: Place, circumstances: Circumstances): Promise<Life> {
    const { control, client, taskQueue } = place;
    const { status, input, visible: record, faults } = circumstances;
    const { number } = await control<{ number: string }>('POST', '/bill-runs', {
      // Lives share a server, but not always a simulator.
      number: uniqueNumber(),
      invoices: DOCUMENTS - 1,
      creditMemos: 1,
      status,
    });
    if (record !== null) await show(place, number, record);
    for (const name of faults) {
      await control('POST', '/faults', { method: 'POST', path: emailsOf(number), ...emailFaults[name] });
    }
    const handle = await client.workflow.start('emailBillRun', {
      workflowId: canonicalWorkflowId(number),
      taskQueue,
      args: [{ billRunKey: number, requestId: START_REQUEST, ...input }],
    });
    const life = new Life(place, number, circumstances, handle);
    if (place.skips) await life.rest();
    await life.check({ atRest: place.skips });
    return life;
  }

  /** @returns whether it arrived */
  async signal(signal: string, ...args: readonly unknown[]): Promise<boolean> {
    return this.reach(() => this.handle.signal(signal, ...args));
  }

  /** Lets the job's time pass. */
  pass(ms: number): Promise<void> {
    return this.place.pass(this.handle, ms);
  }

  cancel(): Promise<boolean> {
    return this.reach(() => this.handle.cancel());
  }

  /** The update `resend`. @returns undefined if it was rejected */
  async resend(argument: unknown): Promise<MessageAnswer | undefined> {
    let answer: MessageAnswer | undefined;
    await this.reach(async () => {
      answer = await this.handle.executeUpdate('resend', { args: [argument] });
    }).catch(async (error: unknown) => {
      const { type } = (error as { cause?: { type?: unknown } }).cause ?? {};
      if (type !== 'InvalidInput' && !(await this.isOver())) throw error;
    });
    const { requestId, ordinal } = answer ?? {};
    if (requestId !== undefined && ordinal !== undefined) this.answered.set(requestId, ordinal);
    return answer;
  }

  private async reach(send: () => Promise<unknown>): Promise<boolean> {
    if (this.over) return false;
    try {
      await send();
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      this.over = true;
      return false;
    }
  }

  async isOver(): Promise<boolean> {
    this.over ||= (await this.handle.describe()).status.name !== 'RUNNING';
    return this.over;
  }

  fault(fault: object): Promise<unknown> {
    return this.place.control('POST', '/faults', { method: 'POST', path: emailsOf(this.number), ...fault });
  }

  readFault(fault: object): Promise<unknown> {
    const path = `/object-query/billing-runs/${this.number}`;
    return this.place.control('POST', '/faults', { method: 'GET', path, when: 'before', ...fault });
  }

  change(change: object): Promise<unknown> {
    return this.place.control('PATCH', `/bill-runs/${this.number}`, change);
  }

  async calls(): Promise<readonly EmailCall[]> {
    const requests = await this.place.control<EmailCall[]>('GET', `/requests?billRun=${this.number}`);
    return requests.filter(({ method }) => method === 'POST');
  }

  status(): Promise<JobStatus> {
    return this.query('status');
  }

  private query<T>(name: string): Promise<T> {
    return this.place.ask(
      (pid, isGone) => this.meet(pid, isGone),
      () => this.handle.query<T>(name),
    );
  }

  /**
   * Lets the present worker take a task of the job before a query. If a worker gets a query as its first task of a job, the query
   * handles events that no workflow task has taken yet, and the SDK continues from there. The commands of the next task then have an
   * order that no replay repeats (SDK 1.24, server 1.32).
   */
  private async meet(pid: number, isGone: () => boolean): Promise<void> {
    if (this.knownBy === pid || (await this.isOver())) return;
    const { client } = this.place;
    const { workflowId } = this.handle;
    await client.workflowService.resetStickyTaskQueue({ namespace: 'default', execution: { workflowId } });
    const length = (await this.handle.fetchHistory()).events?.length ?? 0;
    await this.signal('billRunPosted');
    await soon(
      'a task is taken by the new worker',
      async () => [await this.isOver(), await this.handle.fetchHistory()] as const,
      ([over, { events }]) =>
        over ||
        isGone() ||
        (events ?? [])
          .slice(length)
          .some(({ workflowTaskCompletedEventAttributes: task }) => task?.identity?.startsWith(`${pid}@`)),
    );
    if (!isGone()) this.knownBy = pid;
  }

  /** Waits until nothing is under way. The wait for the next attempt or the next read counts as rest. */
  async rest(): Promise<void> {
    await soon(
      'nothing is under way',
      async () => [await this.handle.describe(), await this.handle.fetchHistory()] as const,
      ([{ status, raw, historyLength }, { events }]) => {
        if (status.name !== 'RUNNING') return true;
        // The description and the history are of the same moment.
        if (events?.length !== historyLength) return false;
        const busy = (raw.pendingActivities ?? []).some(
          ({ activityType, attempt }) => activityType?.name !== 'watchBillRun' || (attempt ?? 1) < 2,
        );
        const task = events.findLast(
          (event) =>
            event.workflowTaskScheduledEventAttributes != null ||
            event.workflowTaskStartedEventAttributes != null ||
            event.workflowTaskCompletedEventAttributes != null,
        );
        return !busy && task?.workflowTaskCompletedEventAttributes != null;
      },
    );
  }

  /** Reads all sources and compares them. Their order matters, because the job may continue meanwhile. */
  async check({ atRest = false } = {}): Promise<Evidence> {
    const { place, number, handle, settings } = this;
    const mailbox = (): Promise<Email[]> => place.control('GET', `/mailbox?billRun=${number}`);
    const emailsBefore = await mailbox();
    const status = await this.status();
    const sends = await this.query<SendRecord[]>('sends');
    const emails = await mailbox();
    const calls = await this.calls();
    const history = readHistory(await handle.fetchHistory());
    const evidence: Evidence = {
      ...{ settings, status, sends, ...history, calls, emailsBefore, emails, atRest },
      documents: DOCUMENTS,
      startRequestId: START_REQUEST,
    };
    checkRules(evidence);
    if (!this.posted) expect(calls, 'rule 1: no call before the post').toEqual([]);
    for (const [requestId, ordinal] of this.answered) {
      const serving = sends.find(({ requests }) => requests.some((request) => request.requestId === requestId));
      if (serving !== undefined)
        expect(serving.ordinal, `${requestId} is served by the send that the update named`).toBe(ordinal);
    }
    this.last = evidence;
    return evidence;
  }

  /** After the end: the rules hold, the job names everything that is not settled, and its history replays. */
  async close(): Promise<void> {
    const evidence = await this.check({ atRest: true });
    const history = await this.handle.fetchHistory();
    checkEnd(evidence, endIn(history));
    await this.place.replayer.replayHistory(history, this.handle.workflowId);
  }
}

function emailsOf(number: string): string {
  return `/v1/bill-runs/${number}/emails`;
}

/** More than the loss of a worker, the pauses after it, and a busy machine take together. */
const WAIT_LIMIT_MS = 2 * MINUTE;

/** Waits for a condition. If it does not come, that is a failure like any other, and it is shrunk. */
export async function soon<T>(what: string, ask: () => Promise<T>, right: (answer: T) => boolean): Promise<void> {
  const limit = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    const answer = await ask();
    if (right(answer)) return;
    if (Date.now() > limit) throw new Error(`${what}: not reached; the last answer was ${inspect(answer)}`);
    await delay(50);
  }
}

/** Fields that Zuora can show about a bill run beside its status. */
export interface Shown {
  readonly autoEmail: boolean | null;
  readonly invoicesEmailed: boolean | null;
  readonly numberOfInvoices: number | null;
  readonly numberOfCreditMemos: number | null;
  readonly sentAgo: number | null;
}

export async function show(place: Place, number: string, { sentAgo, ...fields }: Shown): Promise<void> {
  const lastEmailSentTime = sentAgo === null ? null : new Date((await place.now()) - sentAgo).toISOString();
  await place.control('PATCH', `/bill-runs/${number}`, { ...fields, lastEmailSentTime });
}
