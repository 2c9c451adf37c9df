/**
 * The plan of a chaos run: a pure function of the seed and the number of bill runs, so the same seed gives the same plan. All
 * times are milliseconds since the start.
 *
 * The plan fixes what is tried: bill runs, requests of pipelines and operators, faults of Zuora with their probability, and every
 * kill, restart, cut, stall and slow connection. Which call a disruption hits depends on which process is faster.
 */
import { createHash } from 'node:crypto';
import { seededRandom, type Random } from '../../simulator/random.js';
import type { EmailBillRunInput } from '../../workflows/contract/contract.js';
import { clearFaults, unknownFaults } from './email-faults.js';

export interface Plan {
  readonly seed: number;
  readonly lengthMs: number;
  readonly billRuns: readonly PlannedBillRun[];
  /** Faults of the simulator that occur at random during the whole chaos. */
  readonly randomFaults: readonly object[];
  readonly disruptions: readonly Disruption[];
  /** Of all other fields. */
  readonly hash: string;
}

export interface PlannedBillRun {
  readonly number: string;
  /** When it is created in Zuora. */
  readonly at: number;
  readonly invoices: number;
  readonly creditMemos: number;
  /** Documents whose first email does not simply leave, by their place in the bill run. */
  readonly emails: readonly { readonly place: number; readonly becomes: Becomes }[];
  /** An operator asks for what was not sent, as soon as the job says so. Nobody closes the job before, or resends. */
  readonly retriesNotSent: boolean;
  readonly fate: 'posts' | 'neverPosts' | 'isCanceled';
  readonly postsAfterMs: number;
  /** Both keep back a first send. */
  readonly autoEmail: boolean;
  readonly emailedJustNow: boolean;
  /** An earlier job, of another data converter, whose history cannot be decoded. */
  readonly unreadableBefore: boolean;
  /** Names of the faults of its first email calls. */
  readonly faults: readonly string[];
  /** Input of every job for it. */
  readonly input: Pick<EmailBillRunInput, 'sendBudget' | 'openFor' | 'postDeadline' | 'coolDown'>;
  readonly starts: readonly PlannedStart[];
  readonly orders: readonly Order[];
  /** All its starts and callouts are lost, and nobody knows of it: only the sweep at the end finds it. */
  readonly isForgotten: boolean;
}

/** Two independent pipelines start every bill run. */
export interface PlannedStart {
  readonly at: number;
  readonly pipeline: Pipeline;
  readonly by: 'number' | 'id';
  readonly resend: boolean;
  readonly requestId: string;
}

/**
 * An operator's order, and how often it is repeated. `resend`, `start` and `again` start a job if none is open; the others need an open
 * one.
 */
export interface Order {
  readonly at: number;
  readonly what:
    | ('resend' | 'signal' | 'update' | 'retry' | 'hold' | 'release' | 'hint' | 'query')
    | ('finish' | 'cancel' | 'terminate' | 'start' | 'again');
  /** For `resend`, `signal` and `update` only; optional for `signal`. */
  readonly requestId?: string;
  readonly times: number;
}

const PIPELINES = ['pipeline-1', 'pipeline-2'] as const;
type Pipeline = (typeof PIPELINES)[number];
export const WORKERS = 2;

/** The connections that pass through a proxy. */
export function linksOf(workers: number): readonly string[] {
  return [
    ...Array.from({ length: workers }, (_, index) => [`worker-${index + 1}/temporal`, `worker-${index + 1}/zuora`]),
    ...['pipeline-1/temporal', 'pipeline-2/temporal', 'operators/temporal'],
  ].flat();
}

export type Disruption =
  | { readonly at: number; readonly kind: 'kill'; readonly worker: number; readonly signal: 'SIGKILL' | 'SIGTERM' }
  | { readonly at: number; readonly kind: 'restartTemporal'; readonly downMs: number }
  /** All jobs are on hold for this time. */
  | { readonly at: number; readonly kind: 'holdAll'; readonly ms: number }
  /** No worker runs for this time. Before, none reaches Zuora for a moment, so that attempts wait for their retry. */
  | { readonly at: number; readonly kind: 'stopWorkers'; readonly ms: number }
  /** Zuora answers 503 to everything. */
  | { readonly at: number; readonly kind: 'outage'; readonly ms: number }
  /** Zuora revokes all tokens, and refuses the client secret for this time. */
  | { readonly at: number; readonly kind: 'refuseLogins'; readonly ms: number }
  /** Temporal is restarted, and lists nothing for this time. */
  | { readonly at: number; readonly kind: 'listNothing'; readonly ms: number }
  /** `cut` ends connections and refuses new ones, `stall` stops all packets, `slow` delays every packet. */
  | { readonly at: number; readonly kind: 'cut' | 'stall' | 'slow'; readonly link: string; readonly ms: number };

