/** The walk through the model after each test can fail. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LoggedCall } from '../../../proof/explore/trace.js';
import { openRig, type Rig } from '../../support/rig.js';
import { impossibleIn } from '../../support/traces.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

test('an acceptance whose call is missing in the log of Zuora is impossible', async () => {
  const { number } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  await rig.accepted(job, 1);
  const log = () => rig.control<LoggedCall[]>('GET', '/requests');
  expect(await impossibleIn(rig.client, job.workflowId, log)).toEqual([]);
  expect(await impossibleIn(rig.client, job.workflowId, () => Promise.resolve([]))).toMatchObject([
    { what: expect.stringContaining('Zuora cannot answer like that here') as string },
  ]);
});
