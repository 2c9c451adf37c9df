/** How often a worker reads Zuora, all bill runs together. */
import { sleep } from '@temporalio/activity';

/** How often a waiting bill run is read, in milliseconds. */
export interface Polling {
  /** After a status change, and growing from there. */
  readonly first: number;
  /** Within the first hour. */
  readonly longest: number;
  /** After an hour without a change. */
  readonly afterAnHour: number;
  /** The most reads a minute of all bill runs together, failed ones included. Absent: any number. */
  readonly perMinute?: number;
}

export const DEFAULT_POLLING: Required<Polling> = {
  first: 10_000,
  longest: 60_000,
  afterAnHour: 15 * 60_000,
  perMinute: 1_200,
};

/** Both say how long to wait: the given time, or until the next turn if that is later. Milliseconds. */
export interface Budget {
  readonly turn: (intervalMs: number) => number;
  /** Plus or minus a tenth, so that bill runs started together do not stay together. */
  readonly jittered: (intervalMs: number) => number;
}

export function budgetOf(polling: Polling): Budget {
  const budget = pollBudget(polling);
  const turn = (intervalMs: number): number => budget(intervalMs, performance.now());
  return { turn, jittered: (intervalMs) => turn(Math.round(intervalMs * (0.9 + 0.2 * Math.random()))) };
}

/** Waits for the next turn, for activities that make many calls. */
export function turnsOf(budget: Budget): () => Promise<void> {
  return async () => {
    const waitMs = budget.turn(0);
    if (waitMs > 0) await sleep(waitMs);
  };
}

/**
 * Keeps reads within the budget: each read gets a turn, and turns are as far apart as the budget requires. `now` is monotonic.
 *
 * @returns how long to wait: the interval, or until the next turn if that is later
 */
export function pollBudget({
  perMinute = Infinity,
}: Pick<Polling, 'perMinute'>): (intervalMs: number, now: number) => number {
  const apartMs = 60_000 / perMinute;
  let turn = 0;
  return (intervalMs, now) => {
    turn = Math.max(turn + apartMs, now);
    return Math.max(intervalMs, Math.ceil(turn - now));
  };
}
