/**
 * The rules of sending for random lives on real parts: a Temporal server, the shipped workflow and activities, and HTTP to the
 * simulated Zuora. `model.test.ts` does the same for the pure rules. After each step, the answers of the job, its history, Zuora's log
 * and Zuora's mailbox are compared.
 *
 * In the first test the server skips time, and in the second worker processes are killed. A failure prints its seed and the shrunk
 * lives. To repeat it:
 * MODEL_SEED=<seed> npm run test:long -- model-on-server. SERVER_MODEL_RUNS=500 searches longer.
 */
import { activityInfo } from '@temporalio/activity';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Activities } from '../../activities/index.js';
import { clearFaults, emailFaults, unknownFaults } from '../../proof/chaos/email-faults.js';
import type { Child } from '../../scripts/processes.js';
import { controlOf } from '../../scripts/simulator-control.js';
import { billRunSearchAttributes, startTemporalServer } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { startSimulator } from '../../simulator/index.js';
import { TASK_QUEUE, type JobStatus } from '../../workflows/contract/contract.js';
import { checkEnd, type Evidence } from '../support/evidence.js';
import { DAY, HOUR, MINUTE, SECOND } from '../support/life.js';
import {
  Life,
  show,
  soon,
  START_REQUEST,
  type Circumstances,
  type Place,
  type Shown,
} from '../support/lives-on-server.js';
import { openReplayer, openRig } from '../support/rig.js';

const seed = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Lives whose time is skipped; a twentieth as many groups of lives in real time. */
const numRuns = Number(process.env['SERVER_MODEL_RUNS'] ?? 40);
const numGroups = Math.max(1, Math.round(numRuns / 20));
/** Lives that share a worker, which is killed under all of them. */
const LIVES_IN_GROUP = 8;
/** How often the worker is killed. Each time may cost the 30 s of the heartbeat time-out. */
const KILLS_IN_GROUP = 3;
/** A life of many jumps takes some seconds, and a failure is shrunk for as long again. */
const LONGEST_SEARCH_MS = 5 * MINUTE + numRuns * 20 * SECOND;

const replayer = openReplayer();
afterAll(() => replayer.close());

/** The part of a life that the evidence does not show. */
interface Model {
  readonly kills: { left: number };
}

/** One thing that happens to a job, or around it. */
class Act implements fc.AsyncCommand<Model, Life> {
  private readonly name: string;
  private readonly apply: (life: Life, model: Model) => Promise<unknown>;
  private readonly possible: (model: Readonly<Model>) => boolean;

  constructor(
    name: string,
    apply: (life: Life, model: Model) => Promise<unknown>,
    possible: (model: Readonly<Model>) => boolean = () => true,
  ) {
    this.name = name;
    this.apply = apply;
    this.possible = possible;
  }

  check(model: Readonly<Model>): boolean {
    return this.possible(model);
  }

  async run(model: Model, life: Life): Promise<void> {
    if (!life.over) await this.apply(life, model);
  }

  toString(): string {
    return this.name;
  }
}

/** A message. `ignored` says from the evidence before and after it how many messages must be listed as ignored. */
function message(
  name: string,
  send: (life: Life) => Promise<boolean>,
  ignored?: (before: Evidence, after: Evidence) => number,
): Act {
  return new Act(name, async (life) => {
    const before = life.last;
    const arrived = await send(life);
    const after = await settled(life);
    if (!arrived || before === undefined || ignored === undefined) return;
    const more = after.status.ignored.count - before.status.ignored.count;
    expect(more, `rule 7: ${name} is followed, or listed as ignored`).toBe(ignored(before, after));
  });
}

/** With skipped time, each step is taken to its end, so that a failure can be repeated. */
async function settled(life: Life): Promise<Evidence> {
  if (!life.place.skips) return life.check();
  await life.rest();
  return life.check({ atRest: true });
}

const people = fc.constantFrom('alice', undefined);

