/** The pipelines of docs/pipelines.md, exactly as they stand there; and the one that does without Node. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { TypedSearchAttributes } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { temporalCli } from '../../scripts/temporal-server.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { run, type Ended } from '../support/command-line.js';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
/** Its documents are followed quickly. */
let following: Rig;
let folder: string;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  rig = await openRig();
  following = await openRig({ deliveryIntervalMs: 400 });
  folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-examples-'));
  // On PATH by their own names, wherever set-up has found them.
  await symlink(temporalCli(), join(folder, 'temporal'));
  const command = join(folder, 'bill-run-emails');
  const main = join(projectRoot, 'dist', 'client', 'cli', 'main.js');
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  await chmod(command, 0o755);
  // As a pipeline has it after `npm install`.
  await mkdir(join(folder, 'node_modules'));
  await symlink(projectRoot, join(folder, 'node_modules', 'bill-run-emails'));
  env = { PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`, BILL_RUN_TASK_QUEUE: rig.taskQueue };
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  await rig.close();
  await following.close();
  await rm(folder, { recursive: true });
});

interface BillRun {
  readonly id: string;
  readonly number: string;
  readonly documents: readonly { readonly number: string }[];
}

const RUNTIMES = { mjs: process.execPath, py: 'python3', sh: 'sh' };

describe.each(Object.entries(RUNTIMES))('The pipeline.%s of docs/pipelines.md', (extension, runtime) => {
  const file = `pipeline.${extension}`;

  test('starts 50 bill runs, waits for all, and names what was not sent; repeating it emails nothing', async () => {
    const page = await readFile(join(projectRoot, 'docs', 'pipelines.md'), 'utf8');
    const [, code = ''] = new RegExp(`<!-- examples/${file} -->\n\n\`\`\`\\w+\n([^]*?)\`\`\`\n`).exec(page) ?? [];
    await writeFile(join(folder, file), code);
    const wanted = { invoices: 1, creditMemos: 1 };
    const created = await Promise.all(
      Array.from({ length: 50 }, () => following.billRun.create(wanted) as Promise<BillRun>),
    );
    const short = created.filter((_, at) => at % 20 === 7);
    for (const { documents } of short) {
      const change = { email: 'failed', reason: 'unknown SMTP host' };
      await following.control('PATCH', `/documents/${documents[0]?.number ?? ''}`, change);
    }
    const numbers = created.map(({ number }) => number);
    for (let time = 1; time <= 2; time += 1) {
      const { code, stdout, stderr } = await run(runtime, [join(folder, file), ...numbers], {
        ...{ ...env, BILL_RUN_TASK_QUEUE: following.taskQueue },
      });
      const named = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('50 bill runs: '));
      expect({ code, stderr: extension === 'py' ? '' : stderr, named: named.length }).toEqual({
        ...{ code: 4, stderr: '', named: short.length },
      });
      for (const { number, documents } of short) {
        expect(stdout).toMatch(new RegExp(`^${number}:? notSent.* "?${documents[0]?.number ?? ''}`, 'm'));
      }
    }
    for (const { number, documents } of created) {
      const mailbox = await following.mailbox(number);
      const failed = short.some((each) => each.number === number) ? documents[0]?.number : undefined;
      const emails = mailbox.filter(({ documentNumber }) => documentNumber !== failed);
      expect(emailsPerDocument(emails), number).toEqual({ min: 1, max: 1 });
    }
  });
});

const sh = (...args: string[]): Promise<Ended> =>
  run('sh', [join(projectRoot, 'examples', 'without-node.sh'), ...args], env);

/** Starts a bill run and waits for its emails: the exit code, and the words for both. */
async function email(number: string): Promise<Ended> {
  const started = await sh('start', number);
  if (started.code !== 0 || started.stdout === 'alreadyEmailed\n') return started;
  const waited = await sh('wait', number);
  return { ...waited, stdout: started.stdout + waited.stdout };
}

/** Without the text behind the state. */
const wordsOf = ({ code, stdout, stderr }: Ended) => ({
  code,
  words: stdout.split('\n').flatMap((line) => /^(\w+)/.exec(line)?.[1] ?? []),
  ...(code === 1 ? { stderr } : {}),
});

