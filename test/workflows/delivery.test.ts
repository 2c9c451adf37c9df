/** What became of each document, on the real server, with checks that follow each other quickly. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { JobStatus } from '../../workflows/contract/contract.js';
import { openRig, until, type Rig } from '../support/rig.js';
import type { WorkflowHandle } from '@temporalio/client';

const INTERVAL_MS = 400;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ server: 'real', deliveryIntervalMs: INTERVAL_MS });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** How many emails each document got. */
async function emails(number: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { documentNumber } of await rig.mailbox(number)) {
    counts[documentNumber] = (counts[documentNumber] ?? 0) + 1;
  }
  return counts;
}

function checked(job: WorkflowHandle, right: (documents: NonNullable<JobStatus['documents']>) => boolean) {
  return until(
    () => rig.status(job),
    ({ documents }) => documents !== null && right(documents),
  );
}

it('is Emailed once Zuora shows an email for every document', async () => {
  const { number } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  const status = await rig.state(job, 'Emailed');
  expect(status).toMatchObject({
    reason: null,
    documents: { complete: true, total: 3, sent: 3, notSent: 0, list: [] },
  });
  expect(await rig.emailCalls(number)).toHaveLength(1);
});

it('reports the credit memos of an inactive notification, and retry emails them alone', async () => {
  await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false });
  const { number } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  const { documents, text } = await rig.state(job, 'Delivering', 'notSent');
  expect(documents).toMatchObject({ sent: 2, notSent: 1, list: [{ kind: 'creditMemo', outcome: 'notSent' }] });
  expect(text).toContain('notification inactive');
  expect(Object.values(await emails(number))).toEqual([1, 1]);

  await rig.control('PATCH', '/settings', { creditMemoNotificationActive: true });
  await rig.emails.retry({ billRunKey: number }, { requestedBy: 'ann', reason: 'activated' });
  await rig.state(job, 'Emailed');
  expect(Object.values(await emails(number))).toEqual([1, 1, 1]);
  const sends = await rig.sends(job);
  expect(
    sends.map(({ resend, outcome, attempts }) => [
      resend,
      outcome,
      attempts.map(({ idempotencyKey: key }) => key.split('/').slice(2)),
    ]),
  ).toEqual([
    [false, 'accepted', [['first', '1']]],
    [false, 'accepted', [['first', '2']]],
  ]);
  expect((await checked(job, ({ sent }) => sent === 3)).documents).toMatchObject({ notSent: 0 });
});
