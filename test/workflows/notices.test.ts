/** Notices to people, on a real receiver: what they say, once each, and that no receiver holds up a job. */
import type { WorkflowFailedError, WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openReceiver, TOKEN } from '../support/receiver.js';
import { openRig, until, type Rig } from '../support/rig.js';
import { sendTooMany } from '../support/server.js';

let receiver: Awaited<ReturnType<typeof openReceiver>>;
let rig: Rig;
let skipping: Rig;
beforeAll(async () => {
  receiver = await openReceiver();
  const settings = { url: () => receiver.url, uiUrl: 'https://temporal.example' };
  rig = await openRig({ deliveryIntervalMs: 400, receiver: settings });
  skipping = await openRig({ receiver: settings });
});
afterEach(async () => {
  receiver.answer = (response) => response.writeHead(200).end('ok');
  await rig.afterTest();
  await skipping.afterTest();
});
afterAll(async () => {
  await receiver.close();
  await rig.close();
  await skipping.close();
});

const refusal = (...words: string[]) => ({
  ...{ fault: 'respond', status: 400 },
  body: { success: false, reasons: [{ code: 58730020, message: `no ${words.join(' ')}` }] },
});

async function refusedJob(at = rig): Promise<WorkflowHandle> {
  const { number } = await at.billRun.create();
  await at.fault({ ...refusal('jane.doe@customer.example'), path: `/v1/bill-runs/${number}/emails` });
  const job = await at.start({ billRunKey: number });
  await at.state(job, 'NeedsAttention', 'refused');
  return job;
}

const noticesOf = async (job: WorkflowHandle): Promise<readonly string[]> => {
  const { events } = await job.fetchHistory();
  return (events ?? []).flatMap((event) => event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId ?? []);
};

/** The only notice of a job, once it is over. */
async function noticeOf(job: WorkflowHandle, at = rig): Promise<WorkflowHandle> {
  const [workflowId = '', ...others] = await until(
    () => noticesOf(job),
    (notices) => notices.length > 0,
  );
  expect(others).toEqual([]);
  return at.client.workflow.getHandle(workflowId);
}

describe('People are notified once', () => {
  test('of a question, with a link and the command that shows more, and without words of Zuora', async () => {
    const job = await refusedJob();
    const notice = await noticeOf(job);
    expect(await notice.result()).toEqual({ notified: true });
    const billRun = job.workflowId.replace('email-bill-run/', '');
    const url = `https://temporal.example/namespaces/default/workflows/${encodeURIComponent(job.workflowId)}`;
    const command = `bill-run-emails status ${billRun}`;
    expect(receiver.of(job)).toEqual([
      {
        text: `Bill run ${billRun}: Sending does not work: NeedsAttention (refused). Your turn: fix the cause, then retry; or finish.\n\`${command}\`\n${url}`,
        ...{ billRunNumber: billRun, state: 'NeedsAttention', reason: 'refused', documentsNotSent: null },
        ...{ workflowId: job.workflowId, command, url },
      },
    ]);
    for (const each of [job, notice]) {
      const history = historyToJSON(await each.fetchHistory());
      expect(Buffer.from(history).includes(TOKEN) || Buffer.from(decoded(history)).includes(TOKEN)).toBe(false);
      expect(decoded(history)).not.toContain('jane.doe@customer.example');
    }
  });

  test('of documents that were not sent', async () => {
    const { number, documents } = (await rig.billRun.create()) as { number: string; documents?: { number: string }[] };
    await rig.control('PATCH', `/documents/${documents?.[0]?.number ?? ''}`, {
      email: 'failed',
      reason: 'mailbox full',
    });
    const job = await rig.start({ billRunKey: number });
    await rig.state(job, 'Delivering', 'notSent');
    await (await noticeOf(job)).result();
    expect(receiver.of(job)).toMatchObject([{ reason: 'notSent', documentsNotSent: 1 }]);
    expect(receiver.of(job)[0]?.text).toContain(`Bill run ${number}: 1 of 3 documents was not sent.`);
    await job.signal('finish');
    await job.result();
    expect(await noticesOf(job)).toHaveLength(1);
  });

  test.each([
    ['NotPosted', { status: 'Canceled' }, null],
    ['Skipped', { invoices: 0, creditMemos: 0 }, null],
    ['Stopped', { status: 'Completed' }, 'finish'],
    ['Stopped', { status: 'Completed' }, 'cancel'],
  ])('of a job that closes as %s', async (state, billRun, order) => {
    const { number } = await rig.billRun.create(billRun);
    const job = await rig.start({ billRunKey: number });
    if (order === 'finish') await job.signal('finish', { requestedBy: 'alice', reason: 'for jane.doe' });
    if (order === 'cancel') await job.cancel();
    await job.result().catch(() => undefined);
    await (await noticeOf(job)).result();
    expect(receiver.of(job)).toMatchObject([{ state }]);
    expect(receiver.of(job)[0]?.text).not.toContain('jane');
  });

  test('not of a job that emails, is held, or hands over', async () => {
    const { number, id } = await rig.billRun.create();
    const job = await rig.start({ billRunKey: number, hold: true });
    await rig.state(job, 'Held');
    const alias = await rig.startAs(`of-a-pipeline-${number}`, { billRunKey: id });
    await rig.result(alias);
    await job.signal('release');
    await rig.state(job, 'Emailed');
    await job.signal('finish');
    await rig.result(job);
    expect([...(await noticesOf(job)), ...(await noticesOf(alias))]).toEqual([]);
  });

  test('also if the job continues as new', { timeout: 60_000 }, async () => {
    const job = await refusedJob();
    await (await noticeOf(job)).result();
    await sendTooMany(rig.client.workflow.getHandle(job.workflowId), 'billRunPosted');
    const next = rig.client.workflow.getHandle(job.workflowId);
    await rig.state(next, 'NeedsAttention', 'refused');
    expect(await noticesOf(next)).toEqual([]);
    expect(receiver.of(job)).toHaveLength(1);
  });

  test('also if the job is reset to each of its workflow tasks', { timeout: 60_000 }, async () => {
    const job = await refusedJob();
    await (await noticeOf(job)).result();
    const { runId } = await job.describe();
    const { events = [] } = await job.fetchHistory();
    await rig.fault({ ...refusal(), path: `/v1/bill-runs/${job.workflowId.split('/')[1] ?? ''}/emails`, times: 100 });
    for (const event of events ?? []) {
      if (event.workflowTaskCompletedEventAttributes == null) continue;
      await rig.reset(job.workflowId, runId, Number(event.eventId));
      await rig.state(job, 'NeedsAttention', 'refused');
    }
    expect(receiver.of(job)).toHaveLength(1);
    await job.signal('finish');
    await rig.result(job);
  });
});

