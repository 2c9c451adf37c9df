/** Our worker beside a minimal one and beside a usual poll loop, alternating on the same server. */
import { atOnce, bare, billRuns, ours, timed, withWorkers, type Parts, type Variant } from '../parts.js';
import { cpuTimes, spent, type CpuRound } from '../cpu.js';
import { rounded, spreadOf, type Spread } from '../statistics.js';
import { lifeOf } from './life.js';

const POSTED = { status: 'Posted', invoices: 2, creditMemos: 1 };
/** The shortest interval that a worker accepts, because the waits themselves are not measured. */
const POLL_EVERY_MS = 100;
const POLLS = 20;
/**
 * The part of a round that is measured. When the machine is busy, Temporal's server loses a task at times; the round then ends
 * with one bill run that waits for a time-out.
 */
const MEASURED = 0.95;

interface Rates {
  /** Ours over the second variant. */
  readonly ratio: number;
  /** Ours over each of the others, round by round. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** Bill runs completed per second. */
  readonly perSecond: Readonly<Record<string, Spread>>;
  /** CPU time of each part for a bill run, in milliseconds. */
  readonly cpuMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly rounds: number;
  readonly billRunsInRound: number;
  readonly concurrency: number;
}

/** `throughput` of posted bill runs. */
export function throughput(parts: Parts): Promise<Rates> {
  const size = { rounds: parts.quick ? 1 : 5, billRunsInRound: parts.quick ? 20 : 250, concurrency: 40 };
  const variants = [ours(parts), bare(parts, 'floor'), bare(parts, 'listedFloor')] as const;
  return withWorkers(parts, { floor: true }, () => ratesOf(parts, variants, POSTED, size));
}

/** `pollLoop`: bill runs that post after 20 polls. */
export async function pollLoop(parts: Parts) {
  const size = { rounds: parts.quick ? 1 : 3, billRunsInRound: parts.quick ? 20 : 120, concurrency: 120 };
  const wanted = { ...POSTED, status: 'Completed', postsAfterReads: POLLS };
  const variants = [ours(parts), bare(parts, 'pollLoop', POLL_EVERY_MS)] as const;
  const worker = { floor: true, own: 'steady-worker.js', pollInterval: `${POLL_EVERY_MS}ms` };
  return withWorkers(parts, worker, async () => {
    const rates = await ratesOf(parts, variants, wanted, size);
    const events: Record<string, number> = {};
    for (const variant of variants) events[variant.name] = (await lifeOf(parts, variant, wanted)).length;
    return { ...rates, polls: POLLS, pollEveryMs: POLL_EVERY_MS, historyEvents: events };
  });
}

async function ratesOf(
  parts: Parts,
  variants: readonly [Variant, Variant, ...Variant[]],
  wanted: object,
  size: { readonly rounds: number; readonly billRunsInRound: number; readonly concurrency: number },
): Promise<Rates> {
  const { rounds, billRunsInRound, concurrency } = size;
  const rates = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
  const cpu = new Map<Variant, CpuRound[]>(variants.map((variant) => [variant, []]));
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    const count = round === 0 ? Math.ceil(billRunsInRound / 5) : billRunsInRound;
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      const numbers = await billRuns(parts, count, wanted);
      const before = cpuTimes();
      const startedAt = performance.now();
      const measured = Math.ceil(count * MEASURED);
      let ended = 0;
      let [ms, after] = [NaN, before];
      await atOnce(concurrency, numbers, async (number) => {
        await (await variant.start(number)).result();
        ended += 1;
        if (ended === measured) [ms, after] = [performance.now() - startedAt, cpuTimes()];
      });
      const perSecond = (measured * 1000) / ms;
      parts.report(`  ${variant.name}: ${rounded(perSecond)} a second`);
      if (round === 0) continue;
      rates.get(variant)?.push(perSecond);
      cpu.get(variant)?.push({ before, after, billRuns: measured });
    }
  }
  const [own, ...others] = variants;
  const ratesOfOwn = rates.get(own) ?? [];
  const ratiosTo = (other: Variant) =>
    spreadOf((rates.get(other) ?? []).map((rate, round) => (ratesOfOwn[round] ?? NaN) / rate));
  return {
    ratio: ratiosTo(others[0]).median,
    ratios: Object.fromEntries(others.map((other) => [other.name, ratiosTo(other)])),
    perSecond: Object.fromEntries([...rates].map(([{ name }, each]) => [name, spreadOf(each)])),
    cpuMs: Object.fromEntries([...cpu].map(([{ name }, each]) => [name, spent(each)])),
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
