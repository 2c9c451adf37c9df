/** What a send's record must look like, whoever made it: shared by the models of lives with and without a server. */
import { expect } from 'vitest';
import type { Attempt, SendRecord } from '../../workflows/contract.js';
import { keyParts } from '../../workflows/keys.js';
import { HOUR } from './life.js';

/** Some key is neither settled by a success or a stored reply, nor free of unknown attempts. */
function isUnknown(attempts: readonly Attempt[]): boolean {
  return attempts.some(({ idempotencyKey: key }) => {
    const under = attempts.filter(({ idempotencyKey }) => idempotencyKey === key);
    const settling = under.findLastIndex(({ stored, verdict }) => stored || verdict === 'accepted');
    return under.slice(Math.max(settling, 0)).some(({ verdict }) => verdict === 'unknown');
  });
}

/**
 * Rule 3: where the number grew, there was a reason to.
 *
 * @param startOf when an attempt began (epoch, ms), by the clock that decisions are dated by
 */
export function checkNumbers({ attempts, decisions }: SendRecord, startOf: (attempt: Attempt) => number): void {
  attempts.forEach((attempt, index) => {
    const before = attempts[index - 1];
    const grown =
      keyParts(attempt.idempotencyKey).number - (before === undefined ? 1 : keyParts(before.idempotencyKey).number);
    if (before === undefined || grown === 0) {
      expect(grown, 'numbers begin with 1').toBe(0);
      return;
    }
    expect(grown, 'numbers grow one by one').toBe(1);
    if (before.stored && before.verdict === 'notExecuted') return;
    const between = decisions.filter(
      ({ at }) => Date.parse(at) >= startOf(before) && Date.parse(at) <= startOf(attempt),
    );
    const past = attempts.slice(0, index);
    const firstUse = past.find(({ idempotencyKey: key }) => key === before.idempotencyKey) ?? before;
    const forgotten = startOf(attempt) > startOf(firstUse) + 23 * HOUR;
    const risked = between.some(({ decision }) => decision === 'sendAnyway');
    const usedUp = before.verdict === 'refused' || before.stored || forgotten;
    expect(between.length, 'else only a person makes it grow').toBeGreaterThan(0);
    expect(usedUp, 'and only where the old key is of no more use').toBe(true);
    expect(risked || !isUnknown(past), 'and nothing is unknown, or the risk was taken').toBe(true);
  });
}
