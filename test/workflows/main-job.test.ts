import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

test('a posted bill run is emailed once, and its job completes as Delivering when openFor is over', async () => {
  const { number, id } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number, openFor: '0s', requestedBy: 'pipeline' });
  const result = await rig.result(job);

  expect(result).toMatchObject({
    state: 'Delivering',
    reason: null,
    billRunNumber: number,
    billRunId: id,
    unsettled: [],
  });
  expect(result.sends).toHaveLength(1);
  expect(result.sends[0]).toMatchObject({
    ordinal: 1,
    resend: false,
    outcome: 'accepted',
    attempts: [{ idempotencyKey: `bill-run-email/${id}/first/1`, verdict: 'accepted', httpStatus: 200, stored: false }],
  });
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
});

test('Rule 1: nothing is emailed before the bill run is posted', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const job = await rig.start({ billRunKey: number });
  const waiting = await rig.state(job, 'Waiting', 'notPosted');
  expect(waiting.until).not.toBeNull();
  expect(await rig.emailCalls(number)).toEqual([]);

  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(job, 'Delivering');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
});

test('Rules 3 and 5: a first call that is cut off after its effect is settled by the stored reply under the same key', async () => {
  const { number } = await rig.billRun.create();
  await rig.fault({ when: 'after', fault: 'reset' });
  const job = await rig.start({ billRunKey: number });
  await rig.state(job, 'Delivering');

  const [send] = await rig.sends(job);
  expect(send?.attempts.map(({ verdict, stored }) => ({ verdict, stored }))).toEqual([
    { verdict: 'unknown', stored: false },
    { verdict: 'accepted', stored: true },
  ]);
  expect(new Set(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
});

test('after the signal resend, every document is emailed once more', async () => {
  const { number, id } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  await rig.state(job, 'Delivering');
  await job.signal('resend', { requestId: 'TICKET-1', requestedBy: 'alice', reason: 'wrong template' });
  await until(
    () => rig.sends(job),
    (sends) => sends[1]?.outcome === 'accepted',
  );
  await job.signal('finish');
  const result = await rig.result(job);

  expect(result.sends.map(({ resend, outcome }) => ({ resend, outcome }))).toEqual([
    { resend: false, outcome: 'accepted' },
    { resend: true, outcome: 'accepted' },
  ]);
  expect(result.sends[1]?.attempts[0]?.idempotencyKey).toBe(`bill-run-email/${id}/resend/TICKET-1/1`);
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });
});

test('Rule 7: history holds who asked, the key of each attempt, and its result', async () => {
  const { number, id } = await rig.billRun.create();
  await rig.fault({ when: 'after', fault: 'reset' });
  const job = await rig.start({ billRunKey: number, requestedBy: 'pipeline', reason: 'month end' });
  await rig.state(job, 'Delivering');
  await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
  await until(
    () => rig.sends(job),
    (sends) => sends[1]?.outcome === 'accepted',
  );

  const audit = await rig.emails.audit({ billRunKey: number });
  const entries = audit.entries.filter(({ event }) => event !== 'state');
  expect(entries.map(({ event, requestedBy }) => [event, requestedBy])).toEqual([
    ['started', 'pipeline'],
    ['status', null],
    ['attempt', null],
    ['attemptEnded', null],
    ['attempt', null],
    ['attemptEnded', null],
    ['signal', 'alice'],
    ['attempt', null],
    ['attemptEnded', null],
  ]);
  const texts = entries.map(({ text }) => text).join('\n');
  expect(texts).toContain('month end');
  expect(texts).toContain('accepted (stored reply), HTTP 200');
  expect(texts).toContain(`key bill-run-email/${id}/first/1`);
  expect(texts).toContain(`key bill-run-email/${id}/resend/T-1/1`);
  for (const { attempts } of await rig.sends(job)) {
    for (const { zuoraRequestId } of attempts) if (zuoraRequestId !== null) expect(texts).toContain(zuoraRequestId);
  }
  expect(entries.every(({ event, identity }) => event !== 'signal' || identity?.includes('@'))).toBe(true);
});
