/** A worker process that is killed, at each distinct moment of a send: the documents are emailed once. */
import { randomInt, randomUUID } from 'node:crypto';
import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { openLink } from '../../proof/chaos/proxy.js';
import { BillRunEmails } from '../../client/index.js';
import type { Child } from '../../scripts/processes.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { startWorker } from '../../scripts/worker-process.js';
import { startSimulator } from '../../simulator/index.js';
import { openParts, type Parts } from '../support/parts.js';
import { emailsPerDocument, openReplayer, uniqueNumber, until, type Email, type SeenRequest } from '../support/rig.js';

/** Of Temporal's API: a worker has taken it. */
const PENDING_ACTIVITY_STATE_STARTED = 2;

const HOUR = 3_600_000;
/** Longer than the test. */
const FOR_GOOD = HOUR;

interface Send {
  readonly number: string;
  readonly run: WorkflowHandle;
}

interface Call extends SeenRequest {
  readonly status: number | null;
}

let parts: Parts;
const replayer = openReplayer();
beforeAll(async () => {
  parts = await openParts();
});
afterAll(async () => {
  await replayer.close();
  await parts.close();
});

/** A task queue, a Zuora and links of its own, because the kills happen at the same time. */
async function openPlace({ onTestFinished }: TestContext) {
  const { temporal } = parts;
  const taskQueue = `kills-${randomUUID()}`;
  const simulator = await startSimulator({ seed: randomInt(2 ** 31) });
  /** Between the worker that is killed and the other parts. */
  const toTemporal = await openLink(temporal.address);
  const toZuora = await openLink(new URL(simulator.url).host);
  onTestFinished(async () => {
    await toZuora.close();
    await toTemporal.close();
    await simulator.close();
  });
  const control = controlOf(simulator.url);
  const emails = new BillRunEmails(parts.emails.client, { taskQueue });
  const common = { taskQueue, pollInterval: '1s' };

  return {
    control,
    emails,
    toTemporal,
    toZuora,

    begin: async (fault: object | undefined, status = 'Posted'): Promise<Send> => {
      const number = uniqueNumber();
      await control('POST', '/bill-runs', { number, status, invoices: 2, creditMemos: 1 });
      const path = `/v1/bill-runs/${number}/emails`;
      if (fault !== undefined) await control('POST', '/faults', { method: 'POST', path, ...fault });
      const { workflowId } = await emails.start({ billRunKey: number });
      return { number, run: emails.client.workflow.getHandle(workflowId) };
    },

    calls: async ({ number }: Send): Promise<readonly Call[]> => {
      const all = await control<Call[]>('GET', '/requests');
      return all.filter(({ path }) => path === `/v1/bill-runs/${number}/emails`);
    },

    killable: () =>
      startWorker({
        ...common,
        temporal: { ...temporal, address: toTemporal.address },
        simulatorUrl: `http://${toZuora.address}`,
      }),

    successorOf: async (lost: Child, graceMs: number): Promise<Child> => {
      await lost.stop(graceMs);
      toTemporal.heal();
      toZuora.heal();
      return startWorker({ ...common, temporal, simulatorUrl: simulator.url });
    },

    /** One send, all under one key, and one email; returns what came of its attempts. */
    emailedOnce: async ({ number, run }: Send): Promise<readonly string[]> => {
      const [record, ...others] = await until(
        () => emails.sends({ billRunKey: number }),
        ([first]) => first?.outcome === 'accepted',
      );
      const attempts = record?.attempts ?? [];
      expect(others).toEqual([]);
      expect(new Set(attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
      expect(emailsPerDocument(await control<Email[]>('GET', `/mailbox?billRun=${number}`))).toEqual({
        min: 1,
        max: 1,
      });
      const audit = await emails.audit({ billRunKey: number });
      const audited = audit.sends.flatMap((send) => send.attempts.map(({ trackId }) => trackId));
      expect(audited).toEqual(attempts.map(({ trackId }) => trackId));
      const { events } = await run.fetchHistory();
      for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
        if (scheduled?.activityType?.name !== 'emailBillRunDocuments') continue;
        const { scheduleToStartTimeout, scheduleToCloseTimeout } = scheduled;
        // They would send an attempt that waits for a worker to the end of the queue.
        expect([scheduleToStartTimeout, scheduleToCloseTimeout].map(tsToMs)).toEqual([0, 0]);
      }
      await replayer.replay(run);
      await emails.finish({ billRunKey: number });
      await run.result();
      return attempts.map(({ verdict, stored, reasons: [reason] }) =>
        [...(stored ? ['stored'] : []), verdict, ...(reason === undefined ? [] : [reason.code])].join(' '),
      );
    },
  };
}

const underWay = (send: Send, activity = 'emailBillRunDocuments'): Promise<unknown> =>
  pending(send, ({ activityType, state }) => {
    return activityType?.name === activity && Number(state) === PENDING_ACTIVITY_STATE_STARTED;
  });

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

const pending = ({ run }: Send, isRight: (activity: Pending) => boolean): Promise<unknown> =>
  until(
    () => run.describe(),
    ({ raw }) => raw.pendingActivities?.some(isRight) === true,
  );

// At the same time: each kill is noticed by a heartbeat that does not come for 30 s.
describe.concurrent('A kill', () => {
  test.for([
    ['SIGKILL', 0],
    ['SIGTERM, and SIGKILL while it drains', 500],
  ] as const)('while nothing, a request or an answer is on its way: %s', async ([, graceMs], context) => {
    const { begin, calls, control, emailedOnce, emails, killable, successorOf, toZuora } = await openPlace(context);
    const lost = await killable();
    const requestOut = await begin({ when: 'before', fault: 'stall' });
    const answerHeld = await begin({ when: 'after', fault: 'stall' });
    const betweenAttempts = await begin({
      when: 'before',
      fault: 'respond',
      status: 429,
      headers: { 'retry-after': 20 },
    });
    const beforeCall = await begin(undefined, 'Completed');
    const waiting = await begin(undefined, 'Completed');
    await emails.hold({ billRunKey: beforeCall.number });
    await control('PATCH', `/bill-runs/${beforeCall.number}`, { status: 'Posted' });
    await until(
      () => emails.status({ billRunKey: beforeCall.number }),
      ({ state, billRunStatus }) => state === 'Held' && billRunStatus === 'Posted',
    );
    for (const send of [requestOut, answerHeld]) {
      await until(
        () => calls(send),
        ({ length }) => length === 1,
      );
    }
    await until(
      () => emails.sends({ billRunKey: betweenAttempts.number }),
      ([send]) => send?.attempts.length === 1,
    );
    // So many that the retry policy alone would wait a minute before it repeats a lost read.
    await pending(waiting, ({ attempt }) => Number(attempt) >= 4);
    // What it writes from here on does not arrive before it is dead, but may arrive then.
    toZuora.stall(FOR_GOOD);
    await emails.release({ billRunKey: beforeCall.number });
    await underWay(beforeCall);
    await underWay(waiting, 'watchBillRun');

    const killedAt = Date.now();
    const successor = await successorOf(lost, graceMs);
    await control('PATCH', `/bill-runs/${waiting.number}`, { status: 'Posted' });
    expect(await emailedOnce(requestOut)).toEqual(['unknown WORKER_LOST', 'accepted']);
    expect(await emailedOnce(answerHeld)).toEqual(['unknown WORKER_LOST', 'stored accepted']);
    expect((await emailedOnce(betweenAttempts)).at(-1)).toBe('accepted');
    expect((await emailedOnce(beforeCall))[0]).toBe('unknown WORKER_LOST');
    expect(await emailedOnce(waiting)).toEqual(['accepted']);
    const { events } = await waiting.run.fetchHistory();
    const read = events?.findLast(({ activityTaskStartedEventAttributes: started }) => Number(started?.attempt) > 1);
    expect(tsToMs(read?.eventTime) - killedAt, 'the lost read, repeated').toBeLessThan(60_000);
    await successor.stop();
  });

  test('when the answer is there, and Temporal does not know of it', async (context) => {
    const { begin, calls, control, emailedOnce, killable, successorOf, toTemporal } = await openPlace(context);
    const lost = await killable();
    const answered = await begin({ when: 'after', fault: 'stall', afterMs: HOUR });
    await until(
      () => calls(answered),
      ({ length }) => length === 1,
    );
    toTemporal.cut(FOR_GOOD);
    await control('POST', '/clock', { advanceMs: HOUR });
    await until(
      () => calls(answered),
      ([call]) => call?.status === 200,
    );
    const successor = await successorOf(lost, 0);
    expect(await emailedOnce(answered)).toEqual(['unknown WORKER_LOST', 'stored accepted']);
    await successor.stop();
  });
});
