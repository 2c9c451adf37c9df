/** One soak: a steady load under faults on one worker, and the trend of its memory and handles. */
import type { Surroundings } from '../command.js';
import type { Evidence } from '../chaos/evidence.js';
import { startParts } from '../chaos/parts.js';
import {
  connectionDisruptions,
  hashed,
  linksOf,
  plannedBillRun,
  streamOf,
  RANDOM_FAULTS,
  type Plan,
} from '../chaos/plan.js';
import { conclude, inLines, newLedger, runPlan, seconds, type Outcome } from '../chaos/run.js';
import { MEASURES, SHORTEST_JUDGED_MINUTES, trendOf, warmUpOf, type Measure, type Trend } from './flatness.js';
import { notMeasured, reporting, watch, type Sampled } from './watch.js';

export interface SoakSize {
  readonly seed: number;
  readonly minutes: number;
  readonly billRunsPerMinute: number;
}

export interface SoakResult extends SoakSize, Outcome {
  readonly planHash: string;
  readonly billRuns: number;
  readonly durationMs: number;
  /** How often the worker ended by itself, which it should never do; its measures start anew then. */
  readonly workersGone: number;
  /** Earlier samples are ignored. */
  readonly warmUpMs: number;
  readonly verdict: Trend['verdict'];
  readonly measures: readonly Trend[];
}

/** So that every job closes within about a minute, and a steady load keeps a steady number of jobs open. */
const WINDOWS = {
  coolDown: '10 seconds',
  openFor: '20 seconds',
  // A lost read costs 90 s.
  postDeadline: '3 minutes',
} as const;
/** From the creation of a bill run to the last order. */
const ORDERS_MS = 15_000;
const DISRUPTION_EVERY_MS = 10_000;
const LONGEST_STALL_MS = 3_000;

export function soakPlan({ seed, minutes, billRunsPerMinute }: SoakSize): Plan {
  const lengthMs = minutes * 60_000;
  const everyMs = 60_000 / billRunsPerMinute;
  return hashed({
    seed,
    lengthMs,
    billRuns: Array.from({ length: billRunsIn(minutes, billRunsPerMinute) }, (_, index) => {
      const earliest = index * everyMs;
      const latest = earliest + everyMs;
      const times = { earliest, latest, lastOrder: latest + ORDERS_MS, stops: [] };
      const planned = plannedBillRun(index, times, streamOf(seed, index + 1));
      return { ...planned, isForgotten: false, input: { ...WINDOWS, ...planned.input } };
    }),
    randomFaults: RANDOM_FAULTS,
    // Only connections and Zuora fail; the worker and Temporal keep running.
    disruptions: connectionDisruptions(lengthMs, DISRUPTION_EVERY_MS, streamOf(seed, 0), {
      links: linksOf(1),
      longestStallMs: LONGEST_STALL_MS,
    }),
  });
}

export function billRunsIn(minutes: number, billRunsPerMinute: number): number {
  return Math.max(1, Math.round(minutes * billRunsPerMinute));
}

