/**
 * How far apart clocks may be before somebody is told. Keys are used for 23 of the 24 hours that Zuora keeps them, so an hour is
 * to spare for clocks and calls; a clock that is a minute wrong is not kept, and drifts on.
 */
export const CLOCK_TOLERANCE_MS = 60_000;

export const CLOCK_TODO =
  'Have this machine keep time, by NTP for instance, and look at those of the workers: an idempotency key must not be used ' +
  'after Zuora forgot it, and that is timed by their clocks';

/** @param aheadMs how far this machine's clock is ahead at least; negative where it is behind */
export function apart(aheadMs: number, whose: string): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const far = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return `this machine's clock is at least ${far} ${aheadMs > 0 ? 'ahead of' : 'behind'} ${whose}`;
}
