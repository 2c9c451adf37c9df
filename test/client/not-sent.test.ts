/** What clients make of documents that were not sent, by what Temporal lists alone: no worker runs. */
import { randomUUID } from 'node:crypto';
import { TypedSearchAttributes } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BillRunEmails, type KnownStatus, type ListedJob } from '../../client/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { cliGiven, json, jsonLines, type Ended } from '../support/command-line.js';
import { openRig, until, type Rig } from '../support/rig.js';

const taskQueue = `nobody-${randomUUID()}`;
const cli = (...args: string[]): Promise<Ended> => cliGiven({ env: { BILL_RUN_TASK_QUEUE: taskQueue } }, ...args);

let rig: Rig;
let emails: BillRunEmails;
const opened = new Set<string>();
beforeAll(async () => {
  rig = await openRig();
  emails = new BillRunEmails(rig.client, { taskQueue, warns: false });
});
afterEach(async () => {
  for (const id of opened)
    await handleOf(id)
      .terminate()
      .catch(() => undefined);
  opened.clear();
  await rig.afterTest();
});
afterAll(() => rig.close());

const handleOf = (workflowId: string) => rig.client.workflow.getHandle(workflowId);
const idOf = (number: string, entity?: string) => canonicalWorkflowId(number, entity);

interface Listed {
  readonly state?: string;
  readonly sends?: number;
  readonly notSent?: number;
  readonly isOpen?: boolean;
  readonly entity?: string;
}

/** A job that Temporal lists in this way; by default a closed one whose emails Zuora accepted. */
async function job({ state = 'Delivering', sends = 1, notSent, isOpen = false, entity }: Listed): Promise<string> {
  const number = `BR-${randomUUID().slice(0, 8).toUpperCase()}`;
  const handle = await rig.client.workflow.start('emailBillRun', {
    ...{ workflowId: idOf(number, entity), taskQueue, args: [{ billRunKey: number }] },
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.billRunNumber, value: number },
      { key: searchAttributes.emailState, value: state },
      { key: searchAttributes.emailSends, value: sends },
      ...(notSent === undefined ? [] : [{ key: searchAttributes.documentsNotSent, value: notSent }]),
    ]),
  });
  if (isOpen) opened.add(handle.workflowId);
  else await handle.terminate();
  return number;
}

/** The arguments of the job and of the signals that it has got. */
async function argumentsOf(number: string, entity?: string): Promise<unknown[]> {
  const { events } = await handleOf(idOf(number, entity)).fetchHistory();
  return (events ?? []).flatMap((event) => {
    const started = event.workflowExecutionStartedEventAttributes?.input;
    const signal = event.workflowExecutionSignaledEventAttributes;
    return [started, signal?.input].flatMap((input) =>
      (input?.payloads ?? []).map(({ data }) => JSON.parse(Buffer.from(data ?? []).toString()) as unknown),
    );
  });
}

test('list shows how many were not sent, and --not-sent lists only such jobs, open and closed', async () => {
  const open = await job({ notSent: 2, isOpen: true });
  const closed = await job({ notSent: 3 });
  const all = await job({ state: 'Emailed', notSent: 0 });
  const unchecked = await job({});
  const numbers = [open, closed, all, unchecked];
  const listed = async (...args: string[]): Promise<unknown[]> => {
    const jobs = jsonLines(await cli('list', '--limit', '0', '--json', ...args)) as readonly ListedJob[];
    return jobs
      .filter(({ billRunNumber }) => numbers.includes(billRunNumber ?? ''))
      .map(({ billRunNumber, documentsNotSent }) => [billRunNumber, documentsNotSent]);
  };
  await until(listed, (jobs) => jobs.length === 4);
  expect(await listed()).toEqual([
    [open, 2],
    [unchecked, null],
    [all, 0],
    [closed, 3],
  ]);
  expect(await listed('--not-sent')).toEqual([
    [open, 2],
    [closed, 3],
  ]);
  expect(await listed('--not-sent', '--open')).toEqual([[open, 2]]);
  const { stdout } = await cli('list', '--number', closed);
  expect(stdout).toMatch(/ SENDS {2}NOT SENT {2}STARTED.*\n.* Delivering .* 1 {6}3 {9}\d{4}-/);
});

test('status without a worker shows how many were not sent, ends with 4, and offers retry', async () => {
  const open = await job({ notSent: 2, isOpen: true });
  const closed = await job({ notSent: 1 });
  const ended = await cli('status', open, '--json');
  expect(ended.code).toBe(4);
  const status = JSON.parse(ended.stdout) as KnownStatus;
  expect(status).toMatchObject({ unanswered: true, documents: null, documentsNotSent: 2 });
  for (const [number, count] of [
    [open, 2],
    [closed, 1],
  ] as const) {
    const { code, stdout } = await cli('status', number);
    expect(code).toBe(4);
    expect(stdout).toMatch(new RegExp(`^documents +${count} not sent, as Temporal lists it$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^send the rest bill-run-emails retry ${number} .*\n +Fix the cause first`, 'm'));
  }
  const both = await cli('status', await job({ notSent: 0 }), closed);
  expect(both).toMatchObject({ code: 4, stdout: expect.stringContaining('Documents: 1 not sent') as string });
});

