/** How an email job gets into each state of its life, with each reason, and to each of its ends. */
import type { WorkflowHandle } from '@temporalio/client';
import {
  HOLD_ALL_WORKFLOW_ID,
  type EmailBillRunInput,
  type EmailReason,
  type EmailState,
} from '../../workflows/contract/contract.js';
import { READS_FAIL, until, type Rig } from './rig.js';
import { sendTooMany } from './server.js';

/** Starts a job for a new bill run, as a pipeline does. */
export type Start = (
  billRun?: object,
  input?: Partial<EmailBillRunInput>,
) => Promise<{ readonly number: string; readonly id: string; readonly job: WorkflowHandle }>;

export function starting(rig: Rig, nextNumber?: () => string): Start {
  return async (billRun = {}, input = {}) => {
    const named = nextNumber === undefined ? {} : { number: nextNumber() };
    const { number, id } = await rig.billRun.create({ ...named, ...billRun });
    const note = { requestedBy: 'nightly-billing', reason: 'month end' };
    return { number, id, job: await rig.start({ billRunKey: number, ...note, ...input }) };
  };
}

/** Skips the time to each check of the documents. */
async function checked(
  rig: Rig,
  job: WorkflowHandle,
  ...waits: readonly `${number} minutes`[]
): Promise<WorkflowHandle> {
  for (const wait of waits) {
    await rig.checkPlanned(job);
    await rig.skip(job, wait);
  }
  return job;
}

type Reach = (rig: Rig, start: Start) => Promise<WorkflowHandle>;

interface Reachable {
  readonly state: EmailState;
  readonly reason: EmailReason | null;
  /** Returns while the job is on its way to the state. */
  readonly reach: Reach;
}

/** Every state with every reason that a job of this version can have, by a short name. */
export const states: Readonly<Record<string, Reachable>> = {
  Waiting: {
    state: 'Waiting',
    reason: 'notPosted',
    reach: async (_, start) => (await start({ status: 'Completed' })).job,
  },
  CoolDown: {
    state: 'Waiting',
    reason: 'coolDown',
    async reach(rig, start) {
      const { number, job } = await start({ status: 'Completed' });
      await rig.billRun.change(number, { status: 'Posted', lastEmailSentTime: new Date().toISOString() });
      return job;
    },
  },
  Sending: {
    state: 'Sending',
    reason: null,
    async reach(rig, start) {
      await rig.fault({ fault: 'respond', status: 429, headers: { 'retry-after': 3_000 } });
      return (await start()).job;
    },
  },
  SendingUnknown: {
    state: 'Sending',
    reason: 'unknown',
    async reach(rig, start) {
      await rig.fault({ fault: 'reset', times: 10_000 });
      const { job } = await start();
      await until(
        () => rig.sends(job),
        ([send]) => send?.attempts.length === 1,
      );
      await rig.skip(job, '16 minutes');
      return job;
    },
  },
  Held: {
    state: 'Held',
    reason: 'job',
    async reach(rig, start) {
      const { number, job } = await start({ status: 'Completed' });
      await job.signal('hold', { requestedBy: 'alice', reason: 'wrong template' });
      await rig.billRun.change(number, { status: 'Posted' });
      return job;
    },
  },
  HeldByAll: {
    state: 'Held',
    reason: 'all',
    async reach(rig, start) {
      await rig.emails.holdAll({ requestedBy: 'alice', reason: 'wrong template' });
      const { job } = await start();
      await rig.state(job, 'Held', 'all');
      // The job asks again after half a minute. The jobs of the next tests must not wait.
      await rig.client.workflow.getHandle(HOLD_ALL_WORKFLOW_ID).terminate('the next test begins');
      return job;
    },
  },
  NeedsAttentionRefused: {
    state: 'NeedsAttention',
    reason: 'refused',
    async reach(rig, start) {
      await rig.fault(REFUSAL);
      return (await start()).job;
    },
  },
  NeedsAttention: {
    state: 'NeedsAttention',
    reason: 'unknown',
    async reach(rig, start) {
      await rig.fault({ fault: 'reset', times: 9 });
      return (await start({}, { sendBudget: '1s' })).job;
    },
  },
  NeedsAttentionCannotRead: {
    state: 'NeedsAttention',
    reason: 'cannotRead',
    async reach(rig, start) {
      const job = await unreadable(rig, start);
      await rig.skip(job, '30 minutes');
      return job;
    },
  },
  Delivering: { state: 'Delivering', reason: null, reach: async (_, start) => (await start()).job },
  AutoEmail: {
    state: 'Delivering',
    reason: 'autoEmail',
    reach: async (_, start) => (await start({ autoEmail: true })).job,
  },
  EmailedElsewhere: {
    state: 'Delivering',
    reason: 'emailedElsewhere',
    async reach(rig, start) {
      const { number, job } = await start({ status: 'Completed' });
      const emailed = { invoicesEmailed: true, lastEmailSentTime: new Date().toISOString() };
      await rig.billRun.change(number, { status: 'Posted', ...emailed });
      return job;
    },
  },
  Emailed: {
    state: 'Emailed',
    reason: null,
    async reach(rig, start) {
      const { job } = await start();
      return checked(rig, job, '6 minutes');
    },
  },
  NotSent: {
    state: 'Delivering',
    reason: 'notSent',
    async reach(rig, start) {
      await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false });
      const { job } = await start();
      return checked(rig, job, '6 minutes', '10 minutes');
    },
  },
  Skipped: {
    state: 'Skipped',
    reason: 'noDocuments',
    reach: async (_, start) => (await start({ invoices: 0, creditMemos: 0 })).job,
  },
  Stopped: {
    state: 'Stopped',
    reason: 'finish',
    async reach(_, start) {
      const { job } = await start({ status: 'Completed' });
      await job.signal('finish', { requestedBy: 'alice', reason: 'not to be emailed' });
      return job;
    },
  },
  Canceled: {
    state: 'Stopped',
    reason: 'cancel',
    async reach(_, start) {
      const { job } = await start({ status: 'Completed' });
      await job.cancel();
      return job;
    },
  },
  NotPosted: {
    state: 'NotPosted',
    reason: null,
    reach: async (_, start) => (await start({ status: 'Canceled' })).job,
  },
  UnsettledRefused: {
    state: 'Unsettled',
    reason: 'refused',
    async reach(rig, start) {
      await rig.fault(REFUSAL);
      return (await start({}, { openFor: '1s' })).job;
    },
  },
  Unsettled: {
    state: 'Unsettled',
    reason: 'unknown',
    async reach(rig, start) {
      await rig.fault({ fault: 'reset', times: 9 });
      return (await start({}, { sendBudget: '1s', openFor: '1s' })).job;
    },
  },
  UnsettledCannotRead: {
    state: 'Unsettled',
    reason: 'cannotRead',
    async reach(rig, start) {
      const job = await unreadable(rig, start, { openFor: '1s' });
      await rig.skipToEnd(job);
      return job;
    },
  },
  HandedOver: {
    state: 'HandedOver',
    reason: null,
    async reach(rig, start) {
      const { number, id } = await start();
      return rig.startAs(`of-a-pipeline-${number}`, { billRunKey: id });
    },
  },
};

