/** The start table on a real server: each row leads to a last job of that kind, and starts again. */
import { randomInt } from 'node:crypto';
import { Client, type WorkflowClientInterceptor, type WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BillRunEmails, type StartInput, type StartResult } from '../../client/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { cliGiven } from '../support/command-line.js';
import { emailsPerDocument, failureOf, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const REFUSAL = {
  fault: 'respond',
  status: 400,
  body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
};

const refuse = (number: string): Promise<unknown> => rig.fault({ path: `/v1/bill-runs/${number}/emails`, ...REFUSAL });

async function start(billRunKey: string, input: Omit<StartInput, 'billRunKey'> = {}): Promise<StartResult['result']> {
  return (await rig.emails.start({ billRunKey, ...input })).result;
}

async function resend(billRunKey: string, requestId: string): Promise<string> {
  return (await rig.emails.resend({ billRunKey }, { requestId })).result;
}

async function closedBy(job: WorkflowHandle, how: 'finish' | 'cancel' | 'terminate'): Promise<void> {
  if (how === 'finish') await job.signal('finish', {});
  else if (how === 'cancel') await job.cancel();
  else await job.terminate('a person');
  await job.result().catch(() => undefined);
}

const once = { min: 1, max: 1 };

test('A callout whose job closes before it arrives gets the answer of a start, and emails nothing more', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  await start(number, { openFor: '0s' });
  const job = rig.own(number);
  await rig.state(job, 'Waiting');
  const closesFirst: WorkflowClientInterceptor = {
    async signal(input, next) {
      await rig.billRun.change(number, { status: 'Posted' });
      await job.result();
      return next(input);
    },
  };
  const client = new Client({ connection: rig.connection, interceptors: { workflow: [closesFirst] } });
  const emails = new BillRunEmails(client, { taskQueue: rig.taskQueue });
  expect(await emails.billRunPosted({ billRunKey: number })).toMatchObject({ result: 'alreadyEmailed' });
  await expect(emails.billRunPosted({ billRunKey: number }, { start: false })).rejects.toMatchObject({
    type: 'NotFound',
  });
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
});

