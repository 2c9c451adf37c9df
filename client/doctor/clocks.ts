/** Compares this machine's clock with others. Each comparison gives the least by which it is ahead, in ms; negative: behind. */
import type { Finding } from './checkup.js';

/**
 * The largest difference that is not reported. Keys are used for 23 of the 24 hours that Zuora keeps them, so there is an hour to
 * spare for clocks and calls. But a clock that is off by a minute is not synchronized, and drifts further.
 */
const TOLERANCE_MS = 60_000;

/** Temporal forgets a worker that has not polled for this long. */
const WORKER_IS_KEPT_MS = 5 * 60_000;

/** By the `Date` of an answer (epoch ms, a whole second) to a call that lasted from `from` to `to` by our clock. */
export function aheadOfAnswer(date: number, { from, to }: { readonly from: number; readonly to: number }): number {
  return from >= date + 1000 ? from - (date + 1000) : Math.min(to - date, 0);
}

/** By the time of a worker's last poll, by Temporal's clock: not in the future, and not so long ago that it is forgotten. */
export function aheadOfWorker(lastPoll: number, now: number): number {
  const passed = now - lastPoll;
  return passed > WORKER_IS_KEPT_MS ? passed - WORKER_IS_KEPT_MS : Math.min(passed, 0);
}

/** @param agreed the text if the clocks agree */
export function clockFinding(aheadMs: number, other: string, agreed: string): Finding {
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return { result: 'ok', text: agreed };
  const seconds = Math.floor(Math.abs(aheadMs) / 1000);
  const far = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  return {
    result: 'warning',
    text: `this machine's clock is at least ${far} ${aheadMs > 0 ? 'ahead of' : 'behind'} ${other}`,
    todo:
      'Synchronize the clocks of this machine and of the workers, by NTP for instance: they decide when an idempotency key ' +
      'is too old to be used',
  };
}
