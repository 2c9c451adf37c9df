/** Long waits: the server skips them, so days take seconds, and no test sleeps. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EmailBillRunResult } from '../../workflows/contract/contract.js';
import { withoutJumps } from '../../scripts/time-skipping.js';
import { failureOf, openRig, READS_FAIL, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  // The intervals of production: the server skips the waits.
  rig = await openRig({ polling: { first: 10_000, longest: 60_000, afterAnHour: 900_000 } });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** The result of a job that nobody waits for. */
async function resultOf(job: WorkflowHandle): Promise<EmailBillRunResult> {
  await rig.skipToEnd(job);
  return rig.result(job);
}

/** The failure of a job that nobody waits for. */
async function failureIn(job: WorkflowHandle): ReturnType<typeof failureOf> {
  await rig.skipToEnd(job);
  return failureOf(job);
}

/** How often the bill run was read. */
async function reads(key: string): Promise<number> {
  return (await rig.requests()).filter(({ path }) => path === `/object-query/billing-runs/${key}`).length;
}

describe('Waiting for the post', () => {
  test('a bill run that waits through 60 polls has the history of one that waits through 2', async () => {
    const events: number[] = [];
    for (const polls of [2, 60]) {
      const { number } = await rig.billRun.create({ status: 'Completed' });
      const job = await rig.start({ billRunKey: number, openFor: '0s', postDeadline: '366 days' });
      const posted = until(
        () => reads(number),
        (count) => count > polls,
      ).then(() => rig.billRun.change(number, { status: 'Posted' }));
      await resultOf(job);
      await posted;
      expect(await reads(number)).toBeGreaterThan(polls);
      events.push(withoutJumps(await job.fetchHistory()).length);
    }
    const [few = 0, many = 0] = events;
    // A result that arrives during a workflow task adds one, and a task has three events.
    expect(Math.abs(many - few)).toBeLessThanOrEqual(6);
  });

  test('a bill run that does not post by its deadline fails as NotPosted, and nothing is emailed', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const job = await rig.start({ billRunKey: number, postDeadline: '3 hours' });
    const { type, message } = await failureIn(job);
    expect(type).toBe('NotPosted');
    expect(message).toContain('is Completed; nothing was emailed');
    expect(await rig.emailCalls(number)).toEqual([]);
  });

  test('a bill run that cannot be read until its deadline fails as NotPosted, with the reason, and starts no timer', async () => {
    const { number } = await rig.billRun.create({ status: 'Posted' });
    await rig.fault({ ...READS_FAIL, status: 503 });
    const job = await rig.start({ billRunKey: number, postDeadline: '1 hour' });
    const { type, message } = await failureIn(job);
    expect(type).toBe('NotPosted');
    expect(message).toContain('503');
    const { startTime, closeTime } = await job.describe();
    const minutes = (Number(closeTime) - Number(startTime)) / 60_000;
    // The next read would have been too late.
    expect(minutes).toBeGreaterThan(55);
    expect(minutes).toBeLessThanOrEqual(60);
    expect((await job.fetchHistory()).events?.some((event) => event.timerStartedEventAttributes != null)).toBe(false);
  });

  test('a bill run that Zuora does not know fails as NotPosted after two minutes', async () => {
    const job = await rig.start({ billRunKey: 'BR-09999999' });
    const { type, message } = await failureIn(job);
    expect(type).toBe('NotPosted');
    expect(message).toContain('BR-09999999');
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(120_000);
    expect(Number(closeTime) - Number(startTime)).toBeLessThan(180_000);
  });

  test('a bill run that is deleted while it waits fails as NotPosted', async () => {
    const { number, job } = await rig.startWaiting();
    await rig.control('DELETE', `/bill-runs/${number}`);
    const { type, message } = await failureIn(job);
    expect(type).toBe('NotPosted');
    expect(message).toContain('was deleted');
  });
});