const resends = fc.constantFrom('A', 'B', 'C', START_REQUEST, undefined).chain((requestId) =>
  people.map((requestedBy) => {
    const argument = defined({ requestId, requestedBy });
    const known = (before: Evidence): boolean => requestId !== undefined && before.resends.ids.has(requestId);
    return message(
      `resend(${JSON.stringify(argument)})`,
      (life) => life.signal('resend', argument),
      (before) => {
        // A client that starts a job for a resend and signals it in one call sends the same request twice.
        if (requestId === START_REQUEST && before.settings.resend) return 0;
        return known(before) ? 1 : 0;
      },
    );
  }),
);

const updates = fc.constantFrom('A', 'B', 'D', 'E', START_REQUEST, undefined).map((requestId) =>
  message(
    `resend(${JSON.stringify(requestId)})`,
    async (life) => (await life.resend(defined({ requestId }))) !== undefined,
    () => 0,
  ),
);

const retries = fc
  .record({
    sendAnyway: fc.constantFrom(true, true, false, undefined),
    ordinal: fc.constantFrom(undefined, undefined, 1, 2),
    requestedBy: people,
  })
  .map((record) => {
    const argument = defined(record);
    return message(
      `retry(${JSON.stringify(argument)})`,
      (life) => life.signal('retry', argument),
      // It becomes a decision on record, or it is ignored.
      (before, after) => 1 - (decisionsIn(after) - decisionsIn(before)),
    );
  });

function decisionsIn({ sends }: Evidence): number {
  return sends.reduce((count, { decisions }) => count + decisions.length, 0);
}

const hints = fc.constant(
  message(
    'billRunPosted',
    (life) => life.signal('billRunPosted', { anything: 'goes' }),
    () => 0,
  ),
);

const nonsense = fc
  .tuple(
    fc.constantFrom('resend', 'retry', 'hold', 'release', 'finish', 'resendPlease'),
    fc.constantFrom<unknown>('please', 7, ['A'], { colour: 'red' }, { requestedBy: 7 }, { requestId: '' }),
  )
  .map(([name, argument]) =>
    message(
      `nonsense ${name}(${JSON.stringify(argument)})`,
      (life) => life.signal(name, argument),
      () => 1,
    ),
  );

const nonsenseUpdates = fc.constantFrom<unknown>('please', { requestId: 7 }, { colour: 'red' }).map(
  (argument) =>
    new Act(`nonsense resend(${JSON.stringify(argument)})`, async (life) => {
      expect(await life.resend(argument), 'nonsense is rejected').toBeUndefined();
      await settled(life);
    }),
);

const posts = fc.constantFrom('Posted', 'Posted', 'Posted', 'PostInProgress', 'Completed').map(
  (status) =>
    new Act(`Zuora says ${status}`, async (life) => {
      if (life.posted) return;
      life.posted = status === 'Posted';
      await life.change({ status });
      await settled(life);
    }),
);

