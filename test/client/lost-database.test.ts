/** Temporal's database is lost, and a new empty one takes its place: what Zuora still knows keeps documents from being emailed twice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emailsPerDocument, newNamespace, openRig, until, type Rig } from '../support/rig.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MANY = 50;

/** On the server that is lost, and on the new one. */
let lost: Rig;
let empty: Rig;
beforeAll(async () => {
  // Tokens outlast the days that pass.
  const simulator = { tokenLifetimeSeconds: 30 * 86_400 };
  lost = await openRig({ namespace: await newNamespace(), simulator });
  empty = await openRig({ namespace: await newNamespace(), zuoraUrl: lost.simulatorUrl });
});
afterAll(async () => {
  await empty.close();
  await lost.close();
});

const postedBillRun = async (wanted: object = {}): Promise<string> => {
  const { number } = await lost.billRun.create(wanted);
  await lost.billRun.change(number, { postedDate: new Date(Date.now() - HOUR).toISOString() });
  return number;
};

test('of fifty bill runs that were emailed, none is emailed again by a sweep, or by pipelines that start them once more', async () => {
  const emailed = await Promise.all(Array.from({ length: MANY }, () => postedBillRun()));
  const onlyMemos = await postedBillRun({ invoices: 0, creditMemos: 2 });
  // Its call gets no answer, and its emails leave later.
  const unheard = await postedBillRun();
  await lost.fault({ path: `/v1/bill-runs/${unheard}/emails`, when: 'after', fault: 'reset', times: 9 });
  for (const number of [...emailed, onlyMemos]) await lost.emails.start({ billRunKey: number });
  for (const number of [...emailed, onlyMemos]) await lost.accepted(lost.own(number), 1);
  await lost.control('PATCH', '/settings', { emailDelayMs: HOUR });
  await lost.emails.start({ billRunKey: unheard });
  await until(
    () => lost.sends(lost.own(unheard)),
    ([send]) => send?.attempts.length === 1,
  );
  const held = await postedBillRun();
  await lost.emails.start({ billRunKey: held, hold: true });
  await lost.state(lost.own(held), 'Held');
  const neverStarted = await postedBillRun();
  await lost.stopWorker();
  await lost.control('DELETE', '/faults');
  // If Zuora sets the flag for invoices only, nothing on a bill run shows the emails of credit memos.
  await lost.billRun.change(onlyMemos, { invoicesEmailed: false });

  const since = new Date(Date.now() - DAY).toISOString();
  const { counts, started } = await empty.emails.sweep({ startPostedSince: since });
  expect(counts).toMatchObject({ invoicesEmailed: MANY, forgotten: 4 });
  expect([...started].sort()).toEqual([held, neverStarted, onlyMemos, unheard].sort());
  for (const number of emailed) await empty.emails.start({ billRunKey: number });

  const all = [...emailed, onlyMemos, unheard, held, neverStarted];
  await empty.state(empty.own(emailed[0] ?? ''), 'Delivering', 'emailedElsewhere');
  // The same key: Zuora repeats what it answered to the lost job.
  const [send] = await empty.accepted(empty.own(unheard), 1);
  expect(send?.attempts).toMatchObject([{ stored: true }]);
  // Zuora forgets all keys.
  await lost.control('POST', '/clock', { advanceMs: 2 * DAY });
  for (const number of all) await empty.skip(empty.own(number), 2 * DAY);
  for (const number of [held, neverStarted, onlyMemos]) await empty.accepted(empty.own(number), 1);
  const mailboxes = await Promise.all(all.map((number) => lost.mailbox(number)));
  expect(mailboxes.map(emailsPerDocument)).toEqual(all.map(() => ({ min: 1, max: 1 })));
});
