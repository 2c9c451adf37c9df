/** Each example has bill runs emailed as the library does. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { TypedSearchAttributes } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { temporalBinaries } from '../../scripts/temporal-server.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { run, type Ended } from '../support/command-line.js';
import { pythonPackage } from '../support/python.js';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';

const PYTHON_SDK = '1.35.0';
/** That SDK takes seconds to install and to import. */
const PATIENCE_MS = 300_000;

let rig: Rig;
let bin: string;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  rig = await openRig({ server: 'real' });
  // On PATH by its own name, wherever set-up has found it.
  bin = await mkdtemp(join(tmpdir(), 'bill-run-emails-examples-'));
  await symlink(temporalBinaries().temporal, join(bin, 'temporal'));
  env = {
    PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
    BILL_RUN_TASK_QUEUE: rig.taskQueue,
    ...(await pythonPackage('temporalio', PYTHON_SDK)),
  };
}, PATIENCE_MS);
afterEach(() => rig.afterTest());
afterAll(async () => {
  await rig.close();
  await rm(bin, { recursive: true });
});

const example = (command: string, name: string, ...args: string[]): Promise<Ended> =>
  run(command, [join(projectRoot, 'examples', name), ...args], env);
const sh = (...args: string[]): Promise<Ended> => example('sh', 'pipeline.sh', ...args);
const python = (...args: string[]): Promise<Ended> => example('python3', 'pipeline.py', ...args);

/** Starts a bill run and waits for its emails: the exit code, and the words for both. */
const pipelines: Readonly<Record<string, (number: string) => Promise<Ended>>> = {
  'pipeline.mjs': (number) => example(process.execPath, 'pipeline.mjs', number),
  'pipeline.sh': async (number) => {
    const started = await sh('start', number);
    if (started.code !== 0 || started.stdout === 'alreadyEmailed\n') return started;
    const waited = await sh('wait', number);
    return { ...waited, stdout: started.stdout + waited.stdout };
  },
  'pipeline.py': (number) => python(number),
};

/** Without the number at the beginning of each line, and the text behind the state. */
const wordsOf = ({ code, stdout, stderr }: Ended) => ({
  code,
  words: stdout.split('\n').flatMap((line) => /^(?:BR-\w+: )?(\w+)/.exec(line)?.[1] ?? []),
  ...(code === 1 ? { stderr } : {}),
});

describe.each(Object.entries(pipelines))('examples/%s', (_, email) => {
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
    await own.terminate();
    expect(wordsOf(await email(number))).toEqual({ code: 4, words: ['alreadyEmailed'] });
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

test.each([
  ['pipeline.sh', (number: string, id: string) => sh('resend', number, id)],
  ['pipeline.py', (number: string, id: string) => python(number, '--resend', id)],
])('examples/%s has all documents emailed again, once for each request id', async (_, resend) => {
  const { number } = await rig.billRun.create();
  const own = rig.own(number);
  const accepted = (count: number) =>
    until(
      () => rig.sends(own),
      (sends) => sends.filter(({ outcome }) => outcome === 'accepted').length === count,
    );
  // Where no run is at work, it starts one.
  expect(await resend(number, 'T-1')).toMatchObject({ code: 0 });
  await accepted(1);
  expect(await resend(number, 'T-2')).toMatchObject({ code: 0 });
  await accepted(2);
  expect(await resend(number, 'T-2')).toMatchObject({ code: 0 });
  await own.signal('finish');
  await rig.result(own);
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });
});

test('examples/pipeline.sh tells a run that its bill run has posted', async () => {
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

test('examples/pipeline.sh takes no number or request that would not be itself in JSON', async () => {
  for (const args of [['start'], ['start', 'BR-"1'], ['resend', 'BR-1'], ['resend', 'BR-1', 'a b'], ['stop', 'BR-1']]) {
    expect(await sh(...args)).toMatchObject({ code: 2, stdout: '' });
  }
});
