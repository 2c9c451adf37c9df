/** Each way through the life of an email job, on a server. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobStatus } from '../../workflows/contract/contract.js';
import { emailsPerDocument, failureOf, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const refusal = {
  fault: 'respond',
  status: 400,
  body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
};

/** The next attempt is an hour away. */
const LATER = { fault: 'respond', status: 429, headers: { 'retry-after': '3600' } };

describe('Before the post', () => {
  test.for(['Canceled', 'Error'])(
    'a bill run that ends as %s fails the job as NotPosted, and nothing is emailed',
    async (status) => {
      const { number } = await rig.billRun.create({ status: 'Processing' });
      const job = await rig.start({ billRunKey: number });
      await rig.state(job, 'Waiting');
      await rig.billRun.change(number, { status, errorMessage: 'tax engine of a@b.example is down' });
      const { type, message } = await failureOf(job);
      expect(type).toBe('NotPosted');
      expect(message).toContain(`ended as ${status} (tax engine of [address] is down)`);
      expect(await rig.emailCalls(number)).toEqual([]);
      expect((await rig.status(job)).state).toBe('NotPosted');
    },
  );

  test('the job waits on after Zuora could not post all documents, and says what to do', async () => {
    const { number } = await rig.billRun.create({ status: 'PostInProgress' });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.status(job),
      ({ billRunStatus }) => billRunStatus === 'PostInProgress',
    );
    await rig.billRun.change(number, { status: 'Completed' });
    const status = await until(
      () => rig.status(job),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    expect(status.text).toContain('post the bill run again');
    expect(status).toMatchObject({ state: 'Waiting', reason: 'notPosted' });
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(job, 'Delivering');
  });

  test('the job waits on through a status that it does not know', async () => {
    const { number } = await rig.billRun.create({ status: 'Processing' });
    await rig.fault({
      method: 'GET',
      path: `/object-query/billing-runs/${number}`,
      fault: 'respond',
      status: 200,
      body: { id: 'x1', billingRunNumber: number, status: 'Sparkling' },
    });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.status(job),
      ({ billRunStatus }) => billRunStatus === 'Processing',
    );
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(job, 'Delivering');
  });

  test('a hint that the bill run posted makes the job look at once', async () => {
    const slow = await openRig({
      polling: { first: 3_600_000, longest: 3_600_000, afterAnHour: 3_600_000 },
    });
    try {
      const { number } = await slow.billRun.create({ status: 'Completed' });
      const job = await slow.start({ billRunKey: number });
      await until(
        () => slow.status(job),
        ({ billRunStatus }) => billRunStatus === 'Completed',
      );
      await slow.billRun.change(number, { status: 'Posted' });
      await job.signal('billRunPosted', { anything: ['goes'] });
      await slow.state(job, 'Delivering');
      await slow.afterTest();
    } finally {
      await slow.close();
    }
  });

  test('requests that arrive before the first send begins are served by one send, which names them all', async () => {
    const { number, id } = await rig.billRun.create({ status: 'Completed' });
    const job = await rig.start({ billRunKey: number, requestedBy: 'pipeline' });
    await rig.state(job, 'Waiting');
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await job.signal('resend', { requestId: 'T-2', requestedBy: 'bob' });
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(job, 'Delivering');

    const sends = await rig.sends(job);
    expect(sends).toHaveLength(1);
    expect(sends[0]?.requests.map(({ requestedBy }) => requestedBy)).toEqual(['pipeline', 'alice', 'bob']);
    expect(sends[0]?.attempts[0]?.idempotencyKey).toBe(`bill-run-email/${id}/resend/T-1/1`);
    expect((await rig.status(job)).ignored.last[0]?.reason).toContain('T-1 was made before');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });
});

