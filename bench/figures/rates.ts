/** Ours against the least that it could be, and against what is usual; in turn, on the same server. */
import { atOnce, bare, billRuns, ours, timed, withWorkers, type Parts, type Variant } from '../parts.js';
import { rounded, spreadOf, type Spread } from '../statistics.js';
import { eventsOf } from './history.js';

const POSTED = { status: 'Posted', invoices: 2, creditMemos: 1 };
/** The shortest that a worker takes: the waits are not what is measured. */
const POLL_EVERY_MS = 100;
const POLLS = 20;

interface Rates {
  /** Ours over the second variant. */
  readonly ratio: number;
  /** Ours over each of the others, round by round. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** Bill runs completed in a second. */
  readonly perSecond: Readonly<Record<string, Spread>>;
  readonly rounds: number;
  readonly billRunsInRound: number;
  readonly concurrency: number;
}

/** `throughput`: bill runs that are posted already. */
export function throughput(parts: Parts): Promise<Rates> {
  const size = { rounds: parts.quick ? 1 : 5, billRunsInRound: parts.quick ? 20 : 250, concurrency: 40 };
  const variants = [ours(parts), bare(parts, 'floor'), bare(parts, 'listedFloor')];
  return withWorkers(parts, { floor: true }, () => ratesOf(parts, variants, POSTED, size));
}

/** `pollLoop`: bill runs that post after 20 polls. */
export async function pollLoop(parts: Parts) {
  const size = { rounds: parts.quick ? 1 : 3, billRunsInRound: parts.quick ? 20 : 120, concurrency: 120 };
  const wanted = { ...POSTED, status: 'Completed', postsAfterReads: POLLS };
  const variants = [ours(parts), bare(parts, 'pollLoop', POLL_EVERY_MS)];
  const worker = { floor: true, own: 'steady-worker.js', pollInterval: `${POLL_EVERY_MS}ms` };
  return withWorkers(parts, worker, async () => {
    const rates = await ratesOf(parts, variants, wanted, size);
    const events: Record<string, number> = {};
    for (const variant of variants) {
      const [number = ''] = await billRuns(parts, 1, wanted);
      const run = await variant.start(number);
      await run.result();
      events[variant.name] = (await eventsOf(run)).length;
    }
    return { ...rates, polls: POLLS, pollEveryMs: POLL_EVERY_MS, historyEvents: events };
  });
}

async function ratesOf(
  parts: Parts,
  variants: readonly Variant[],
  wanted: object,
  size: { readonly rounds: number; readonly billRunsInRound: number; readonly concurrency: number },
): Promise<Rates> {
  const { rounds, billRunsInRound, concurrency } = size;
  const perRound: Readonly<Partial<Record<Variant['name'], number>>>[] = [];
  // The first round warms up with fewer, and counts for nothing.
  for (let round = 0; round <= rounds; round++) {
    const count = round === 0 ? Math.ceil(billRunsInRound / 5) : billRunsInRound;
    const rates: Partial<Record<Variant['name'], number>> = {};
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      const numbers = await billRuns(parts, count, wanted);
      const ms = await timed(() =>
        atOnce(concurrency, numbers, async (number) => {
          await (await variant.start(number)).result();
        }),
      );
      rates[variant.name] = (count * 1000) / ms;
      parts.tell(`  ${variant.name}: ${rounded((count * 1000) / ms)} a second`);
    }
    if (round > 0) perRound.push(rates);
  }
  const spreads = (
    names: readonly Variant['name'][],
    of: (rates: (typeof perRound)[number], name: Variant['name']) => number,
  ) => Object.fromEntries(names.map((name) => [name, spreadOf(perRound.map((rates) => of(rates, name)))]));
  const rateOf = (rates: (typeof perRound)[number], name: Variant['name']) => rates[name] ?? NaN;
  const [own, ...others] = variants.map(({ name }) => name);
  const ratios = spreads(others, (rates, name) => rateOf(rates, own ?? name) / rateOf(rates, name));
  return {
    ratio: ratios[others[0] ?? '']?.median ?? NaN,
    ratios,
    perSecond: spreads(
      variants.map(({ name }) => name),
      rateOf,
    ),
    ...size,
  };
}

/** `latency`: one at a time, from start to completed. */
export function latency(parts: Parts) {
  const pairs = parts.quick ? 5 : 150;
  const warmUp = parts.quick ? 2 : 15;
  return withWorkers(parts, { floor: true }, async () => {
    const variants = [ours(parts), bare(parts, 'floor')];
    const ms: Record<string, number[]> = { ours: [], floor: [] };
    for (let pair = -warmUp; pair < pairs; pair++) {
      for (const variant of pair % 2 === 0 ? variants : variants.toReversed()) {
        const [number = ''] = await billRuns(parts, 1, POSTED);
        const took = await timed(async () => (await variant.start(number)).result());
        if (pair >= 0) ms[variant.name]?.push(took);
      }
    }
    const { ours: own = [], floor = [] } = ms;
    const spread = { ours: spreadOf(own), floor: spreadOf(floor) };
    return { ratio: rounded(spread.ours.median / spread.floor.median), ms: spread, pairs };
  });
}