describe('examples/without-node.sh', () => {
  test('starts a bill run and waits until it is emailed, and then leaves it alone', async () => {
    const { number } = await rig.billRun.create();
    const own = rig.own(number);
    expect(wordsOf(await email(number))).toEqual({ code: 0, words: ['started', 'Delivering'] });
    expect(wordsOf(await email(number))).toEqual({ code: 0, words: ['alreadyEmailed'] });
    await own.signal('finish');
    await rig.result(own);
    expect(wordsOf(await email(number))).toEqual({ code: 0, words: ['alreadyEmailed'] });
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  });

  test('leaves a job alone that a person finished', async () => {
    const { number: stopped } = await rig.billRun.create({ status: 'Completed' });
    await rig.start({ billRunKey: stopped });
    await rig.own(stopped).signal('finish');
    await rig.result(rig.own(stopped));
    expect(wordsOf(await email(stopped))).toEqual({ code: 5, words: ['stopped'] });
  });

  test('ends with 4 if documents of an emailed bill run were not sent', async () => {
    const { number } = await rig.billRun.create();
    const own = await rig.client.workflow.start('emailBillRun', {
      ...{ workflowId: canonicalWorkflowId(number), taskQueue: rig.taskQueue, args: [{ billRunKey: number }] },
      // No worker takes it before it is terminated.
      startDelay: '1 hour',
      typedSearchAttributes: new TypedSearchAttributes([
        { key: searchAttributes.emailState, value: 'Delivering' },
        { key: searchAttributes.emailSends, value: 1 },
        { key: searchAttributes.documentsNotSent, value: 2 },
      ]),
    });
    expect(wordsOf(await sh('wait', number))).toEqual({ code: 4, words: ['Delivering'] });
    await own.terminate();
    expect(wordsOf(await email(number))).toEqual({ code: 4, words: ['alreadyEmailed'] });
    expect(wordsOf(await sh('wait', number))).toEqual({ code: 4, words: ['Delivering'] });
  });

  test('says that it knows nothing where there is no job, or Temporal does not answer', async () => {
    const stderr = expect.stringContaining('nothing is known of BR-NONE') as string;
    expect(await sh('wait', 'BR-NONE')).toEqual({ code: 1, stdout: '', stderr });
    const away = { ...env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const script = join(projectRoot, 'examples', 'without-node.sh');
    expect(await run('sh', [script, 'wait', 'BR-NONE'], away)).toEqual({ code: 1, stdout: '', stderr });
  });

  test('reports that a person is asked, and starts anew after nobody answered', async () => {
    const { number } = await rig.billRun.create();
    await rig.fault({
      ...{ path: `/v1/bill-runs/${number}/emails`, fault: 'respond', status: 400 },
      body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
    });
    const own = await rig.start({ billRunKey: number, openFor: '5 seconds' });
    expect(wordsOf(await email(number))).toEqual({ code: 4, words: ['joined', 'NeedsAttention'] });
    await own.result().catch(() => undefined);
    // It takes up the record, and asks again.
    expect(wordsOf(await email(number))).toEqual({ code: 4, words: ['started', 'NeedsAttention'] });
  });

  test('ends its wait when the run is terminated, and does not start it again', async () => {
    const { number } = await rig.billRun.create({ status: 'Completed' });
    const own = rig.own(number);
    const waiting = email(number);
    await until(
      () => own.describe().catch(() => null),
      (described) => described !== null,
    );
    await rig.state(own, 'Waiting');
    await own.terminate();
    expect(await waiting).toMatchObject({ code: 5 });
    expect(wordsOf(await email(number))).toEqual({ code: 5, words: ['stopped'] });
  });
});

test('examples/without-node.sh has all documents emailed again, once for each request id', async () => {
  const { number } = await rig.billRun.create();
  const own = rig.own(number);
  const accepted = (count: number) =>
    until(
      () => rig.sends(own),
      (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
    );
  // Where no run is at work, it starts one.
  expect(await sh('resend', number, 'T-1')).toMatchObject({ code: 0 });
  await accepted(1);
  expect(await sh('resend', number, 'T-2')).toMatchObject({ code: 0 });
  await accepted(2);
  expect(await sh('resend', number, 'T-2')).toMatchObject({ code: 0 });
  await own.signal('finish');
  await rig.result(own);
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });
});

test('examples/without-node.sh tells a run that its bill run has posted', async () => {
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const own = rig.own(number);
  expect(wordsOf(await sh('start', number))).toEqual({ code: 0, words: ['started'] });
  expect(await sh('posted', number)).toMatchObject({ code: 0 });
  await rig.billRun.change(number, { status: 'Posted' });
  expect(wordsOf(await sh('wait', number))).toEqual({ code: 0, words: ['Delivering'] });
  const { events } = await own.fetchHistory();
  const signals = events?.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? []);
  expect(signals).toEqual(['billRunPosted']);
});

test('examples/without-node.sh takes no number or request that would not be itself in JSON', async () => {
  for (const args of [['start'], ['start', 'BR-"1'], ['resend', 'BR-1'], ['resend', 'BR-1', 'a b'], ['stop', 'BR-1']]) {
    expect(await sh(...args)).toMatchObject({ code: 2, stdout: '' });
  }
});
