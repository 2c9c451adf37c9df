/** Temporal's own buttons: whatever people press, the rules of sending hold, and it shows who pressed. */
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { startWorker } from '../../scripts/worker-process.js';
import type { EarlierSend } from '../../workflows/contract/activities.js';
import { cliGiven } from '../support/command-line.js';
import { emailsPerDocument, newNamespace, openRig, until, type Rig } from '../support/rig.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** Of Temporal's API. */
const SCHEDULED = 1;

let rig: Rig;
let namespace: string;
/** How much older the attempts of earlier jobs are than they are, in milliseconds: no server waits for a day. */
let earlierBy = 0;
/** The first handover begins after that. */
let handOverWaits: Promise<void> | undefined;

beforeAll(async () => {
  namespace = await newNamespace();
  const aged = (send: EarlierSend): EarlierSend => ({
    ...send,
    attempts: send.attempts.map((attempt) => ({ ...attempt, startedAt: attempt.startedAt - earlierBy })),
  });
  rig = await openRig({
    namespace,
    activitiesAtOnce: 1,
    // Tokens outlast all moves of Zuora's clock.
    simulator: { tokenLifetimeSeconds: 30 * 86_400 },
    traces: () => earlierBy === 0,
    around: (activities) => ({
      ...activities,
      earlierSends: async (input) => {
        const earlier = await activities.earlierSends(input);
        return { ...earlier, sends: earlier.sends.map(aged) };
      },
      handOver: async (input) => {
        await handOverWaits;
        return activities.handOver(input);
      },
    }),
  });
});
beforeEach(() => {
  earlierBy = 0;
});
afterEach(async () => {
  await moveClockOfZuora(HOUR);
  await rig.afterTest();
});
afterAll(() => rig.close());

interface Job {
  readonly number: string;
  readonly handle: WorkflowHandle;
}

const callsOf = async ({ number }: Job): Promise<number> => (await rig.emailCalls(number)).length;

const onePerDocument = async ({ number }: Job): Promise<void> => {
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
};

async function start(billRun: object = {}): Promise<Job> {
  const { number } = await rig.billRun.create(billRun);
  return { number, handle: await rig.start({ billRunKey: number }) };
}

const moveClockOfZuora = (advanceMs: number) => rig.control('POST', '/clock', { advanceMs });

/** A job whose call is with Zuora, until its clock goes on: before Zuora has emailed, or after. */
async function underWay(when: 'before' | 'after' = 'before'): Promise<Job> {
  const { number } = await rig.billRun.create();
  await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when, fault: 'stall', afterMs: HOUR });
  const job = { number, handle: await rig.start({ billRunKey: number }) };
  await until(
    () => callsOf(job),
    (calls) => calls === 1,
  );
  if (when === 'after') {
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 3,
    );
  }
  return job;
}

async function pending({ handle }: Job, name: string) {
  const { raw } = await handle.describe();
  return raw.pendingActivities?.find(({ activityType }) => activityType?.name === name);
}

/** What the activities of a job returned. */
async function resultsOf({ handle }: Job, name: string): Promise<readonly unknown[]> {
  const events = (await handle.fetchHistory()).events ?? [];
  return events.flatMap(({ activityTaskCompletedEventAttributes: completed }) => {
    const scheduled = events.find(({ eventId }) => String(eventId) === String(completed?.scheduledEventId));
    if (scheduled?.activityTaskScheduledEventAttributes?.activityType?.name !== name) return [];
    return (completed?.result?.payloads ?? []).map((payload) => defaultPayloadConverter.fromPayload(payload));
  });
}

/** Until when the attempt that was scheduled last may leave (epoch, ms). */
async function lastUseOfKey({ handle }: Job): Promise<number> {
  const { events } = await handle.fetchHistory();
  const scheduled = events?.flatMap(({ activityTaskScheduledEventAttributes: activity }) => activity ?? []).at(-1);
  const [payload] = scheduled?.input?.payloads ?? [];
  if (payload === undefined) throw new Error('nothing was scheduled');
  return defaultPayloadConverter.fromPayload<{ notAfter: number }>(payload).notAfter;
}

/** Temporal has the attempt, and no worker has taken it. */
async function untilScheduled(job: Job): Promise<void> {
  await until(
    () => pending(job, 'emailBillRunDocuments'),
    (attempt) => Number(attempt?.state) === SCHEDULED,
  );
}

async function held(): Promise<Job> {
  const job = await start({ status: 'Completed' });
  await job.handle.signal('hold');
  await rig.billRun.change(job.number, { status: 'Posted' });
  await until(
    () => rig.status(job.handle),
    ({ state, billRunStatus }) => state === 'Held' && billRunStatus === 'Posted',
  );
  return job;
}

