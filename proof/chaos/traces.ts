/** The attempts of all histories, walked through the explorer's transitions. */
import { walk } from '../explore/trace.js';
import type { Violation } from './check.js';
import type { Evidence } from './evidence.js';

export interface TracedHistories {
  readonly histories: number;
  /** Attempts that began, and attempts that ended. */
  readonly steps: number;
}

export function traced({ billRuns }: Pick<Evidence, 'billRuns'>): {
  readonly traced: TracedHistories;
  readonly violations: readonly Violation[];
} {
  const violations: Violation[] = [];
  let histories = 0;
  let steps = 0;
  for (const { number, runs, calls, unreadable } of billRuns) {
    // What nobody can decode may have used keys.
    if (unreadable.length > 0) continue;
    const walked = walk(
      runs.flatMap(({ runId, attempts }) => attempts.map((attempt) => ({ ...attempt, runId }))),
      calls,
    );
    histories += runs.length;
    steps += walked.steps;
    for (const { what, ...event } of walked.faults)
      violations.push({ rule: 'trace', billRun: number, what, evidence: event });
  }
  return { traced: { histories, steps }, violations };
}