/** So that 200 bill runs take about two minutes, plus the time to settle. */
const SHORTEST_MS = 15_000;
const MS_PER_BILL_RUN = 600;
/** Above the heartbeat timeout (30 s), so Temporal takes the worker for lost while its call continues. */
const LONG_STALL_MS = 36_000;

/** How long workers are stopped, how long Zuora cannot be reached before, and when jobs are held and released meanwhile. */
export const STOPPED_MS = 5_000;
export const UNREACHABLE_MS = 3_000;
const HELD_AFTER_MS = UNREACHABLE_MS + 2_000;
const RELEASED_AFTER_MS = UNREACHABLE_MS + STOPPED_MS + 6_000;

/** Changes of a document in the simulator. Those that leave at all do so between the third check after an acceptance and the fifth. */
export const EMAILS_BECOME = {
  failed: { email: 'failed', reason: 'mailbox full' },
  never: { email: 'never' },
  delayed: { email: 'delayed', delayMs: 15_000 },
  pdfLate: { pdf: 'pending', pdfDelayMs: 40_000 },
} as const;
type Becomes = keyof typeof EMAILS_BECOME;

export function planOf(seed: number, billRuns: number): Plan {
  const lengthMs = SHORTEST_MS + billRuns * MS_PER_BILL_RUN;
  const disruptions = disruptionsOf(lengthMs, streamOf(seed, 0));
  const stops = disruptions.filter(({ kind }) => kind === 'stopWorkers').map(({ at }) => at);
  // Each bill run has its own random stream, so that more bill runs do not change the others.
  // The first ones start at once, so that short plans are dense, too.
  const times = { earliest: 0, latest: lengthMs * 0.65, lastOrder: lengthMs * 0.95, stops };
  return hashed({
    seed,
    lengthMs,
    billRuns: Array.from({ length: billRuns }, (_, index) => plannedBillRun(index, times, streamOf(seed, index + 1))),
    randomFaults: RANDOM_FAULTS,
    disruptions,
  });
}

export function hashed(rest: Omit<Plan, 'hash'>): Plan {
  return { ...rest, hash: createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16) };
}

/** Hashed, so that neighbouring seeds give unrelated streams. */
export function streamOf(seed: number, stream: number): Random {
  return seededRandom(createHash('sha256').update(`${seed}/${stream}`).digest().readUInt32LE());
}

const EMAILS = { method: 'POST', path: '/v1/bill-runs/*/emails', times: 1_000_000 } as const;
const READS = { method: 'GET', path: '/object-query/billing-runs/*', when: 'before', times: 1_000_000 } as const;
const TOKENS = { method: 'POST', path: '/oauth/token', when: 'before', times: 1_000_000 } as const;

const FROM_BEGINNING_TO_END = { when: 'before', fault: 'respond', times: 1_000_000 } as const;
/** In an outage, and while Zuora refuses to log in. */
export const TROUBLES: Readonly<Record<'outage' | 'refuseLogins', readonly object[]>> = {
  outage: [EMAILS, READS, TOKENS].map(({ method, path }) => ({ method, path, ...FROM_BEGINNING_TO_END, status: 503 })),
  refuseLogins: [{ method: TOKENS.method, path: TOKENS.path, ...FROM_BEGINNING_TO_END, status: 401 }],
};

