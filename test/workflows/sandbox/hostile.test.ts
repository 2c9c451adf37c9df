/**
 * Callers of Temporal can start, signal, update and query jobs with any bytes, over gRPC and past our clients. By mistake they send
 * what cannot be decoded, or megabytes. The worker survives that, no workflow task fails, and each bill run is emailed once.
 *
 * A failure prints its seed. To see it again: HOSTILE_SEED=<seed> npx vitest run test/workflows/sandbox/hostile.test.ts.
 * HOSTILE_RUNS=2000 tries more.
 */
import type { WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Child } from '../../../scripts/processes.js';
import { startWorker } from '../../../scripts/worker-process.js';
import { TASK_QUEUE, WORKFLOW_TYPE } from '../../../workflows/contract/contract.js';
import { wellFormed } from '../../../workflows/rules/text.js';
import { hostileJson, hostileText, seed } from '../../support/hostile.js';
import { openParts, type Parts } from '../../support/parts.js';
import { emailsPerDocument, failureOf, openReplayer, until, type Email, type SeenRequest } from '../../support/rig.js';

const numRuns = Number(process.env['HOSTILE_RUNS'] ?? 80);
const timeout = 240_000 + 1_000 * numRuns;

let parts: Parts;
let worker: Child;
const replayer = openReplayer();
beforeAll(async () => {
  parts = await openParts();
  worker = await start();
});
afterAll(async () => {
  await replayer.close();
  await worker.stop();
  await parts.close();
});

const start = (): Promise<Child> =>
  startWorker({ temporal: parts.temporal, simulatorUrl: parts.simulator.url, pollInterval: '100ms' });

/** Values of Temporal's API: join an open job, and wait until an update is done. */
const USE_EXISTING: object = { workflowIdConflictPolicy: 2 };
const UNTIL_DONE: object = { waitPolicy: { lifecycleStage: 3 } };

// Payloads.

const json = (value: unknown): Payload => raw('json/plain', JSON.stringify(value));
function raw(encoding: string, data: string | Uint8Array): Payload {
  return { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) };
}

const oddPayloads: Readonly<Record<string, Payload>> = {
  'broken JSON': raw('json/plain', '{"requestId": '),
  'bytes in place of JSON': raw('json/plain', new Uint8Array([0xff, 0xfe, 0x00])),
  'an unknown encoding': raw('carrier/pigeon', 'coo'),
  'protobuf without its type': raw('binary/protobuf', 'x'),
  'JSON of an unknown protobuf': {
    metadata: { encoding: Buffer.from('json/protobuf'), messageType: Buffer.from('no.Such') },
    data: Buffer.from('{}'),
  },
  'null with content': raw('binary/null', 'x'),
  bytes: raw('binary/plain', new Uint8Array(15_000)),
  'no metadata': { data: Buffer.from('{}') },
  nothing: {},
  'the same field twice': raw('json/plain', '{"reason":"a","reason":7}'),
  'a prototype': raw('json/plain', '{"__proto__":{"requestId":"x"},"constructor":{"prototype":{"held":true}}}'),
  'a mark of ours': raw('json/plain', '{"__billRunEmailsUndecodable":true,"undecodable":{"toString":1}}'),
};

/** As much as Temporal takes in one message, in the forms that cost the most to decode. */
const MOST_BYTES = 1_900_000;
const longPayloads: Readonly<Record<string, Payload>> = {
  bytes: raw('binary/plain', new Uint8Array(MOST_BYTES)),
  nested: raw('json/plain', '['.repeat(MOST_BYTES / 2) + ']'.repeat(MOST_BYTES / 2)),
  fields: raw('json/plain', `{${Array.from({ length: MOST_BYTES / 12 }, (_, at) => `"${at}":1`).join()}}`),
};

const payload = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...Object.values(oddPayloads)) },
  { weight: 2, arbitrary: hostileJson.map(json) },
  {
    weight: 3,
    arbitrary: fc
      .dictionary(
        fc.constantFrom('requestId', 'requestedBy', 'reason', 'ordinal', 'sendAnyway', '__proto__', 'constructor'),
        fc.oneof(hostileText, hostileJson),
        { maxKeys: 4, noNullPrototype: true },
      )
      .map(json),
  },
);
const payloads = fc.array(payload, { maxLength: 3 });
const headers = fc.option(fc.dictionary(fc.constantFrom('x', '_tracer-data', '__proto__', 'a\r\nb'), payload));
/** gRPC takes only well-formed Unicode. */
const name = hostileText.map(wellFormed).filter((text) => text !== '');
const signalName = fc.oneof(
  fc.constantFrom('resend', 'retry', 'hold', 'release', 'billRunPosted'),
  fc.constantFrom('Resend', 'resend ', 'cancel', 'constructor', '__proto__'),
  name,
);