/** The worker has done all that it could. */
async function workedThrough(): Promise<void> {
  await rig.state((await start()).handle, 'Delivering');
}

const attemptOf = ({ handle: { workflowId } }: Job) => ({
  ...{ namespace, identity: 'alice', execution: { workflowId }, type: 'emailBillRunDocuments' },
});

const buttons = {
  pause: (job: Job) => rig.client.workflowService.pauseActivity({ ...attemptOf(job), reason: 'wrong template' }),
  unpause: (job: Job) => rig.client.workflowService.unpauseActivity(attemptOf(job)),
  reset: (job: Job) => rig.client.workflowService.resetActivity({ ...attemptOf(job), resetHeartbeat: true }),
  'update-options': (job: Job) =>
    rig.client.workflowService.updateActivityOptions({
      ...attemptOf(job),
      activityOptions: { retryPolicy: { maximumAttempts: 100 }, startToCloseTimeout: msToTs('1 day') },
      updateMask: { paths: ['retry_policy.maximum_attempts', 'start_to_close_timeout'] },
    }),
};

const pauseOfAlice = { by: 'alice', at: expect.any(String) as string, reason: 'wrong template' };

describe('An attempt that was paused before a worker took it', () => {
  test('does not leave until it is unpaused, and status and audit say who paused it', async () => {
    const job = await held();
    await underWay();
    await job.handle.signal('release');
    await untilScheduled(job);
    await buttons.pause(job);
    await moveClockOfZuora(HOUR);
    await workedThrough();
    expect(await callsOf(job)).toBe(0);
    const paused = [{ what: 'attempt', ...pauseOfAlice }];
    expect(await rig.emails.status({ billRunKey: job.number })).toMatchObject({ state: 'Sending', paused });
    const { entries } = await rig.emails.audit({ billRunKey: job.number });
    expect(entries.at(-1)).toMatchObject({ event: 'paused', identity: 'alice', eventId: 0 });

    await buttons.unpause(job);
    await rig.state(job.handle, 'Delivering');
    await onePerDocument(job);
    expect(await callsOf(job)).toBe(1);
    expect(await rig.emails.status({ billRunKey: job.number })).not.toHaveProperty('paused');
  });

  test('is taken back by finish while it is paused', async () => {
    const job = await held();
    await underWay();
    await job.handle.signal('release');
    await untilScheduled(job);
    await buttons.pause(job);
    await rig.emails.finish({ billRunKey: job.number });
    expect(await rig.result(job.handle)).toMatchObject({ state: 'Stopped' });
    await moveClockOfZuora(HOUR);
    await workedThrough();
    expect(await callsOf(job)).toBe(0);
  });

  test('never leaves when Zuora has forgotten its key meanwhile: a person is asked', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'reset' });
    const lost = await rig.resend(number, 'T-1');
    await until(
      () => rig.sends(lost),
      ([send]) => send?.attempts[0]?.verdict === 'unknown',
    );
    await lost.terminate();
    const before = (await rig.emailCalls(number)).length;

    // The first use of the key was 23 hours ago, but for the seconds that this test needs to pause the attempt.
    earlierBy = 23 * HOUR - 20 * SECOND;
    const job = { number, handle: await rig.resend(number, 'T-1', { hold: true }) };
    await until(
      () => rig.sends(job.handle),
      ([send]) => send?.attempts.length === 1,
    );
    await underWay();
    await job.handle.signal('release');
    await untilScheduled(job);
    await buttons.pause(job);
    const keyProtectsUntil = await lastUseOfKey(job);
    await moveClockOfZuora(24 * HOUR);
    await until(
      () => Promise.resolve(Date.now()),
      (now) => now > keyProtectsUntil,
    );
    await buttons.unpause(job);
    const status = await rig.state(job.handle, 'NeedsAttention', 'unknown');
    expect(status.question).toMatchObject({ needsSendAnyway: true, safeUntil: null });
    expect(await resultsOf(job, 'emailBillRunDocuments')).toEqual([{ called: false, why: 'keyTooOld' }]);
    expect(await rig.emailCalls(number)).toHaveLength(before);
    await onePerDocument(job);
  });
});

