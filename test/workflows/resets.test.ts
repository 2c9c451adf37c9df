/** A reset takes a job back to an earlier moment. What it has sent since then must not be emailed again. */
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

const twice = { min: 2, max: 2 };

type Life = (rig: Rig, number: string) => Promise<WorkflowHandle>;

const emailedTwice =
  ({ answersLost = false } = {}): Life =>
  async (rig, number) => {
    const path = `/v1/bill-runs/${number}/emails`;
    if (answersLost) await rig.fault({ path, when: 'after', fault: 'reset' });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    if (answersLost) await rig.fault({ path, when: 'after', fault: 'reset' });
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await until(
      () => rig.sends(job),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    return job;
  };

const finished =
  (life: Life): Life =>
  async (rig, number) => {
    const job = await life(rig, number);
    await job.signal('finish');
    await rig.result(job);
    return job;
  };

/** Closed lives with two sends; the resend is T-1. Their faults are for their own bill run. */
const lives: Record<string, Life> = {
  'whose sends were accepted at once': finished(emailedTwice()),

  'whose answers were lost, so that stored replies settled its sends': finished(emailedTwice({ answersLost: true })),
};

/** Lives that need the clock of a Zuora for themselves. */
const livesWithClock: Record<string, Life> = {
  'that closed by itself, so that no signal closes it again': async (rig, number) => {
    // The resend arrives during the first send, because the job closes after it.
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'stall', afterMs: HOUR });
    const job = await rig.start({ billRunKey: number, openFor: '0s' });
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 3,
    );
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.control('POST', '/clock', { advanceMs: HOUR });
    await rig.result(job);
    return job;
  },

  'of the day before, whose keys Zuora has forgotten': async (rig, number) => {
    const job = await finished(emailedTwice())(rig, number);
    await rig.control('POST', '/clock', { advanceMs: 25 * HOUR });
    return job;
  },
};

/** Waits until a job is closed or waits for a person. Then signals it, if it is still open. */
async function signalAtRest(rig: Rig, job: WorkflowHandle, signal: string, argument?: object): Promise<void> {
  await until(
    async () => ({ status: (await job.describe()).status.name, ...(await rig.status(job)) }),
    ({ status, state, reason, pendingRequests }) => {
      const waits = reason === 'coolDown' || ['Delivering', 'NeedsAttention'].includes(state);
      return status !== 'RUNNING' || (waits && pendingRequests.length === 0);
    },
  );
  await job.signal(signal, argument).catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

/** Resets the job to every event that Temporal allows, one after the other. */
async function expectNothingEmailedAgain(rig: Rig, live: Life, signalsAgain: boolean): Promise<void> {
  const { number } = await rig.billRun.create();
  const { workflowId } = await live(rig, number);
  const job = rig.own(number);
  const { runId } = await job.describe();
  const { events } = await job.fetchHistory();
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual(twice);

  // Temporal resets only to the start and to the end of a workflow task.
  const starts = (events ?? []).filter((event) => event.workflowTaskStartedEventAttributes != null);
  const ends = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes != null);
  expect(ends.length).toBeGreaterThan(4);
  for (const { eventId } of [...starts, ...ends]) {
    try {
      await rig.reset(workflowId, runId, Number(eventId), signalsAgain);
    } catch (error) {
      // It refuses a start that the server wrote together with the event before it.
      expect(String(error)).toContain('this event must be at the boundary');
      expect(ends.map((end) => end.eventId)).not.toContain(eventId);
      continue;
    }
    // A first send is kept back by its cool-down or its key. A resend is kept back by what the histories of earlier Temporal runs
    // show or, if it was requested before the reset, by a question.
    await signalAtRest(rig, job, 'resend', { requestId: 'T-1' });
    await signalAtRest(rig, job, 'finish');
    await rig.result(job);
    expect(emailsPerDocument(await rig.mailbox(number)), `reset to event ${String(eventId)}`).toEqual(twice);
  }
}

describe.concurrent('After a reset to any event, nothing is emailed again, for a job', () => {
  afterAll(() => rig.afterTest());

  const bothWays = Object.entries(lives).flatMap(([name, live]) =>
    [true, false].map((signalsAgain) => ({ name, live, signalsAgain })),
  );
  test.for(bothWays)('$name (signals applied again: $signalsAgain)', ({ live, signalsAgain }) =>
    expectNothingEmailedAgain(rig, live, signalsAgain),
  );

  test.for(Object.entries(livesWithClock))('%s (signals applied again, and not)', async ([, live]) => {
    const own = await openRig();
    try {
      for (const signalsAgain of [true, false]) await expectNothingEmailedAgain(own, live, signalsAgain);
      await own.afterTest();
    } finally {
      await own.close();
    }
  });
});

describe('After a reset', () => {
  afterEach(() => rig.afterTest());

  test('a resend that no history shows waits for a person', async () => {
    const { number, id } = await rig.billRun.create();
    const job = await emailedTwice()(rig, number);
    const { runId } = await job.describe();
    // The first look after the reset takes until the earlier history is deleted.
    const path = `/object-query/billing-runs/${number}`;
    await rig.fault({ method: 'GET', path, fault: 'stall', afterMs: HOUR });
    await rig.reset(job.workflowId, runId, 4);
    await rig.forget(job.workflowId, runId);
    await rig.control('POST', '/clock', { advanceMs: HOUR });

    const { question } = await rig.state(job, 'NeedsAttention');
    expect(question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
    expect(question?.text).toContain('reset');
    await job.signal('retry', { requestedBy: 'alice', reason: 'checked', sendAnyway: true });
    await rig.state(job, 'Delivering');
    // After the jump of its clock, Zuora may refuse the worker's token once.
    const last = (await rig.sends(job)).map(({ attempts }) => attempts.at(-1));
    const idempotencyKey = `bill-run-email/${id}/resend/T-1/1`;
    expect(last).toMatchObject([{ idempotencyKey, verdict: 'accepted', stored: true }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(twice);
  });

  test('rule 6: a first send looks at the bill run again, and leaves it at the emails that Zuora shows', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const { runId } = await job.describe();
    await rig.reset(job.workflowId, runId, 4);
    await rig.state(job, 'Delivering', 'emailedElsewhere');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
    expect(await rig.emailCalls(number)).toHaveLength(1);
  });
});
