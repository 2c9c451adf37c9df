/** Bill runs whose payloads are encrypted, on a real Temporal server, through worker processes with and without keys. */
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BillRunEmails } from '../../client/index.js';
import { encryptionCodec } from '../../encryption/codec.js';
import { codecServerConfiguration } from '../../encryption/configuration.js';
import { encryptionKeys } from '../../encryption/keys.js';
import { startCodecServer } from '../../encryption/server.js';
import { projectRoot } from '../../scripts/project-root.js';
import { temporalBinaries } from '../../scripts/temporal-server.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { cliGiven, json, run as runProcess } from '../support/command-line.js';
import { emailsPerDocument, failureOf, until, type Email } from '../support/rig.js';
import { key, keysInEnvironment, openEncryptionParts, type EncryptionParts } from './parts.js';

const TOKEN = 'a-token-of-this-test-only';
const [first, second, foreign] = [key('first'), key('second'), key('foreign')];

let parts: EncryptionParts;
beforeAll(async () => {
  parts = await openEncryptionParts();
});
afterAll(() => parts.close());

const runOf = (emails: BillRunEmails, number: string): WorkflowHandle =>
  emails.client.workflow.getHandle(canonicalWorkflowId(number));

async function untilState(emails: BillRunEmails, number: string, state: string) {
  return until(
    () => emails.status({ billRunKey: number }),
    (status) => status.state === state,
  );
}

/** On the code that workers with these keys run, or without any. */
async function replay(run: WorkflowHandle, ...keys: string[]): Promise<void> {
  const encryption = encryptionKeys(keysInEnvironment(...keys));
  const bundle = encryption === undefined ? 'workflow-bundle.js' : 'workflow-bundle-encrypted.js';
  await Worker.runReplayHistory(
    {
      workflowBundle: { codePath: join(projectRoot, 'dist', bundle) },
      ...(encryption === undefined ? {} : { dataConverter: { payloadCodecs: [encryptionCodec(encryption)] } }),
    },
    await run.fetchHistory(),
    run.workflowId,
  );
}

/** Reasons of workflow tasks that failed, as somebody without any key reads them. */
async function faultsOf(run: WorkflowHandle): Promise<string[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? []);
}

async function emailedTo(number: string): Promise<{ min: number; max: number }> {
  return emailsPerDocument(await parts.control<Email[]>('GET', `/mailbox?billRun=${number}`));
}

/** What people and Zuora say in a pair of lives; no two pairs have a word in common. */
function wordsOf(pair: string) {
  return {
    starter: `starter-${pair}`,
    operator: `operator-${pair}`,
    startReason: `month end for ${pair}`,
    reason: `letterhead of ${pair} is wrong`,
    requestId: `ticket-${pair}`,
    zuora: `account of ${pair} has no address`,
    note: `called ${pair}`,
  };
}

/** One bill run that is emailed, held, released, escalated and finished; one that Zuora refuses, and that fails. */
async function lives(emails: BillRunEmails, pair: string): Promise<{ good: string; bad: string }> {
  const words = wordsOf(pair);
  const said = { requestedBy: words.operator, reason: words.reason };
  const good = await parts.billRun('Completed');
  await emails.start({ billRunKey: good, requestedBy: words.starter, reason: words.startReason });
  await until(
    () => emails.status({ billRunKey: good }),
    ({ billRunStatus }) => billRunStatus === 'Completed',
  );
  await emails.signal({ billRunKey: good }, 'hold', said);
  await parts.control('PATCH', `/bill-runs/${good}`, { status: 'Posted' });
  await untilState(emails, good, 'Held');
  await emails.signal({ billRunKey: good }, 'release', said);
  await untilState(emails, good, 'Emailed');
  await runOf(emails, good).executeUpdate('requestResend', { args: [{ requestId: words.requestId, ...said }] });
  await until(
    () => emails.sends({ billRunKey: good }),
    (sends) => sends[1]?.outcome === 'accepted',
  );
  await emails.signal({ billRunKey: good }, 'finish', { reason: words.note });
  await runOf(emails, good).result();

  const reasons = [{ code: 53200020, message: words.zuora }];
  const refusal = { fault: 'respond', status: 400, body: { success: false, reasons } };
  await parts.control('POST', '/faults', {
    method: 'POST',
    path: '/v1/bill-runs/*/emails',
    when: 'before',
    ...refusal,
  });
  const bad = await parts.billRun();
  await emails.start({ billRunKey: bad, requestedBy: words.starter, attentionWindow: '1s' });
  expect((await failureOf(runOf(emails, bad))).type).toBe('Unsettled');
  return { good, bad };
}