describe('An attempt under way', () => {
  test.each(['pause', 'reset', 'update-options'] as const)(
    'ends with its receipt after %s, and no second call follows',
    async (button) => {
      const job = await underWay();
      await buttons[button](job);
      await moveClockOfZuora(HOUR);
      await rig.state(job.handle, 'Delivering');
      await workedThrough();
      expect(await callsOf(job)).toBe(1);
      await onePerDocument(job);
    },
  );

  test('whose worker died after a button was pressed is unknown, and settled under the same key', async () => {
    await rig.stopWorker();
    const worker = await startWorker({
      ...{ taskQueue: rig.taskQueue, simulatorUrl: rig.simulatorUrl, pollInterval: '1s' },
      temporal: { address: inject('temporalAddress'), namespace },
    });
    const [paused, reset, updated] = [await underWay('after'), await underWay('after'), await underWay('after')];
    await buttons.pause(paused);
    await buttons.reset(reset);
    await buttons['update-options'](updated);
    await worker.stop(0);
    await moveClockOfZuora(HOUR);
    await rig.startWorker();
    for (const { handle } of [reset, updated]) await rig.state(handle, 'Delivering');
    // Temporal takes no lost worker for lost while the attempt is paused.
    expect(await callsOf(paused)).toBe(1);
    await buttons.unpause(paused);
    for (const job of [paused, reset, updated]) {
      await rig.state(job.handle, 'Delivering');
      const [send] = await rig.sends(job.handle);
      expect(send?.attempts).toMatchObject([
        { verdict: 'unknown', reasons: [{ code: 'WORKER_LOST' }] },
        { verdict: 'accepted', stored: true, idempotencyKey: send?.attempts[0]?.idempotencyKey },
      ]);
      expect(await callsOf(job)).toBe(2);
      await onePerDocument(job);
    }
  });
});

test('A look that is paused is shown, and a hint looks past it', async () => {
  const job = await start({ status: 'Completed' });
  await until(
    () => rig.status(job.handle),
    ({ billRunStatus }) => billRunStatus === 'Completed',
  );
  await rig.client.workflowService.pauseActivity({ ...attemptOf(job), type: 'watchBillRun', reason: 'wrong template' });
  const paused = [{ what: 'look', ...pauseOfAlice }];
  expect(await rig.emails.status({ billRunKey: job.number })).toMatchObject({ state: 'Waiting', paused });
  await rig.billRun.change(job.number, { status: 'Posted' });
  await job.handle.signal('billRunPosted');
  await rig.state(job.handle, 'Delivering');
  await onePerDocument(job);
});

