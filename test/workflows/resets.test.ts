/** A reset takes a run back to an earlier moment; what it has done since is done, and none of it may be emailed again. */
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ server: 'real' });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const twice = { min: 2, max: 2 };

type Life = (number: string) => Promise<WorkflowHandle>;

const emailedTwice =
  ({ answersLost = false } = {}): Life =>
  async (number) => {
    const path = `/v1/bill-runs/${number}/emails`;
    if (answersLost) await rig.fault({ path, when: 'after', fault: 'reset' });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'Emailed');
    if (answersLost) await rig.fault({ path, when: 'after', fault: 'reset' });
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await until(
      () => rig.sends(run),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    return run;
  };

const finished =
  (life: Life): Life =>
  async (number) => {
    const run = await life(number);
    await run.signal('finish');
    await rig.result(run);
    return run;
  };

/** Finished lives with two sends; the resend is T-1. */
const lives: Record<string, Life> = {
  'whose sends were accepted at once': finished(emailedTwice()),

  'whose answers were lost, so that stored replies settled it': finished(emailedTwice({ answersLost: true })),

  'that was over by itself, so that no signal stops it again': async (number) => {
    // The resend comes while the first send is under way: there is no window to send it in.
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'stall', afterMs: HOUR });
    const run = await rig.start({ billRunKey: number, escalationWindow: '0s' });
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 3,
    );
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.control('POST', '/clock', { advanceMs: HOUR });
    await rig.result(run);
    return run;
  },

  'of the day before, whose keys Zuora has forgotten': async (number) => {
    const run = await finished(emailedTwice())(number);
    await rig.control('POST', '/clock', { advanceMs: 25 * HOUR });
    return run;
  },
};

/** Waits until a run is over, or waits for people; then tells it something, if it can still hear it. */
async function thenTell(run: WorkflowHandle, signal: string, argument?: object): Promise<void> {
  await until(
    async () => ({ status: (await run.describe()).status.name, ...(await rig.status(run)) }),
    ({ status, state, pendingRequests }) => {
      const waits = pendingRequests.length === 0 && ['Delayed', 'Emailed', 'NeedsAttention'].includes(state);
      return status !== 'RUNNING' || waits;
    },
  );
  await run.signal(signal, argument).catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

describe.for(Object.entries(lives))('After a reset of a run %s', ([, live]) => {
  test.for([{ signalsAgain: true }, { signalsAgain: false }])(
    'to whatever event, nothing is emailed again (signals applied again: $signalsAgain)',
    async ({ signalsAgain }) => {
      const { number } = await rig.billRun.create();
      const { workflowId } = await live(number);
      const run = rig.own(number);
      const { runId } = await run.describe();
      const { events } = await run.fetchHistory();
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual(twice);

      // Temporal resets to the start and to the end of a workflow task, and to nothing else.
      const starts = (events ?? []).filter((event) => event.workflowTaskStartedEventAttributes != null);
      const ends = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes != null);
      expect(ends.length).toBeGreaterThan(4);
      for (const { eventId } of [...starts, ...ends]) {
        try {
          await rig.reset(workflowId, runId, Number(eventId), signalsAgain);
        } catch (error) {
          // Nor to a start that the server wrote down together with what was before it.
          expect(String(error)).toContain('this event must be at the boundary');
          expect(ends.map((end) => end.eventId)).not.toContain(eventId);
          continue;
        }
        // Each is kept from emailing by what it was reset to: a first send by its cool-down, or its key; a resend by
        // the memory of what earlier runs did, or, where it had been asked before the reset, by a person.
        await thenTell(run, 'resend', { requestId: 'T-1' });
        await thenTell(run, 'finish');
        await rig.result(run);
        expect(emailsPerDocument(await rig.mailbox(number)), `reset to event ${String(eventId)}`).toEqual(twice);
      }
    },
  );
});

test('After a reset, a resend of which no history tells waits for a person', async () => {
  const { number, id } = await rig.billRun.create();
  const run = await emailedTwice()(number);
  const { runId } = await run.describe();
  // The first look after the reset is kept waiting, until the history of the time before is gone.
  const path = `/object-query/billing-runs/${number}`;
  await rig.fault({ method: 'GET', path, fault: 'stall', afterMs: HOUR });
  await rig.reset(run.workflowId, runId, 4);
  await rig.forget(run.workflowId, runId);
  await rig.control('POST', '/clock', { advanceMs: HOUR });

  const { question } = await rig.state(run, 'NeedsAttention');
  expect(question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });
  expect(question?.text).toContain('reset');
  await run.signal('retry', { requestedBy: 'alice', sendAnyway: true });
  await rig.state(run, 'Emailed');
  expect(await rig.sends(run)).toMatchObject([
    { attempts: [{ idempotencyKey: `bill-run-email/${id}/resend/T-1/1`, verdict: 'accepted', stored: true }] },
  ]);
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual(twice);
});

test('Rule 6: after a reset, a first send looks at the bill run anew, and is delayed by the emails it finds', async () => {
  const { number } = await rig.billRun.create();
  const run = await rig.start({ billRunKey: number });
  await rig.state(run, 'Emailed');
  const { runId } = await run.describe();
  await rig.reset(run.workflowId, runId, 4);
  await rig.state(run, 'Delayed');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  expect(await rig.emailCalls(number)).toHaveLength(1);
});
