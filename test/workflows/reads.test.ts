/** Looks, look-ups and handovers that do not work for 15 minutes end in a question, and retry goes on from there. */
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Activities } from '../../activities/index.js';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

const MINUTE = 60_000;
const RISK = { sendAnyway: true, requestedBy: 'alice', reason: 'checked in Zuora' };
const once = { min: 1, max: 1 };

/** Look-ups and handovers fail with it. */
let failure: Error | null = null;
const NO_ANSWER = 'Temporal does not answer';

function failing(activities: Activities): Activities {
  const orFail = async <T>(work: () => Promise<T>): Promise<T> => {
    if (failure !== null) throw failure;
    return work();
  };
  return {
    ...activities,
    earlierSends: (input) => orFail(() => activities.earlierSends(input)),
    handOver: (input) => orFail(() => activities.handOver(input)),
  };
}

describe('After 15 minutes, which the server skips', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({ around: failing });
  });
  afterEach(async () => {
    failure = null;
    await rig.afterTest();
  });
  afterAll(() => rig.close());

  /** A job whose first send waits for the end of a cool-down, and whose bill run cannot be read then. */
  async function unread(input: object = {}): Promise<{ number: string; job: WorkflowHandle }> {
    const sentAt = Date.now() - MINUTE;
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { lastEmailSentTime: new Date(sentAt).toISOString() });
    const job = await rig.start({ billRunKey: number, coolDown: '10 minutes', ...input });
    await rig.state(job, 'Waiting', 'coolDown');
    await rig.fault({ method: 'GET', path: '/object-query/billing-runs/*', fault: 'respond', status: 503, times: 999 });
    return { number, job };
  }

  test('a look asks after 15 minutes, in the words of Zuora; a retry looks again and sends', async () => {
    const { number, job } = await unread();
    await rig.skip(job, '20 minutes');
    expect(await rig.status(job)).toMatchObject({ state: 'Sending', question: null });
    await rig.skip(job, '6 minutes');
    const { question, since } = await rig.state(job, 'NeedsAttention', 'cannotRead');
    expect(question).toMatchObject({ ordinal: 1, kind: 'cannotRead', needsSendAnyway: false, safeUntil: null });
    expect(question?.text).toMatch(/The bill run cannot be read in Zuora, tried since .* \(last: `.*503.*`\)/);
    expect(await rig.listed(job)).toMatchObject({ state: 'NeedsAttention', reason: 'cannotRead', since });
    expect(await rig.emailCalls(number)).toEqual([]);
    await rig.control('DELETE', '/faults');
    await job.executeUpdate('retry', { args: [{ ordinal: 1, requestedBy: 'alice' }] });
    await rig.accepted(job, 1);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('a look that nobody answers about fails the job as Unsettled, and nothing was emailed', async () => {
    const { number, job } = await unread({ openFor: '2 hours' });
    await rig.skipToEnd(job);
    expect(await rig.listed(job)).toMatchObject({ state: 'Unsettled', reason: 'cannotRead' });
    const { startTime, closeTime } = await job.describe();
    const minutes = (Number(closeTime) - Number(startTime)) / MINUTE;
    // 9 until the end of the cool-down, 15 of looks without the last wait, 120 of the question.
    expect(minutes).toBeGreaterThan(9 + 13 + 120);
    expect(minutes).toBeLessThan(9 + 15 + 120 + 1);
    expect(await rig.emailCalls(number)).toEqual([]);
  });

  test('a look-up asks after 15 minutes; sendAnyway takes the requests for new ones', async () => {
    failure = new Error(NO_ANSWER);
    const { number } = await rig.billRun.create();
    const job = await rig.startAs(`email-bill-run/${number}`, { billRunKey: number });
    await rig.skip(job, '16 minutes');
    const { question } = await rig.state(job, 'NeedsAttention', 'cannotRead');
    expect(question?.text).toContain('(last: `Temporal does not answer`)');
    expect(await rig.emailCalls(number)).toEqual([]);
    await job.signal('retry', RISK);
    const [send] = await rig.accepted(job, 1);
    expect(send?.decisions).toMatchObject([{ decision: 'sendAnyway', requestedBy: 'alice' }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('a look-up does not hold back the attempts of a send under way, and asks all the same', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 429, headers: { 'retry-after': 600 }, times: 2 });
    const job = await rig.startAs(`email-bill-run/${number}`, { billRunKey: number });
    await until(
      () => rig.sends(job),
      ([send]) => send?.attempts.length === 1,
    );
    failure = new Error(NO_ANSWER);
    await job.signal('resend', { requestId: 'T-1' });
    await rig.skip(job, '16 minutes');
    const asking = await rig.state(job, 'NeedsAttention', 'cannotRead');
    expect(asking.question).toMatchObject({ ordinal: 1 });
    expect((await rig.sends(job))[0]?.attempts).toHaveLength(2);
    await rig.skip(job, '6 minutes');
    await rig.accepted(job, 1);
    expect((await rig.state(job, 'NeedsAttention', 'cannotRead')).question).toMatchObject({ ordinal: 2 });
    failure = null;
    await job.signal('retry', { ordinal: 2 });
    await rig.accepted(job, 2);
  });
});

describe('After a failure for good, which takes the place of 15 minutes', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({ around: failing });
  });
  afterEach(async () => {
    failure = null;
    await rig.afterTest();
  });
  afterAll(() => rig.close());

  test('a handover that does not work asks; it takes no sendAnyway, and a retry hands over', async () => {
    failure = ApplicationFailure.nonRetryable(NO_ANSWER);
    const { id, number } = await rig.billRun.create();
    const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id });
    const { question } = await rig.state(alias, 'NeedsAttention', 'cannotRead');
    expect(question?.text).toMatch(/cannot be handed to the job .* \(last: `Temporal does not answer`\)/);
    await expect(alias.executeUpdate('retry', { args: [RISK] })).rejects.toThrow();
    failure = null;
    await alias.signal('retry', { ordinal: 1, requestedBy: 'alice' });
    expect((await rig.result(alias)).state).toBe('HandedOver');
    await rig.accepted(rig.own(number), 1);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('a look-up that does not work asks, and a retry looks up again', async () => {
    failure = ApplicationFailure.nonRetryable(NO_ANSWER);
    const { number } = await rig.billRun.create();
    const job = await rig.startAs(`email-bill-run/${number}`, { billRunKey: number });
    expect((await rig.state(job, 'NeedsAttention', 'cannotRead')).question).toMatchObject({ ordinal: 1 });
    failure = null;
    await job.executeUpdate('retry', { args: [{ ordinal: 1 }] });
    await rig.accepted(job, 1);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });
});
