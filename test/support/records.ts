/** Checks of a send's record, for the models of lives with and without a server. */
import { expect } from 'vitest';
import { numberFaults } from '../../proof/chaos/send-rules.js';
import type { Attempt, SendRecord } from '../../workflows/contract/contract.js';

/**
 * Rule 3: the number in a key grows only for a reason.
 *
 * @param startOf the beginning of an attempt (epoch, ms), by the clock of the decisions
 */
export function checkNumbers(send: SendRecord, startOf: (attempt: Attempt) => number): void {
  expect(numberFaults(send, startOf), 'rule 3: the number in a key grows for a reason').toEqual([]);
}