describe('Sending', () => {
  test('a refused send asks a person, and a retry after the cause is fixed uses the next key', async () => {
    const { number, id } = await rig.billRun.create();
    await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
    const job = await rig.start({ billRunKey: number });
    const asking = await rig.state(job, 'NeedsAttention');
    expect(asking.reason).toBe('refused');
    expect(asking.question).toMatchObject({ ordinal: 1, kind: 'refused', needsSendAnyway: false, safeUntil: null });
    expect(asking.question?.text).toContain('Nothing was sent');
    expect(asking.text).toContain('Nothing was sent');

    await rig.control('PATCH', '/settings', { notificationActive: true });
    await job.signal('retry', { ordinal: 1, requestedBy: 'alice', reason: 'notification switched on' });
    await rig.state(job, 'Delivering');
    const [send] = await rig.sends(job);
    expect(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      `bill-run-email/${id}/first/1`,
      `bill-run-email/${id}/first/2`,
    ]);
    expect(send?.decisions).toMatchObject([{ decision: 'retry', requestedBy: 'alice' }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 3: after a lock and a rate limit, the attempts continue under the same key', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 409, body: { success: false, reasons: [{ code: 58730050 }] } });
    await rig.fault({ fault: 'respond', status: 429, headers: { 'retry-after': '1' } });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const [send] = await rig.sends(job);
    expect(send?.attempts.map(({ verdict }) => verdict)).toEqual(['notExecuted', 'notExecuted', 'accepted']);
    expect(new Set(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(new Set(send?.attempts.map(({ trackId }) => trackId)).size).toBe(3);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 3: after a stored answer that nothing was executed, the next attempt uses the next key', async () => {
    const { number, id } = await rig.billRun.create();
    await rig.fault({
      fault: 'respond',
      stored: true,
      status: 200,
      body: { success: false, reasons: [{ code: 58730050, message: 'lock' }] },
    });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const [send] = await rig.sends(job);
    expect(send?.attempts.map(({ idempotencyKey, stored }) => [idempotencyKey.slice(-1), stored])).toEqual([
      ['1', false],
      ['1', true],
      ['2', false],
    ]);
    expect(
      (await rig.mailbox(number)).every(({ idempotencyKey }) => idempotencyKey === `bill-run-email/${id}/first/2`),
    ).toBe(true);
  });

  test('Rule 5: after a stored failure that may have been executed, a person is asked, and only sendAnyway uses the next key', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', stored: true, status: 500, body: { reasons: [{ code: 'SystemError' }] } });
    const job = await rig.start({ billRunKey: number });
    const asking = await rig.state(job, 'NeedsAttention');
    expect(asking).toMatchObject({
      reason: 'unknown',
      question: { kind: 'unknown', needsSendAnyway: true, safeUntil: null },
    });

    await job.signal('retry', { requestedBy: 'alice' });
    await until(
      () => rig.status(job),
      ({ ignored }) => ignored.count === 1,
    );
    expect(await rig.emailCalls(number)).toHaveLength(2);

    await job.signal('retry', { requestedBy: 'alice', sendAnyway: true, reason: 'nobody got an email' });
    await rig.state(job, 'Delivering');
    const [send] = await rig.sends(job);
    expect(send?.attempts.at(-1)?.idempotencyKey).toMatch(/\/first\/2$/);
    expect(send?.decisions).toMatchObject([
      { decision: 'sendAnyway', requestedBy: 'alice', reason: 'nobody got an email' },
    ]);
  });

  test('Rule 6: with autoEmail nothing of ours is sent; retry waits for the cool-down, and sendAnyway overrides that', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    const job = await rig.start({ billRunKey: number });
    const following = await rig.state(job, 'Delivering', 'autoEmail');
    expect(following).toMatchObject({ question: null, sends: 0 });
    expect(following.text).toContain('autoEmail is on');
    expect(await job.executeUpdate('retry', { args: [{ requestedBy: 'bob' }] })).toMatchObject({ state: 'Waiting' });
    const waiting = await until(
      () => rig.status(job),
      ({ until: end }) => end !== null,
    );
    expect(waiting).toMatchObject({ state: 'Waiting', reason: 'coolDown', ignored: { count: 0 } });
    expect(waiting.text).toContain('at the post by itself (autoEmail is on)');
    expect(await rig.emailCalls(number)).toEqual([]);

    await job.signal('retry', { sendAnyway: true, requestedBy: 'alice', reason: 'checked' });
    expect(await rig.accepted(job, 1)).toMatchObject([
      {
        outcome: 'accepted',
        decisions: [
          { decision: 'retry', requestedBy: 'bob' },
          { decision: 'sendAnyway', requestedBy: 'alice' },
        ],
      },
    ]);
    expect(await rig.status(job)).toMatchObject({ state: 'Delivering', reason: null, sends: 1 });
  });

  test('Rule 6: a job without documents completes as Skipped; missing counts do not mean that', async () => {
    const empty = await rig.billRun.create({ invoices: 0, creditMemos: 0 });
    const job = await rig.start({ billRunKey: empty.number });
    expect(await rig.result(job)).toMatchObject({ state: 'Skipped', reason: 'noDocuments', unsettled: [] });
    expect(await rig.status(job)).toMatchObject({ state: 'Skipped', reason: 'noDocuments', question: null });
    expect(await rig.emailCalls(empty.number)).toEqual([]);

    const silent = await rig.billRun.create({ invoices: 1, creditMemos: 0 });
    await rig.billRun.change(silent.number, { numberOfInvoices: null, numberOfCreditMemos: 0 });
    await rig.state(await rig.start({ billRunKey: silent.number }), 'Delivering');
  });

  test('a held job without documents stays open until it is released', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed', invoices: 0, creditMemos: 0 });
    const job = await rig.start({ billRunKey: number });
    await job.signal('hold');
    await rig.billRun.change(number, { status: 'Posted' });
    await until(
      () => rig.status(job),
      ({ billRunStatus, state }) => billRunStatus === 'Posted' && state === 'Held',
    );
    expect((await job.describe()).status.name).toBe('RUNNING');
    await job.signal('release');
    expect((await rig.result(job)).state).toBe('Skipped');
  });

  test('an attempt under way is listed as Sending while it runs', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'stall', afterMs: 60_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.emailCalls(number),
      (calls) => calls.length === 1,
    );
    expect(await rig.listed(job)).toMatchObject({ state: 'Sending', reason: undefined, sends: 0 });
    expect((await rig.status(job)).text).toContain('Attempt 1 is under way');
    await until(
      () => rig.client.workflow.count(`EmailState = 'Sending' AND BillRunNumber = '${number}'`),
      ({ count }) => count === 1,
    );
    await rig.control('POST', '/clock', { advanceMs: 60_000 });
    await rig.state(job, 'Delivering');
    expect(await rig.listed(job)).toMatchObject({ state: 'Delivering', reason: undefined, sends: 1 });
  });

  test('a resend that arrives while a first send is refused takes its place', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'NeedsAttention');
    await job.signal('resend', { requestId: 'T-1' });
    await rig.state(job, 'Delivering');
    expect((await rig.sends(job)).map(({ outcome, note }) => [outcome, note])).toEqual([
      ['superseded', 'superseded by send 2, which emails all documents'],
      ['accepted', null],
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 5: a resend that arrives while a first send is unknown closes it as unknown, in words', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 503, times: 1_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(job),
      ([send]) => send?.attempts.length === 1,
    );
    await rig.control('DELETE', '/faults');
    await job.signal('resend', { requestId: 'T-1' });
    await until(
      () => rig.sends(job),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    expect((await rig.sends(job))[0]).toMatchObject({ outcome: 'unknown' });
    expect((await rig.sends(job))[0]?.note).toContain('closed as unknown');
  });

  test('after a token that Zuora no longer accepts, nothing counts as sent, and the next attempt gets a new token', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    await rig.control('DELETE', '/tokens');
    await job.signal('resend', { requestId: 'T-1' });
    await until(
      () => rig.sends(job),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    expect((await rig.sends(job))[1]?.attempts.map(({ verdict, httpStatus }) => [verdict, httpStatus])).toEqual([
      ['notExecuted', 401],
      ['accepted', 200],
    ]);
  });
});