/** Objects that print as they are written. */
function plain<T>(fields: { [Field in keyof T]: fc.Arbitrary<T[Field]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

const visible = plain<Shown>({
  autoEmail: fc.constantFrom(null, false, false, true),
  invoicesEmailed: fc.constantFrom(null, null, false, true),
  numberOfInvoices: fc.constantFrom(null, 0, 2),
  numberOfCreditMemos: fc.constantFrom(null, 0, 1),
  sentAgo: fc.constantFrom(null, 0, HOUR, 23 * HOUR, 30 * HOUR),
});

const records = visible.map(
  (record) =>
    new Act(`Zuora shows ${JSON.stringify(record)}`, async (life) => {
      await show(life.place, life.number, record);
      await settled(life);
    }),
);

const anyFault = fc.oneof(fc.constantFrom(...Object.keys(unknownFaults)), fc.constantFrom(...Object.keys(clearFaults)));

function faultsOf(arbitrary: fc.Arbitrary<readonly string[]>): fc.Arbitrary<Act> {
  return arbitrary.map(
    (names) =>
      new Act(`faults [${names.join(' | ')}]`, async (life) => {
        for (const name of names) await life.fault({ ...emailFaults[name] });
      }),
  );
}

/** The same fault for a long time, so that budgets end and keys expire. */
const climates = fc
  .constantFrom('reset before', 'reset after', '500 before', '500 after, stored', '502 after', '429', '401')
  .map((name) => new Act(`climate ${name}`, (life) => life.fault({ ...emailFaults[name], times: 150 })));

const clearSky = fc.constant(new Act('no more faults', (life) => life.place.control('DELETE', '/faults')));

const readFaults = fc
  .constantFrom<readonly [string, object]>(
    ['reset', { fault: 'reset' }],
    ['500', { fault: 'respond', status: 500 }],
    ['401', { fault: 'respond', status: 401, body: { message: 'Authentication error' } }],
    ['404', { fault: 'respond', status: 404, body: { success: false, reasons: [{ code: 50000040 }] } }],
    ['429', { fault: 'respond', status: 429, headers: { 'retry-after': 1 } }],
    ['half a body', { fault: 'respond', status: 200, body: '{"id": "x', headers: { 'content-length': 900 } }],
    ['no JSON', { fault: 'respond', status: 200, body: 'OK' }],
  )
  .map(([name, fault]) => new Act(`reads: ${name}`, (life) => life.readFault(fault)));

const jumps = fc.constantFrom(SECOND, 10 * SECOND, MINUTE, 16 * MINUTE, HOUR, 5 * HOUR, 12 * HOUR, 22 * HOUR, DAY).map(
  (length) =>
    new Act(`pass ${length / HOUR} h`, async (life) => {
      await life.pass(length);
      await settled(life);
    }),
);

/** The orders of operators. */
const orders = fc
  .constantFrom('hold', 'hold', 'release', 'release', 'finish', 'cancel')
  .map((name) =>
    message(name, (life) => (name === 'cancel' ? life.cancel() : life.signal(name, { requestedBy: 'alice' }))),
  );

/**
 * Zuora's work when the worker is killed: it does nothing, it has done everything, or it does everything later. Each stall ends by
 * itself, because the call that it is meant for may not come.
 */
const stalls = {
  'before the effect': { when: 'before', fault: 'reset', afterMs: 10 * SECOND },
  'after the effect': { when: 'after', fault: 'stall', afterMs: 10 * SECOND },
  'and Zuora works on': { when: 'before', fault: 'stall', afterMs: 5 * SECOND },
} as const;

const crash = (name: string, before: (life: Life) => Promise<void>): Act =>
  new Act(
    name,
    async (life, { kills }) => {
      kills.left -= 1;
      await before(life);
      await life.place.crash();
      await life.check();
    },
    ({ kills }) => kills.left > 0,
  );

const crashes = fc.oneof(fc.constant(crash('the worker is killed', () => Promise.resolve())), {
  weight: 3,
  arbitrary: fc
    .constantFrom<keyof typeof stalls>(
      'before the effect',
      'after the effect',
      'after the effect',
      'and Zuora works on',
    )
    .map((name) =>
      crash(`the worker is killed during a call, ${name}`, async (life) => {
        if (life.posted) await callInFlight(life, stalls[name]);
      }),
    ),
});

/** Asks for a resend that stalls, and waits for the call, unless the job keeps it back. */
async function callInFlight(life: Life, stall: object): Promise<void> {
  const { length } = await life.calls();
  await life.fault(stall);
  await life.signal('resend', {});
  await soon(
    'a call, or a reason for none',
    async () => [await life.calls(), await life.status(), await life.isOver()] as const,
    ([calls, { state, until: next }, over]) => {
      // While the job is Sending without a time for the next attempt, a call is under way or follows soon.
      return calls.length > length || over || state !== 'Sending' || next !== null;
    },
  );
}

function defined(fields: object): object {
  return JSON.parse(JSON.stringify(fields)) as object;
}

const circumstances = (mostFaults: number) =>
  plain<Circumstances>({
    input: plain({
      resend: fc.constantFrom(false, false, true),
      sendBudget: fc.constantFrom('1h', '12 hours', '20 hours'),
      coolDown: fc.constantFrom('0s', '24 hours'),
      openFor: fc.constantFrom('0s', '7 days', '7 days', '7 days'),
    }),
    status: fc.constantFrom('Completed', 'Posted'),
    visible: fc.option(visible, { freq: 2 }),
    faults: fc.array(anyFault, { maxLength: mostFaults }),
  });

test.concurrent(`the rules hold while clocks jump (seed ${seed})`, { timeout: 2 * LONGEST_SEARCH_MS }, async () => {
  const lives = fc.commands(
    [
      ...[jumps, jumps, jumps, faultsOf(fc.array(anyFault, { minLength: 1, maxLength: 4 })), climates, clearSky],
      ...[resends, updates, retries, retries, nonsense, nonsenseUpdates, posts, posts, records, readFaults],
      faultsOf(fc.array(anyFault, { minLength: 1, maxLength: 4 })),
      // No hints: they cancel reads.
    ],
    { maxCommands: 25, size: '+1' },
  );
  await fc.assert(
    fc.asyncProperty(circumstances(4), lives, async (given, acts) => {
      // A job begins in real time, so each needs a Zuora whose clock has not moved.
      const { place, close } = await skippingPlace();
      try {
        const life = await Life.begin(place, given);
        await fc.asyncModelRun(() => ({ model: { kills: { left: 0 } }, real: life }), acts);

        // No job stays open forever.
        await place.control('DELETE', '/faults');
        if (!life.posted) await life.change({ status: 'Posted' });
        life.posted = true;
        for (let days = 0; !(await life.isOver()); days += 2) {
          expect(days, 'every job closes').toBeLessThan(60);
          await life.pass(2 * DAY);
        }
        await life.close();
      } finally {
        await close();
      }
    }),
    { seed, numRuns, interruptAfterTimeLimit: LONGEST_SEARCH_MS },
  );
});

/** One job at a time, whose time the server skips. Zuora's clock follows the job's. */
async function skippingPlace(): Promise<{ readonly place: Place; readonly close: () => Promise<void> }> {
  let aheadMs = 0;
  const follow = async (job: WorkflowHandle): Promise<void> => {
    const advanceMs = Math.round((await rig.now(job)) - Date.now() - aheadMs);
    if (advanceMs <= 0) return;
    aheadMs += advanceMs;
    await rig.control('POST', '/clock', { advanceMs });
  };
  const rig = await openRig({
    // Each read is a jump, and an event: with more of them, a job of many days would continue as new.
    polling: { first: 10_000, longest: 10 * MINUTE, afterAnHour: 6 * HOUR },
    simulator: { tokenLifetimeSeconds: 10 ** 9 },
    around: (activities) =>
      withBefore(activities, () =>
        follow(rig.client.workflow.getHandle(activityInfo().workflowExecution?.workflowId ?? '')),
      ),
  });
  const place: Place = {
    client: rig.client,
    control: rig.control,
    taskQueue: rig.taskQueue,
    replayer,
    skips: true,
    pass: async (job, ms) => {
      await rig.skip(job, ms);
      await follow(job);
    },
    now: () => Promise.resolve(Date.now() + aheadMs),
    crash: () => Promise.resolve(),
    ask: (_, question) => question(),
  };
  return { place, close: () => rig.close() };
}

/** The same activities; `something` runs before each call. */
function withBefore(activities: Activities, something: () => Promise<void>): Activities {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]: [string, (input: never) => Promise<unknown>]) => [
      name,
      async (input: never) => {
        await something();
        return activity(input);
      },
    ]),
  ) as unknown as Activities;
}