describe('A bill run that cannot be read while it waits', () => {
  const LOGIN = { method: 'POST', path: '/oauth/token', fault: 'respond', times: 10_000 };
  const DENIED = { success: false, reasons: [{ code: 'ACCESS_DENIED', message: 'no permission' }] };

  const waiting = () => rig.startWaiting({ openFor: '0s' });

  test.each([
    ['an outage', { ...READS_FAIL, status: 503 }, /HTTP 503/],
    ['a missing permission', { ...READS_FAIL, status: 403, body: DENIED }, /403.*no permission.*Fix the permissions/],
    ['a refused token', { ...READS_FAIL, status: 401 }, /Fix the worker's Zuora credentials/],
    ['a refused secret', { ...LOGIN, status: 401 }, /Fix the worker's Zuora credentials/],
  ])('says so within 90 s of the first failure: %s', async (_what, fault, words) => {
    const { number, job } = await waiting();
    const { since } = await rig.status(job);
    if (fault.path === LOGIN.path) await rig.control('DELETE', '/tokens');
    await rig.fault(fault);
    // 60 s until the next read, and 90 s.
    await rig.skip(job, '150 seconds');
    const status = await rig.state(job, 'Waiting', 'cannotRead');
    expect(status).toMatchObject({
      question: null,
      billRunStatus: 'Completed',
      text: expect.stringMatching(words) as string,
    });
    expect(status.text).toMatch(
      /^Reads of the bill run in Zuora have failed since .* UTC \(last: `.*`\). The job goes on by itself/,
    );
    expect(Date.parse(status.since ?? '')).toBeGreaterThan(Date.parse(since ?? ''));
    expect(await rig.listed(job)).toMatchObject({ state: 'Waiting', reason: 'cannotRead', since: status.since });
    await rig.control('DELETE', '/faults');
    await rig.skip(job, '2 minutes');
    await rig.state(job, 'Waiting', 'notPosted');
    await rig.billRun.change(number, { status: 'Posted' });
    expect(await resultOf(job)).toMatchObject({ state: 'Delivering' });
    expect(await rig.emailCalls(number)).toHaveLength(1);
  });

  test('an outage of an hour adds no more to history than one of minutes', async () => {
    const lengths: number[] = [];
    for (const outage of ['10 minutes', '1 hour'] as const) {
      const { number, job } = await waiting();
      await rig.fault({ ...READS_FAIL, status: 503 });
      await rig.skip(job, outage);
      await rig.state(job, 'Waiting', 'cannotRead');
      await rig.control('DELETE', '/faults');
      await rig.skip(job, '2 minutes');
      await rig.state(job, 'Waiting', 'notPosted');
      await rig.billRun.change(number, { status: 'Posted' });
      await resultOf(job);
      lengths.push(withoutJumps(await job.fetchHistory()).length);
    }
    expect(lengths[1]).toBe(lengths[0]);
  });

  test('a hint reads at once, also while reads fail', async () => {
    const { number, job } = await waiting();
    await rig.fault({ ...READS_FAIL, status: 503 });
    await rig.skip(job, '150 seconds');
    await rig.state(job, 'Waiting', 'cannotRead');
    await rig.control('DELETE', '/faults');
    await rig.billRun.change(number, { status: 'Posted' });
    await job.signal('billRunPosted');
    // No time is skipped here, so the next read of the watch is far.
    await rig.accepted(job, 1);
  });

  test('a job that is started meanwhile says so as well, and does not flood Zuora', async () => {
    await rig.fault({ ...READS_FAIL, status: 503 });
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number, openFor: '0s' });
    await rig.skip(job, '90 seconds');
    await rig.state(job, 'Waiting', 'cannotRead');
    const before = await reads(number);
    expect(before).toBeLessThanOrEqual(5);
    await rig.skip(job, '1 hour');
    expect((await reads(number)) - before).toBeLessThanOrEqual(67);
    await rig.control('DELETE', '/faults');
    expect(await resultOf(job)).toMatchObject({ state: 'Delivering' });
  });
});

describe('Waiting after a send', () => {
  test('a job stays open for seven days after the last change of a document, and then completes as Emailed', async () => {
    const { number } = await rig.billRun.create({ creditMemos: 0 });
    const job = await rig.start({ billRunKey: number });
    expect(await resultOf(job)).toMatchObject({ state: 'Emailed', reason: null });
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
  });

  test('a question that nobody answers for seven days fails the job as Unsettled, which names the send', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 400, body: { success: false, reasons: [{ code: 58730020 }] } });
    const job = await rig.start({ billRunKey: number });
    const { type, message } = await failureIn(job);
    expect(type).toBe('Unsettled');
    expect(message).toContain('send 1 (first send): Zuora refused it, and nothing was sent');
    expect(await rig.mailbox(number)).toEqual([]);
    expect(await rig.listed(job)).toMatchObject({ state: 'Unsettled', reason: 'refused' });
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
  });

  test('with openFor 0s, a question stays open for seven days all the same', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 400, body: { success: false, reasons: [{ code: 58730020 }] } });
    const job = await rig.start({ billRunKey: number, openFor: '0s' });
    expect((await failureIn(job)).type).toBe('Unsettled');
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
  });

  test('a job that leaves the emails to Zuora stays open for seven days, and completes as Delivering', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    const job = await rig.start({ billRunKey: number });
    const result = await resultOf(job);
    // This Zuora emails none of them, because the bill run was created as posted; its clock does not skip.
    expect(result).toMatchObject({ state: 'Delivering', unsettled: [] });
    expect(['notSent', 'unknown']).toContain(result.reason);
    expect(result.sends).toMatchObject([
      { outcome: 'stopped', attempts: [], note: expect.stringContaining('autoEmail') as string },
    ]);
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
    expect(await rig.emailCalls(number)).toEqual([]);
  });
});