test('what people and Zuora say stands nowhere in the database, and the audit tells it all the same', async () => {
  await parts.worker();
  const plainEmails = await parts.emails();
  const plain = await lives(plainEmails, 'plaintext');
  await parts.worker(first);
  const emails = await parts.emails(first);
  const encrypted = await lives(emails, 'encrypted');

  for (const word of Object.values(wordsOf('plaintext'))) expect(parts.inDatabase(word), word).toBe(true);
  for (const word of Object.values(wordsOf('encrypted'))) expect(parts.inDatabase(word), word).toBe(false);

  /** Without what differs between any two runs. */
  const auditOf = async (from: BillRunEmails, number: string, pair: string) =>
    (await from.audit({ billRunKey: number })).entries.map(({ event, requestedBy, text }) => {
      const same = (words: string | null) =>
        words
          ?.replaceAll(number, 'NUMBER')
          .replaceAll(pair, 'PAIR')
          .replaceAll(/Zuora request \S+|bill-run-email\/\w+/g, '…') ?? null;
      return { event, requestedBy: same(requestedBy), text: same(text) };
    });
  for (const life of ['good', 'bad'] as const) {
    const told = await auditOf(emails, encrypted[life], 'encrypted');
    expect(told).toEqual(await auditOf(plainEmails, plain[life], 'plaintext'));
    await replay(runOf(emails, encrypted[life]), first);
  }
  expect(JSON.stringify(await emails.audit({ billRunKey: encrypted.bad }))).toContain(wordsOf('encrypted').zuora);

  const env = { TEMPORAL_ADDRESS: parts.temporal.address };
  const withKeys = { env: { ...env, ...keysInEnvironment(first) } };
  const { requests } =
    (await json<{ requests: object[] }[]>(cliGiven(withKeys, 'sends', encrypted.good, '--json')))[1] ?? {};
  expect(requests).toMatchObject([{ requestedBy: 'operator-encrypted' }]);
  for (const command of ['status', 'sends', 'audit']) {
    const { code, stdout } = await cliGiven({ env }, command, encrypted.good, '--json');
    expect({ command, code, ...(JSON.parse(stdout) as object) }).toEqual({
      ...{ command, code: 2 },
      error: {
        type: 'InvalidConfiguration',
        message: expect.stringMatching(/`first`.*PAYLOAD_ENCRYPTION_KEYS/) as string,
      },
    });
  }
});

test('keys are rotated under a running bill run; a worker without the key of what it meets waits for one that has it', async () => {
  await parts.worker(first, second);
  const emails = await parts.emails(second, first);
  const number = await parts.billRun('Completed');
  await (await parts.emails(first)).start({ billRunKey: number });
  await untilState(emails, number, 'WaitingForPost');

  await emails.signal({ billRunKey: number }, 'hold', { reason: 'from a client that has moved on' });
  await untilState(emails, number, 'WaitingForPost');
  expect((await emails.status({ billRunKey: number })).held).toBe(true);
  await parts.worker(second, first);
  await emails.signal({ billRunKey: number }, 'release');
  const { ignored } = await emails.status({ billRunKey: number });
  expect(ignored.count).toBe(0);

  const run = runOf(emails, number);
  await parts.worker(second);
  await run.signal('billRunPosted');
  const faults = await until(
    () => faultsOf(run),
    ({ length }) => length > 0,
  );
  expect(faults).toEqual([
    expect.stringMatching(/key `first`, which is not known here: it waits for a worker that has/),
  ]);
  await parts.worker(second, first);
  await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
  await untilState(emails, number, 'Emailed');
  expect(await emailedTo(number)).toEqual({ min: 1, max: 1 });
  await replay(run, first, second);
  const query = `WorkflowId = '${run.workflowId}'`;
  const env = { TEMPORAL_ADDRESS: parts.temporal.address, ...keysInEnvironment(second, first) };
  const gate = runProcess(process.execPath, [join(projectRoot, 'dist', 'worker', 'replay.js'), '--query', query], env);
  expect(await gate).toMatchObject({ code: 0, stdout: '1 replayed, 0 of them failed.\n' });
  await expect(replay(run, second)).rejects.toThrow('encrypted with key `first`');
  await expect(replay(run)).rejects.toThrow('encrypted with key `first`');

  const codecServer = await startCodecServer(
    codecServerConfiguration({
      ...keysInEnvironment(second, first),
      CODEC_SERVER_ADDRESS: '127.0.0.1:0',
      CODEC_SERVER_TOKEN: TOKEN,
    }),
  );
  const temporal = (...args: string[]) =>
    runProcess(temporalBinaries().temporal, [
      ...['workflow', ...args, '--workflow-id', run.workflowId, '--address', parts.temporal.address],
      ...['--codec-endpoint', codecServer.url, '--codec-auth', `Bearer ${TOKEN}`],
    ]);
  expect((await temporal('signal', '--name', 'finish', '--input', '{"reason":"typed in a shell"}')).code).toBe(0);
  await run.result();
  const { stdout } = await temporal('show', '--output', 'json');
  const shown = [...stdout.matchAll(/"data": "([^"]*)"/g)].map(([, data]) =>
    Buffer.from(data ?? '', 'base64').toString(),
  );
  await codecServer.close();
  for (const word of ['from a client that has moved on', 'typed in a shell']) {
    expect(shown.join()).toContain(word);
    expect(parts.inDatabase(word), word).toBe(false);
  }
});

