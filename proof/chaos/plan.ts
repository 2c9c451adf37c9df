/**
 * What is to happen in a chaos run, and when: a pure function of the seed and the number of bill runs, so that the same
 * seed gives the same plan. All times are milliseconds since the start.
 *
 * What strikes whom still depends on which process is quicker. The plan fixes what is tried: bill runs, what pipelines
 * and operators say, the faults of Zuora with their chances, and every kill, restart, cut, stall and slow connection.
 */
import { createHash } from 'node:crypto';
import { seededRandom, type Random } from '../../simulator/random.js';
import type { EmailBillRunInput } from '../../workflows/contract/contract.js';
import { clearFaults, unknownFaults } from './email-faults.js';

export interface Plan {
  readonly seed: number;
  readonly lengthMs: number;
  readonly billRuns: readonly PlannedBillRun[];
  /** Faults for the simulator that strike by chance, as long as the chaos lasts. */
  readonly weather: readonly object[];
  readonly blows: readonly Blow[];
  /** Of all the rest. */
  readonly hash: string;
}

export interface PlannedBillRun {
  readonly number: string;
  /** When Zuora has it. */
  readonly at: number;
  readonly invoices: number;
  readonly creditMemos: number;
  readonly fate: 'posts' | 'neverPosts' | 'isCanceled';
  readonly postsAfterMs: number;
  /** What else Zuora shows of it: both keep a first send back. */
  readonly autoEmail: boolean;
  readonly emailedJustNow: boolean;
  /** Names of faults that its first email calls meet. */
  readonly faults: readonly string[];
  /** How its runs are to go on, whoever starts them. */
  readonly input: Pick<
    EmailBillRunInput,
    'sendBudget' | 'escalationWindow' | 'attentionWindow' | 'postDeadline' | 'coolDown'
  >;
  readonly starts: readonly PlannedStart[];
  readonly orders: readonly Order[];
}

/** Two pipelines start every bill run, neither of which knows of the other. */
export interface PlannedStart {
  readonly at: number;
  readonly pipeline: Pipeline;
  readonly by: 'number' | 'id';
  readonly resend: boolean;
  readonly requestId: string;
}

/** What an operator says, so often. `resend` starts a run where none is open; `signal` and `update` need an open one. */
export interface Order {
  readonly at: number;
  readonly what: 'resend' | 'signal' | 'update' | 'retry' | 'hold' | 'release' | 'hint' | 'query';
  /** Only of `resend`, `signal` and `update`; a signal may go without. */
  readonly requestId?: string;
  readonly times: number;
}

const PIPELINES = ['pipeline-1', 'pipeline-2'] as const;
type Pipeline = (typeof PIPELINES)[number];
/** How many worker processes there are. */
export const WORKERS = 2;

/** The connections that a proxy of ours stands in. */
export function linksOf(workers: number): readonly string[] {
  return [
    ...Array.from({ length: workers }, (_, index) => [`worker-${index + 1}/temporal`, `worker-${index + 1}/zuora`]),
    ...['pipeline-1/temporal', 'pipeline-2/temporal', 'operators/temporal'],
  ].flat();
}

export type Blow =
  | { readonly at: number; readonly kind: 'kill'; readonly worker: number; readonly signal: 'SIGKILL' | 'SIGTERM' }
  | { readonly at: number; readonly kind: 'restartTemporal'; readonly downMs: number }
  /** `cut` ends connections and refuses new ones, `stall` lets nothing through, `slow` makes every packet wait. */
  | { readonly at: number; readonly kind: 'cut' | 'stall' | 'slow'; readonly link: string; readonly ms: number };

/** So that 200 bill runs take about two minutes, and then some to settle. */
const SHORTEST_MS = 15_000;
const MS_PER_BILL_RUN = 600;
/** Above the heartbeat time-out (30 s): Temporal takes the worker for lost while its call goes on. */
const LONG_STALL_MS = 36_000;

/**
 * @param options.queries operators also ask runs how they stand. Off, because of a defect of the SDK (1.24) that workers
 *   which come and go bring out: a query that waited for a worker is answered with events that no workflow task has taken
 *   yet, and the task after it goes on from there, into a history that no replay repeats.
 */
