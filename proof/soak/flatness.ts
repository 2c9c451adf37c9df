/** Judges by slopes whether memory and handles of a worker are flat. Pure. */

/** `limit`: the growth over the judged part of a soak that still counts as flat. */
export const MEASURES = {
  'resident memory': { unit: 'bytes', limit: 16_000_000 },
  'heap, main thread': { unit: 'bytes', limit: 2_000_000 },
  'heap, workflow thread': { unit: 'bytes', limit: 2_000_000 },
  'buffers, main thread': { unit: 'bytes', limit: 1_000_000 },
  'buffers, workflow thread': { unit: 'bytes', limit: 1_000_000 },
  'handles, main thread': { unit: 'count', limit: 4 },
  'handles, workflow thread': { unit: 'count', limit: 2 },
  'open files': { unit: 'count', limit: 6 },
  sockets: { unit: 'count', limit: 4 },
  threads: { unit: 'count', limit: 3 },
} as const;

export type Measure = keyof typeof MEASURES;

export interface Sample {
  /** Milliseconds since the load began. */
  readonly at: number;
  readonly value: number;
}

export interface Trend {
  readonly measure: Measure;
  readonly unit: 'bytes' | 'count';
  /** After the warm-up. */
  readonly samples: number;
  /** Values of the fitted line at the end of the warm-up and at the last sample; null without samples. */
  readonly start: number | null;
  readonly end: number | null;
  readonly growth: number | null;
  readonly perHour: number | null;
  readonly perThousandBillRuns: number | null;
  /** The largest growth that counts as flat. */
  readonly limit: number;
  /** `missing`: too few samples. */
  readonly verdict: 'flat' | 'grows' | 'missing' | 'tooShort';
}

/** The first bill runs fill caches and connections; some take two minutes to close. */
const WARM_UP_SHARE = 0.3;
const LEAST_WARM_UP_MS = 150_000;
/** A slope over a shorter time is noise. */
const LEAST_JUDGED_MS = 150_000;
const LEAST_SAMPLES = 30;

export interface SoakedFor {
  readonly lengthMs: number;
  readonly billRunsPerMinute: number;
}

/** The shortest soak that can be judged, in minutes. */
export const SHORTEST_JUDGED_MINUTES = (LEAST_WARM_UP_MS + LEAST_JUDGED_MS) / 60_000;

export function warmUpOf({ lengthMs }: Pick<SoakedFor, 'lengthMs'>): number {
  const share = lengthMs * WARM_UP_SHARE;
  return isTooShort(lengthMs) ? share : Math.max(share, LEAST_WARM_UP_MS);
}

/** @param samples all samples of the measure, including those of the warm-up */
export function trendOf(measure: Measure, samples: readonly Sample[], soaked: SoakedFor): Trend {
  const { lengthMs, billRunsPerMinute } = soaked;
  const judged = samples.filter(({ at }) => at >= warmUpOf(soaked) && at <= lengthMs);
  const { unit, limit } = MEASURES[measure];
  const known = { measure, unit, samples: judged.length, limit };
  const [first] = judged;
  const last = judged.at(-1);
  if (first === undefined || last === undefined || first === last) {
    const nothing = { start: null, end: null, growth: null, perHour: null, perThousandBillRuns: null };
    return { ...known, ...nothing, verdict: isTooShort(lengthMs) ? 'tooShort' : 'missing' };
  }
  const { slope, lineAt } = lineThrough(judged);
  const growth = lineAt(last.at) - lineAt(first.at);
  const verdict = isTooShort(lengthMs)
    ? 'tooShort'
    : judged.length < LEAST_SAMPLES
      ? 'missing'
      : growth > limit
        ? 'grows'
        : 'flat';
  return {
    ...known,
    start: lineAt(first.at),
    end: lineAt(last.at),
    growth,
    perHour: slope * 3_600_000,
    perThousandBillRuns: (slope * 60_000 * 1_000) / billRunsPerMinute,
    verdict,
  };
}

function isTooShort(lengthMs: number): boolean {
  return lengthMs < LEAST_WARM_UP_MS + LEAST_JUDGED_MS;
}

/**
 * Theil–Sen estimator: the slope is the median of the slopes between all pairs of samples, so outliers such as peaks of load, up to
 * a quarter of the samples, do not bend it.
 *
 * @param samples two or more, at different times
 */
function lineThrough(samples: readonly Sample[]): { slope: number; lineAt: (at: number) => number } {
  const slope = median(
    samples.flatMap((one, index) =>
      samples.slice(index + 1).map((other) => (other.value - one.value) / (other.at - one.at)),
    ),
  );
  const offset = median(samples.map(({ at, value }) => value - slope * at));
  return { slope, lineAt: (at) => offset + slope * at };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