// Jobs.

interface Target {
  readonly number: string;
  readonly job: WorkflowHandle;
}

async function billRun(status = 'Posted'): Promise<string> {
  return (await parts.control<{ number: string }>('POST', '/bill-runs', { status, invoices: 1, creditMemos: 1 }))
    .number;
}

async function waitingJob(): Promise<Target> {
  const number = await billRun('Completed');
  const { workflowId } = await parts.emails.start({ billRunKey: number });
  return { number, job: parts.emails.client.workflow.getHandle(workflowId) };
}

const service = () => parts.connection.workflowService;
const at = ({ job }: Target) => ({ namespace: 'default', workflowExecution: { workflowId: job.workflowId } });

const signal = (target: Target, signalName: string, input: readonly Payload[], more: object = {}) =>
  service().signalWorkflowExecution({ ...at(target), signalName, input: { payloads: [...input] }, ...more });

function startRaw(workflowId: string, input: readonly Payload[], more: object = {}) {
  return service().startWorkflowExecution({
    namespace: 'default',
    requestId: `start ${workflowId}`,
    workflowId,
    workflowType: { name: WORKFLOW_TYPE },
    taskQueue: { name: TASK_QUEUE },
    input: { payloads: [...input] },
    ...more,
  });
}

/** Whether Temporal took it. It refuses with one of these codes, and then nothing reaches the worker. */
async function taken(sent: Promise<unknown>): Promise<boolean> {
  return sent.then(
    () => true,
    (refused: unknown) => {
      const { code, message } = refused as { code: number; message: string };
      const [invalidArgument, notFound, resourceExhausted, failedPrecondition] = [3, 5, 8, 9];
      expect([invalidArgument, notFound, resourceExhausted, failedPrecondition], message).toContain(code);
      return false;
    },
  );
}

async function inBatches<T>(all: readonly T[], size: number, send: (each: T, index: number) => Promise<unknown>) {
  for (let from = 0; from < all.length; from += size) {
    const sent = all.slice(from, from + size).map((each, index) => send(each, from + index));
    // Also if one fails: a call that is repeated after its connection is closed fails the tests that run then.
    await Promise.allSettled(sent);
    await Promise.all(sent);
  }
}

// Checks.

/** The bill run posts, its documents are emailed once, and its history has no failed task and replays. */
async function emailedOnce({ number, job }: Target): Promise<void> {
  await parts.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' });
  await job.signal('release');
  await until(
    () => parts.emails.status({ billRunKey: number }),
    ({ state }) => state === 'Delivering',
  );
  const mailbox = await parts.control<Email[]>('GET', `/mailbox?billRun=${number}`);
  expect(emailsPerDocument(mailbox)).toEqual({ min: 1, max: 1 });
  await expectNoFaults(job);
  await replayer.replay(job);
  await job.signal('finish');
  await job.result();
}

async function expectNoFaults(job: WorkflowHandle): Promise<void> {
  const { events } = await job.fetchHistory();
  const faults = (events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: failed, workflowTaskTimedOutEventAttributes: timedOut }) =>
      failed != null ? [failed.failure?.message] : timedOut != null ? ['timed out'] : [],
  );
  expect(faults, job.workflowId).toEqual([]);
}

/** The worker is still the same process, and serves other jobs. */
async function expectWorkerUnharmed(): Promise<void> {
  const number = await billRun();
  await parts.emails.start({ billRunKey: number });
  await emailedOnce({ number, job: parts.emails.client.workflow.getHandle(`email-bill-run/${number}`) });
  expect(await Promise.race([worker.ended, Promise.resolve('alive')]), worker.lastLines.join('\n')).toBe('alive');
  const known = [
    /^\/v1\/bill-runs\/BR-\d+\/emails$/,
    /^\/object-query\/billing-runs\/BR-\d+$/,
    /^\/object-query\/invoices$/,
    /^\/notifications\/notification-definitions$/,
    /^\/oauth\/token$/,
  ];
  for (const { path, headers } of await parts.control<SeenRequest[]>('GET', '/requests')) {
    expect(
      known.some((each) => each.test(path)),
      path,
    ).toBe(true);
    expect(Object.keys(headers)).not.toContain('x-injected');
  }
}

