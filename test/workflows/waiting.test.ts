/** Long waits, on the time-skipping server: what takes days takes seconds, and no test sleeps. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failureOf, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  // As in production: the server does the waiting, and skips it.
  rig = await openRig({ server: 'timeSkipping', polling: { first: 10_000, longest: 60_000, afterAnHour: 900_000 } });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** How often the bill run was read. */
async function reads(key: string): Promise<number> {
  return (await rig.requests()).filter(({ path }) => path === `/object-query/billing-runs/${key}`).length;
}

describe('Waiting for the post', () => {
  test('a bill run that waits through 300 polls has the history of one that waits through 2', async () => {
    const events: number[] = [];
    for (const polls of [2, 300]) {
      const { number } = await rig.billRun.create({ status: 'Completed' });
      const run = await rig.start({ billRunKey: number, escalationWindow: '0s', postDeadline: '366 days' });
      const posted = until(
        () => reads(number),
        (count) => count > polls,
      ).then(() => rig.billRun.change(number, { status: 'Posted' }));
      await rig.result(run);
      await posted;
      expect(await reads(number)).toBeGreaterThan(polls);
      events.push((await run.describe()).historyLength);
    }
    expect(events[1]).toBe(events[0]);
  });

  test('a bill run that does not post by its deadline fails as NotPosted, and nothing is emailed', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number, postDeadline: '3 days' });
    const { type, message } = await failureOf(run);
    expect(type).toBe('NotPosted');
    expect(message).toContain('is Completed; nothing was emailed');
    expect(await rig.emailCalls(number)).toEqual([]);
  });

  test('a bill run that cannot be read until its deadline fails as NotPosted, with the reason, and needs no timer', async () => {
    const { number } = await rig.billRun.create({ status: 'Posted' });
    await rig.fault({
      method: 'GET',
      path: '/object-query/billing-runs/*',
      fault: 'respond',
      status: 503,
      times: 10_000,
    });
    const run = await rig.start({ billRunKey: number, postDeadline: '3 hours' });
    const { type, message } = await failureOf(run);
    expect(type).toBe('NotPosted');
    expect(message).toContain('503');
    const { startTime, closeTime } = await run.describe();
    const minutes = (Number(closeTime) - Number(startTime)) / 60_000;
    // The next read would have been too late.
    expect(minutes).toBeGreaterThan(175);
    expect(minutes).toBeLessThanOrEqual(180);
    expect((await run.fetchHistory()).events?.some((event) => event.timerStartedEventAttributes != null)).toBe(false);
  });

  test('a bill run that Zuora does not know is looked for during two minutes, and then fails as NotPosted', async () => {
    const run = await rig.start({ billRunKey: 'BR-09999999' });
    const { type, message } = await failureOf(run);
    expect(type).toBe('NotPosted');
    expect(message).toContain('BR-09999999');
    const { startTime, closeTime } = await run.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(120_000);
    expect(Number(closeTime) - Number(startTime)).toBeLessThan(180_000);
  });

  test('a bill run that is deleted while it waits fails as NotPosted', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.status(run),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    await rig.control('DELETE', `/bill-runs/${number}`);
    const { type, message } = await failureOf(run);
    expect(type).toBe('NotPosted');
    expect(message).toContain('was deleted');
  });
});

describe('Waiting after a send', () => {
  test('an emailed bill run stays open for its escalation window, and then completes as Emailed', async () => {
    const { number } = await rig.billRun.create();
    const run = await rig.start({ billRunKey: number });
    expect((await rig.result(run)).state).toBe('Emailed');
    const { startTime, closeTime } = await run.describe();
    expect(Number(closeTime) - Number(startTime)).toBeGreaterThanOrEqual(7 * 86_400_000);
  });

  test('a question that nobody answers within the attention window fails the run, which names the send', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 400, body: { success: false, reasons: [{ code: 58730020 }] } });
    const run = await rig.start({ billRunKey: number });
    const { type, message } = await failureOf(run);
    expect(type).toBe('Unsettled');
    expect(message).toContain('send 1 (resend=false): Zuora refused it, and nothing was sent');
    expect(await rig.mailbox(number)).toEqual([]);
  });

  test('a skipped send leaves the run open for its escalation window, and completes as Skipped', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    const run = await rig.start({ billRunKey: number });
    const result = await rig.result(run);
    expect(result).toMatchObject({ state: 'Skipped', sends: [{ outcome: 'skipped', attempts: [] }] });
    expect(await rig.emailCalls(number)).toEqual([]);
  });
});

describe('Waiting between attempts', () => {
  test('Rule 4: the automatic attempts end with the budget, all under one key, and a person is asked', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 503, times: 10_000 });
    const run = await rig.start({ billRunKey: number, attentionWindow: '1 hour' });
    const { type, message } = await failureOf(run);
    expect(type).toBe('Unsettled');
    expect(message).toContain('it is not known whether the documents were emailed');

    const [send] = await rig.sends(run);
    const attempts = send?.attempts ?? [];
    expect(new Set(attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(attempts.length).toBeGreaterThan(50);
    const { startTime, closeTime } = await run.describe();
    const hours = (Number(closeTime) - Number(startTime)) / 3_600_000;
    expect(hours).toBeGreaterThan(12);
    expect(hours).toBeLessThan(13.1);
  });

  test('Rule 6: a first send waits for the end of the cool-down after the last emails, and looks again', async () => {
    // The clock of the server, which may stand years ahead.
    const sentAt = (await rig.environment.currentTimeMs()) - 3_600_000;
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { lastEmailSentTime: new Date(sentAt).toISOString() });
    const run = await rig.start({ billRunKey: number, coolDown: '1 day' });
    const delayed = await rig.state(run, 'Delayed');
    expect(delayed.question).toMatchObject({ kind: 'delayed', needsSendAnyway: true });
    expect(delayed.until).toBe(new Date(sentAt + 86_400_000).toISOString());
    expect(await rig.emailCalls(number)).toEqual([]);

    expect((await rig.result(run)).state).toBe('Emailed');
    expect(await reads(number)).toBe(2);
  });
});
