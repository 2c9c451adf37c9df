/** A bill run can be started often, by several clients and under several ids: one job emails it, once for each intent. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { emailsPerDocument, failureOf, openRig, until, type Rig } from '../support/rig.js';

const HOUR = 3_600_000;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const once = { min: 1, max: 1 };
const twice = { min: 2, max: 2 };

async function finish(job: WorkflowHandle): Promise<void> {
  await job.signal('finish');
  await rig.result(job);
}

describe('A job under another id than the canonical one', () => {
  test('hands its requests to the canonical job, when it was started by ID', async () => {
    const { id, number } = await rig.billRun.create();
    const alias = await rig.start({ billRunKey: id, requestId: 'JOB-1', requestedBy: 'pipeline' });
    expect(alias.workflowId).toBe(`email-bill-run/${id}`);
    expect(await rig.result(alias)).toEqual({
      state: 'HandedOver',
      text: `The job \`email-bill-run/${number}\` has the requests of this job; its page says what was sent.`,
      reason: null,
      billRunNumber: number,
      billRunId: id,
      sends: [],
      unsettled: [],
      handedOverTo: `email-bill-run/${number}`,
    });
    expect(await rig.status(alias)).toMatchObject({ state: 'HandedOver', reason: null, question: null, until: null });
    await rig.state(rig.own(number), 'Delivering');
    expect(await rig.sends(rig.own(number))).toMatchObject([
      { requests: [{ requestId: 'JOB-1', requestedBy: 'pipeline' }], outcome: 'accepted' },
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('is one of several that are started at the same moment, by ID and by number, and one job sends', async () => {
    const { id, number } = await rig.billRun.create({ status: 'Completed' });
    const names = [id, number, id, number];
    await Promise.all(names.map((billRunKey, job) => rig.start({ billRunKey, requestId: `JOB-${job}` })));
    await rig.state(rig.own(number), 'Waiting');
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(rig.own(number), 'Delivering');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
    expect(await rig.emailCalls(number)).toHaveLength(1);
  });

  test('hands over all of its requests, under any id', async () => {
    const { id, number } = await rig.billRun.create({ status: 'Completed' });
    const input = { billRunKey: number, requestedBy: 'job' };
    const { client, taskQueue } = rig;
    const workflowId = `raw-${randomUUID()}`;
    const options = { workflowId, taskQueue, args: [input], signal: 'resend', signalArgs: [{ requestId: 'T-1' }] };
    const alias = await client.workflow.signalWithStart('emailBillRun', options);
    expect((await rig.result(alias)).state).toBe('HandedOver');
    await rig.billRun.change(number, { status: 'Posted' });
    await rig.state(rig.own(number), 'Delivering');
    const [send] = await rig.sends(rig.own(number));
    expect(send?.requests).toMatchObject([
      { resend: false, requestedBy: 'job' },
      { resend: true, requestId: 'T-1' },
    ]);
    expect(send?.attempts).toMatchObject([{ idempotencyKey: `bill-run-email/${id}/resend/T-1/1` }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('starts nothing for a bill run that was emailed, and names the requests that were not handed over', async () => {
    const { number } = await rig.billRun.create();
    const first = await rig.start({ billRunKey: number, openFor: '0s' });
    await rig.result(first);
    const alias = await rig.startAs(`raw-${randomUUID()}`, { billRunKey: number });
    expect(await rig.result(alias)).toMatchObject({ state: 'HandedOver', unsettled: [] });
    expect(await rig.emailCalls(number)).toHaveLength(1);

    const { number: stopped } = await rig.billRun.create({ status: 'Completed' });
    await (await rig.start({ billRunKey: stopped })).terminate('not this month');
    const late = await rig.startAs(`raw-${randomUUID()}`, { billRunKey: stopped, requestId: 'JOB-2' });
    const { unsettled } = await rig.result(late);
    expect(unsettled).toEqual([expect.stringMatching(/^request JOB-2: a person stopped email-bill-run\/\S+;/)]);
    expect(await rig.emailCalls(stopped)).toHaveLength(0);
  });

  test('is held like any other, and takes the update resend, which it hands over', async () => {
    const { id, number } = await rig.billRun.create();
    const { client, taskQueue } = rig;
    const alias = await client.workflow.signalWithStart('emailBillRun', {
      workflowId: `email-bill-run/${id}`,
      taskQueue,
      args: [{ billRunKey: id }],
      signal: 'hold',
    });
    const { text } = await rig.state(alias, 'Held', 'job');
    expect(text).toContain('until a person releases the job');
    await until(
      () => rig.status(alias),
      ({ billRunNumber }) => billRunNumber === number,
    );
    const answer = await alias.executeUpdate('resend', { args: [{ requestId: 'T-1' }] });
    expect(answer).toEqual({ requestId: 'T-1', state: 'Held' });
    expect(await rig.emailCalls(number)).toHaveLength(0);
    await alias.signal('release');
    expect((await rig.result(alias)).state).toBe('HandedOver');
    await rig.state(rig.own(number), 'Delivering');
    const requestIds = (await rig.sends(rig.own(number)))
      .flatMap(({ requests }) => requests)
      .map((each) => each.requestId);
    expect(requestIds).toContain('T-1');
  });

  test('fails as InvalidInput if its id names another bill run, and is listed without a state', async () => {
    const { number } = await rig.billRun.create();
    const other = canonicalWorkflowId(`BR-${randomUUID()}`);
    const wrong = await rig.startAs(other, { billRunKey: number });
    const { type, message } = await failureOf(wrong);
    expect(type).toBe('InvalidInput');
    expect(message).toContain(`the workflow id ${other} names another bill run than ${number}`);
    expect(await rig.listed(wrong)).toMatchObject({ state: undefined, reason: undefined, since: undefined });
    expect(await rig.emailCalls(number)).toHaveLength(0);
  });

  test('belongs to an entity in a tenant with Multi-entity', async () => {
    const entities = await openRig({
      multiEntity: true,
      simulator: { seed: 2, entities: ['e-1', 'e-2'] },
    });
    try {
      const { id, number } = await entities.billRun.create({ entityId: 'e-2' });
      const alias = await entities.start({ billRunKey: id, entityId: 'e-2' });
      expect(await entities.result(alias)).toMatchObject({ handedOverTo: `email-bill-run/e-2/${number}` });
      await entities.state(entities.own(number, 'e-2'), 'Delivering');
      const unnamed = await entities.startAs(canonicalWorkflowId(number), { billRunKey: number, entityId: 'e-2' });
      expect(await entities.result(unnamed)).toMatchObject({ handedOverTo: `email-bill-run/e-2/${number}` });
      const wrong = await entities.startAs(canonicalWorkflowId(number, 'e-1'), { billRunKey: number, entityId: 'e-2' });
      expect((await failureOf(wrong)).type).toBe('InvalidInput');
      expect(emailsPerDocument(await entities.mailbox(number))).toEqual(once);
    } finally {
      await entities.afterTest();
      await entities.close();
    }
  });
});

describe('A bill run by its ID', () => {
  test('is found by its number, by every command of the library', async () => {
    const { id, number } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering');
    const name = { billRunKey: id };
    expect(await rig.emails.status(name)).toMatchObject({ state: 'Delivering', billRunNumber: number });
    expect(await rig.emails.start(name)).toMatchObject({ workflowId: job.workflowId, result: 'alreadyEmailed' });
    expect(await rig.emails.resend(name, { requestId: 'T-1' })).toMatchObject({ workflowId: job.workflowId });
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 6,
    );
    await rig.emails.finish(name);
    await rig.result(job);
    expect(await rig.emails.start(name)).toMatchObject({ workflowId: job.workflowId, result: 'alreadyEmailed' });
  });
});

describe('A job takes up what earlier jobs of its id did', () => {
  test('the same request is not emailed again, even after Zuora has forgotten its key', async () => {
    const { number } = await rig.billRun.create();
    const first = await rig.resend(number, 'T-1');
    await first.signal('resend', { requestId: 'T-2' });
    await rig.state(first, 'Delivering');
    const { runId } = await first.describe();
    await until(
      () => rig.sends(first),
      (sends) => sends.flatMap(({ requests }) => requests).length === 2 && sends.at(-1)?.outcome === 'accepted',
    );
    const before = (await rig.mailbox(number)).length;
    await finish(first);
    await rig.control('POST', '/clock', { advanceMs: 25 * HOUR });

    for (const requestId of ['T-1', 'T-2']) {
      const refused = await rig.emails.resend({ billRunKey: number }, { requestId });
      expect(refused).toMatchObject({ result: 'alreadyEmailed' });
      // Another starter does not look, so its job does.
      const again = await rig.startAs(first.workflowId, { billRunKey: number, resend: true, requestId });
      await rig.state(again, 'Delivering');
      expect(await rig.sends(again)).toMatchObject([
        {
          outcome: 'accepted',
          attempts: [{ runId, verdict: 'accepted' }],
          note: expect.stringContaining(runId) as string,
        },
      ]);
      expect(await rig.mailbox(number)).toHaveLength(before);
      await finish(again);
    }

    const fresh = await rig.resend(number, 'T-3');
    await rig.state(fresh, 'Delivering');
    expect(await rig.mailbox(number)).toHaveLength(before + 3);
  });

  test('a send that was cut off continues under its key in the next job, and requests that arrive with it get their own key', async () => {
    const { id, number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'reset' });
    const first = await rig.resend(number, 'T-1');
    await until(
      () => rig.sends(first),
      (sends) => sends[0]?.attempts[0]?.verdict === 'unknown',
    );
    const { runId } = await first.describe();
    await first.terminate('a mistake');

    const { client, taskQueue } = rig;
    const second = await client.workflow.signalWithStart('emailBillRun', {
      workflowId: first.workflowId,
      taskQueue,
      args: [{ billRunKey: number, resend: true, requestId: 'T-2' }],
      signal: 'resend',
      signalArgs: [{ requestId: 'T-1' }],
    });
    const sends = await until(
      () => rig.sends(second),
      (all) => all[1]?.outcome === 'accepted',
    );
    const key = `bill-run-email/${id}/resend`;
    expect(sends.map(({ requests }) => requests.map(({ requestId }) => requestId))).toEqual([['T-1'], ['T-2']]);
    expect(sends[0]?.attempts).toMatchObject([
      { idempotencyKey: `${key}/T-1/1`, verdict: 'unknown', runId },
      { idempotencyKey: `${key}/T-1/1`, verdict: 'accepted', stored: true },
    ]);
    expect(sends[1]?.attempts).toMatchObject([{ idempotencyKey: `${key}/T-2/1` }]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(twice);
  });

  test('a send that was under way when its job was terminated is not made twice', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'stall', afterMs: 60_000 });
    const first = await rig.resend(number, 'T-1');
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === 3,
    );
    await first.terminate('a mistake');
    const second = await rig.resend(number, 'T-1');
    await until(
      () => rig.sends(second),
      ([send]) => (send?.attempts.length ?? 0) > 1,
    );
    await rig.control('POST', '/clock', { advanceMs: 60_000 });
    await until(
      () => rig.sends(second),
      ([send]) => send?.outcome === 'accepted',
    );
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('a refused send asks a person again, and a retry uses the next key', async () => {
    const { id, number } = await rig.billRun.create();
    await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
    const first = await rig.resend(number, 'T-1');
    await rig.state(first, 'NeedsAttention');
    await finish(first);
    await rig.control('PATCH', '/settings', { notificationActive: true });
    const second = await rig.resend(number, 'T-1');
    const { question } = await rig.state(second, 'NeedsAttention');
    expect(question).toMatchObject({ kind: 'refused', needsSendAnyway: false });
    await second.signal('retry', { requestedBy: 'alice' });
    await rig.state(second, 'Delivering');
    const [send] = await rig.sends(second);
    expect(send?.attempts.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      `bill-run-email/${id}/resend/T-1/1`,
      `bill-run-email/${id}/resend/T-1/2`,
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });

  test('a first send that starts again after a termination is settled by the stored reply to its key', async () => {
    const { number } = await rig.billRun.create({ lastEmailSentTime: undefined });
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'reset' });
    await rig.control('PATCH', '/settings', { emailDelayMs: HOUR });
    const first = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(first),
      (sends) => sends[0]?.attempts[0]?.verdict === 'unknown',
    );
    await first.terminate('a mistake');
    expect(await rig.emails.start({ billRunKey: number })).toMatchObject({ result: 'stopped' });
    expect(await rig.emails.start({ billRunKey: number, again: true })).toMatchObject({ result: 'started' });
    await rig.state(rig.own(number), 'Delivering');
    await rig.control('POST', '/clock', { advanceMs: HOUR });
    await rig.control('PATCH', '/settings', { emailDelayMs: 0 });
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual(once);
  });
});
