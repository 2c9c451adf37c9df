/** The audit against what the workflow itself reports, for every kind of life. */
import type { WorkflowHandle } from '@temporalio/client';
import { leaveUnreadable } from '../../../proof/chaos/unreadable.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatted } from '../../../client/cli/audit-formats.js';
import type { Audit } from '../../../client/index.js';
import type { SendRecord } from '../../../workflows/contract/contract.js';
import { cli, type Ended } from '../../support/command-line.js';
import { openRig, until, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** What both show of an attempt. */
function attemptsIn(sends: readonly Pick<SendRecord, 'attempts'>[]): unknown[] {
  return sends.flatMap(({ attempts }) =>
    attempts.map(({ idempotencyKey, trackId, verdict, stored, httpStatus, zuoraRequestId, reasons }) => {
      return { idempotencyKey, trackId, verdict, stored, httpStatus, zuoraRequestId, reasons };
    }),
  );
}

async function auditOf(billRunKey: string, sends: readonly SendRecord[]): Promise<Audit> {
  const audit = await rig.emails.audit({ billRunKey });
  expect(attemptsIn(audit.sends)).toEqual(attemptsIn(sends));
  const attempted = sends.filter(({ attempts }) => attempts.length > 0);
  expect(audit.sends.map(({ resend }) => resend)).toEqual(attempted.map(({ resend }) => resend));
  expect(audit.sends.map(({ outcome }) => outcome)).toEqual(attempted.map(({ outcome }) => outcome));
  const times = audit.entries.map(({ at }) => at);
  expect(times).toEqual([...times].sort());
  // A start may bring a state as well.
  const names = audit.entries.map(({ runId, eventId, event }) => `${runId} ${eventId} ${event}`);
  expect(new Set(names).size, 'everything once').toBe(names.length);
  return audit;
}

const statesIn = ({ entries }: Audit): string[] =>
  entries.filter(({ event }) => event === 'state').map(({ text }) => text);

async function finish(run: WorkflowHandle): Promise<void> {
  await run.signal('finish', { requestedBy: 'carol', reason: 'month closed' });
  await rig.result(run);
}

describe('The audit shows what the workflow reports', () => {
  test('of a send that was refused, retried and escalated, with the people', async () => {
    const { number } = await rig.billRun.create();
    await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
    const run = await rig.start({ billRunKey: number, requestedBy: 'pipeline', reason: 'month end' });
    await rig.state(run, 'NeedsAttention');
    await rig.control('PATCH', '/settings', { notificationActive: true });
    await run.signal('retry', { requestedBy: 'alice' });
    await rig.state(run, 'Delivering');
    await run.executeUpdate('resend', { args: [{ requestId: 'T-1', requestedBy: 'bob' }] });
    await until(
      () => rig.sends(run),
      (sends) => sends[1]?.outcome === 'accepted',
    );
    await finish(run);
    const audit = await auditOf(number, await rig.sends(run));
    expect(audit.answer).toBe('Emailed twice: first send for pipeline; resend T-1 for bob.');
    expect(audit.head).toMatchObject({ status: 'COMPLETED', state: 'Delivering' });
    expect(Date.parse(audit.head.since ?? '')).toBeLessThan(Date.now());
    expect(statesIn(audit)).toEqual([
      ...['Waiting (notPosted)', 'Sending', 'NeedsAttention (refused)', 'Sending', 'Delivering'],
      ...['Sending', 'Delivering'],
    ]);
    const answered = audit.entries.filter(({ event }) => event === 'asked' || event === 'decided');
    expect(answered.map(({ event, requestedBy, text }) => [event, requestedBy, text.slice(0, 40)])).toEqual([
      ['asked', null, 'question (refused): Zuora refused to ema'],
      ['decided', 'alice', 'decision: retry'],
    ]);
    const orders = audit.entries.filter(({ event }) => ['started', 'signal', 'update'].includes(event));
    expect(orders.map(({ requestedBy }) => requestedBy)).toEqual(['pipeline', 'alice', 'bob', 'carol']);
    for (const { identity } of orders) expect(identity).toContain('@');
    expect(audit.incomplete).toEqual([]);
  });

  test.for([
    ['cut off', { when: 'after', fault: 'reset' }],
    ['limited', { fault: 'respond', status: 429 }],
    ['stored', { when: 'before', fault: 'respond', status: 500, body: {}, stored: true }],
  ] as const)('of a send that is %s', async ([, fault]) => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, ...fault });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.sends(run),
      ([send]) => (send?.attempts.length ?? 0) > 1,
    );
    await finish(run);
    await auditOf(number, await rig.sends(run));
  });

  test('of five orders with long texts, which together are more than a message of gRPC may be', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const { workflowId } = await rig.emails.start({ billRunKey: number });
    // The connection of the rig could not read it, so the rig must not replay it.
    const run = rig.client.workflow.getHandle(workflowId);
    // Temporal fails a workflow task that is under way when so much arrives.
    await until(
      () => rig.status(run),
      ({ billRunStatus }) => billRunStatus === 'Completed',
    );
    const reason = 'x'.repeat(1_500_000);
    for (let index = 1; index <= 5; index++) await run.signal('resend', { requestId: `T-${index}`, reason });
    const signalsIn = ({ stdout }: Ended): number => stdout.match(/signal resend with/g)?.length ?? 0;
    // Temporal keeps one back that arrives during a workflow task.
    await until(
      () => cli('audit', number),
      (audit) => signalsIn(audit) === 5,
    );
    for (const format of [['--json'], ['--format', 'csv']]) {
      const audit = await cli('audit', number, ...format);
      expect(audit).toMatchObject({ code: 0, stderr: '' });
      expect(signalsIn(audit)).toBe(5);
    }
    await run.terminate();
  });

  test('of runs that never email', async () => {
    const { number } = await rig.billRun.create({ status: 'Canceled' });
    const run = await rig.start({ billRunKey: number });
    await run.result().catch(() => undefined);
    const audit = await auditOf(number, []);
    expect(audit.entries.at(-1)?.text).toContain('failed: bill run');
    expect(formatted(audit, 'table')).toContain('No attempt to email was made');
  });

  test('of a run that was canceled, and of one that was terminated in mid-attempt, while no worker runs', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({ path: `/v1/bill-runs/${number}/emails`, when: 'after', fault: 'stall', afterMs: 3_600_000 });
    const run = await rig.start({ billRunKey: number });
    await until(
      () => rig.emailCalls(number),
      (calls) => calls.length === 1,
    );
    await run.terminate('the wrong bill run');
    const audit = await rig.emails.audit({ billRunKey: number });
    expect(audit.sends).toMatchObject([{ resend: false, outcome: 'unknown', attempts: [{ verdict: 'unknown' }] }]);
    expect(audit.entries.at(-1)).toMatchObject({ event: 'closed', text: 'terminated: the wrong bill run' });
    await rig.control('POST', '/clock', { advanceMs: 3_600_000 });

    // Nobody polls this queue.
    const { number: waiting } = await rig.billRun.create();
    const { workflowId } = rig.own(waiting);
    const unserved = { workflowId, taskQueue: 'nobody', args: [{ billRunKey: waiting, requestedBy: 'dave' }] };
    const handle = await rig.client.workflow.start('emailBillRun', unserved);
    await handle.signal('hold', { requestedBy: 'erin' });
    await handle.terminate();
    const unservedAudit = await rig.emails.audit({ billRunKey: waiting });
    expect(unservedAudit.entries.map(({ event, requestedBy }) => [event, requestedBy])).toEqual([
      ['started', 'dave'],
      ['signal', 'erin'],
      ['closed', null],
    ]);
  });

  test('over all runs: a resend after the end, a reset, and what the reset copied only once', async () => {
    const { number } = await rig.billRun.create();
    const one = await rig.start({ billRunKey: number, openFor: '0s' });
    await rig.result(one);
    const firstSends = await rig.sends(one);
    const two = await rig.resend(number, 'T-1');
    await rig.state(two, 'Delivering');
    const { runId } = await two.describe();
    const { events } = await two.fetchHistory();
    const last = events?.findLast((event) => event.workflowTaskCompletedEventAttributes != null);
    await rig.reset(two.workflowId, runId, Number(last?.eventId));
    const own = rig.own(number);
    await until(
      () => own.describe(),
      (description) => description.runId !== runId,
    );
    await rig.state(own, 'Delivering');
    await finish(own);
    const audit = await auditOf(number, [...firstSends, ...(await rig.sends(own))]);
    expect(audit.runIds).toHaveLength(3);
    expect(audit.entries.filter(({ event }) => event === 'reset')).toMatchObject([
      { text: expect.stringContaining(`reset of run ${runId}: `) as string },
    ]);
    expect(audit.entries.filter(({ event }) => event === 'started')).toHaveLength(2);

    await rig.forget(two.workflowId, runId);
    const after = await rig.emails.audit({ billRunKey: number });
    expect(after.incomplete).toEqual([expect.stringContaining(`is a reset of run ${runId}`)]);
    expect(formatted(after, 'table')).toContain('Incomplete: ');
    expect(attemptsIn(after.sends)).toEqual(attemptsIn(audit.sends));
  });

  test('of an earlier job of another data converter, whose history cannot be decoded: what is missing is named', async () => {
    const { number } = await rig.billRun.create();
    const { workflowId } = rig.own(number);
    await leaveUnreadable(rig.client, workflowId, rig.taskQueue);
    const job = await rig.start({ billRunKey: number });
    await rig.accepted(job, 1);
    const { sends, incomplete } = await rig.emails.audit({ billRunKey: number });
    expect(sends).toMatchObject([{ outcome: 'accepted' }]);
    expect(incomplete).toEqual([expect.stringMatching(/^the history of run .* cannot be read, so it is not known/)]);
    await finish(job);
  });

  test('of requests that an alias took and handed over', async () => {
    const { id, number } = await rig.billRun.create();
    const alias = await rig.startAs(`email-bill-run/${id}`, { billRunKey: id, requestId: 'J-1', requestedBy: 'frank' });
    await rig.result(alias);
    const own = rig.own(number);
    await rig.state(own, 'Delivering');
    const audit = await until(
      () => rig.emails.audit({ billRunKey: number }),
      ({ aliases }) => aliases.length > 0,
    );
    expect(audit.aliases).toEqual([`email-bill-run/${id}`]);
    expect(audit.entries.filter(({ event }) => event === 'handover')).toMatchObject([
      { workflowId: `email-bill-run/${id}`, text: expect.stringContaining('request J-1: started') as string },
    ]);
    await finish(own);
  });
});

describe('For people', () => {
  test('a spreadsheet runs nothing that people typed as a formula', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const requestedBy = '=HYPERLINK("http://x","y")';
    const run = await rig.start({ billRunKey: number, requestedBy });
    await rig.state(run, 'Waiting');
    await finish(run);
    const audit = await rig.emails.audit({ billRunKey: number });
    const csv = formatted(audit, 'csv').split('\r\n');
    expect(csv[0]).toBe(
      '\uFEFFat,event,text,identity,requestedBy,requestId,reason,resend,verdict,httpStatus,zuoraRequestId,idempotencyKey,workflowId,runId,eventId',
    );
    expect(csv).toHaveLength(audit.entries.length + 1);
    expect(csv[1]).toContain(`"'=HYPERLINK(""http://x""`);
  });
});