describe('A start', { timeout }, () => {
  const ours = fc.constant('the number of a posted bill run');
  const fields = ['billRunKey', 'resend', 'requestId', 'requestedBy', 'reason', 'entityId', 'orgIds', 'sendBudget'];
  const input = fc
    .tuple(
      fc.dictionary(fc.constantFrom(...fields, '__proto__', 'constructor'), fc.oneof(hostileText, hostileJson), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
      fc.oneof(
        ours,
        // No valid key of another bill run: the job would look for it for two minutes.
        fc.oneof(hostileText, hostileJson).filter((key) => typeof key !== 'string' || !/^[\w.-]+$/.test(key)),
      ),
    )
    .map(([rest, billRunKey]) => ({ ...rest, billRunKey }));

  test('with any bytes fails as InvalidInput, or emails', async () => {
    const number = await billRun();
    const withNumber = (value: unknown): Payload =>
      json(JSON.parse(JSON.stringify(value).replaceAll('the number of a posted bill run', number)));
    const inputs = fc.oneof(
      { weight: 1, arbitrary: payloads },
      { weight: 2, arbitrary: fc.tuple(input.map(withNumber), payload).map((all) => [...all]) },
    );
    const starts = fc.sample(fc.record({ args: inputs, header: headers, id: name }), { seed, numRuns });
    await inBatches(starts, 20, async ({ args, header, id }, index) => {
      const workflowId = wellFormed(`hostile-${index} ${id.slice(0, 500)}`);
      const more = header === null ? {} : { header: { fields: header } };
      if (!(await taken(startRaw(workflowId, args, more)))) return;
      const job = parts.emails.client.workflow.getHandle(workflowId);
      const start = `seed ${seed}, start ${index}: ${JSON.stringify(args.map(({ data }) => String(data).slice(0, 200)))}`;
      const ended = await job.result().then(
        (result: unknown) => (result as { state: string }).state,
        async () => (await failureOf(job)).type,
      );
      expect(['InvalidInput', 'HandedOver'], start).toContain(ended);
      await expectNoFaults(job);
    });
    await expectWorkerUnharmed();
  });

  test.for<[string, object]>([
    ['a memo that cannot be decoded', { memo: { fields: { ['__proto__']: json(1), ...oddPayloads } } }],
    ['a last result that cannot be decoded', { lastCompletionResult: { payloads: [raw('carrier/pigeon', 'coo')] } }],
    ['a failure without the fields of its kind', { continuedFailure: { message: 'x', activityFailureInfo: {} } }],
    [
      'a failure whose message cannot be decoded',
      { continuedFailure: { encodedAttributes: raw('carrier/pigeon', 'coo') } },
    ],
    [
      'a number beyond safe integers',
      { searchAttributes: { indexedFields: { EmailSends: raw('json/plain', '9007199254740993') } } },
    ],
    ['a summary that cannot be decoded', { userMetadata: { summary: raw('carrier/pigeon', 'coo'), details: {} } }],
  ])('with %s starts a job', async ([, more]) => {
    const number = await billRun('Completed');
    const target = { number, job: parts.emails.client.workflow.getHandle(`email-bill-run/${number}`) };
    await startRaw(target.job.workflowId, [json({ billRunKey: number })], more);
    await until(
      () => parts.emails.status({ billRunKey: number }),
      ({ state }) => state === 'Waiting',
    );
    await emailedOnce(target);
  });

  test.for(Object.entries(longPayloads))('with two megabytes (%s) fails as InvalidInput', async ([what, long]) => {
    await startRaw(`long ${what}`, [long, long].slice(0, 1));
    const job = parts.emails.client.workflow.getHandle(`long ${what}`);
    expect((await failureOf(job)).type).toBe('InvalidInput');
    await expectNoFaults(job);
    expect(await taken(startRaw(`longer ${what}`, [long, long]))).toBe(false);
  });
});

describe('A job', { timeout }, () => {
  test('takes signals, updates and queries of any bytes, and emails once', async () => {
    const target = await waitingJob();
    const { number, job } = target;
    const act = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('signal' as const),
          name: signalName,
          args: payloads,
          header: headers,
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom('update' as const, 'query' as const, 'signalWithStart' as const),
          name: fc.oneof(
            fc.constantFrom('resend', 'retry', 'status', 'sends', '__temporal_workflow_metadata'),
            signalName,
          ),
          args: payloads,
          header: headers,
        }),
      },
    );
    const acts = fc.sample(act, { seed, numRuns: 3 * numRuns });
    let signals = 0;
    const send = async (each: (typeof acts)[number]): Promise<void> => {
      const { kind, name: called, args, header } = each;
      const index = acts.indexOf(each);
      const input = { payloads: args };
      const more = header === null ? {} : { header: { fields: header } };
      switch (kind) {
        case 'signal':
          if (await taken(signal(target, called, args, more))) signals += called === 'billRunPosted' ? 0 : 1;
          return;
        case 'signalWithStart': {
          // Signals with reserved names block a job; nobody sends one by mistake. docs/decisions/0019.
          if (called.startsWith('__temporal_')) return;
          const sent = service().signalWithStartWorkflowExecution({
            namespace: 'default',
            workflowId: job.workflowId,
            workflowType: { name: WORKFLOW_TYPE },
            taskQueue: { name: TASK_QUEUE },
            requestId: `with start ${index}`,
            input,
            signalName: called,
            signalInput: input,
            ...USE_EXISTING,
          });
          if (await taken(sent)) signals += called === 'billRunPosted' ? 0 : 1;
          return;
        }
        case 'query':
          await taken(
            service().queryWorkflow({
              ...at(target),
              execution: { workflowId: job.workflowId },
              query: { queryType: called, queryArgs: input, ...more },
            }),
          );
          return;
        case 'update': {
          const meta = { updateId: wellFormed(`${index} ${called}`.slice(0, 200)), identity: 'x\r\ny' };
          const request = { meta, input: { name: called, args: input, ...more } };
          await taken(
            service().updateWorkflowExecution({
              ...at(target),
              ...UNTIL_DONE,
              request,
            }),
          );
          return;
        }
      }
    };
    for (let from = 0; from < acts.length; from += 20) {
      const some = acts.slice(from, from + 20);
      await inBatches(
        some.filter(({ kind }) => kind !== 'query'),
        20,
        send,
      );
      // A query that a message overtakes can break replay. Our clients wait, too: docs/decisions/0010.
      await until(
        () => job.describe(),
        ({ raw }) => raw.pendingWorkflowTask == null,
      );
      await inBatches(
        some.filter(({ kind }) => kind === 'query'),
        20,
        send,
      );
    }
    const { ignored } = await parts.emails.status({ billRunKey: number });
    expect(ignored.count, `seed ${seed}`).toBeGreaterThan(signals / 4);
    expect(ignored.last.map(({ reason }) => reason).join(), `seed ${seed}`).not.toBe('');
    await emailedOnce(target);
    await expectWorkerUnharmed();
  });

  test('ignores messages of megabytes', async () => {
    const target = await waitingJob();
    for (const long of Object.values(longPayloads)) {
      await Promise.all(Array.from({ length: 8 }, () => signal(target, 'resend', [long])));
      await expect(target.job.executeUpdate('resend', { args: ['x'.repeat(100_000)] })).rejects.toThrow();
    }
    const { ignored } = await until(
      () => parts.emails.status({ billRunKey: target.number }),
      ({ ignored: { count } }) => count === 24,
    );
    expect(ignored.last.at(-1)?.reason).toContain('it has over 32768 bytes');
    expect(await taken(signal(target, 'resend', [raw('json/plain', `"${'x'.repeat(2_200_000)}"`)]))).toBe(false);
    await emailedOnce(target);
    await expectWorkerUnharmed();
  });

  test('that got hundreds of signals while there was no worker follows or ignores each of them', async () => {
    await worker.stop();
    const target = await waitingJob();
    const kinds: readonly ((index: number) => readonly [signalName: string, input: readonly Payload[]])[] = [
      (index) => ['resend', [json({ requestId: `T-${index}` })]],
      () => ['billRunPosted', []],
      () => ['retry', [json({ ordinal: 1 })]],
      (index) => [`unknown ${index}`, [json({ index })]],
      () => ['resend', [oddPayloads['an unknown encoding'] ?? {}]],
    ];
    const all = Array.from({ length: 100 }, (_, index) => kinds.map((kind) => kind(index))).flat();
    await inBatches(all, 100, ([called, input]) => signal(target, called, input));

    worker = await start();
    // The first task may take longer than a query waits for its answer.
    const status = await until(
      () => parts.emails.status({ billRunKey: target.number }).catch(() => undefined),
      (answered) => answered?.ignored.count === 300,
    );
    expect(status?.pendingRequests).toHaveLength(101);
    expect(status?.ignored.last).toHaveLength(50);
    await emailedOnce(target);
    const [send, ...others] = await parts.emails.sends({ billRunKey: target.number });
    expect(others).toEqual([]);
    expect(send?.requests).toHaveLength(101);
    await expectWorkerUnharmed();
  });
});