test.concurrent(
  `the rules hold while workers are killed (seed ${seed})`,
  { timeout: 2 * LONGEST_SEARCH_MS },
  async () => {
    // A server of its own: worker processes know one task queue only.
    const temporal = await startTemporalServer({ headless: true, searchAttributes: billRunSearchAttributes });
    const simulator = await startSimulator();
    const connection = await Connection.connect({ address: temporal.address });
    const control = controlOf(simulator.url);
    const startAnother = (): Promise<Child> =>
      startWorker({ temporal, simulatorUrl: simulator.url, pollInterval: '100ms' });
    let worker = await startAnother();
    let restart: Promise<void> | undefined;
    const questions = new Set<Promise<unknown>>();
    const killAndStart = async (): Promise<void> => {
      await Promise.allSettled(questions);
      await worker.stop(0);
      worker = await startAnother();
      restart = undefined;
    };
    const place: Place = {
      client: new Client({ connection }),
      control,
      taskQueue: TASK_QUEUE,
      replayer,
      skips: false,
      pass: () => Promise.resolve(),
      now: () => Promise.resolve(Date.now()),
      crash: () => (restart ??= killAndStart()),
      ask: async (knows, question) => {
        for (;;) {
          await restart;
          const { pid } = worker;
          await knows(pid, () => restart !== undefined || worker.pid !== pid);
          // Nothing happens between this check and the query.
          if (restart !== undefined || worker.pid !== pid) continue;
          const answer = question();
          questions.add(answer);
          return answer.finally(() => questions.delete(answer));
        }
      },
    };

    const lives = fc.commands(
      [
        ...[resends, updates, retries, hints, nonsense, nonsenseUpdates, posts, posts, records, readFaults, orders],
        ...[crashes, crashes],
        // Few, because nothing shortens the waits between attempts here.
        faultsOf(fc.array(anyFault, { minLength: 1, maxLength: 1 })),
      ],
      { maxCommands: 12, size: '+1' },
    );
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.option(fc.tuple(circumstances(1), lives), { freq: 1_000 }), {
            minLength: LIVES_IN_GROUP,
            maxLength: LIVES_IN_GROUP,
          }),
          async (group) => {
            await control('DELETE', '/faults');
            const kills = { left: KILLS_IN_GROUP };
            const lived = await allOf(
              group
                // Shrinking leaves lives out.
                .filter((life) => life !== null)
                .map(async ([given, acts]) => {
                  const life = await Life.begin(place, given);
                  await fc.asyncModelRun(() => ({ model: { kills }, real: life }), acts);
                  return life;
                }),
            );
            await control('DELETE', '/faults');
            await allOf(lived.map(drain));
          },
        ),
        { seed, numRuns: numGroups, interruptAfterTimeLimit: LONGEST_SEARCH_MS },
      );
    } finally {
      await worker.stop(0);
      await connection.close();
      await simulator.close();
      await temporal.stop();
    }
  },
);

/** Waits for all of them, even if one fails, because a failed group must not disturb the next one. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const ends = await Promise.allSettled(promises);
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}

/** Lets a job continue without faults as far as it can, and closes it. */
async function drain(life: Life): Promise<void> {
  if (!life.posted) await life.change({ status: 'Posted' });
  life.posted = true;
  await life.signal('release');
  await life.signal('billRunPosted');
  const isAtRest = ({ state, reason, until: next }: JobStatus): boolean =>
    (state === 'Delivering' || state === 'NeedsAttention' || reason === 'coolDown') && next !== null;
  await soon(
    'an end or a question',
    async () => [await life.isOver(), await life.status()] as const,
    ([over, status]) => over || isAtRest(status),
  );
  await life.rest();
  if (!life.over) checkEnd(await life.check({ atRest: true }), 'open');
  await life.signal('finish');
  await soon(
    'the end',
    () => life.isOver(),
    (over) => over,
  );
  await life.close();
}
