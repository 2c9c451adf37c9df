/** Who our clients are to Temporal. */
import { hostname, userInfo } from 'node:os';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails } from '../../../client/index.js';
import { identityOf } from '../../../client/temporal/identity.js';
import { openRig, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

const HERE = `bill-run-emails:${userInfo().username}@${hostname()}`;

test('the identity names the user and the host; a container may have no user name', () => {
  expect(identityOf('alice', 'desk')).toBe('bill-run-emails:alice@desk');
  expect(identityOf(undefined, 'pod-1')).toBe('bill-run-emails@pod-1');
  expect(identityOf(userInfo().username)).toBe(HERE);
});

test('a client that connects by the environment has it, and a client of the caller keeps its own', async () => {
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const emails = await BillRunEmails.connect();
  onTestFinished(() => emails.close());
  const own = new BillRunEmails(new Client({ connection: rig.connection, identity: 'nightly-billing@ci' }), {
    taskQueue: rig.taskQueue,
  });
  const { number } = await rig.billRun.create({ status: 'Completed' });
  await emails.start({ billRunKey: number });
  await own.hold({ billRunKey: number });
  await emails.finish({ billRunKey: number });
  const { entries } = await emails.audit({ billRunKey: number });
  const orders = entries.filter(({ event }) => ['started', 'signal', 'update'].includes(event));
  expect(orders.map(({ identity }) => identity)).toEqual([HERE, 'nightly-billing@ci', HERE]);
});