describe('A start of a bill run that was emailed', () => {
  test('says how many documents were not sent, ends with 4, and names retry', async () => {
    const number = await job({ notSent: 2 });
    const ended = await cli('start', number, '--json');
    expect(ended.code).toBe(4);
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: true, result: 'alreadyEmailed', documentsNotSent: 2 });
    const { code, stdout } = await cli('start', number);
    expect(code).toBe(4);
    expect(stdout).toMatch(/2 documents were not sent\. Fix the cause.*for only these: bill-run-emails retry/);
    const open = await job({ notSent: 1, isOpen: true });
    const many = await cli('start', number, open);
    expect(many.code).toBe(4);
    expect(many.stdout).toContain(`${open}: alreadyEmailed, but 1 document was not sent: retry emails only those\n`);
    expect(many.stdout).toContain('2 bill runs: 2 alreadyEmailed.');
  });

  test('ends with 0 if all were sent, or if that is not known', async () => {
    const [all, unchecked] = [await job({ state: 'Emailed', notSent: 0 }), await job({})];
    expect(await json(cli('start', all, '--json'))).toMatchObject({ result: 'alreadyEmailed', documentsNotSent: 0 });
    expect(await json(cli('start', unchecked, '--json'))).toMatchObject({ documentsNotSent: null });
  });
});

describe('A retry after the last job has closed', () => {
  const note = { requestedBy: 'alice', reason: 'address added' };

  test('starts a job that emails only what was not sent, once for each request id', async () => {
    const number = await job({ sends: 2, notSent: 2 });
    const { runId: earlierRun } = await handleOf(idOf(number)).describe();
    const args = ['retry', number, '--request-id', 'R-1', '--requested-by', 'alice', '--reason', 'address added'];
    opened.add(idOf(number));
    const started = await json<{ runId: string }>(cli(...args, '--json'));
    expect(started).toMatchObject({
      ...{ billRunKey: number, workflowId: idOf(number), ok: true },
      ...{ result: 'started', requestId: 'R-1', state: 'Waiting', warnings: [expect.stringContaining('worker')] },
    });
    const { runId, memo, typedSearchAttributes: indexed } = await handleOf(idOf(number)).describe();
    expect(runId).toBe(started.runId);
    expect(memo).toMatchObject({ earlierRun });
    expect(indexed.get(searchAttributes.emailSends)).toBe(2);
    const input = { billRunKey: number, missing: true, requestId: 'R-1', ...note };
    expect(await argumentsOf(number)).toEqual([input]);

    // Repeated, it goes to that job, which knows the request.
    expect((await cli(...args)).stdout).toContain('retry sent; no worker answered');
    expect((await handleOf(idOf(number)).describe()).runId).toBe(runId);
    expect(await argumentsOf(number)).toEqual([input, { requestId: 'R-1', ...note }]);
  });

  test('does so in words, for several bill runs, and for an entity', async () => {
    const [one, other] = [await job({ notSent: 1 }), await job({ notSent: 1 })];
    for (const number of [one, other]) opened.add(idOf(number));
    const { stdout } = await cli('retry', one, other);
    expect(stdout).toContain(`${one}: the last job had closed, so a new one emails only what was not sent\n`);
    expect(stdout).toContain('2 bill runs: 2 started.');

    const [entity, notSent] = ['8ad01', 1];
    const number = await job({ entity, notSent });
    opened.add(idOf(number, entity));
    expect(await emails.retry({ workflowId: idOf(number, entity) })).toMatchObject({ result: 'started' });
    expect(await argumentsOf(number, entity)).toMatchObject([{ billRunKey: number, entityId: entity, missing: true }]);
  });

  test('with sendAnyway tells the new job to wait for nothing', async () => {
    const number = await job({ notSent: 1 });
    opened.add(idOf(number));
    const retried = await emails.retry({ billRunKey: number }, { requestId: 'R-1', sendAnyway: true, ...note });
    expect(retried).toMatchObject({ result: 'started', requestId: 'R-1' });
    expect(await argumentsOf(number)).toEqual([
      { billRunKey: number, missing: true, requestId: 'R-1', ...note },
      { sendAnyway: true, ...note },
    ]);
  });

  test('ends with 4 if nothing is known to be missing, and names what helps', async () => {
    const [all, nothing] = [await job({ state: 'Emailed', notSent: 0 }), await job({ state: 'Waiting', sends: 0 })];
    const ended = await cli('retry', all, '--json');
    expect(ended.code).toBe(4);
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: false, error: { type: 'NothingMissing' } });
    expect(ended.stderr).toContain('nothing is known to be missing');
    expect(ended.stderr).toContain(`bill-run-emails documents ${all}\n`);
    const empty = await cli('retry', nothing);
    expect(empty).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`bill-run-emails start ${nothing} --again`) as string,
    });
    for (const number of [all, nothing]) expect(await argumentsOf(number)).toHaveLength(1);
  });

  test('is not followed if it means the send of a question, which nobody can answer any more', async () => {
    const number = await job({ notSent: 1 });
    await expect(emails.retry({ billRunKey: number }, { ordinal: 1 })).rejects.toMatchObject({ type: 'NotFound' });
  });

  test('emails what others have left unsent', async () => {
    const { number } = await rig.billRun.create({ autoEmail: true });
    const own = await rig.start({ billRunKey: number });
    await rig.state(own, 'Delivering', 'autoEmail');
    await own.signal('finish');
    await rig.result(own);
    expect(await rig.emails.retry({ billRunKey: number })).toMatchObject({ result: 'started' });
    expect((await argumentsOf(number))[0]).toMatchObject({ billRunKey: number, missing: true });
  });
});

test('a start for what is missing goes to the open job as retry, and needs an earlier job', async () => {
  const number = await job({ notSent: 1, isOpen: true });
  const missing = { missing: true, requestId: 'R-1' };
  expect(await emails.start({ billRunKey: number, ...missing })).toMatchObject({ result: 'joined', via: 'signal' });
  expect(await argumentsOf(number)).toEqual([{ billRunKey: number }, { requestId: 'R-1' }]);
  await expect(emails.start({ billRunKey: 'BR-NONE', ...missing })).rejects.toMatchObject({ type: 'NotFound' });
});