describe('A job that a person closed', () => {
  test.each(['finish', 'cancel', 'terminate'] as const)(
    'before it sent anything, by %s, stays closed for every start but again and a resend by name',
    async (how) => {
      const { id, number } = await rig.billRun.create({ status: 'Completed' });
      await start(number);
      const job = rig.own(number);
      await rig.state(job, 'Waiting');
      await until(
        () => rig.status(job),
        ({ billRunId }) => billRunId !== null,
      );
      await closedBy(job, how);
      await rig.billRun.change(number, { status: 'Posted' });

      expect(await start(number)).toBe('stopped');
      expect(await rig.emails.billRunPosted({ billRunKey: number })).toMatchObject({ result: 'stopped' });
      for await (const { value } of startedMany([number])) expect(value?.result).toBe('stopped');
      const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id });
      expect((await rig.result(alias)).unsettled).toEqual([expect.stringContaining('a person stopped')]);
      expect(await rig.emailCalls(number)).toHaveLength(0);

      expect(await resend(number, 'T-1')).toBe('started');
      await rig.state(rig.own(number), 'Delivering');
      expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
      expect(await start(number)).toBe('alreadyEmailed');
    },
  );

  test('opens again with again, and retries what Zuora had refused', async () => {
    const { id, number } = await rig.billRun.create();
    await refuse(number);
    await start(number);
    await rig.state(rig.own(number), 'NeedsAttention', 'refused');
    await closedBy(rig.own(number), 'finish');
    expect(await start(number)).toBe('stopped');
    expect(await start(number, { again: true, requestedBy: 'alice', reason: 'fixed' })).toBe('started');
    await rig.state(rig.own(number), 'Delivering');
    expect(await rig.sends(rig.own(number))).toMatchObject([
      {
        outcome: 'accepted',
        attempts: [
          { idempotencyKey: `bill-run-email/${id}/first/1` },
          { idempotencyKey: `bill-run-email/${id}/first/2` },
        ],
        decisions: [{ decision: 'retry', requestedBy: 'alice', reason: 'fixed' }],
      },
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('with an order that no worker has taken is waited for, and said to be closing', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    await start(number);
    await rig.state(rig.own(number), 'Waiting');
    await rig.stopWorker();
    try {
      await rig.own(number).signal('finish', {});
      expect(await rig.emails.start({ billRunKey: number })).toMatchObject({ result: 'joined', closing: true });
    } finally {
      await rig.startWorker();
    }
    await rig.own(number).result();
    expect(await start(number)).toBe('stopped');
  });
});

describe('What Zuora accepted', () => {
  test('is remembered over jobs that did something else since', async () => {
    const { number } = await rig.billRun.create();
    await start(number);
    await rig.accepted(rig.own(number), 1);
    await refuse(number);
    expect(await resend(number, 'T-1')).toBe('joined');
    await rig.state(rig.own(number), 'NeedsAttention', 'refused');
    await closedBy(rig.own(number), 'finish');
    expect(await start(number)).toBe('alreadyEmailed');

    // T-1 continues, and is refused again; T-2 goes out.
    expect(await resend(number, 'T-1')).toBe('started');
    await rig.state(rig.own(number), 'NeedsAttention', 'refused');
    await closedBy(rig.own(number), 'terminate');
    expect(await start(number)).toBe('alreadyEmailed');
    expect(await start(number, { again: true })).toBe('alreadyEmailed');
    expect(await resend(number, 'T-2')).toBe('started');
    await until(
      () => rig.listed(rig.own(number)),
      ({ sends }) => sends === 2,
    );
    await closedBy(rig.own(number), 'cancel');
    expect(await resend(number, 'T-2')).toBe('alreadyEmailed');
    expect(await resend(number, 'T-3')).toBe('started');
    await until(
      () => rig.listed(rig.own(number)),
      ({ sends }) => sends === 3,
    );
    expect(await resend(number, 'T-2')).toBe('alreadyEmailed');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 3, max: 3 });
  });

  test('is looked up by a job of another starter, which then sends nothing', async () => {
    const { number } = await rig.billRun.create();
    const first = await rig.start({ billRunKey: number });
    await rig.accepted(first, 1);
    await closedBy(first, 'finish');
    const { runId } = await first.describe();
    const foreign = await rig.startAs(canonicalWorkflowId(number), { billRunKey: number });
    await rig.accepted(foreign, 1);
    expect(await rig.sends(foreign)).toMatchObject([{ attempts: [{ runId }], outcome: 'accepted' }]);
    expect(await rig.listed(foreign)).toMatchObject({ sends: 1, state: 'Delivering' });
    expect(await rig.emailCalls(number)).toHaveLength(1);
  });

  test('includes what Zuora sends by itself', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    await start(number);
    await rig.state(rig.own(number), 'Delivering', 'autoEmail');
    await closedBy(rig.own(number), 'finish');
    expect(await start(number)).toBe('alreadyEmailed');
  });
});

describe('A job that ended by itself', () => {
  test('without documents, or because it was not posted, is started anew', async () => {
    const { number } = await rig.billRun.create({ invoices: 0, creditMemos: 0 });
    await start(number);
    await rig.own(number).result();
    expect(await start(number)).toBe('started');
    const { number: canceled } = await rig.billRun.create({ status: 'Canceled' });
    await start(canceled);
    await rig
      .own(canceled)
      .result()
      .catch(() => undefined);
    expect(await start(canceled)).toBe('started');
  });

  test('with a question that nobody answered, asks it again at once', async () => {
    const { number } = await rig.billRun.create();
    await refuse(number);
    await start(number, { openFor: '1 second' });
    await rig
      .own(number)
      .result()
      .catch(() => undefined);
    expect(await start(number)).toBe('started');
    await rig.state(rig.own(number), 'NeedsAttention', 'refused');
    expect(await rig.emailCalls(number)).toHaveLength(1);
  });

  test('as handed over is answered for by the canonical job', async () => {
    const { id, number } = await rig.billRun.create();
    const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id });
    await rig.result(alias);
    await rig.accepted(rig.own(number), 1);
    expect(await rig.emails.start({ billRunKey: id })).toMatchObject({
      workflowId: canonicalWorkflowId(number),
      result: 'alreadyEmailed',
    });
  });
});

