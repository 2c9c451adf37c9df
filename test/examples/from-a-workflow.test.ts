/** A workflow of somebody else that has bill runs emailed: examples/from-a-workflow. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import * as activities from '../../examples/from-a-workflow/activities.js';
import { projectRoot } from '../../scripts/project-root.js';
import { TASK_QUEUE } from '../../workflows/contract/contract.js';
import { emailsPerDocument, newNamespace, openRig, type Rig } from '../support/rig.js';

const OWN_QUEUE = 'nightly-billing';

let rig: Rig;
let worker: Worker;
let running: Promise<void>;
beforeAll(async () => {
  // The example names the task queue of an installation.
  const namespace = await newNamespace();
  rig = await openRig({ namespace, taskQueue: TASK_QUEUE, deliveryIntervalMs: 400 });
  worker = await Worker.create({
    connection: rig.environment.nativeConnection,
    namespace,
    taskQueue: OWN_QUEUE,
    workflowsPath: join(projectRoot, 'examples', 'from-a-workflow', 'workflows.ts'),
    activities,
  });
  running = worker.run();
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  worker.shutdown();
  await running;
  await rig.close();
});

function begin(number: string): Promise<WorkflowHandle> {
  const workflowId = `nightly-billing-${randomUUID()}`;
  return rig.client.workflow.start('nightlyBilling', { workflowId, taskQueue: OWN_QUEUE, args: [number] });
}

async function result(number: string): Promise<unknown> {
  return (await begin(number)).result();
}

test('The job is its child, emails once, and goes on when the workflow is over', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const parent = await begin(number);
  expect(await parent.result()).toBe('started');
  const job = rig.own(number);
  const { parentExecution, memo } = (await job.describe()).raw.workflowExecutionInfo ?? {};
  expect(parentExecution?.workflowId).toBe(parent.workflowId);
  expect(memo?.fields ?? {}, 'only the library writes a memo').toEqual({});
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(job, 'Emailed');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  expect(await rig.listed(job)).toMatchObject({ state: 'Emailed', sends: 1 });
});

describe('If there is a job already, how it stands decides', () => {
  test('one that is open is joined; one that emailed is left alone', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    expect(await result(number)).toBe('started');
    expect(await result(number)).toBe('joined');
    await rig.billRun.change(number, { status: 'Posted' });
    const job = rig.own(number);
    await rig.state(job, 'Emailed');
    expect(await result(number)).toBe('alreadyEmailed');
    await job.signal('finish');
    await rig.result(job);
    expect(await result(number)).toBe('alreadyEmailed');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('one that a person stopped stays closed', async () => {
    const { number, job } = await rig.startWaiting();
    await job.signal('finish');
    await rig.result(job);
    expect(await result(number)).toBe('stopped');
  });

  test('after one that closed as NotPosted there is a new one', async () => {
    const { number, job } = await rig.startWaiting({ postDeadline: '1s' });
    await job.result().catch(() => undefined);
    await rig.billRun.change(number, { status: 'Posted' });
    expect(await result(number)).toBe('started');
    await rig.state(rig.own(number), 'Emailed');
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('a child that somebody starts after one that emailed looks at what that did, and emails nothing', async () => {
    const { number } = await rig.billRun.create();
    expect(await result(number)).toBe('started');
    const job = rig.own(number);
    await rig.state(job, 'Emailed');
    await job.signal('finish');
    await rig.result(job);
    // As with the default of the policy for the id: it has no memo either.
    const second = await rig.startAs(`email-bill-run/${number}`, { billRunKey: number, coolDown: '0s' });
    await rig.state(second, 'Emailed');
    expect(await rig.listed(second)).toMatchObject({ sends: 1 });
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });
});