/** A job whose first send waits for the end of a cool-down, and whose bill run cannot be read then. */
async function unreadable(rig: Rig, start: Start, input: Partial<EmailBillRunInput> = {}): Promise<WorkflowHandle> {
  const lastEmailSentTime = new Date().toISOString();
  const { number, job } = await start({ status: 'Completed' }, { coolDown: '10 minutes', ...input });
  await rig.billRun.change(number, { status: 'Posted', lastEmailSentTime });
  await rig.state(job, 'Waiting', 'coolDown');
  await rig.fault({ ...READS_FAIL, status: 503 });
  return job;
}

const REFUSAL = { fault: 'respond', status: 400, body: { success: false, reasons: [{ code: 58730020 }] } };

/** Lives whose histories hold what the states above do not. When they return, the job is closed or nothing is under way. */
export const lives: Readonly<Record<string, Reach>> = {
  async 'emailed three times, and completed'(rig, start) {
    await rig.fault({ when: 'after', fault: 'reset' });
    const { job } = await start();
    await rig.accepted(job, 1);
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.accepted(job, 2);
    await job.executeUpdate('resend', { args: [{ requestId: 'T-2', requestedBy: 'bob' }] });
    await rig.accepted(job, 3);
    await job.signal('finish');
    await rig.result(job);
    return job;
  },
  async 'refused, retried, and nobody answered'(rig, start) {
    await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
    const { job } = await start({}, { openFor: '3s' });
    await rig.state(job, 'NeedsAttention');
    await job.signal('retry', { ordinal: 1, requestedBy: 'alice' });
    await job.result().catch(() => undefined);
    await rig.control('PATCH', '/settings', { notificationActive: true });
    return job;
  },
  async 'retried and finished by updates'(rig, start) {
    await rig.fault(REFUSAL);
    const { job } = await start();
    await rig.state(job, 'NeedsAttention');
    await job.executeUpdate('retry', { args: [{ requestId: 'R-1', requestedBy: 'alice' }] });
    await rig.accepted(job, 1);
    await job.executeUpdate('finish', { args: [{ requestedBy: 'alice' }] });
    await rig.result(job);
    return job;
  },
  async 'started with an invalid input'(rig) {
    const job = await rig.startAs('not-a-bill-run', { billRunKey: '../x' });
    await job.result().catch(() => undefined);
    return job;
  },
  async 'asked again after its end'(rig, start) {
    const { number, job } = await start({}, { openFor: '0s' });
    await rig.result(job);
    const successor = await rig.resend(number, 'T-1', { openFor: '0s' });
    await rig.result(successor);
    return successor;
  },
  async 'reset after its first send'(rig, start) {
    const { job } = await start({}, { openFor: '0s' });
    await rig.result(job);
    const { runId } = await job.describe();
    const { events } = await job.fetchHistory();
    const task = events?.find(({ workflowTaskCompletedEventAttributes: completed }) => completed != null);
    await rig.reset(job.workflowId, runId, Number(task?.eventId));
    await until(
      () => rig.status(job),
      ({ reason, state }) => reason === 'coolDown' || state === 'Delivering',
    );
    await job.signal('finish').catch(() => undefined);
    await rig.result(job);
    return job;
  },
  async 'continued as new'(rig, start) {
    const { job } = await start();
    await rig.accepted(job, 1);
    await sendTooMany(job, 'billRunPosted');
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.accepted(job, 2);
    return job;
  },
};
