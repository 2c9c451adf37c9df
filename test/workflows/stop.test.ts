/** Rule 8: an order that Temporal has taken is obeyed, whether workers run, are busy, or were stopped. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emailsPerDocument, newNamespace, openRig, until, type Rig } from '../support/rig.js';

/** More jobs than the worker has places for attempts. */
const JOBS = 8;
const PLACES = 2;

let rig: Rig;
beforeAll(async () => {
  // A hold on all must not hold the jobs of other test files.
  rig = await openRig({ namespace: await newNamespace(), activitiesAtOnce: PLACES });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

interface Job {
  readonly number: string;
  readonly handle: WorkflowHandle;
}

const callsOf = async ({ number }: Job): Promise<number> => (await rig.emailCalls(number)).length;

async function callsOfAll(jobs: readonly Job[]): Promise<number> {
  const calls = await Promise.all(jobs.map(callsOf));
  return calls.reduce((sum, count) => sum + count, 0);
}

/** Jobs whose attempts are all scheduled: some calls are under way, and take that long; the other attempts wait for a place. */
async function busyJobs(afterMs: number): Promise<readonly Job[]> {
  const jobs: Job[] = [];
  for (let index = 0; index < JOBS; index++) {
    const { number } = await rig.billRun.create();
    const handle = await rig.start({ billRunKey: number });
    await handle.signal('hold');
    jobs.push({ number, handle });
  }
  for (const { handle } of jobs) {
    await until(
      () => rig.status(handle),
      ({ state, billRunStatus }) => state === 'Held' && billRunStatus === 'Posted',
    );
  }
  await rig.fault({ when: 'before', fault: 'stall', afterMs, times: PLACES });
  await Promise.all(jobs.map(({ handle }) => handle.signal('release')));
  await until(
    async () => [await callsOfAll(jobs), await Promise.all(jobs.map(hasAttempt))] as const,
    ([calls, attempts]) => calls === PLACES && !attempts.includes(false),
  );
  return jobs;
}

async function hasAttempt({ handle }: Job): Promise<boolean> {
  const { raw } = await handle.describe();
  return (raw.pendingActivities ?? []).some(({ activityType }) => activityType?.name === 'emailBillRunDocuments');
}

const orders: Readonly<Record<string, (job: Job) => Promise<unknown>>> = {
  hold: ({ handle }: Job) => handle.signal('hold', { requestedby: 'alice' }),
  finish: ({ handle }: Job) => handle.signal('finish'),
  cancel: ({ handle }: Job) => handle.cancel(),
  terminate: ({ handle }: Job) => handle.terminate('stop'),
};

/** The queue has been worked through: nothing of these jobs waits in it any more. */
async function workedThrough(jobs: readonly Job[]): Promise<void> {
  const isSettled = async ({ handle }: Job): Promise<boolean> => {
    const { raw, status } = await handle.describe();
    // Those that were emailed wait for a check of their documents.
    const isCheck = ({ activityType }: { activityType?: { name?: string | null } | null }): boolean =>
      activityType?.name === 'watchDelivery';
    return status.name !== 'RUNNING' || (raw.pendingActivities ?? []).every(isCheck);
  };
  await until(
    () => Promise.all(jobs.map(isSettled)),
    (all) => !all.includes(false),
  );
  const { number } = await rig.billRun.create();
  await rig.state(await rig.start({ billRunKey: number }), 'Delivering');
}

describe.each(Object.entries(orders))('%s', (_, order) => {
  test('while workers are busy: only the calls under way end', async () => {
    const jobs = await busyJobs(6_000);
    await Promise.all(jobs.map(order));
    await workedThrough(jobs);
    expect(await callsOfAll(jobs)).toBe(PLACES);
  });

  test('while workers are stopped: nothing leaves when they start again', async () => {
    const jobs = await busyJobs(5_000);
    await rig.stopWorker();
    const before = await callsOfAll(jobs);
    await Promise.all(jobs.map((job) => order(job).catch(() => undefined)));
    await rig.startWorker();
    await workedThrough(jobs);
    expect(await callsOfAll(jobs)).toBe(before);
  });
});

describe('The hold on all', () => {
  const isHeldByAll = ({ handle }: Job) => rig.state(handle, 'Held', 'all');
  const emailedOnce = async (jobs: readonly Job[]): Promise<void> => {
    for (const { number, handle } of jobs) {
      await rig.state(handle, 'Delivering');
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
    }
  };

  test('while workers are busy: only the calls under way end, jobs that start later wait as well, and all go on once', async () => {
    const jobs = await busyJobs(5_000);
    await rig.emails.holdAll({ requestedBy: 'alice', reason: 'wrong template' });
    const { number } = await rig.billRun.create();
    const later = { number, handle: await rig.start({ billRunKey: number }) };
    expect((await isHeldByAll(later)).text).toContain('until a person ends it');
    const states = await Promise.all(
      jobs.map(({ handle }) =>
        until(
          () => rig.status(handle),
          ({ state }) => state === 'Held' || state === 'Delivering',
        ),
      ),
    );
    expect(states.filter(({ state }) => state === 'Delivering')).toHaveLength(PLACES);
    expect(await callsOfAll(jobs)).toBe(PLACES);
    expect(await callsOf(later)).toBe(0);

    const hold = rig.client.workflow.getHandle('bill-run-emails/hold-all');
    await hold.signal('release', { requestedBy: '<who>', reason: '<why>' });
    // A worker has taken it.
    await until(
      () => hold.describe(),
      ({ raw }) => raw.pendingWorkflowTask == null,
    );
    expect(await rig.emails.holdAllRequests()).toHaveLength(1);
    await rig.emails.releaseAll({ requestedBy: 'bob' });
    expect(await rig.emails.holdAllRequests()).toBeNull();
    await emailedOnce([...jobs, later]);
  });

  test('without a worker: it holds at once, names everybody who asked, and ends', async () => {
    const jobs = await busyJobs(5_000);
    await rig.stopWorker();
    const before = await callsOfAll(jobs);
    await rig.emails.holdAll({ requestedBy: 'alice', reason: 'wrong template' });
    // A note that is not valid must not keep the order from being given.
    await rig.emails.holdAll({ requestedBy: 'bob', reason: '<why>' });
    expect(await rig.emails.holdAllRequests()).toMatchObject([
      { requestedBy: 'alice', reason: 'wrong template', identity: expect.any(String) as string },
      { requestedBy: 'bob', reason: '<why>' },
    ]);
    await rig.startWorker();
    await until(
      () => Promise.all(jobs.map(({ handle }) => rig.status(handle))),
      (all) => all.every(({ state }) => state === 'Held' || state === 'Delivering'),
    );
    expect(await callsOfAll(jobs)).toBe(before);

    await rig.stopWorker();
    await rig.emails.releaseAll({ requestedBy: 'carol', reason: 'template is right' });
    expect(await rig.emails.holdAllRequests()).toBeNull();
    await rig.startWorker();
    await emailedOnce(jobs);
  });

  test('that was asked for again after a release goes on', async () => {
    await rig.stopWorker();
    await rig.emails.holdAll({ requestedBy: 'alice' });
    const releasing = rig.emails.releaseAll({ requestedBy: 'bob' }).catch((error: unknown) => error);
    const handle = rig.client.workflow.getHandle('bill-run-emails/hold-all');
    await until(
      async () => (await handle.fetchHistory()).events ?? [],
      (events) =>
        events.some(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === 'release'),
    );
    await rig.emails.holdAll({ requestedBy: 'carol' });
    expect(await releasing).toMatchObject({ type: 'Ignored' });
    expect(await rig.emails.holdAllRequests()).toHaveLength(2);
    await rig.startWorker();
    await rig.emails.releaseAll();
  });

  test('ends while a worker was lost in the middle of taking the release', async () => {
    await rig.stopWorker();
    await rig.emails.holdAll({ requestedBy: 'alice' });
    const { workflowService, options } = rig.client;
    const taskQueue = { name: rig.taskQueue };
    await rig.client.withDeadline(Date.now() + 60_000, () =>
      workflowService.pollWorkflowTaskQueue({ namespace: options.namespace, taskQueue }),
    );
    await rig.emails.releaseAll({ requestedBy: 'bob' });
    expect(await rig.emails.holdAllRequests()).toBeNull();
    await rig.startWorker();
  });

  test('that somebody started by hand, with another workflow, holds as well', async () => {
    const hold = await rig.client.workflow.start('anything', {
      workflowId: 'bill-run-emails/hold-all',
      taskQueue: 'of-nobody',
    });
    const { number } = await rig.billRun.create();
    const job = { number, handle: await rig.start({ billRunKey: number }) };
    await isHeldByAll(job);
    expect(await rig.emails.holdAllRequests()).toMatchObject([{ requestedBy: null, reason: null }]);
    await hold.terminate();
    await job.handle.signal('billRunPosted');
    await emailedOnce([job]);
  });

  test('a hold of the job itself outlasts it', async () => {
    await rig.emails.holdAll();
    const { number } = await rig.billRun.create();
    const job = { number, handle: await rig.start({ billRunKey: number }) };
    await isHeldByAll(job);
    await job.handle.signal('hold');
    await rig.state(job.handle, 'Held', 'job');
    await rig.emails.releaseAll();
    await workedThrough([]);
    expect(await callsOf(job)).toBe(0);
    await job.handle.signal('release');
    await emailedOnce([job]);
  });
});

test('a resend to a job that is held with a retry is looked up once, and does no harm to the worker', async () => {
  const { number } = await rig.billRun.create();
  await rig.fault({ fault: 'respond', status: 503, times: 1 });
  const first = await rig.start({ billRunKey: number });
  await until(
    () => rig.sends(first),
    ([send]) => send?.attempts.length === 1,
  );
  await first.terminate('the wrong day');
  // It takes up the attempt, and counts as a retry.
  const held = await rig.start({ billRunKey: number, again: true, hold: true });
  await until(
    () => rig.sends(held),
    ([send]) => send?.decisions.length === 1,
  );
  const { events } = await held.fetchHistory();
  for (const requestId of ['T-1', 'T-2']) {
    await rig.emails.resend({ billRunKey: number }, { requestId, requestedBy: 'alice', reason: 'wrong template' });
  }
  await rig.state(held, 'Held');
  expect((await held.fetchHistory()).events?.length).toBeLessThan((events?.length ?? 0) + 40);
  await held.signal('release');
  // The first send goes out before, or is superseded.
  const sends = await until(
    () => rig.sends(held),
    (all) => all.at(-1)?.resend === true && all.at(-1)?.outcome === 'accepted',
  );
  expect(sends.at(-1)?.requests.map(({ requestId }) => requestId)).toEqual(['T-1', 'T-2']);
});