export function planOf(seed: number, billRuns: number, { queries = false } = {}): Plan {
  const lengthMs = SHORTEST_MS + billRuns * MS_PER_BILL_RUN;
  // Streams of their own, so that more bill runs do not change what happens to the others.
  // The first ones are there at once, so that short plans are dense, too.
  const times = { earliest: 0, latest: lengthMs * 0.65, lastOrder: lengthMs * 0.95 };
  return hashed({
    seed,
    lengthMs,
    billRuns: Array.from({ length: billRuns }, (_, index) =>
      plannedBillRun(index, times, streamOf(seed, index + 1), { queries }),
    ),
    weather: WEATHER,
    blows: blowsOf(lengthMs, streamOf(seed, 0)),
  });
}

export function hashed(rest: Omit<Plan, 'hash'>): Plan {
  return { ...rest, hash: createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16) };
}

/** Neighbouring seeds must not give related streams. */
export function streamOf(seed: number, stream: number): Random {
  return seededRandom(createHash('sha256').update(`${seed}/${stream}`).digest().readUInt32LE());
}

const EMAILS = { method: 'POST', path: '/v1/bill-runs/*/emails', times: 1_000_000 } as const;
const READS = { method: 'GET', path: '/object-query/billing-runs/*', when: 'before', times: 1_000_000 } as const;
const TOKENS = { method: 'POST', path: '/oauth/token', when: 'before', times: 1_000_000 } as const;

export const WEATHER: readonly object[] = [
  // Long enough that kills and cuts meet calls under way, before the effect and after it.
  { ...EMAILS, when: 'before', fault: 'stall', afterMs: 1_500, chance: 0.15 },
  { ...EMAILS, when: 'after', fault: 'stall', afterMs: 2_500, chance: 0.2 },
  { ...EMAILS, ...unknownFaults['reset after'], chance: 0.06 },
  { ...EMAILS, ...unknownFaults['reset before'], chance: 0.03 },
  { ...EMAILS, ...unknownFaults['502 after'], chance: 0.04 },
  { ...EMAILS, ...clearFaults['429, wait 1 s'], chance: 0.03 },
  { ...EMAILS, ...clearFaults['401'], chance: 0.02 },
  { ...READS, fault: 'reset', chance: 0.03 },
  { ...READS, fault: 'respond', status: 500, chance: 0.03 },
  { ...READS, fault: 'stall', afterMs: 1_500, chance: 0.05 },
  { ...TOKENS, fault: 'respond', status: 503, chance: 0.1 },
];

/** When a bill run may come, and until when operators may say something about it. */
interface Times {
  readonly earliest: number;
  readonly latest: number;
  readonly lastOrder: number;
}

export function plannedBillRun(
  index: number,
  { earliest, latest, lastOrder }: Times,
  random: Random,
  { queries }: { readonly queries: boolean },
): PlannedBillRun {
  const { chance, between, one } = drawer(random);
  const name = String(index + 1).padStart(8, '0');
  const at = Math.round(between(earliest, latest));
  // Nothing odd about most; one of the first three has an answer cut off, so that every plan holds unknown outcomes.
  const fate = chance(0.02) ? 'neverPosts' : chance(0.02) ? 'isCanceled' : 'posts';
  const postsAfterMs = Math.round(between(500, 6_000));
  const names = [...Object.keys(unknownFaults), ...Object.keys(clearFaults)];
  const faults = index % 3 === 0 ? ['reset after'] : chance(0.25) ? [one(names)] : [];
  const secondBy = one(['number', 'number', 'id'] as const);
  const startsWithResend = chance(0.05);
  return {
    number: `BR-${name}`,
    at,
    invoices: Math.round(between(1, 3)),
    creditMemos: Math.round(between(0, 1)),
    fate,
    postsAfterMs,
    autoEmail: chance(0.02),
    emailedJustNow: chance(0.02),
    faults,
    input: {
      // Short enough to end within the chaos: then a person is asked.
      ...(chance(0.1) ? { sendBudget: '12 seconds' } : {}),
      // Closed at once: later escalations are other runs', which must know what this one served.
      ...(chance(0.3) ? { escalationWindow: '0s' } : {}),
    },
    starts: PIPELINES.map((pipeline, place) => ({
      at: at + Math.round(between(0, place === 0 ? 2_000 : 12_000)),
      pipeline,
      by: place === 0 ? 'number' : secondBy,
      resend: startsWithResend,
      requestId: `nightly-${name}`,
    })),
    orders: ordersFor(name, at + postsAfterMs, lastOrder, { chance, between, one, queries }),
  };
}

