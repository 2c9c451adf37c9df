/** Ours against the least that it could be, and against what is usual; in turn, on the same server. */
import { atOnce, bare, billRuns, ours, timed, withWorkers, type Parts, type Variant } from '../parts.js';
import { rounded, spreadOf, type Spread } from '../statistics.js';
import { eventsOf } from './history.js';

const POSTED = { status: 'Posted', invoices: 2, creditMemos: 1 };
/** The shortest that a worker takes: the waits are not what is measured. */
const FIRST_POLL_MS = 100;
const POLLS = 20;

interface Rates {
  readonly ratio: number;
  readonly ratios: Spread;
  /** Bill runs completed in a second. */
  readonly perSecond: Readonly<Record<string, Spread>>;
  readonly rounds: number;
  readonly billRunsInRound: number;
  readonly concurrency: number;
}

/** `throughput`: bill runs that are posted already. */
export function throughput(parts: Parts): Promise<Rates> {
  const size = { rounds: 7, billRunsInRound: parts.quick ? 20 : 400, concurrency: 40 };
  return withWorkers(parts, { floor: true }, () => ratesOf(parts, [ours(parts), bare(parts, 'floor')], POSTED, size));
}

/** `pollLoop`: bill runs that post after 20 polls. */
export async function pollLoop(parts: Parts) {
  const size = { rounds: 3, billRunsInRound: parts.quick ? 20 : 300, concurrency: 300 };
  const wanted = { ...POSTED, status: 'Completed', postsAfterReads: POLLS };
  const variants = [ours(parts), bare(parts, 'pollLoop', FIRST_POLL_MS)] as const;
  const worker = { floor: true, pollInterval: `${FIRST_POLL_MS}ms`, env: { BILL_RUN_POLLS_PER_MINUTE: '50000' } };
  return withWorkers(parts, worker, async () => {
    const rates = await ratesOf(parts, variants, wanted, size);
    const events: Record<string, number> = {};
    for (const variant of variants) {
      const [number = ''] = await billRuns(parts, 1, wanted);
      const run = await variant.start(number);
      await run.result();
      events[variant.name] = (await eventsOf(run)).length;
    }
    return { ...rates, polls: POLLS, firstPollMs: FIRST_POLL_MS, historyEvents: events };
  });
}

async function ratesOf(
  parts: Parts,
  [first, second]: readonly [Variant, Variant],
  wanted: object,
  size: { readonly rounds: number; readonly billRunsInRound: number; readonly concurrency: number },
): Promise<Rates> {
  const { rounds, billRunsInRound, concurrency } = size;
  const rates = { [first.name]: [] as number[], [second.name]: [] as number[] };
  const ratios: number[] = [];
  // The first round warms up with fewer, and counts for nothing.
  for (let round = 0; round <= rounds; round++) {
    const count = round === 0 ? Math.ceil(billRunsInRound / 5) : billRunsInRound;
    const now: Record<string, number> = {};
    for (const variant of round % 2 === 0 ? [first, second] : [second, first]) {
      const numbers = await billRuns(parts, count, wanted);
      const ms = await timed(() =>
        atOnce(concurrency, numbers, async (number) => {
          await (await variant.start(number)).result();
        }),
      );
      now[variant.name] = (count * 1000) / ms;
      parts.tell(`  ${variant.name}: ${rounded(now[variant.name] ?? NaN)} a second`);
    }
    if (round === 0) continue;
    for (const [name, rate] of Object.entries(now)) rates[name]?.push(rate);
    ratios.push((now[first.name] ?? NaN) / (now[second.name] ?? NaN));
  }
  const perSecond = Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, spreadOf(all)]));
  const all = spreadOf(ratios);
  return { ratio: all.median, ratios: all, perSecond, ...size };
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
