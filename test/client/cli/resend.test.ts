/** `resend --wait`, and request ids that were served before. */
import { userInfo } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Settled, StartResult } from '../../../client/index.js';
import { cli, cliGiven, type Ended } from '../../support/command-line.js';
import { emailsPerDocument, openRig, until, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
  // Other test files use the same server.
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  vi.unstubAllEnvs();
  await rig.close();
});

/** Nobody can be asked here. */
const YES = ['--reason', 'wrong template', '--yes'];

const outcomeOf = ({ code, stdout }: Ended) => ({ code, ...(JSON.parse(stdout) as StartResult & Settled) });

test('waits until the resend is emailed, and a request id emails once, whichever run served it', async () => {
  const { number } = await rig.billRun.create();
  const own = rig.own(number);
  const resend = async (id: string, ...args: string[]) =>
    outcomeOf(await cli('resend', number, ...YES, '--request-id', id, '--json', ...args));
  expect(await resend('T-1', '--wait')).toMatchObject({
    ...{ code: 0, result: 'started', outcome: 'accepted', workflowId: own.workflowId, requestId: 'T-1', sends: 1 },
  });
  expect(await resend('T-1')).toMatchObject({ code: 0, result: 'alreadyEmailed', workflowId: own.workflowId });
  expect((await rig.status(own)).ignored.count).toBe(0);
  await own.signal('finish');
  await rig.result(own);
  expect(await resend('T-1')).toMatchObject({ code: 0, result: 'alreadyEmailed' });
  expect(await resend('T-2', '--wait=1m')).toMatchObject({ code: 0, result: 'started', outcome: 'accepted', sends: 2 });
  // Handed on by the job before.
  expect(await resend('T-1', '--wait')).toMatchObject({ code: 0, result: 'alreadyEmailed', outcome: 'accepted' });
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });
  await own.signal('finish');
});

test('ends its wait when a person is asked, and when the time is over', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const own = rig.own(number);
  const over = await cli('resend', number, ...YES, '--request-id', 'T-1', '--wait=1s', '--json');
  expect(outcomeOf(over)).toMatchObject({ code: 4, result: 'started', outcome: 'waiting' });
  await own.signal('hold');
  await rig.fault({
    ...{ path: `/v1/bill-runs/${number}/emails`, fault: 'respond', status: 400 },
    body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
  });
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(own, 'Held');
  const held = await cli('resend', number, ...YES, '--request-id', 'T-1', '--wait');
  expect(held).toMatchObject({
    code: 4,
    stdout: expect.stringMatching(/^needsPerson\. On hold.*\nSee: bill-run-emails status BR-/) as string,
  });
  await own.signal('release');
  await rig.state(own, 'NeedsAttention');
  const refused = outcomeOf(await cli('resend', number, ...YES, '--request-id', 'T-1', '--wait', '--json'));
  expect(refused).toMatchObject({
    code: 4,
    result: 'joined',
    outcome: 'needsPerson',
    text: expect.stringContaining('retry') as string,
  });
  // Another request takes the place of the refused send, and emails for both.
  const second = outcomeOf(await cli('resend', number, ...YES, '--request-id', 'T-2', '--wait', '--json'));
  expect(second).toMatchObject({ code: 0, result: 'joined', outcome: 'accepted', sends: 1 });
  const repeated = outcomeOf(await cli('resend', number, ...YES, '--request-id', 'T-1', '--wait', '--json'));
  expect(repeated).toMatchObject({ code: 0, result: 'alreadyEmailed' });
  await own.signal('finish');
  await rig.result(own);
});

test('a run that closes without emailing ends the wait with 5', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const own = rig.own(number);
  const waiting = cli('resend', number, ...YES, '--request-id', 'T-1', '--wait', '--json');
  await until(
    () => rig.status(own).catch(() => undefined),
    (status) => status?.state === 'Waiting',
  );
  await own.signal('finish');
  expect(outcomeOf(await waiting)).toMatchObject({ code: 5, outcome: 'notEmailed', sends: 0 });
});