describe('Operators', () => {
  test('hold keeps an attempt back until release', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const job = await rig.start({ billRunKey: number });
    await job.signal('hold', { requestedBy: 'alice' });
    await rig.billRun.change(number, { status: 'Posted' });
    const held = await until(
      () => rig.status(job),
      ({ state, billRunStatus }) => state === 'Held' && billRunStatus === 'Posted',
    );
    expect(held).toMatchObject({ reason: 'job', question: null, until: null });
    expect(await rig.emailCalls(number)).toEqual([]);
    await job.signal('release');
    await rig.state(job, 'Delivering');
  });

  test('a job that is held while a question is open is Held, and still shows the question', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'NeedsAttention');
    await job.signal('hold');
    expect(await rig.state(job, 'Held')).toMatchObject({ reason: 'job', question: { ordinal: 1, kind: 'refused' } });
    await job.signal('retry', { requestedBy: 'alice' });
    await until(
      () => rig.status(job),
      ({ question }) => question === null,
    );
    expect(await rig.emailCalls(number)).toHaveLength(1);
    await job.signal('release');
    await rig.state(job, 'Delivering');
  });

  test('signals that arrive before a worker count in the order of their arrival', async () => {
    const { number } = await rig.billRun.create();
    const taskQueue = `late-${randomUUID()}`;
    const { workflowId } = rig.own(number);
    const job = await rig.client.workflow.start('emailBillRun', {
      workflowId,
      taskQueue,
      args: [{ billRunKey: number }],
    });
    for (const signal of ['hold', 'release', 'hold']) await job.signal(signal, { requestedBy: 'alice' });
    const late = await openRig({ taskQueue, zuoraUrl: rig.simulatorUrl });
    try {
      await until(
        () => rig.status(job),
        ({ billRunStatus }) => billRunStatus === 'Posted',
      );
      expect(await rig.status(job)).toMatchObject({ state: 'Held', reason: 'job', ignored: { count: 0 } });
      await job.signal('release');
      await rig.state(job, 'Delivering');
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
    } finally {
      await late.close();
    }
  });

  test('finish before the post closes the job, sends nothing, and names the request that was not served', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Waiting');
    await job.signal('finish', { requestedBy: 'alice' });
    const result = await rig.result(job);
    expect(result).toMatchObject({ state: 'Stopped', reason: 'finish', sends: [] });
    expect(result.unsettled).toHaveLength(1);
  });

  test('finish during a question closes the job as Stopped, and the record names who decided', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'NeedsAttention');
    await job.signal('finish', { requestedBy: 'alice', reason: 'customer leaves' });
    const result = await rig.result(job);
    expect(result).toMatchObject({ state: 'Stopped', reason: 'finish' });
    expect(result.unsettled).toEqual(['send 1 (first send): Zuora refused it, and nothing was sent']);
    expect(result.sends[0]?.decisions).toMatchObject([{ decision: 'finish', requestedBy: 'alice' }]);
  });

  test('finish after an acceptance keeps the state Delivering', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    await job.signal('finish', { requestedBy: 'alice' });
    expect(await rig.result(job)).toMatchObject({ state: 'Delivering', reason: null, unsettled: [] });
    expect(await rig.listed(job)).toMatchObject({ state: 'Delivering', reason: undefined, sends: 1 });
  });

  interface Canceled {
    readonly billRun?: object;
    readonly fault?: object;
    readonly signal?: string;
    readonly state: JobStatus['state'];
    readonly listed: object;
    readonly calls: number;
  }
  const stopped = { state: 'Stopped', reason: 'cancel' };

  // Cancellation waits for an attempt under way. In these jobs there is none.
  test.for<[string, Canceled]>([
    ['waits for the post', { billRun: { status: 'Completed' }, state: 'Waiting', listed: stopped, calls: 0 }],
    ['is held', { billRun: { status: 'Completed' }, signal: 'hold', state: 'Held', listed: stopped, calls: 0 }],
    ['waits for its next attempt', { fault: LATER, state: 'Sending', listed: stopped, calls: 1 }],
    ['asks a person', { fault: refusal, state: 'NeedsAttention', listed: stopped, calls: 1 }],
    ['has sent', { state: 'Delivering', listed: { state: 'Delivering', reason: undefined }, calls: 1 }],
    [
      'leaves the emails to Zuora',
      {
        billRun: { autoEmail: true },
        state: 'Delivering',
        listed: { state: 'Delivering', reason: 'autoEmail' },
        calls: 0,
      },
    ],
  ])(
    'cancellation of a job that %s closes it at once as canceled',
    async ([, { billRun, fault, signal, ...expected }]) => {
      const { number } = await rig.billRun.create(billRun);
      if (fault !== undefined) await rig.fault(fault);
      const job = await rig.start({ billRunKey: number });
      if (signal !== undefined) await job.signal(signal);
      await until(
        async () => [await rig.status(job), await rig.emailCalls(number)] as const,
        ([{ state }, { length }]) => state === expected.state && length === expected.calls,
      );
      await job.cancel();
      await expect(job.result()).rejects.toThrow(/cancel/i);
      expect((await job.describe()).status.name).toBe('CANCELLED');
      expect(await rig.listed(job)).toMatchObject(expected.listed);
      expect(await rig.emailCalls(number)).toHaveLength(expected.calls);
    },
  );

  test('Rule 2: an attempt under way finishes before cancellation closes the job, and its outcome is recorded', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ when: 'after', fault: 'stall', afterMs: 1_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.emailCalls(number),
      (calls) => calls.length === 1,
    );
    await job.cancel();
    await expect(job.result()).rejects.toThrow(/cancel/i);
    expect((await rig.sends(job))[0]).toMatchObject({ outcome: 'accepted', attempts: [{ verdict: 'accepted' }] });
    expect((await rig.status(job)).state).toBe('Delivering');
  });

  test('signals that cannot be followed neither fail nor block the job, and are listed as ignored', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Waiting');
    await job.signal('resend', 'nonsense');
    await job.signal('resend', { requestId: 7 });
    await job.signal('retry', {});
    await job.signal('release');
    await job.signal('resendPlease', {});
    await signalWithBrokenPayload(rig, job.workflowId);
    const status = await until(
      () => rig.status(job),
      ({ ignored }) => ignored.count === 6,
    );
    expect(status.ignored.last.map(({ message }) => message)).toEqual([
      'resend',
      'resend',
      'retry',
      'release',
      'resendPlease',
      'resend',
    ]);
    expect(status.ignored.last.at(-1)?.reason).toContain('cannot be decoded');

    await job.signal('resend');
    await job.signal('resend', {});
    await until(
      () => rig.status(job),
      ({ pendingRequests }) => pendingRequests.length === 3,
    );
  });
});

