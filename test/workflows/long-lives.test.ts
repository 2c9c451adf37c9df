/** Jobs that outgrow one history. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';
import { sendTooMany, TOO_MANY } from '../support/server.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

test.for(['waits for the post', 'was emailed'])(
  'a job that %s and gets too many messages continues as new without a loss',
  async (phase) => {
    const waits = phase === 'waits for the post';
    const { number, id } = await rig.billRun.create({ status: waits ? 'Completed' : 'Posted' });
    const job = await rig.start({ billRunKey: number, requestedBy: 'pipeline' });
    await rig.state(job, waits ? 'Waiting' : 'Delivering');
    await job.signal('resend', { requestId: 'T-1', requestedBy: 'alice' });
    if (!waits) {
      await until(
        () => rig.sends(job),
        (sends) => sends[1]?.outcome === 'accepted',
      );
    }

    await sendTooMany(job, 'retry', 'nonsense');
    const status = await until(
      () => rig.status(job),
      ({ ignored }) => ignored.count === TOO_MANY,
    );
    expect(status.ignored.last).toHaveLength(50);

    await job.signal('resend', { requestId: 'T-1' });
    await job.signal('resend', { requestId: 'T-2' });
    if (waits) await rig.billRun.change(number, { status: 'Posted' });
    await until(
      () => rig.mailbox(number),
      (emails) => emails.length === (waits ? 3 : 9),
    );
    const sends = await until(
      () => rig.sends(job),
      (all) => all.at(-1)?.outcome === 'accepted',
    );
    expect(
      sends.flatMap(({ requests }) => requests.map(({ requestedBy, requestId }) => requestedBy ?? requestId)),
    ).toEqual([...['pipeline', 'alice', 'T-2']]);
    const keys = sends.flatMap(({ attempts }) => attempts.map(({ idempotencyKey }) => idempotencyKey));
    expect(keys).toEqual(
      waits
        ? [`bill-run-email/${id}/resend/T-1/1`]
        : [`bill-run-email/${id}/first/1`, `bill-run-email/${id}/resend/T-1/1`, `bill-run-email/${id}/resend/T-2/1`],
    );
    expect(emailsPerDocument(await rig.mailbox(number)).max).toBe(sends.length);
    const { typedSearchAttributes, historyLength } = await job.describe();
    expect(JSON.stringify(typedSearchAttributes)).toContain(number);
    expect(historyLength).toBeLessThan(1_000);

    const audit = await rig.emails.audit({ billRunKey: number });
    expect(audit.incomplete).toEqual([]);
    expect(audit.entries.filter(({ event }) => event === 'continued')).toHaveLength(1);
    expect(audit.sends.flatMap(({ attempts }) => attempts.map(({ idempotencyKey }) => idempotencyKey))).toEqual(keys);
    const requests = audit.entries.filter(({ event, text }) => event === 'started' || text.startsWith('signal resend'));
    expect(requests.map(({ requestedBy, text }) => requestedBy ?? /T-\d/.exec(text)?.[0])).toEqual([
      ...['pipeline', 'alice', 'T-1', 'T-2'],
    ]);
  },
);

test('one send serves thousands of messages that waited for a worker', async () => {
  const { number, id } = await rig.billRun.create();
  const taskQueue = `without-worker-${number}`;
  const workflowId = `email-bill-run/${number}`;
  const job = await rig.client.workflow.start('emailBillRun', {
    workflowId,
    taskQueue,
    args: [{ billRunKey: number, requestId: 'T-0' }],
  });
  const signals = 2_000;
  for (let sent = 0; sent < signals; sent += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => job.signal('resend', { requestId: `T-${sent + index + 1}` })),
    );
  }
  const late = await openRig({ taskQueue, zuoraUrl: rig.simulatorUrl });
  try {
    const [send] = await until(
      () => rig.sends(job),
      ([first]) => first?.outcome === 'accepted',
    );
    expect(send?.requests).toHaveLength(signals + 1);
    const calls = await rig.emailCalls(number);
    // Signals sent at once arrive in any order; the first to arrive gives the key.
    const first = send?.requests.find(({ resend }) => resend)?.requestId ?? '';
    expect(calls.map(({ headers }) => headers['idempotency-key'])).toEqual([`bill-run-email/${id}/resend/${first}/1`]);
    expect((await job.describe()).status.name).toBe('RUNNING');
  } finally {
    await late.close();
  }
});
