/** Each way through the life of a bill run, on the real server. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { emailsPerDocument, failureOf, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ server: 'real' });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const refusal = {
  fault: 'respond',
  status: 400,
  body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
};

describe('Before the post', () => {
  test.for(['Canceled', 'Error'])(
    'a bill run that ends as %s fails the run as NotPosted, and nothing is emailed',
    async (status) => {
      const { number } = await rig.billRun.create({ status: 'Processing' });
      const run = await rig.start({ billRunKey: number });
      await rig.state(run, 'WaitingForPost');
      await rig.billRun.change(number, { status, errorMessage: 'tax engine of a@b.example is down' });
      const { type, message } = await failureOf(run);
      expect(type).toBe('NotPosted');
      expect(message).toContain(`ended as ${status} (tax engine of [address] is down)`);
      expect(await rig.emailCalls(number)).toEqual([]);
      expect((await rig.status(run)).state).toBe('NotPosted');
    },
  );

  test('a posting that failed for some documents is waited out, and operators are told', async () => {
    const { number } = await rig.billRun.create({ status: 'PostInProgress' });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.status(run),
      ({ billRunStatus }) => billRunStatus === 'PostInProgress',
    );
    await rig.billRun.change(number, { status: 'Completed' });
    const status = await until(
      () => rig.status(run),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    expect(status.waitingFor).toContain('post the bill run again');
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(run, 'Emailed');
  });

  test('statuses that nobody here knows are waited out', async () => {
    const { number } = await rig.billRun.create({ status: 'Processing' });
    await rig.fault({
      method: 'GET',
      path: `/object-query/billing-runs/${number}`,
      fault: 'respond',
      status: 200,
      body: { id: 'x1', billingRunNumber: number, status: 'Sparkling' },
    });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.status(run),
      ({ billRunStatus }) => billRunStatus === 'Processing',
    );
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(run, 'Emailed');
  });

  test('a hint that the bill run posted makes the run look at once', async () => {
    const slow = await openRig({
      server: 'real',
      polling: { first: 3_600_000, longest: 3_600_000, afterAnHour: 3_600_000 },
    });
    try {
      const { number } = await slow.billRun.create({ status: 'Completed' });
      const run = await slow.start({ billRunKey: number });
      await until(
        () => slow.status(run),
        ({ billRunStatus }) => billRunStatus === 'Completed',
      );
      await slow.billRun.change(number, { status: 'Posted' });
      await run.signal('billRunPosted', { anything: ['goes'] });
      await slow.state(run, 'Emailed');
      await slow.afterTest();
    } finally {
      await slow.close();
    }
  });

  test('requests that arrive before the first send begins are served by that one send, which names them all', async () => {
    const { number, id } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number, requestedBy: 'pipeline' });
    await rig.state(run, 'WaitingForPost');
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await run.signal('resend', { requestId: 'T-2', requestedBy: 'bob' });
    await run.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(run, 'Emailed');

    const sends = await rig.sends(run);
    expect(sends).toHaveLength(1);
    expect(sends[0]?.requests.map(({ requestedBy }) => requestedBy)).toEqual(['pipeline', 'alice', 'bob']);
    expect(sends[0]?.attempts[0]?.idempotencyKey).toBe(`bill-run-email/${id}/resend/T-1/1`);
    expect((await rig.status(run)).ignored.last[0]?.reason).toContain('T-1 was made before');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });
});

describe('Sending', () => {
  test('a refused send asks a person, and a retry after the cause is mended goes out under the next key', async () => {
    const { number, id } = await rig.billRun.create();
    await rig.control('PATCH', '/settings', { notificationActive: false });
    const run = await rig.start({ billRunKey: number });
    const asking = await rig.state(run, 'NeedsAttention');
    expect(asking.question).toMatchObject({ ordinal: 1, kind: 'refused', needsSendAnyway: false });
    expect(asking.question?.text).toContain('Nothing was sent');

    await rig.control('PATCH', '/settings', { notificationActive: true });
    await run.signal('retry', { ordinal: 1, requestedBy: 'alice', reason: 'notification switched on' });
    await rig.state(run, 'Emailed');
    const [send] = await rig.sends(run);
    expect(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      `bill-run-email/${id}/first/1`,
      `bill-run-email/${id}/first/2`,
    ]);
    expect(send?.decisions).toMatchObject([{ decision: 'retry', requestedBy: 'alice' }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 3: a lock and a rate limit are waited out under the same key', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 409, body: { success: false, reasons: [{ code: 58730050 }] } });
    await rig.fault({ fault: 'respond', status: 429, headers: { 'retry-after': '1' } });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'Emailed');
    const [send] = await rig.sends(run);
    expect(send?.attempts.map(({ verdict }) => verdict)).toEqual(['notExecuted', 'notExecuted', 'accepted']);
    expect(new Set(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(new Set(send?.attempts.map(({ trackId }) => trackId)).size).toBe(3);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 3: a stored failure that was not executed takes the next key by itself', async () => {
    const { number, id } = await rig.billRun.create();
    await rig.fault({
      fault: 'respond',
      stored: true,
      status: 200,
      body: { success: false, reasons: [{ code: 58730050, message: 'lock' }] },
    });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'Emailed');
    const [send] = await rig.sends(run);
    expect(send?.attempts.map(({ idempotencyKey, stored }) => [idempotencyKey.slice(-1), stored])).toEqual([
      ['1', false],
      ['1', true],
      ['2', false],
    ]);
    expect(
      (await rig.mailbox(number)).every(({ idempotencyKey }) => idempotencyKey === `bill-run-email/${id}/first/2`),
    ).toBe(true);
  });

  test('Rule 5: a stored failure that may have been executed asks a person, and only sendAnyway takes a new key', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', stored: true, status: 500, body: { reasons: [{ code: 'SystemError' }] } });
    const run = await rig.start({ billRunKey: number });
    const asking = await rig.state(run, 'NeedsAttention');
    expect(asking.question).toMatchObject({ kind: 'unknown', needsSendAnyway: true });

    await run.signal('retry', { requestedBy: 'alice' });
    await until(
      () => rig.status(run),
      ({ ignored }) => ignored.count === 1,
    );
    expect(await rig.emailCalls(number)).toHaveLength(2);

    await run.signal('retry', { requestedBy: 'alice', sendAnyway: true, reason: 'nobody got an email' });
    await rig.state(run, 'Emailed');
    const [send] = await rig.sends(run);
    expect(send?.attempts.at(-1)?.idempotencyKey).toMatch(/\/first\/2$/);
    expect(send?.decisions).toMatchObject([
      { decision: 'sendAnyway', requestedBy: 'alice', reason: 'nobody got an email' },
    ]);
  });

  test('Rule 6: autoEmail skips the first send, visibly, and an operator overrides it', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    const run = await rig.start({ billRunKey: number });
    const skipped = await rig.state(run, 'Skipped');
    expect(skipped.question?.text).toContain('autoEmail');
    await run.signal('retry', { sendAnyway: true, requestedBy: 'alice' });
    await rig.state(run, 'Emailed');
    expect((await rig.sends(run))[0]).toMatchObject({ outcome: 'accepted', decisions: [{ decision: 'sendAnyway' }] });
  });

  test('Rule 6: a bill run without documents is skipped; one whose counts Zuora does not tell is not', async () => {
    const empty = await rig.billRun.create({ invoices: 0, creditMemos: 0 });
    await rig.state(await rig.start({ billRunKey: empty.number }), 'Skipped');
    const silent = await rig.billRun.create({ invoices: 1, creditMemos: 0 });
    await rig.billRun.change(silent.number, { numberOfInvoices: null, numberOfCreditMemos: 0 });
    await rig.state(await rig.start({ billRunKey: silent.number }), 'Emailed');
    expect(await rig.emailCalls(empty.number)).toEqual([]);
  });

  test('a resend that arrives while a first send is refused takes its place', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'NeedsAttention');
    await run.signal('resend', { requestId: 'T-1' });
    await rig.state(run, 'Emailed');
    expect((await rig.sends(run)).map(({ outcome, note }) => [outcome, note])).toEqual([
      ['superseded', 'superseded by send 2, which emails all documents'],
      ['accepted', null],
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('Rule 5: a resend that arrives while a first send is unknown closes it as unknown, in words', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ fault: 'respond', status: 503, times: 1_000 });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(run),
      ([send]) => send?.attempts.length === 1,
    );
    await rig.control('DELETE', '/faults');
    await run.signal('resend', { requestId: 'T-1' });
    await until(
      () => rig.sends(run),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    expect((await rig.sends(run))[0]).toMatchObject({ outcome: 'unknown' });
    expect((await rig.sends(run))[0]?.note).toContain('closed as unknown');
  });

  test('a run that Zuora gives no token to shows nothing as sent, and goes on when it does', async () => {
    const { number } = await rig.billRun.create();
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'Emailed');
    await rig.control('DELETE', '/tokens');
    await run.signal('resend', { requestId: 'T-1' });
    await until(
      () => rig.sends(run),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    expect((await rig.sends(run))[1]?.attempts.map(({ verdict, httpStatus }) => [verdict, httpStatus])).toEqual([
      ['notExecuted', 401],
      ['accepted', 200],
    ]);
  });
});

describe('Operators', () => {
  test('hold keeps an attempt back until release', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number });
    await run.signal('hold', { requestedBy: 'alice' });
    await rig.billRun.change(number, { status: 'Posted' });
    const held = await rig.state(run, 'Held');
    expect(held.held).toBe(true);
    expect(await rig.emailCalls(number)).toEqual([]);
    await run.signal('release');
    await rig.state(run, 'Emailed');
  });

  test('what was said before a worker was there counts in the order in which it was said', async () => {
    const { number } = await rig.billRun.create();
    const taskQueue = `late-${randomUUID()}`;
    const { workflowId } = rig.own(number);
    const run = await rig.client.workflow.start('emailBillRun', {
      workflowId,
      taskQueue,
      args: [{ billRunKey: number }],
    });
    for (const signal of ['hold', 'release', 'hold']) await run.signal(signal, { requestedBy: 'alice' });
    const late = await openRig({ server: 'real', taskQueue, zuoraUrl: rig.simulatorUrl });
    try {
      await until(
        () => rig.status(run),
        ({ billRunStatus }) => billRunStatus === 'Posted',
      );
      expect(await rig.status(run)).toMatchObject({ state: 'Held', held: true, ignored: { count: 0 } });
      await run.signal('release');
      await rig.state(run, 'Emailed');
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
    } finally {
      await late.close();
    }
  });

  test('finish before the post closes the run, sends nothing, and names the request that was not served', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'WaitingForPost');
    await run.signal('finish', { requestedBy: 'alice' });
    const result = await rig.result(run);
    expect(result).toMatchObject({ state: 'Finished', sends: [] });
    expect(result.unsettled).toHaveLength(1);
  });

  test('finish while a person is asked closes the run, and the record names who decided', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault(refusal);
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'NeedsAttention');
    await run.signal('finish', { requestedBy: 'alice', reason: 'customer leaves' });
    const result = await rig.result(run);
    expect(result.state).toBe('Finished');
    expect(result.unsettled).toEqual(['send 1 (resend=false): Zuora refused it, and nothing was sent']);
    expect(result.sends[0]?.decisions).toMatchObject([{ decision: 'finish', requestedBy: 'alice' }]);
  });

  test.for(['waiting', 'emailed'])('cancellation of a run that is %s closes it as canceled', async (phase) => {
    const { number } = await rig.billRun.create({ status: phase === 'waiting' ? 'Completed' : 'Posted' });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, phase === 'waiting' ? 'WaitingForPost' : 'Emailed');
    await run.cancel();
    await expect(run.result()).rejects.toThrow(/cancel/i);
    const { status, typedSearchAttributes } = await run.describe();
    expect(status.name).toBe('CANCELLED');
    expect(typedSearchAttributes.get(searchAttributes.emailState)).toBe('Canceled');
  });

  test('Rule 2: an attempt under way finishes before cancellation closes the run, and its outcome is recorded', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ when: 'after', fault: 'stall', afterMs: 1_000 });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.emailCalls(number),
      (calls) => calls.length === 1,
    );
    await run.cancel();
    await expect(run.result()).rejects.toThrow(/cancel/i);
    expect((await rig.sends(run))[0]).toMatchObject({ outcome: 'accepted', attempts: [{ verdict: 'accepted' }] });
    expect((await rig.status(run)).state).toBe('Canceled');
  });

  test('the update requestResend answers at once with the send that will serve it, and says why it cannot', async () => {
    const { number } = await rig.billRun.create();
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'Emailed');
    const answer = await run.executeUpdate('requestResend', { args: [{ requestId: 'T-1', requestedBy: 'alice' }] });
    expect(answer).toEqual({ requestId: 'T-1', ordinal: 2 });
    await expect(run.executeUpdate('requestResend', { args: [{ requestId: 'T-1' }] })).rejects.toThrow();
    await expect(run.executeUpdate('requestResend', { args: ['please'] })).rejects.toThrow();
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 6,
    );
  });

  test('signals that cannot be followed neither fail nor block the run; they are told as ignored', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const run = await rig.start({ billRunKey: number });
    await rig.state(run, 'WaitingForPost');
    await run.signal('resend', 'nonsense');
    await run.signal('resend', { requestId: 7 });
    await run.signal('retry', {});
    await run.signal('release');
    await run.signal('resendPlease', {});
    await signalWithBrokenPayload(rig, run.workflowId);
    const status = await until(
      () => rig.status(run),
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

    await run.signal('resend');
    await run.signal('resend', {});
    await until(
      () => rig.status(run),
      ({ pendingRequests }) => pendingRequests.length === 3,
    );
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

  test('a run that was started with invalid input fails at once, and names each fault', async () => {
    const run = await rig.startAs(`raw-${randomUUID()}`, {
      billRunKey: '../x',
      resend: 'yes',
      sendBudget: '21 hours',
      coolDown: 'soon',
      colour: 1,
    });
    const { type, message } = await failureOf(run);
    expect(type).toBe('InvalidInput');
    for (const name of ['billRunKey', 'resend', 'sendBudget', 'coolDown', 'colour']) expect(message).toContain(name);
  });

  test.for([[], ['BR-1'], [null], [{}], [[{ billRunKey: 'BR-1' }]]])(
    'the arguments %j fail the run as InvalidInput',
    async (args) => {
      const { type } = await failureOf(await rig.startAs(`raw-${randomUUID()}`, ...args));
      expect(type).toBe('InvalidInput');
    },
  );

  test('a second argument from outside is not taken for the state of a predecessor', async () => {
    const { number } = await rig.billRun.create();
    const run = await rig.startAs(
      `email-bill-run/${number}`,
      { billRunKey: number, escalationWindow: '0s' },
      { sends: 'mine', canceled: true },
    );
    expect((await rig.result(run)).state).toBe('Emailed');
  });

  test('an entity is refused by a worker without Multi-entity', async () => {
    const { number } = await rig.billRun.create();
    const run = await rig.start({ billRunKey: number, entityId: 'e1' });
    expect(await failureOf(run)).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('entityId') as string,
    });
  });
});