type Drawer = ReturnType<typeof drawer>;

function drawer(random: Random) {
  return {
    chance: (chance: number): boolean => random() < chance,
    between: (least: number, most: number): number => least + random() * (most - least),
    one: <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T,
  };
}

function ordersFor(
  name: string,
  postedAt: number,
  last: number,
  { chance, between, one, queries }: Drawer & { readonly queries: boolean },
): Order[] {
  const moment = (): number => Math.round(between(postedAt - 3_000, Math.max(last, postedAt)));
  const orders: Order[] = [];
  const escalations = one([0, 0, 1, 1, 2, 3]);
  for (let count = 1; count <= escalations; count++) {
    const what = one(['resend', 'resend', 'signal', 'update'] as const);
    const named = what !== 'signal' || chance(0.5);
    // Where it has no id, saying it again asks for more.
    const times = named ? one([1, 1, 2, 3]) : 1;
    orders.push({ at: moment(), what, times, ...(named ? { requestId: `TICKET-${name}-${count}` } : {}) });
  }
  if (chance(0.5)) orders.push({ at: postedAt + Math.round(between(0, 500)), what: 'hint', times: one([1, 2]) });
  if (chance(0.2)) orders.push({ at: moment(), what: 'retry', times: 1 });
  if (chance(0.15)) {
    const at = moment();
    const until = at + Math.round(between(500, 6_000));
    orders.push({ at, what: 'hold', times: 1 }, { at: until, what: 'release', times: 1 });
  }
  for (let looks = queries ? one([0, 0, 1, 3]) : 0; looks > 0; looks--) {
    orders.push({ at: moment(), what: 'query', times: 1 });
  }
  return orders.sort((one, other) => one.at - other.at);
}

function blowsOf(lengthMs: number, random: Random): Blow[] {
  const { between } = drawer(random);
  const blows: Blow[] = [
    ...spread(lengthMs, 7_000, random, (at, index): Blow => {
      const worker = 1 + Math.floor(random() * WORKERS);
      return { at, kind: 'kill', worker, signal: index % 3 === 1 ? 'SIGTERM' : 'SIGKILL' };
    }),
    ...spread(lengthMs, 40_000, random, (at): Blow => {
      return { at, kind: 'restartTemporal', downMs: Math.round(between(200, 3_000)) };
    }),
    ...connectionBlows(lengthMs, 1_500, random, { links: linksOf(WORKERS), longestStallMs: 12_000 }),
  ];
  if (lengthMs > 3 * LONG_STALL_MS) {
    blows.push({
      at: Math.round(between(0.1, 0.5) * lengthMs),
      kind: 'stall',
      link: 'worker-1/temporal',
      ms: LONG_STALL_MS,
    });
  }
  return blows.sort((one, other) => one.at - other.at);
}

export function connectionBlows(
  lengthMs: number,
  everyMs: number,
  random: Random,
  { links, longestStallMs }: { readonly links: readonly string[]; readonly longestStallMs: number },
): readonly Blow[] {
  const { chance, between, one } = drawer(random);
  return spread(lengthMs, everyMs, random, (at): Blow => {
    const kind = one(['cut', 'cut', 'cut', 'stall', 'slow'] as const);
    const long = kind === 'cut' ? (chance(0.6) ? 0 : 1_500) : kind === 'stall' && chance(0.15) ? longestStallMs : 3_000;
    return { at, kind, link: one(links), ms: Math.round(between(0, long)) };
  });
}

/** One within each stretch of the time, so that no plan goes without. */
function spread(
  lengthMs: number,
  everyMs: number,
  random: Random,
  blow: (at: number, index: number) => Blow,
): readonly Blow[] {
  const count = Math.max(1, Math.floor((lengthMs * 0.9) / everyMs));
  const stretch = (lengthMs * 0.9) / count;
  return Array.from({ length: count }, (_, index) =>
    blow(Math.round(lengthMs * 0.05 + (index + random()) * stretch), index),
  );
}
