/** Several jobs of one workflow id, and what the last of them must know. An adversary found these: each one was a second email. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { emailsPerDocument, failureOf, openRig, until, type Rig } from '../support/rig.js';

const HOUR = 3_600_000;

let rig: Rig;
beforeAll(async () => {
  // What Temporal has forgotten is missing in a trace.
  rig = await openRig({ traces: () => false });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const once = { min: 1, max: 1 };
const zuoraForgets = () => rig.control('POST', '/clock', { advanceMs: 25 * HOUR });

/** The workflow task that scheduled the last attempt of a job. */
async function taskOfLastAttempt(job: WorkflowHandle): Promise<number> {
  const { events } = await job.fetchHistory();
  const scheduled = (events ?? [])
    .map(({ activityTaskScheduledEventAttributes: activity }) => activity)
    .findLast((activity) => activity?.activityType?.name === 'emailBillRunDocuments');
  return Number(scheduled?.workflowTaskCompletedEventId);
}

/** Waits until a reset has made another Temporal run. */
async function nextRunId(job: WorkflowHandle, runId: string): Promise<string> {
  const { runId: newest } = await until(
    () => rig.client.workflow.getHandle(job.workflowId).describe(),
    (description) => description.runId !== runId,
  );
  return newest;
}

describe('No second email', () => {
  test('for attempts that are in two histories, because a reset copied them', async () => {
    const { number } = await rig.billRun.create();
    const path = `/v1/bill-runs/${number}/emails`;
    await rig.fault({ path, when: 'after', fault: 'reset' });
    const one = await rig.resend(number, 'T-1');
    await until(
      () => rig.sends(one),
      ([send]) => send?.attempts[0]?.verdict === 'unknown',
    );
    const headers = { 'zuora-request-id': randomUUID() };
    await rig.fault({ path, fault: 'respond', status: 429, headers });
    await until(
      () => rig.sends(one),
      ([send]) => send?.attempts.length === 2,
    );
    const { runId } = await one.describe();
    const { events } = await one.fetchHistory();
    const task = events?.findLast((event) => event.workflowTaskCompletedEventAttributes != null);
    await rig.reset(one.workflowId, runId, Number(task?.eventId));
    await nextRunId(one, runId);
    await rig.own(number).terminate('start anew');

    const three = await rig.resend(number, 'T-1');
    await rig.state(three, 'Delivering');
    const [send] = await rig.sends(three);
    expect(send?.attempts.map(({ verdict, stored }) => [verdict, stored])).toEqual([
      ['unknown', false],
      ['notExecuted', false],
      ['accepted', true],
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('after a reset and after another one, because the part that is gone is looked up', async () => {
    const { number } = await rig.billRun.create();
    const one = await rig.resend(number, 'T-1');
    await rig.state(one, 'Delivering');
    const { runId } = await one.describe();
    const own = rig.own(number);
    await zuoraForgets();
    const task = await taskOfLastAttempt(one);
    await rig.reset(one.workflowId, runId, task);
    const second = await nextRunId(own, runId);
    await rig.accepted(own, 1);
    await rig.reset(one.workflowId, second, task);
    await nextRunId(own, second);
    await rig.accepted(own, 1);
    expect(await rig.sends(own)).toMatchObject([{ outcome: 'accepted', attempts: [{ runId }] }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
    await own.signal('finish');
    await rig.result(own);
  });

  test('after a second reset, though a person answered for the first, if Temporal has forgotten the part that is gone', async () => {
    const { number } = await rig.billRun.create();
    const one = await rig.resend(number, 'T-1');
    await rig.state(one, 'Delivering');
    const { runId } = await one.describe();
    const own = rig.own(number);
    const resetAndForget = async (gone: string): Promise<string> => {
      const task = await taskOfLastAttempt(own);
      await rig.stopWorker();
      await rig.reset(own.workflowId, gone, task);
      const next = await nextRunId(own, gone);
      await rig.forget(own.workflowId, gone);
      await rig.startWorker();
      return next;
    };
    const second = await resetAndForget(runId);
    await rig.state(own, 'NeedsAttention');
    await own.signal('retry', { sendAnyway: true, requestedBy: 'alice', reason: 'checked' });
    await rig.state(own, 'Delivering');
    await zuoraForgets();
    await resetAndForget(second);
    expect((await rig.state(own, 'NeedsAttention')).question).toMatchObject({ needsSendAnyway: true });
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
    await own.signal('finish');
    await rig.result(own);
  });

  test('for a request that an earlier send served together with another, which the same job has sent since', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
    const one = await rig.resend(number, 'T-1');
    await rig.state(one, 'Waiting');
    await one.signal('resend', { requestId: 'T-2' });
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(one, 'NeedsAttention');
    await one.signal('finish');
    await rig.result(one);
    await rig.control('PATCH', '/settings', { notificationActive: true });

    const two = await rig.resend(number, 'T-2');
    await rig.state(two, 'NeedsAttention');
    await two.signal('retry');
    await rig.state(two, 'Delivering');
    await zuoraForgets();
    await two.signal('resend', { requestId: 'T-1' });
    const [send] = await until(
      () => rig.sends(two),
      (sends) => sends[0]?.requests.length === 2,
    );
    expect(send?.requests).toMatchObject([{ requestId: 'T-2' }, { requestId: 'T-1' }]);
    expect((await rig.status(two)).state).toBe('Delivering');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('after Temporal deleted the history of the job that began the send', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, fault: 'respond', status: 429 });
    const one = await rig.resend(number, 'T-1');
    await until(
      () => rig.sends(one),
      ([send]) => send?.attempts.length === 1,
    );
    const { runId } = await one.describe();
    await one.terminate('start anew');
    const two = await rig.resend(number, 'T-1');
    await rig.state(two, 'Delivering');
    await two.signal('finish');
    await rig.result(two);
    await rig.forget(one.workflowId, runId);
    await zuoraForgets();

    const three = await rig.resend(number, 'T-1');
    await rig.state(three, 'Delivering');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('while visibility does not list the job yet that sent it', async () => {
    // The development server lists at once, Elasticsearch a second later.
    const service = rig.environment.nativeConnection.workflowService;
    const list = service.listWorkflowExecutions.bind(service);
    let late = 0;
    const lagging = vi.spyOn(service, 'listWorkflowExecutions').mockImplementation(async (request: object) => {
      const page = await list(request);
      const executions = page.executions.filter(({ startTime }) => tsToMs(startTime) < Date.now() - 2_000);
      late += page.executions.length - executions.length;
      return Object.assign(page, { executions });
    });
    try {
      const { number } = await rig.billRun.create();
      const input = { openFor: '0s' };
      const one = await rig.client.workflow.signalWithStart('emailBillRun', {
        workflowId: rig.own(number).workflowId,
        taskQueue: rig.taskQueue,
        args: [{ billRunKey: number, resend: true, requestId: 'T-1', ...input }],
        signal: 'resend',
        signalArgs: [{ requestId: 'T-2' }],
      });
      await rig.result(one);
      // The library names the job before, which is then read directly; another starter does not.
      await rig.result(
        await rig.startAs(one.workflowId, { billRunKey: number, resend: true, requestId: 'T-2', ...input }),
      );
      expect(late).toBeGreaterThan(0);
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
    } finally {
      lagging.mockRestore();
    }
  });
});

describe('No lost request', () => {
  test('with null for an entity', async () => {
    const { id, number } = await rig.billRun.create();
    const input = { billRunKey: id, resend: true, requestId: 'T-1', entityId: null, orgIds: null };
    const alias = await rig.startAs(`email-bill-run/${id}`, input);
    expect(await rig.result(alias)).toMatchObject({ handedOverTo: rig.own(number).workflowId });
    await rig.state(rig.own(number), 'Delivering');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('of several starts after a closed job at the same moment', async () => {
    const { number } = await rig.billRun.create();
    await rig.result(await rig.start({ billRunKey: number, openFor: '0s' }));
    const requestIds = ['T-1', 'T-2', 'T-3'];
    const started = await Promise.all(
      requestIds.map((requestId) => rig.emails.start({ billRunKey: number, resend: true, requestId })),
    );
    expect(new Set(started.map(({ runId }) => runId)).size).toBe(1);
    expect(started.map(({ result }) => result).sort()).toEqual(['joined', 'joined', 'started']);
    const own = rig.own(number);
    await until(
      () => rig.sends(own),
      (sends) => sends.flatMap(({ requests }) => requests).length === 3,
    );
  });
});

describe('A job that cannot continue', () => {
  test('can be finished while Zuora does not let it look', async () => {
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { lastEmailSentTime: new Date().toISOString() });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Waiting', 'coolDown');
    const path = `/object-query/billing-runs/${number}`;
    await rig.fault({ method: 'GET', path, fault: 'respond', status: 403, times: 1000 });
    await job.signal('retry');
    await until(
      () => job.describe(),
      ({ raw }) => (raw.pendingActivities?.[0]?.attempt ?? 0) > 1,
    );
    await job.signal('finish');
    expect(await rig.result(job)).toMatchObject({ state: 'Stopped', reason: 'finish' });
    expect(await rig.emailCalls(number)).toEqual([]);
  });

  test('because another application has used the workflow id fails with a sentence', async () => {
    const { id, number } = await rig.billRun.create();
    const workflowId = canonicalWorkflowId(number);
    const taskQueue = `test-${randomUUID()}`;
    await rig.client.workflow.start('somethingElse', { workflowId, taskQueue });
    const { workflowService } = rig.client;
    // COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION
    const completion = { commandType: 4, completeWorkflowExecutionCommandAttributes: {} };
    const task = await rig.client.withDeadline(Date.now() + 60_000, () =>
      workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue: { name: taskQueue } }),
    );
    await workflowService.respondWorkflowTaskCompleted({
      namespace: 'default',
      taskToken: task.taskToken,
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the SDK exports no enum of commands
      commands: [completion],
    });
    const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id });
    expect(await failureOf(alias)).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('is a workflow of type somethingElse') as string,
    });
    expect(await rig.emailCalls(number)).toEqual([]);
  });
});