test('what claims to be encrypted is ignored with a reason, whatever worker replays the run', async () => {
  await parts.worker(first);
  const emails = await parts.emails(first);
  const number = await parts.billRun('Completed');
  await emails.start({ billRunKey: number });
  await untilState(emails, number, 'WaitingForPost');
  const run = runOf(emails, number);

  const raw = (data: string, keyId?: string): Payload => ({
    metadata: {
      encoding: Buffer.from('binary/encrypted'),
      ...(keyId === undefined ? {} : { 'encryption-key-id': Buffer.from(keyId) }),
    },
    data: Buffer.from(data),
  });
  const { workflowService } = parts.connection;
  const at = { namespace: 'default', workflowExecution: { workflowId: run.workflowId } };
  const input = (payload: Payload) => ({ payloads: [payload] });
  const hostile = [raw('', 'first'), raw('x'.repeat(90), 'first'), raw('x'), raw('x', `\`\n${'k'.repeat(9_000)}`)];
  for (const payload of hostile) {
    await workflowService.signalWorkflowExecution({ ...at, signalName: 'resend', input: input(payload) });
  }
  // By a client that has a key before the workers have it.
  const early = await parts.emails(foreign, first);
  await early.signal({ billRunKey: number }, 'hold', { reason: 'too early' });
  const { ignored, held } = await until(
    () => emails.status({ billRunKey: number }),
    (status) => status.ignored.count === 5,
  );
  expect(held).toBe(false);
  expect(ignored.last.map(({ message, reason }) => `${message}: ${reason}`)).toEqual([
    'resend: the argument cannot be decoded: encrypted with key `first`, which does not fit',
    'resend: the argument cannot be decoded: encrypted with key `first`, which does not fit',
    'resend: the argument cannot be decoded: encrypted with key ` `, which is not known here',
    `resend: the argument cannot be decoded: encrypted with key \`${'k'.repeat(40)}…\`, which is not known here`,
    'hold: the argument cannot be decoded: encrypted with key `foreign`, which is not known here',
  ]);
  await expect(
    early.client.workflow.getHandle(run.workflowId).executeUpdate('requestResend', { args: [{}] }),
  ).rejects.toThrow();

  // The worker that has the key goes by what was done when the signal came.
  await parts.worker(first, foreign);
  await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
  const emailed = await untilState(emails, number, 'Emailed');
  expect(emailed.ignored.count).toBe(5);
  expect(await emailedTo(number)).toEqual({ min: 1, max: 1 });
  await replay(run, first, foreign);
  await replay(run, first);
  expect(await faultsOf(run)).toEqual([]);

  // A signal that was followed is not ignored by a worker that lost the key.
  await early.signal({ billRunKey: number }, 'hold', { reason: 'in time' });
  await until(
    () => emails.status({ billRunKey: number }),
    (status) => status.held,
  );
  await expect(replay(run, first)).rejects.toThrow(/key `foreign`/);
  await emails.signal({ billRunKey: number }, 'finish');
  expect(await run.result()).toMatchObject({ state: 'Emailed' });

  const start = await emails.client.workflow.start('emailBillRun', {
    ...{ workflowId: 'altered', taskQueue: 'bill-run-emails', args: [{}] },
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
  });
  expect((await failureOf(start)).type).toBe('InvalidInput');
  await workflowService.startWorkflowExecution({
    ...{ namespace: 'default', requestId: 'altered start', workflowId: 'altered start' },
    workflowType: { name: 'emailBillRun' },
    taskQueue: { name: 'bill-run-emails' },
    input: input(raw('x'.repeat(90), 'first')),
  });
  const altered = await failureOf(emails.client.workflow.getHandle('altered start'));
  expect(altered).toMatchObject({
    type: 'InvalidInput',
    message: expect.stringContaining('which does not fit') as string,
  });
});