test('An attempt that no worker had begun when its job was terminated sent nothing, as Temporal still shows', async () => {
  const busy = await openRig({ activitiesAtOnce: 1 });
  try {
    const { number } = await busy.billRun.create();
    await busy.fault({ path: `/v1/bill-runs/${number}/emails`, ...REFUSAL });
    const job = await busy.start({ billRunKey: number });
    await busy.state(job, 'NeedsAttention', 'refused');
    // The call for another bill run takes the only place.
    const { number: other } = await busy.billRun.create();
    await busy.fault({ path: `/v1/bill-runs/${other}/emails`, when: 'after', fault: 'stall', afterMs: 60_000 });
    const slow = await busy.start({ billRunKey: other });
    await until(
      () => busy.emailCalls(other),
      (calls) => calls.length === 1,
    );
    await job.signal('retry', {});
    const attemptOf = async () => (await job.describe()).raw.pendingActivities?.[0];
    await until(attemptOf, (attempt) => attempt?.activityType?.name === 'emailBillRunDocuments');
    await job.terminate('a person');
    expect(await attemptOf()).toMatchObject({ state: 1, lastStartedTime: null });

    await busy.control('POST', '/clock', { advanceMs: 60_000 });
    await busy.accepted(slow, 1);
    const input = { billRunKey: number, again: true };
    expect(await busy.emails.start(input)).toMatchObject({ result: 'started' });
    const [send] = await busy.accepted(busy.own(number), 1);
    expect(send?.attempts.map(({ verdict }) => verdict)).toEqual(['refused', 'accepted']);
  } finally {
    await busy.afterTest();
    await busy.close();
  }
});

describe('A start on hold', () => {
  test('sends nothing until a person releases it, and the record names who asked for it', async () => {
    const { number } = await rig.billRun.create();
    const note = { requestedBy: 'alice', reason: 'review' };
    expect(await rig.emails.start({ billRunKey: number, hold: true, ...note })).toMatchObject({
      result: 'started',
      state: 'Held',
    });
    const { text } = await rig.state(rig.own(number), 'Held', 'job');
    expect(text).toContain('by `alice` (`review`)');
    expect(await rig.emailCalls(number)).toHaveLength(0);
    expect(await rig.emails.release({ billRunKey: number }, { requestedBy: 'bob' })).toMatchObject({ via: 'signal' });
    await rig.accepted(rig.own(number), 1);
  });

  test('holds the job that it joins, also as a handed-over request', async () => {
    const { id, number } = await rig.billRun.create({ status: 'Completed' });
    await start(number);
    await rig.state(rig.own(number), 'Waiting');
    expect(await start(number, { hold: true })).toBe('joined');
    await rig.state(rig.own(number), 'Held', 'job');
    expect(await rig.emails.release({ billRunKey: number })).toMatchObject({ state: 'Waiting' });
    const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id, hold: true });
    await rig.state(alias, 'Held');
    await alias.signal('release');
    await rig.result(alias);
    await rig.state(rig.own(number), 'Held', 'job');
  });
});

test('Another workflow type under the id is refused with a sentence', async () => {
  const { number } = await rig.billRun.create();
  const { client, taskQueue } = rig;
  const workflowId = canonicalWorkflowId(number);
  const other = await client.workflow.start('somethingElse', { workflowId, taskQueue: `${taskQueue}-other` });
  await expect(start(number)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: expect.stringContaining('is a workflow of type somethingElse') as string,
  });
  await other.terminate();
  await expect(start(number)).rejects.toMatchObject({ type: 'InvalidInput' });
});

async function* startedMany(numbers: readonly string[]) {
  for await (const started of rig.emails.startMany(numbers.map((billRunKey) => ({ billRunKey })))) {
    yield { value: started.ok ? started.value : undefined };
  }
}

test('a number in small letters names the same bill run, for the library, the command line and a start past both', async () => {
  const number = `BR-${randomInt(1e7, 1e8)}`;
  const small = number.toLowerCase();
  await rig.billRun.create({ number, status: 'Completed' });
  expect(await rig.emails.start({ billRunKey: small })).toMatchObject({ workflowId: canonicalWorkflowId(number) });
  const job = rig.own(number);
  expect(await start(number)).toBe('joined');
  expect((await rig.emails.status({ billRunKey: small })).workflowId).toBe(job.workflowId);
  const env = { BILL_RUN_TASK_QUEUE: rig.taskQueue };
  const { stdout } = await cliGiven({ env }, 'start', small, number, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ billRunKey: number, workflowId: job.workflowId, result: 'joined' });
  const past = await rig.startAs(canonicalWorkflowId(small), { billRunKey: small });
  expect(await failureOf(past)).toMatchObject({ type: 'InvalidInput' });
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.accepted(job, 1);
  expect(await rig.emailCalls(number)).toHaveLength(1);
});