export const RANDOM_FAULTS: readonly object[] = [
  // Long enough that kills and cuts hit calls in progress, before and after their effect.
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

/** When a bill run may be created, when the last order may come, and when all workers stop. */
interface Times {
  readonly earliest: number;
  readonly latest: number;
  readonly lastOrder: number;
  readonly stops: readonly number[];
}

export function plannedBillRun(
  index: number,
  { earliest, latest, lastOrder, stops }: Times,
  random: Random,
): PlannedBillRun {
  const { chance, between, one } = drawer(random);
  const name = String(index + 1).padStart(8, '0');
  const at = Math.round(between(earliest, latest));
  // Most are ordinary. Every third has its first reply cut off, so that every plan has unknown outcomes.
  const fate = chance(0.02) ? 'neverPosts' : chance(0.02) ? 'isCanceled' : 'posts';
  const postsAfterMs = Math.round(between(500, 6_000));
  const names = [...Object.keys(unknownFaults), ...Object.keys(clearFaults)];
  const faults = index % 3 === 0 ? ['reset after'] : chance(0.25) ? [one(names)] : [];
  const secondBy = one(['number', 'number', 'id'] as const);
  const startsWithResend = chance(0.05);
  const invoices = Math.round(between(1, 3));
  const creditMemos = Math.round(between(0, 1));
  const { emails, retriesNotSent } = emailsOf(index, invoices + creditMemos, { chance, between, one });
  const planned = {
    number: `BR-${name}`,
    at,
    invoices,
    creditMemos,
    ...{ emails, retriesNotSent },
    fate,
    postsAfterMs,
    autoEmail: chance(0.02),
    emailedJustNow: chance(0.02),
    unreadableBefore: chance(0.04),
    faults,
    input: {
      // Ends within the chaos, and then a person is asked.
      ...(chance(0.1) ? { sendBudget: '12 seconds' } : {}),
      // Closes at acceptance, so later resends open other jobs, which must know what this one sent.
      ...(chance(0.3) && !retriesNotSent ? { openFor: '0s' } : {}),
    },
    starts: PIPELINES.map((pipeline, place) => ({
      at: at + Math.round(between(0, place === 0 ? 2_000 : 12_000)),
      pipeline,
      by: place === 0 ? 'number' : secondBy,
      resend: startsWithResend && !retriesNotSent,
      requestId: `nightly-${name}`,
    })),
    orders: [
      ...ordersFor(name, at + postsAfterMs, lastOrder, { chance, between, one }).filter(
        ({ what }) => !retriesNotSent || !ENDING_OR_RESENDING.has(what),
      ),
      ...stops.filter((stop) => stop > at).flatMap(heldWhileStopped),
    ].sort((one, other) => one.at - other.at),
  } as const;
  // Every tenth, so that every plan has some. Nothing keeps back what the sweep starts.
  const isForgotten = index % 10 === 7 || chance(0.08);
  const { autoEmail, emailedJustNow } = planned;
  return {
    ...planned,
    ...{ isForgotten, autoEmail: autoEmail && !isForgotten, emailedJustNow: emailedJustNow && !isForgotten },
  };
}

const ENDING_OR_RESENDING: ReadonlySet<Order['what']> = new Set([
  ...(['resend', 'signal', 'update', 'finish', 'cancel', 'terminate', 'start', 'again'] as const),
]);

/** Every fourth has one that fails, so that every plan has some. */
function emailsOf(
  index: number,
  documents: number,
  { chance, one }: Drawer,
): Pick<PlannedBillRun, 'emails' | 'retriesNotSent'> {
  const places = Array.from({ length: documents }, (_, place) => place);
  const becomes = index % 4 === 1 ? 'failed' : chance(0.4) ? one(['never', 'delayed', 'pdfLate'] as const) : undefined;
  const place = one(places);
  return {
    emails: becomes === undefined ? [] : [{ place, becomes }],
    retriesNotSent: becomes === 'failed' && chance(0.7),
  };
}

/** Orders that Temporal takes while no worker runs. */
function heldWhileStopped(stop: number): readonly Order[] {
  return [
    { at: stop + HELD_AFTER_MS, what: 'hold', times: 1 },
    { at: stop + RELEASED_AFTER_MS, what: 'release', times: 1 },
  ];
}

type Drawer = ReturnType<typeof drawer>;

function drawer(random: Random) {
  return {
    chance: (chance: number): boolean => random() < chance,
    between: (least: number, most: number): number => least + random() * (most - least),
    one: <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T,
  };
}

function ordersFor(name: string, postedAt: number, last: number, { chance, between, one }: Drawer): Order[] {
  const moment = (): number => Math.round(between(postedAt - 3_000, Math.max(last, postedAt)));
  const orders: Order[] = [];
  const resends = one([0, 0, 1, 1, 2, 3]);
  for (let count = 1; count <= resends; count++) {
    const what = one(['resend', 'resend', 'signal', 'update'] as const);
    const named = what !== 'signal' || chance(0.5);
    // Without an id, a repetition would be another request.
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
  for (let looks = one([0, 0, 1, 3]); looks > 0; looks--) orders.push({ at: moment(), what: 'query', times: 1 });
  if (chance(0.12)) orders.push(...closedByPerson(moment(), { chance, between, one }));
  return orders;
}

/** The nightly start comes again after a person has closed the job. Some change their mind. */
function closedByPerson(at: number, { chance, between, one }: Drawer): readonly Order[] {
  const later = (ms: number): number => Math.round(at + between(500, ms));
  return [
    { at, what: one(['finish', 'cancel', 'terminate'] as const), times: 1 },
    { at: later(2_000), what: 'start', times: one([1, 2]) },
    ...(chance(0.5) ? [{ at: later(6_000), what: 'again', times: 1 } as const] : []),
  ];
}

function disruptionsOf(lengthMs: number, random: Random): Disruption[] {
  const { between } = drawer(random);
  const disruptions: Disruption[] = [
    ...spread(lengthMs, 7_000, random, (at, index): Disruption => {
      const worker = 1 + Math.floor(random() * WORKERS);
      return { at, kind: 'kill', worker, signal: index % 3 === 1 ? 'SIGTERM' : 'SIGKILL' };
    }),
    ...spread(lengthMs, 40_000, random, (at): Disruption => {
      return { at, kind: 'restartTemporal', downMs: Math.round(between(200, 3_000)) };
    }),
    ...spread(lengthMs, 45_000, random, (at): Disruption => {
      return { at, kind: 'holdAll', ms: Math.round(between(5_000, 8_000)) };
    }),
    ...spread(lengthMs, 60_000, random, (at): Disruption => ({ at, kind: 'stopWorkers', ms: STOPPED_MS })),
    ...spread(lengthMs, 60_000, random, (at): Disruption => {
      return { at, kind: 'outage', ms: Math.round(between(4_000, 12_000)) };
    }),
    ...spread(lengthMs, 60_000, random, (at): Disruption => {
      return { at, kind: 'refuseLogins', ms: Math.round(between(4_000, 12_000)) };
    }),
    ...spread(lengthMs, 90_000, random, (at): Disruption => {
      return { at, kind: 'listNothing', ms: Math.round(between(3_000, 8_000)) };
    }),
    ...connectionDisruptions(lengthMs, 1_500, random, { links: linksOf(WORKERS), longestStallMs: 12_000 }),
  ];
  if (lengthMs > 3 * LONG_STALL_MS) {
    disruptions.push({
      at: Math.round(between(0.1, 0.5) * lengthMs),
      kind: 'stall',
      link: 'worker-1/temporal',
      ms: LONG_STALL_MS,
    });
  }
  return disruptions.sort((one, other) => one.at - other.at);
}

export function connectionDisruptions(
  lengthMs: number,
  everyMs: number,
  random: Random,
  { links, longestStallMs }: { readonly links: readonly string[]; readonly longestStallMs: number },
): readonly Disruption[] {
  const { chance, between, one } = drawer(random);
  return spread(lengthMs, everyMs, random, (at): Disruption => {
    const kind = one(['cut', 'cut', 'cut', 'stall', 'slow'] as const);
    const long = kind === 'cut' ? (chance(0.6) ? 0 : 1_500) : kind === 'stall' && chance(0.15) ? longestStallMs : 3_000;
    return { at, kind, link: one(links), ms: Math.round(between(0, long)) };
  });
}

/** Spreads disruptions evenly, so that every plan has some. */
function spread(
  lengthMs: number,
  everyMs: number,
  random: Random,
  disruption: (at: number, index: number) => Disruption,
): readonly Disruption[] {
  const count = Math.max(1, Math.floor((lengthMs * 0.9) / everyMs));
  const stretch = (lengthMs * 0.9) / count;
  return Array.from({ length: count }, (_, index) =>
    disruption(Math.round(lengthMs * 0.05 + (index + random()) * stretch), index),
  );
}
