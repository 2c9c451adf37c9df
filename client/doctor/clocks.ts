/** What this machine's clock is compared with. Each function answers how far it is ahead at least, in ms; negative where it is behind. */

/**
 * How far apart clocks may be before somebody is told. Keys are used for 23 of the 24 hours that Zuora keeps them, so an hour is
 * to spare for clocks and calls; a clock that is a minute wrong is not kept, and drifts on.
 */
const TOLERANCE_MS = 60_000;

/** Temporal forgets a worker that has not asked for tasks for so long. */
const WORKER_IS_KEPT_MS = 5 * 60_000;

/** By the `Date` of an answer (epoch, ms, of a whole second) to a call that was under way from `from` to `to`, by our clock. */
export function aheadOfAnswer(date: number, { from, to }: { readonly from: number; readonly to: number }): number {
  return from >= date + 1000 ? from - (date + 1000) : Math.min(to - date, 0);
}

/** By when a worker last asked Temporal for tasks, by Temporal's clock: no later than now, and not so long ago that it is forgotten. */
export function aheadOfWorker(lastAsked: number, now: number): number {
  const passed = now - lastAsked;
  return passed > WORKER_IS_KEPT_MS ? passed - WORKER_IS_KEPT_MS : Math.min(passed, 0);
}

/** What `doctor` says about it; `agreed` says so in words. */
export function clockFinding(aheadMs: number, whose: string, agreed: string) {
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return { result: 'ok', text: agreed, found: undefined } as const;
  const seconds = Math.floor(Math.abs(aheadMs) / 1000);
  const far = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  return {
    result: 'warning',
    text: `this machine's clock is at least ${far} ${aheadMs > 0 ? 'ahead of' : 'behind'} ${whose}`,
    todo:
      'Have this machine keep time, by NTP for instance, and look at those of the workers: an idempotency key must not be ' +
      'used after Zuora forgot it, and that is timed by their clocks',
    found: undefined,
  } as const;
}