export async function soak(
  size: SoakSize,
  surroundings: Surroundings & { readonly workerMain: string | undefined },
): Promise<{ result: SoakResult; evidence: Evidence & { readonly sampled: readonly Sampled[] } }> {
  const { report } = surroundings;
  const startedAt = Date.now();
  const plan = soakPlan(size);
  const everyMs = Math.max(1_000, Math.round(plan.lengthMs / 200));
  report(
    `Plan ${plan.hash}: ${plan.billRuns.length} bill runs in ${size.minutes} minutes, measured every ${everyMs} ms`,
  );
  if (notMeasured.length > 0) report(`Not measured, because Linux's /proc is missing: ${notMeasured.join(', ')}`);
  const sampled: Sampled[] = [];
  const parts = await startParts(plan, {
    ...surroundings,
    workers: 1,
    workerNodeArgs: reporting(everyMs),
    onWorker: (worker) => {
      watch(worker, everyMs, (each) => sampled.push(each));
    },
  });
  const ledger = newLedger();
  const beganAt = Date.now();
  const faults = await runPlan(plan, parts, ledger, report, () => inShort(sampled));
  const { evidence, ...outcome } = await conclude(plan, parts, ledger, faults, report, {
    ...{ finish: true, startedAt: beganAt },
  });

  const measures = Object.keys(MEASURES) as Measure[];
  const trends = measures
    .filter((measure) => !notMeasured.includes(measure))
    .map((measure) => trendOf(measure, seriesOf(measure, sampled, beganAt), { ...size, lengthMs: plan.lengthMs }));
  const result: SoakResult = {
    ...size,
    planHash: plan.hash,
    billRuns: plan.billRuns.length,
    durationMs: Date.now() - startedAt,
    workersGone: parts.counts.workersGone,
    warmUpMs: warmUpOf(plan),
    verdict: worstOf(trends),
    measures: trends,
    ...outcome,
  };
  return { result, evidence: { ...evidence, sampled } };
}

function seriesOf(measure: Measure, sampled: readonly Sampled[], beganAt: number) {
  return sampled.flatMap(({ at, measures }) => {
    const value = measures[measure];
    return value === undefined ? [] : [{ at: at - beganAt, value }];
  });
}

function worstOf(trends: readonly Trend[]): Trend['verdict'] {
  const verdicts = trends.map(({ verdict }) => verdict);
  return (['grows', 'missing', 'tooShort'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'flat';
}

function inShort(sampled: readonly Sampled[]): string {
  const newest = (measure: Measure): string => {
    const bytes = sampled.findLast(({ measures }) => measures[measure] !== undefined)?.measures[measure];
    return bytes === undefined ? 'not measured yet' : `${Math.round(bytes / 1_000_000)} MB`;
  };
  return `resident ${newest('resident memory')}, heap of the main thread ${newest('heap, main thread')}`;
}

/** Nothing grew (or the soak was too short to judge), every rule held, and the worker never ended by itself. */
export function hasHeld({ verdict, workersGone, violations }: SoakResult): boolean {
  return (verdict === 'flat' || verdict === 'tooShort') && workersGone === 0 && violations.length === 0;
}

const VERDICTS: Readonly<Record<Trend['verdict'], string>> = {
  flat: 'flat: nothing grew beyond its limit',
  grows: 'SOMETHING GROWS: see the marked measures',
  missing: 'NOT MEASURED: some measures have too few samples',
  tooShort: `too short to judge growth, which takes ${SHORTEST_JUDGED_MINUTES} minutes`,
};

/** As text. */
export function inWords(result: SoakResult): string {
  const { seed, planHash, billRuns, durationMs, warmUpMs, measures, verdict, workersGone } = result;
  const columns = ['', 'samples', 'start', 'end', 'growth', 'limit', 'per hour', 'per 1,000 bill runs', ''];
  const rows = measures.map((trend) => [
    trend.measure,
    String(trend.samples),
    ...[trend.start, trend.end, trend.growth, trend.limit, trend.perHour, trend.perThousandBillRuns].map((value) =>
      value === null ? '-' : trend.unit === 'bytes' ? `${(value / 1_000_000).toFixed(2)} MB` : value.toFixed(1),
    ),
    trend.verdict,
  ]);
  const widths = columns.map((name, index) =>
    Math.max(...[name, ...rows.map((row) => row[index] ?? '')].map(({ length }) => length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ');
  return [
    '',
    `Seed ${seed}, plan ${planHash}, ${billRuns} bill runs, ${seconds(durationMs)}`,
    `Memory and handles of the worker, on a line fitted to the samples after a warm-up of ${seconds(warmUpMs)}:`,
    ...[columns, ...rows].map(line),
    `Verdict         ${VERDICTS[verdict]}`,
    ...(workersGone === 0 ? [] : [`THE WORKER ENDED ${workersGone} times by itself: --evidence keeps its log`]),
    ...inLines(result),
  ].join('\n');
}