describe('Updates', () => {
  const updatesIn = async (job: WorkflowHandle): Promise<number> => {
    const { events } = await job.fetchHistory();
    const isUpdate = (event: object): boolean =>
      Object.keys(event).some((field) => field.startsWith('workflowExecutionUpdate'));
    return (events ?? []).filter(isUpdate).length;
  };

  /** The validator rejects it, so neither the job nor its history changes. */
  async function expectRejected(job: WorkflowHandle, name: string, argument: unknown, why: string): Promise<void> {
    const before = await updatesIn(job);
    const error: unknown = await job.executeUpdate(name, { args: [argument] }).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ cause: { type: 'InvalidInput', message: expect.stringContaining(why) as string } });
    expect(await updatesIn(job)).toBe(before);
    expect((await rig.status(job)).ignored.count).toBe(0);
  }

  test('resend answers before the send exists, and once it exists the same request names it and changes nothing', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const request = { requestId: 'T-1', requestedBy: 'alice' };
    expect(await job.executeUpdate('resend', { args: [request] })).toEqual({ requestId: 'T-1', state: 'Sending' });
    await rig.accepted(job, 2);
    expect(await job.executeUpdate('resend', { args: [request] })).toEqual({
      requestId: 'T-1',
      ordinal: 2,
      state: 'Delivering',
    });
    expect(await updatesIn(job)).toBe(4);
    await job.signal('resend', request);
    await until(
      () => rig.status(job),
      ({ ignored }) => ignored.count === 1,
    );
    expect(await rig.sends(job)).toMatchObject([{ resend: false }, { resend: true, requests: [request] }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });
  });

  test('resend is rejected without a requestId, and with a malformed argument', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const { historyLength } = await job.describe();
    await expectRejected(job, 'resend', {}, 'requestId is missing');
    await expectRejected(job, 'resend', { requestId: '' }, 'requestId must be');
    await expectRejected(job, 'resend', 'please', 'must be an object');
    expect((await job.describe()).historyLength, 'nothing else happens to the job').toBe(historyLength);
    expect(await rig.sends(job)).toHaveLength(1);
  });

  test('retry answers the question, and the same requestId changes nothing', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'NeedsAttention');
    await expectRejected(job, 'retry', { ordinal: 2 }, 'send 1 is open, not send 2');
    await expectRejected(job, 'retry', { ordinal: 'first' }, 'ordinal must be');
    await rig.fault(refusal);
    const message = { requestId: 'R-1', requestedBy: 'alice', reason: 'fixed' };
    expect(await job.executeUpdate('retry', { args: [message] })).toEqual({
      requestId: 'R-1',
      ordinal: 1,
      state: 'Sending',
    });
    await until(
      () => rig.status(job),
      ({ question }) => question !== null,
    );
    expect(await job.executeUpdate('retry', { args: [message] })).toEqual({
      requestId: 'R-1',
      ordinal: 1,
      state: 'NeedsAttention',
    });
    await job.signal('retry', message);
    const another = { requestId: 'R-2', requestedBy: 'bob' };
    await job.executeUpdate('retry', { args: [another] });
    const [send] = await rig.accepted(job, 1);
    expect(send?.decisions).toMatchObject([
      { decision: 'retry', requestedBy: 'alice', reason: 'fixed' },
      { decision: 'retry', requestedBy: 'bob' },
    ]);
    expect(send?.attempts).toHaveLength(3);
    await expectRejected(job, 'retry', {}, 'no question is open');
  });

  test('retry is rejected where it must say sendAnyway', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', stored: true, status: 500, body: { reasons: [{ code: 'SystemError' }] } });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'NeedsAttention', 'unknown');
    await expectRejected(job, 'retry', { requestedBy: 'alice' }, 'sendAnyway: true');
    const answer = await job.executeUpdate('retry', {
      args: [{ requestedBy: 'alice', reason: 'checked', sendAnyway: true }],
    });
    expect(answer).toEqual({ ordinal: 1, state: 'Sending' });
    await rig.state(job, 'Delivering');
  });

  test('retry looks again during a cool-down, and sendAnyway ends it', async () => {
    const { number } = await rig.billRun.create();
    await rig.billRun.change(number, { lastEmailSentTime: new Date().toISOString() });
    const job = await rig.start({ billRunKey: number });
    expect(await rig.state(job, 'Waiting', 'coolDown')).toMatchObject({ question: null, sends: 0 });
    const looks = async (): Promise<number> =>
      (await rig.requests()).filter(({ path }) => path.endsWith(`/billing-runs/${number}`)).length;
    const before = await looks();
    expect(await job.executeUpdate('retry', { args: [{ requestId: 'R-1' }] })).toEqual({
      requestId: 'R-1',
      ordinal: 1,
      state: 'Waiting',
    });
    await until(looks, (count) => count === before + 1);
    await rig.state(job, 'Waiting', 'coolDown');
    expect(await rig.emailCalls(number)).toEqual([]);
    const anyway = { requestId: 'R-2', requestedBy: 'alice', reason: 'urgent', sendAnyway: true };
    expect(await job.executeUpdate('retry', { args: [anyway] })).toMatchObject({ requestId: 'R-2', ordinal: 1 });
    await rig.state(job, 'Delivering', null);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('finish answers with the state in which the job closes', async () => {
    const waiting = await rig.billRun.create({ status: 'Completed' });
    const first = await rig.start({ billRunKey: waiting.number });
    await rig.state(first, 'Waiting');
    await expectRejected(first, 'finish', 'please', 'must be an object');
    expect(await first.executeUpdate('finish', { args: [{ requestedBy: 'alice' }] })).toEqual({ state: 'Stopped' });
    expect(await rig.result(first)).toMatchObject({ state: 'Stopped', reason: 'finish' });

    const posted = await rig.billRun.create();
    const second = await rig.start({ billRunKey: posted.number });
    await rig.state(second, 'Delivering');
    expect(await second.executeUpdate('finish')).toEqual({ state: 'Delivering' });
    expect(await rig.result(second)).toMatchObject({ state: 'Delivering', unsettled: [] });
  });

  test('finish during an attempt waits for its end; the second one changes nothing, and a resend is rejected', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'before', fault: 'reset', afterMs: 60_000 });
    const job = await rig.start({ billRunKey: number });
    await until(
      () => rig.emailCalls(number),
      (calls) => calls.length === 1,
    );
    expect(await job.executeUpdate('finish', { args: [{ requestedBy: 'alice' }] })).toEqual({ state: 'Sending' });
    expect(await job.executeUpdate('finish', { args: [{ requestedBy: 'bob' }] })).toEqual({ state: 'Sending' });
    await expectRejected(job, 'resend', { requestId: 'T-1' }, 'closing');
    await rig.control('POST', '/clock', { advanceMs: 60_000 });
    const { state, reason, sends } = await rig.result(job);
    expect({ state, reason }).toEqual({ state: 'Stopped', reason: 'finish' });
    expect(sends).toMatchObject([
      {
        outcome: 'unknown',
        attempts: [{ verdict: 'unknown' }],
        decisions: [{ decision: 'finish', requestedBy: 'alice' }],
      },
    ]);
  });
});

