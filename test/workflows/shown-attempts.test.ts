/** An attempt is shown as under way only where it takes longer than most do: docs/decisions/0017. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ server: 'real' });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** The states that Temporal's list showed, one after the other. */
async function statesOf(billRunKey: string): Promise<readonly string[]> {
  const { entries } = await rig.emails.audit({ billRunKey });
  return entries.filter(({ event }) => event === 'state').map(({ text }) => text);
}

test('an attempt that is answered at once is never listed as under way, and the audit has it all the same', async () => {
  const { number } = await rig.billRun.create();
  const run = await rig.start({ billRunKey: number, escalationWindow: '0s' });
  expect((await rig.result(run)).state).toBe('Emailed');
  expect(await statesOf(number)).toEqual(['WaitingForPost', 'Emailed']);
  const { entries } = await rig.emails.audit({ billRunKey: number });
  expect(entries.map(({ event }) => event)).toEqual(expect.arrayContaining(['attempt', 'attemptEnded']));
});

test('an attempt that takes longer is listed as under way, and Temporal UI tells of it', async () => {
  const { number } = await rig.billRun.create();
  await rig.fault({ fault: 'stall', afterMs: 3_600_000 });
  const run = await rig.start({ billRunKey: number });
  // The queries know at once.
  expect((await rig.state(run, 'Sending')).waitingFor).toContain('attempt 1');
  const listed = async () => (await run.describe()).typedSearchAttributes.get(searchAttributes.emailState);
  await until(listed, (state) => state === 'Sending');
  const { currentDetails } = await run.query<{ currentDetails: string }>('__temporal_workflow_metadata');
  expect(currentDetails).toContain('### Sending');

  await rig.control('POST', '/clock', { advanceMs: 3_600_000 });
  await rig.state(run, 'Emailed');
  expect(await statesOf(number)).toEqual(['WaitingForPost', 'Sending', 'Emailed']);
  expect(await rig.emailCalls(number)).toHaveLength(1);
});

test('a run that another client started lists each attempt at once', async () => {
  const { number } = await rig.billRun.create();
  const run = await rig.startAs(canonicalWorkflowId(number), { billRunKey: number });
  await rig.state(run, 'Emailed');
  expect(await statesOf(number)).toEqual(['WaitingForPost', 'Sending', 'Emailed']);
});
