/** Median and range of several measurements. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: percentile(values, 50), min: rounded(Math.min(...values)), max: rounded(Math.max(...values)) };
}

/** By nearest rank, so the result is a measured value. The median of an even number is the mean of the middle two. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const rank = (sorted.length * percent) / 100;
  const at = Math.max(0, Math.ceil(rank) - 1);
  const value = sorted[at] ?? NaN;
  return rounded(percent === 50 && Number.isInteger(rank) ? (value + (sorted[at + 1] ?? value)) / 2 : value);
}

/** Three significant digits; more would be noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(value >= 1000 ? 6 : 3));
}