describe('The list', () => {
  test('shows the state, its reason, since when the job has both, and the accepted sends', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const startedAt = Date.now();
    const job = await rig.start({ billRunKey: number });
    const { since } = await until(
      () => rig.status(job),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    expect(await rig.listed(job)).toEqual({ state: 'Waiting', reason: 'notPosted', since, sends: 0 });
    // The clocks of server and test may differ by a little.
    expect(Math.abs(Date.parse(String(since)) - startedAt)).toBeLessThan(10_000);

    // Neither the state nor its reason changes.
    await rig.billRun.change(number, { status: 'PostInProgress' });
    await until(
      () => rig.status(job),
      ({ billRunStatus }) => billRunStatus === 'PostInProgress',
    );
    expect((await rig.listed(job)).since).toBe(since);

    await rig.fault(refusal);
    await rig.billRun.change(number, { status: 'Posted' });
    const asking = await rig.state(job, 'NeedsAttention');
    expect(await rig.listed(job)).toEqual({
      state: 'NeedsAttention',
      reason: 'refused',
      since: asking.since,
      sends: 0,
    });
    expect(Date.parse(String(asking.since))).toBeGreaterThan(Date.parse(String(since)));
    const found = `EmailReason = 'refused' AND EmailStateSince > '${String(since)}' AND BillRunNumber = '${number}'`;
    await until(
      () => rig.client.workflow.count(found),
      ({ count }) => count === 1,
    );

    await job.signal('retry');
    const { since: sentAt } = await rig.state(job, 'Delivering');
    expect(await rig.listed(job)).toEqual({ state: 'Delivering', reason: undefined, since: sentAt, sends: 1 });
    await until(
      () => rig.client.workflow.count(`EmailReason IS NULL AND EmailSends = 1 AND BillRunNumber = '${number}'`),
      ({ count }) => count === 1,
    );
  });

  test('shows no state of a job whose input is invalid', async () => {
    const job = await rig.startAs(`raw-${randomUUID()}`, { billRunKey: '../x' });
    expect((await failureOf(job)).type).toBe('InvalidInput');
    expect(await rig.listed(job)).toEqual({ state: undefined, reason: undefined, since: undefined, sends: undefined });
  });
});