test('a resend by ID is followed to the job that it is handed to', async () => {
  const { id, number } = await rig.billRun.create();
  const outcome = outcomeOf(await cli('resend', id, ...YES, '--request-id', 'T-1', '--wait', '--json'));
  expect(outcome).toMatchObject({
    code: 0,
    result: 'started',
    outcome: 'accepted',
    workflowId: rig.own(number).workflowId,
  });
  expect(await rig.sends(rig.own(number))).toMatchObject([{ outcome: 'accepted', requests: [{ requestId: 'T-1' }] }]);
  await rig.own(number).signal('finish');
});

test('the error names the request', async () => {
  const away = { env: { TEMPORAL_ADDRESS: '127.0.0.1:1' } };
  const { code, stdout, stderr } = await cliGiven(away, 'resend', 'BR-1', ...YES, '--request-id', 'T-1', '--json');
  expect(code).toBe(6);
  expect(stderr).toMatch(/; request T-1 may have been taken: repeat it under the same id/);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { type: 'TemporalUnavailable', message: expect.stringMatching(/; request T-1 may/) as string },
  });
});

test('a bill run in the place of the duration is refused, and nothing is requested', async () => {
  const { number } = await rig.billRun.create();
  for (const args of [
    ['--wait', number],
    [number, '--wait', 'long'],
  ]) {
    expect(await cli('resend', ...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--wait last') as string,
    });
  }
  expect((await cli('status', number)).code).toBe(3);
  const args = ['resend', '--wait', '1m', number, '--request-id', 'T-1', ...YES, '--json'];
  expect(outcomeOf(await cli(...args))).toMatchObject({ code: 0, outcome: 'accepted' });
  await rig.own(number).signal('finish');
});

test('asks for a name, a reason and a yes, and requests nothing without them', async () => {
  const { number } = await rig.billRun.create();
  for (const [args, words] of [
    [YES, 'name the resend by --request-id'],
    [['--request-id', 'T-1', '--yes'], 'needs a --reason'],
    [['--request-id', 'T-1', '--reason', 'wrong template'], 'add --yes'],
    [['--request-id', '<ticket>', ...YES], 'instead of the placeholder <ticket>'],
  ] as const) {
    const refused = await cli('resend', number, ...args, '--json');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(words) as string });
    expect(JSON.parse(refused.stdout)).toMatchObject({
      billRunKey: number,
      ok: false,
      error: { type: 'InvalidInput' },
    });
  }
  expect((await cli('status', number)).code).toBe(3);
});

test('names the request before it is made, and takes the user of this machine for the one who asks', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const { code, stderr } = await cli('resend', number, '--request-id', 'T-1', ...YES);
  expect(code).toBe(0);
  const facts = `Request T-1: email all documents of ${number} again, for ${userInfo().username}: wrong template\n`;
  expect(stderr).toBe(`${number} in namespace default: no job yet.\n${facts}`);
  const own = rig.own(number);
  const { pendingRequests } = await rig.state(own, 'Waiting');
  expect(pendingRequests).toMatchObject([
    { requestId: 'T-1', requestedBy: userInfo().username, reason: 'wrong template' },
  ]);
});

test('retry --send-anyway asks for a reason and a yes as well', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  await rig.billRun.change(number, { status: 'Posted', lastEmailSentTime: new Date().toISOString() });
  await rig.start({ billRunKey: number });
  await rig.state(rig.own(number), 'Waiting', 'coolDown');
  const retry = ['retry', number, '--send-anyway'];
  expect(await cli(...retry)).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') as string });
  const risk = [...retry, '--reason', 'sent by hand'];
  expect(await cli(...risk)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
  const { code, stderr } = await cli(...risk, '--yes');
  expect(code).toBe(0);
  expect(stderr).toMatch(
    / in namespace default: Waiting \(coolDown\)\. Nothing sent by this job\. Zuora emailed documents .*\n.* takes that risk/,
  );
  await rig.state(rig.own(number), 'Delivering');
  const [send] = await rig.sends(rig.own(number));
  expect(send?.decisions).toMatchObject([{ decision: 'sendAnyway', requestedBy: userInfo().username }]);
});