/** Payloads are in base64. */
function decoded(history: string): string {
  return history.replaceAll(/"data":\s*"([^"]*)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
}

describe('A receiver', () => {
  test('that never answers holds up neither a send nor the end of a job', async () => {
    receiver.answer = () => undefined;
    const job = await refusedJob();
    await job.signal('retry');
    await rig.state(job, 'Emailed');
    await job.signal('resend', { requestId: 'T-1' });
    await rig.accepted(job, 2);
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const stopped = await rig.start({ billRunKey: number });
    await rig.state(stopped, 'Waiting', 'notPosted');
    const began = performance.now();
    await stopped.signal('finish');
    await rig.result(stopped);
    expect(performance.now() - began).toBeLessThan(3_000);
    const notice = await noticeOf(stopped);
    expect((await notice.describe()).status.name).toBe('RUNNING');
    for (const each of [notice, await noticeOf(job)]) await each.terminate('the test is over');
  });

  test('that answers 500 four times gets it by the fifth try', async () => {
    let answers = 0;
    receiver.answer = (response) => response.writeHead(++answers < 5 ? 500 : 204).end();
    const job = await refusedJob(skipping);
    const notice = await noticeOf(job, skipping);
    await skipping.skipToEnd(notice);
    expect(await notice.result()).toEqual({ notified: true });
    expect(receiver.of(job)).toHaveLength(5);
  });

  test('that is away makes the notice fail, which the history of the job names, and nothing else', async () => {
    receiver.answer = (response) => response.destroy();
    const job = await refusedJob(skipping);
    const notice = await noticeOf(job, skipping);
    expect(await reasonOf(notice)).toBe('the receiver at NOTIFY_URL cannot be reached: UND_ERR_SOCKET');
    expect(receiver.of(job)).toHaveLength(5);
    const { events } = await until(
      () => job.fetchHistory(),
      (history) => history.events?.some((event) => event.childWorkflowExecutionFailedEventAttributes != null) === true,
    );
    expect(JSON.stringify(events)).not.toContain(TOKEN);
    await skipping.state(job, 'NeedsAttention', 'refused');
  });

  test.each([
    [404, {}, 'the receiver at NOTIFY_URL answered HTTP 404', 1],
    [302, { location: '/elsewhere' }, 'the receiver at NOTIFY_URL answered HTTP 302; redirects are not followed', 1],
    [429, {}, 'the receiver at NOTIFY_URL answered HTTP 429', 5],
  ] as const)('that answers %s', async (status, headers, reason, tries) => {
    receiver.answer = (response) => response.writeHead(status, headers).end();
    const job = await refusedJob(skipping);
    expect(await reasonOf(await noticeOf(job, skipping))).toBe(reason);
    expect(receiver.of(job)).toHaveLength(tries);
  });

  test('whose address is no longer one makes the notice fail, without the address', async () => {
    const { url } = receiver;
    receiver.url = `https:// ${TOKEN}`;
    const job = await refusedJob(skipping);
    expect(await reasonOf(await noticeOf(job, skipping))).toBe(
      'the receiver at NOTIFY_URL cannot be reached: ERR_INVALID_URL',
    );
    receiver.url = url;
  });
});

async function reasonOf(notice: WorkflowHandle): Promise<string | undefined> {
  await skipping.skipToEnd(notice);
  const error = (await notice.result().catch((failure: unknown) => failure)) as WorkflowFailedError;
  return (error.cause?.cause as Error | undefined)?.message;
}

test('Without NOTIFY_URL nobody is notified, and history says so', async () => {
  const quiet = await openRig();
  const { number } = await quiet.billRun.create({ status: 'Canceled' });
  const job = await quiet.start({ billRunKey: number });
  await job.result().catch(() => undefined);
  expect(await (await noticeOf(job, quiet)).result()).toEqual({ notified: false });
  await quiet.close();
});