describe('A bill run that somebody emailed in Zuora', () => {
  test('Rule 6: is not emailed again; the job stays open for seven days, and completes as Delivering', async () => {
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { invoicesEmailed: true });
    const job = await rig.start({ billRunKey: number });
    const following = await rig.state(job, 'Delivering', 'emailedElsewhere');
    expect(following).toMatchObject({ question: null, sends: 0 });
    expect(await rig.listed(job)).toMatchObject({ state: 'Delivering', reason: 'emailedElsewhere' });
    const result = await resultOf(job);
    // In truth nobody did.
    expect(result).toMatchObject({ state: 'Delivering', unsettled: [] });
    expect(['notSent', 'unknown']).toContain(result.reason);
    expect(result.sends).toMatchObject([{ outcome: 'stopped', attempts: [] }]);
    const { startTime, closeTime } = await job.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
    expect(await rig.emailCalls(number)).toEqual([]);
  });
});

describe('Waiting between attempts', () => {
  test('Rule 4: the automatic attempts end with the budget, all under one key, and then a person is asked', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 503, times: 10_000 });
    const job = await rig.start({ billRunKey: number, openFor: '1 hour' });
    const { type, message } = await failureIn(job);
    expect(type).toBe('Unsettled');
    expect(message).toContain('it is not known whether the documents were emailed');

    const [send] = await rig.sends(job);
    const attempts = send?.attempts ?? [];
    expect(new Set(attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(attempts.length).toBeGreaterThan(50);
    const { startTime, closeTime } = await job.describe();
    const hours = (Number(closeTime) - Number(startTime)) / 3_600_000;
    expect(hours).toBeGreaterThan(12);
    expect(hours).toBeLessThan(13.1);
  });

  test('after 15 minutes without certainty the question is shown, while the job is Sending and its attempts continue', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 503, times: 10_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(job),
      ([send]) => send?.attempts.length === 1,
    );
    expect(await rig.status(job)).toMatchObject({ state: 'Sending', reason: null, question: null });
    await rig.skip(job, '16 minutes');
    const status = await rig.state(job, 'Sending', 'unknown');
    expect(status.question).toMatchObject({ ordinal: 1, kind: 'unknown', needsSendAnyway: false });
    expect(Date.parse(String(status.question?.safeUntil))).toBeGreaterThan(Date.parse(String(status.since)));
    expect(await rig.listed(job)).toMatchObject({ state: 'Sending', reason: 'unknown', since: status.since });
    await rig.control('DELETE', '/faults');
    await rig.skip(job, '15 minutes');
    await rig.accepted(job, 1);
    expect(await rig.status(job)).toMatchObject({ question: null, sends: 1 });
  });

  test('a request that does not get through for 15 minutes needs a person, while its attempts continue', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 401, times: 10_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(job),
      ([send]) => send?.attempts.length === 1,
    );
    await rig.skip(job, '16 minutes');
    const { question } = await rig.state(job, 'NeedsAttention', 'refused');
    expect(question).toMatchObject({ kind: 'refused', needsSendAnyway: false, safeUntil: null });
    await rig.control('DELETE', '/faults');
    await rig.skip(job, '15 minutes');
    await rig.accepted(job, 1);
    expect(await rig.status(job)).toMatchObject({ question: null, sends: 1 });
  });

  test('Rule 6: a first send waits for the end of the cool-down after the last emails, and looks again', async () => {
    const sentAt = Date.now() - 3_600_000;
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { lastEmailSentTime: new Date(sentAt).toISOString() });
    const job = await rig.start({ billRunKey: number, coolDown: '1 day' });
    const waiting = await rig.state(job, 'Waiting', 'coolDown');
    expect(waiting.question).toBeNull();
    expect(waiting.text).toContain('this send waits until');
    expect(waiting.until).toBe(new Date(sentAt + 86_400_000).toISOString());
    expect(await rig.emailCalls(number)).toEqual([]);

    expect((await resultOf(job)).state).toBe('Emailed');
    expect(await reads(number)).toBe(2);
  });

  test('Rule 6: a first send waits for the cool-down after the post, if Zuora emails at the post by itself', async () => {
    await rig.control('PATCH', '/settings', { postedNotificationActive: true });
    const { number } = await rig.billRun.create();
    const postedAt = Date.now() - 3_600_000;
    await rig.billRun.change(number, { postedDate: new Date(postedAt).toISOString() });
    // A worker knows the notifications of a scope for some minutes.
    const job = await rig.start({ billRunKey: number, orgIds: ['emails-at-post'] });
    const waiting = await rig.state(job, 'Waiting', 'coolDown');
    expect(waiting.text).toContain('by its notifications `Invoice Posted`, `Credit Memo Posted`');
    expect(waiting.until).toBe(new Date(postedAt + 86_400_000).toISOString());
    expect(await rig.emailCalls(number)).toEqual([]);
    expect(await rig.mailbox(number)).toHaveLength(3);

    expect((await resultOf(job)).state).toBe('Emailed');
    expect(await rig.emailCalls(number)).toHaveLength(1);
    expect(await rig.mailbox(number)).toHaveLength(3);
  });
});