async function signalWithBrokenPayload({ connection }: Rig, workflowId: string): Promise<void> {
  const encoding = { encoding: Buffer.from('json/plain') };
  await connection.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId },
    signalName: 'resend',
    input: { payloads: [{ metadata: encoding, data: Buffer.from('{"requestId": ') }] },
  });
}

describe('Bad input', () => {
  const odd = ['', ' ', '../BR-1', 'BR/1', 'BR\n1', 'BR-1\u0000', 'ВR-1', '-BR', 'B'.repeat(101), 7, null, ['BR-1']];
  test.for(odd.map((billRunKey) => ({ billRunKey })))(
    'the bill run key $billRunKey is named at the client',
    async (input) => {
      await expect(rig.emails.start(input as never)).rejects.toMatchObject({
        type: 'InvalidInput',
        message: expect.stringContaining('billRunKey') as string,
      });
    },
  );

  test('a job that was started with invalid input fails at once, and names each fault', async () => {
    const job = await rig.startAs(`raw-${randomUUID()}`, {
      billRunKey: '../x',
      resend: 'yes',
      sendBudget: '21 hours',
      coolDown: 'soon',
      colour: 1,
    });
    const { type, message } = await failureOf(job);
    expect(type).toBe('InvalidInput');
    for (const name of ['billRunKey', 'resend', 'sendBudget', 'coolDown', 'colour']) expect(message).toContain(name);
  });

  test.for([[], ['BR-1'], [null], [{}], [[{ billRunKey: 'BR-1' }]]])(
    'the arguments %j fail the job as InvalidInput',
    async (args) => {
      const { type } = await failureOf(await rig.startAs(`raw-${randomUUID()}`, ...args));
      expect(type).toBe('InvalidInput');
    },
  );

  test('a second argument from outside does not count as the record of an earlier job', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.startAs(
      `email-bill-run/${number}`,
      { billRunKey: number, openFor: '0s' },
      { sends: 'mine', canceled: true },
    );
    expect((await rig.result(job)).state).toBe('Delivering');
  });

  test('an entity is refused by a worker without Multi-entity', async () => {
    const { number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number, entityId: 'e1' });
    expect(await failureOf(job)).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('entityId') as string,
    });
  });
});