describe('A result set by hand', () => {
  /** As Temporal UI and `temporal activity complete` do. */
  const complete = async (job: Job, name: string): Promise<void> => {
    const activity = await until(
      () => pending(job, name),
      (found) => found !== undefined,
    );
    await rig.client.workflowService.respondActivityTaskCompletedById({
      ...{ namespace, workflowId: job.handle.workflowId, activityId: activity?.activityId ?? '' },
      result: { payloads: [defaultPayloadConverter.toPayload({})] },
    });
  };

  test('for an attempt is unknown, and the next attempt settles it under the same key', async () => {
    const job = await underWay();
    await complete(job, 'emailBillRunDocuments');
    await moveClockOfZuora(HOUR);
    await rig.state(job.handle, 'Delivering');
    const [send] = await rig.sends(job.handle);
    expect(send?.attempts[0]).toMatchObject({ verdict: 'unknown', reasons: [{ code: 'FOREIGN_RESULT' }] });
    expect(new Set(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    await onePerDocument(job);
  });

  test('for an attempt as failed is unknown, too', async () => {
    const job = await underWay();
    const attempt = await pending(job, 'emailBillRunDocuments');
    // As `temporal activity fail` does.
    await rig.client.workflowService.respondActivityTaskFailedById({
      ...{ namespace, workflowId: job.handle.workflowId, activityId: attempt?.activityId ?? '' },
      failure: { message: 'by hand', source: 'CLI', applicationFailureInfo: { nonRetryable: true } },
    });
    await moveClockOfZuora(HOUR);
    await rig.state(job.handle, 'Delivering');
    const [send] = await rig.sends(job.handle);
    expect(send?.attempts[0]).toMatchObject({ verdict: 'unknown', reasons: [{ code: 'ATTEMPT_FAILED' }] });
    expect(new Set(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    await onePerDocument(job);
  });

  test('for a look makes the job look again', async () => {
    const job = await start({ status: 'Completed' });
    await until(
      () => rig.status(job.handle),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    await complete(job, 'watchBillRun');
    await rig.billRun.change(job.number, { status: 'Posted' });
    await rig.state(job.handle, 'Delivering');
    await onePerDocument(job);
  });

  test('for a look-up of earlier sends makes the job look them up again', async () => {
    const { number } = await rig.billRun.create();
    // Another starter's job does not know whether it is the first.
    const job = { number, handle: await rig.startAs(`email-bill-run/${number}`, { billRunKey: number }) };
    await rig.state(job.handle, 'Delivering');
    await underWay();
    await job.handle.signal('resend', { requestId: 'T-1' });
    await complete(job, 'earlierSends');
    await moveClockOfZuora(HOUR);
    await rig.accepted(job.handle, 2);
    expect(await callsOf(job)).toBe(2);
  });

  test('for a handover makes the job hand over again', async () => {
    let goOn: () => void = () => undefined;
    handOverWaits = new Promise((resolve) => (goOn = resolve));
    const { id, number } = await rig.billRun.create();
    const alias = { number, handle: await rig.startAs(`email-bill-run/${id}`, { billRunKey: id }) };
    await complete(alias, 'handOver');
    goOn();
    expect(await rig.result(alias.handle)).toMatchObject({ state: 'HandedOver' });
    const job = { number, handle: rig.own(number) };
    await rig.state(job.handle, 'Delivering');
    await onePerDocument(job);
  });
});

describe('A paused workflow', () => {
  const pause = ({ handle: { workflowId } }: Job) =>
    rig.client.workflowService.pauseWorkflowExecution({
      ...{ namespace, workflowId, requestId: 'pause', identity: 'alice', reason: 'wrong template' },
    });
  const unpause = ({ handle: { workflowId } }: Job) =>
    rig.client.workflowService.unpauseWorkflowExecution({
      ...{ namespace, workflowId, requestId: 'unpause', identity: 'bob', reason: 'template is right' },
    });

  test('sends nothing, shows who paused it, and goes on after it is unpaused', async () => {
    const scheduled = await held();
    const waiting = await start({ status: 'Completed' });
    await until(
      () => rig.status(waiting.handle),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    const occupied = await underWay();
    await scheduled.handle.signal('release');
    await untilScheduled(scheduled);
    const jobs = [scheduled, waiting, occupied];
    for (const job of jobs) await pause(job);
    await rig.billRun.change(waiting.number, { status: 'Posted' });
    await moveClockOfZuora(HOUR);
    await workedThrough();
    expect(await Promise.all(jobs.map(callsOf))).toEqual([0, 0, 1]);

    const paused = [{ what: 'job', ...pauseOfAlice }];
    expect(await rig.emails.status({ billRunKey: waiting.number })).toMatchObject({
      ...{ state: 'Waiting', reason: 'notPosted', billRunNumber: waiting.number, sends: 0, paused },
    });
    await expect(rig.emails.sends({ billRunKey: waiting.number })).rejects.toMatchObject({
      type: 'TemporalUnavailable',
      message: expect.stringContaining('is paused in Temporal') as string,
    });
    const env = { TEMPORAL_NAMESPACE: namespace };
    const json = await cliGiven({ env }, 'status', scheduled.number, '--json');
    expect(json).toMatchObject({ code: 4, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, state: 'Sending', paused, sendRecords: null });
    const table = await cliGiven({ env }, 'status', scheduled.number);
    expect(table.stdout).toMatch(/^paused +job, by alice, .+: wrong template$/m);
    const lines = await cliGiven({ env }, 'status', scheduled.number, waiting.number);
    expect(lines.stdout.match(/ Paused: job, by alice, .+: wrong template\.$/gm)).toHaveLength(2);

    for (const job of jobs) await unpause(job);
    for (const job of jobs) {
      await rig.state(job.handle, 'Delivering');
      expect(await callsOf(job)).toBe(1);
      await onePerDocument(job);
      const { entries } = await rig.emails.audit({ billRunKey: job.number });
      expect(entries.filter(({ event }) => event === 'paused' || event === 'resumed')).toMatchObject([
        { event: 'paused', identity: 'alice', text: 'job paused in Temporal: wrong template' },
        { event: 'resumed', identity: 'bob', text: 'job unpaused in Temporal: template is right' },
      ]);
    }
  });

  test('takes a hold, obeys it before anything else, and a terminated one is not paused any more', async () => {
    const job = await held();
    await underWay();
    await job.handle.signal('release');
    await untilScheduled(job);
    await pause(job);
    await rig.emails.hold({ billRunKey: job.number });
    await moveClockOfZuora(HOUR);
    await unpause(job);
    await rig.state(job.handle, 'Held', 'job');
    await workedThrough();
    expect(await callsOf(job)).toBe(0);

    await pause(job);
    await job.handle.terminate();
    const status = await rig.emails.status({ billRunKey: job.number });
    expect(status).toMatchObject({ state: 'Held', ended: { status: 'TERMINATED' } });
    expect(status).not.toHaveProperty('paused');
  });

  test('of the hold on all holds as well', async () => {
    await rig.emails.holdAll({ requestedBy: 'alice' });
    const hold = { number: '', handle: rig.client.workflow.getHandle('bill-run-emails/hold-all') };
    await pause(hold);
    const job = await start();
    await rig.state(job.handle, 'Held', 'all');
    expect(await callsOf(job)).toBe(0);
    await unpause(hold);
    await rig.emails.releaseAll();
    await rig.state(job.handle, 'Delivering');
    await onePerDocument(job);
  });
});
