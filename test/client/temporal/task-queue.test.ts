/** Whose bill runs are whose, where two task queues share a namespace: numbers of bill runs repeat between Zuora tenants. */
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { BillRunEmails, diagnose } from '../../../client/index.js';
import { cliGiven, json } from '../../support/command-line.js';
import { openRig, type Rig } from '../../support/rig.js';

let ours: Rig;
let theirs: Rig;
beforeAll(async () => {
  theirs = await openRig();
  ours = await openRig();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await ours.afterTest();
  await theirs.afterTest();
});
afterAll(async () => {
  await ours.close();
  await theirs.close();
});

const refused = () => ({
  type: 'InvalidInput',
  message: expect.stringContaining(`runs on task queue ${theirs.taskQueue}, and not on ${ours.taskQueue}`) as string,
});

/** A bill run of another tenant, with a number that ours has as well. */
async function sameNumber(status: string): Promise<string> {
  const { number } = await theirs.billRun.create({ status });
  await ours.billRun.create({ number });
  return number;
}

describe('A bill run on the task queue of another tenant', () => {
  test('is neither joined nor escalated', async () => {
    const billRunKey = await sameNumber('Completed');
    await theirs.start({ billRunKey });
    const name = { billRunKey };
    for (const call of [
      () => ours.emails.start(name),
      () => ours.emails.start({ ...name, resend: true, requestId: 'T-1', again: true }),
      () => ours.emails.resend(name, { requestId: 'T-2' }),
    ]) {
      await expect(call()).rejects.toMatchObject(refused());
    }
    expect(await theirs.emails.status(name)).toMatchObject({
      ...{ state: 'Waiting', ignored: { count: 0 } },
      pendingRequests: [{ resend: false }],
    });
  });

  test('does not count as emailed, and its end leaves nothing to start anew', async () => {
    const billRunKey = await sameNumber('Posted');
    const run = await theirs.start({ billRunKey, openFor: '0s' });
    await run.result();
    await expect(ours.emails.start({ billRunKey })).rejects.toMatchObject(refused());
    await expect(ours.emails.start({ billRunKey, again: true })).rejects.toMatchObject(refused());
    await expect(ours.emails.isResent({ billRunKey }, 'first')).rejects.toMatchObject(refused());
  });

  test('gets no handover: the alias fails with the reason', async () => {
    const { number } = await theirs.billRun.create({ status: 'Completed' });
    await theirs.start({ billRunKey: number });
    const { id } = await ours.billRun.create({ number });
    const alias = await ours.start({ billRunKey: id });
    await expect(alias.result()).rejects.toMatchObject({ cause: refused() });
  });
});

describe('BILL_RUN_TASK_QUEUE', () => {
  test('names the task queue for command line, library and doctor', async () => {
    const { number } = await ours.billRun.create({ status: 'Completed' });
    const env = { BILL_RUN_TASK_QUEUE: ours.taskQueue };
    await json(cliGiven({ env }, 'start', number, '--json'));
    const run = ours.client.workflow.getHandle(`email-bill-run/${number}`);
    expect(await run.describe()).toMatchObject({ taskQueue: ours.taskQueue });
    const elsewhere = await cliGiven(
      {},
      'resend',
      number,
      '--request-id',
      'T-1',
      '--reason',
      'wrong template',
      '--yes',
    );
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining(ours.taskQueue) as string });

    vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
    vi.stubEnv('BILL_RUN_TASK_QUEUE', ours.taskQueue);
    const emails = await BillRunEmails.connect();
    expect(await emails.start({ billRunKey: number })).toMatchObject({ result: 'joined' });
    await emails.close();
    const { checks } = await diagnose();
    expect(checks.find(({ name }) => name === 'workflowWorkers')?.text).toContain(ours.taskQueue);
    await run.signal('finish');
    await run.result();
  });

  test.for(['with space', 'x'.repeat(201), 'ü'])('is refused with an invalid name: %s', async (name) => {
    const env = { BILL_RUN_TASK_QUEUE: name };
    const rule = 'must be 1 to 200 printable ASCII characters';
    const words = expect.stringContaining(rule) as string;
    expect(await cliGiven({ env }, 'list')).toMatchObject({ code: 2, stderr: words });
    expect(() => new BillRunEmails(ours.client, { taskQueue: name })).toThrow(rule);
    vi.stubEnv('BILL_RUN_TASK_QUEUE', name);
    const { checks } = await diagnose();
    expect(checks.find(({ name }) => name === 'temporalConfiguration')).toMatchObject({ result: 'error', text: words });
  });

  test('that is empty is the default', async () => {
    expect(await cliGiven({ env: { BILL_RUN_TASK_QUEUE: '' } }, 'list')).toMatchObject({ code: 0 });
  });
});
