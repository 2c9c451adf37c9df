/** The hold on all with a thousand jobs that are due, on real parts. It prints the figures of docs/reliability.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  emailsPerDocument,
  newNamespace,
  openRig,
  until,
  type Email,
  type Rig,
  type SeenRequest,
} from '../support/rig.js';

const JOBS = 1_000;
const NOTE = { requestedBy: 'alice', reason: 'wrong template' };
const SECOND = 1_000;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({
    namespace: await newNamespace(),
    keepsJobs: true,
    polling: { first: 30 * SECOND, longest: 30 * SECOND, afterAnHour: 30 * SECOND },
  });
});
afterAll(() => rig.close());

interface Call extends SeenRequest {
  /** ISO 8601, as Zuora logged it. */
  readonly at: string;
  readonly billRun: string;
}

async function callsFor(numbers: readonly string[]): Promise<readonly Call[]> {
  const all = await rig.control<Call[]>('GET', '/requests');
  const own = new Set(numbers);
  return all.filter(({ path, billRun }) => path.endsWith('/emails') && own.has(billRun));
}

/** When the calls arrived, after a moment (ms), in order. */
function sinceIn(calls: readonly Call[], from: number): readonly number[] {
  return calls.map(({ at }) => Date.parse(at) - from).sort((one, other) => one - other);
}

async function started(): Promise<readonly string[]> {
  const numbers: string[] = [];
  for (let count = 0; count < JOBS; count += 1) {
    numbers.push((await rig.billRun.create({ invoices: 1, creditMemos: 0, status: 'Completed' })).number);
  }
  for await (const each of rig.emails.startMany(numbers.map((billRunKey) => ({ billRunKey }))))
    expect(each.ok).toBe(true);
  return numbers;
}

/** Temporal's actions of a job since an event: what Temporal Cloud bills. */
async function actionsOf(number: string, since: number): Promise<number> {
  const { events } = await rig.client.workflow.getHandle(`email-bill-run/${number}`).fetchHistory();
  return (events ?? []).filter((event) => {
    const { activityTaskScheduledEventAttributes: activity, timerStartedEventAttributes: timer } = event;
    const { workflowExecutionSignaledEventAttributes: signal, upsertWorkflowSearchAttributesEventAttributes: listed } =
      event;
    const isAction = (activity ?? timer ?? signal ?? listed) != null;
    return isAction && Number(event.eventTime?.seconds) * SECOND >= since;
  }).length;
}

async function releasedWithin(numbers: readonly string[]): Promise<number> {
  const releasedAt = Date.now();
  await rig.emails.releaseAll(NOTE);
  // Asked seldom: an answer of thousands of requests keeps the simulator from its calls.
  const calls = await until(
    async () => {
      await delay(3 * SECOND);
      return callsFor(numbers);
    },
    ({ length }) => length >= JOBS,
  );
  const emails = await until(
    () => rig.control<Email[]>('GET', '/mailbox'),
    (all) => all.filter(({ billRunNumber }) => numbers.includes(billRunNumber)).length >= JOBS,
  );
  expect(emailsPerDocument(emails)).toEqual({ min: 1, max: 1 });
  return sinceIn(calls, releasedAt).at(-1) ?? NaN;
}

test.each([
  ['with workers running', true],
  ['with workers stopped', false],
])(
  `it holds ${JOBS} jobs %s, and all of them begin soon after the release`,
  { timeout: 900_000 },
  async (how, isRunning) => {
    const numbers = await started();
    if (!isRunning) await rig.stopWorker();
    for (const number of numbers) await rig.billRun.change(number, { status: 'Posted' });
    if (isRunning) {
      for (const number of numbers)
        void rig.emails.billRunPosted({ billRunKey: number }, { start: false }).catch(() => undefined);
      await until(
        () => callsFor(numbers),
        ({ length }) => length > 0,
      );
    }
    await rig.emails.holdAll(NOTE);
    const answeredAt = Date.now();
    if (!isRunning) await rig.startWorker();
    const heldBefore = Date.now();
    // Every job whose call was not under way meets the hold.
    const isHeld = async (): Promise<number> => {
      const { count } = await rig.client.workflow.count(`EmailReason = 'all' AND CloseTime IS NULL`);
      return count + (await callsFor(numbers)).length;
    };
    for (const number of numbers) await rig.emails.billRunPosted({ billRunKey: number }, { start: false });
    await until(isHeld, (count) => count >= JOBS);
    const heldAfter = Date.now();
    const calls = await callsFor(numbers);
    const late = sinceIn(calls, answeredAt).filter((ms) => ms > 0);
    const held = numbers.find((number) => !calls.some(({ billRun }) => billRun === number)) ?? '';
    const actions = await actionsOf(held, answeredAt);
    expect(late.filter((ms) => ms > 2 * SECOND)).toEqual([]);
    const beganMs = await releasedWithin(numbers);
    console.log(
      JSON.stringify({
        ...{ how, jobs: JOBS, callsBeforeTheAnswer: calls.length - late.length, callsAfterTheAnswer: late.length },
        ...{ lastCallAfterTheAnswerMs: late.at(-1) ?? 0, allHeldAfterMs: heldAfter - heldBefore },
        ...{ actionsOfAHeldJob: actions, allBeganMsAfterTheRelease: beganMs },
      }),
    );
    expect(beganMs).toBeLessThan(60 * SECOND);
    for (const number of numbers) await rig.emails.finish({ billRunKey: number });
  },
);
