/** How a bill run gets into each state of its life, and to each of its ends. */
import type { WorkflowHandle } from '@temporalio/client';
import type { EmailBillRunInput, EmailState } from '../../workflows/contract/contract.js';
import { until, type Rig } from './rig.js';
import { sendTooMany } from './server.js';

/** Has a pipeline start a run for a bill run of its own. */
export type Start = (
  billRun?: object,
  input?: Partial<EmailBillRunInput>,
) => Promise<{ readonly number: string; readonly id: string; readonly run: WorkflowHandle }>;

export function starting(rig: Rig, nextNumber?: () => string): Start {
  return async (billRun = {}, input = {}) => {
    const named = nextNumber === undefined ? {} : { number: nextNumber() };
    const { number, id } = await rig.billRun.create({ ...named, ...billRun });
    const asked = { requestedBy: 'nightly-billing', reason: 'month end' };
    return { number, id, run: await rig.start({ billRunKey: number, ...asked, ...input }) };
  };
}

type Reach = (rig: Rig, start: Start) => Promise<WorkflowHandle>;

/** The run is on its way there: whoever needs it there waits for it. */
export const reachState: Readonly<Record<EmailState, Reach>> = {
  WaitingForPost: async (_, start) => (await start({ status: 'Completed' })).run,
  async Delayed(rig, start) {
    const { number, run } = await start({ status: 'Completed' });
    await rig.billRun.change(number, { status: 'Posted', lastEmailSentTime: new Date().toISOString() });
    return run;
  },
  async Sending(rig, start) {
    await rig.fault({ fault: 'respond', status: 429, headers: { 'retry-after': 3_000 } });
    return (await start()).run;
  },
  async Held(rig, start) {
    const { number, run } = await start({ status: 'Completed' });
    await run.signal('hold', { requestedBy: 'alice', reason: 'wrong template' });
    await rig.billRun.change(number, { status: 'Posted' });
    return run;
  },
  async NeedsAttention(rig, start) {
    await rig.fault({ fault: 'reset', times: 9 });
    return (await start({}, { sendBudget: '1s' })).run;
  },
  Emailed: async (_, start) => (await start()).run,
  Skipped: async (_, start) => (await start({ autoEmail: true })).run,
  NotPosted: async (_, start) => (await start({ status: 'Canceled' })).run,
  async HandedOver(rig, start) {
    const { number, id } = await start();
    return rig.startAs(`of-a-pipeline-${number}`, { billRunKey: id });
  },
  async Finished(_, start) {
    const { run } = await start({ status: 'Completed' });
    await run.signal('finish', { requestedBy: 'alice', reason: 'not to be emailed' });
    return run;
  },
  async Canceled(_, start) {
    const { run } = await start({ status: 'Completed' });
    await run.cancel();
    return run;
  },
};

const accepted = (rig: Rig, run: WorkflowHandle, count: number) =>
  until(
    () => rig.sends(run),
    (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
  );

/** Lives whose history holds what those above do not; they are over, or nothing of them is on its way any more. */
export const live: Readonly<Record<string, Reach>> = {
  async 'emailed three times, and completed'(rig, start) {
    await rig.fault({ when: 'after', fault: 'reset' });
    const { run } = await start();
    await accepted(rig, run, 1);
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await accepted(rig, run, 2);
    await run.executeUpdate('requestResend', { args: [{ requestId: 'T-2', requestedBy: 'bob' }] });
    await accepted(rig, run, 3);
    await run.signal('finish');
    await rig.result(run);
    return run;
  },
  async 'refused, retried, and nobody answered'(rig, start) {
    await rig.control('PATCH', '/settings', { notificationActive: false });
    const { run } = await start({}, { attentionWindow: '3s' });
    await rig.state(run, 'NeedsAttention');
    await run.signal('retry', { ordinal: 1, requestedBy: 'alice' });
    await run.result().catch(() => undefined);
    await rig.control('PATCH', '/settings', { notificationActive: true });
    return run;
  },
  async 'started with an invalid input'(rig) {
    const run = await rig.startAs('not-a-bill-run', { billRunKey: '../x' });
    await run.result().catch(() => undefined);
    return run;
  },
  async 'asked again after its end'(rig, start) {
    const { number, run } = await start({}, { escalationWindow: '0s' });
    await rig.result(run);
    const successor = await rig.resend(number, 'T-1', { escalationWindow: '0s' });
    await rig.result(successor);
    return successor;
  },
  async 'reset after its first send'(rig, start) {
    const { run } = await start({}, { escalationWindow: '0s' });
    await rig.result(run);
    const { runId } = await run.describe();
    const { events } = await run.fetchHistory();
    const task = events?.find(({ workflowTaskCompletedEventAttributes: completed }) => completed != null);
    await rig.reset(run.workflowId, runId, Number(task?.eventId));
    await until(
      () => rig.status(run),
      ({ question, state }) => question !== null || state === 'Emailed',
    );
    await run.signal('finish');
    await rig.result(run);
    return run;
  },
  async 'continued as new'(rig, start) {
    const { run } = await start();
    await accepted(rig, run, 1);
    await sendTooMany(run, 'billRunPosted');
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await accepted(rig, run, 2);
    return run;
  },
};
