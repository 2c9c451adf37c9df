/** Checks of a send's record, for the models of lives with and without a server. */
import assert from 'node:assert/strict';
import { numberFaults } from '../../proof/send-rules.js';
import type { Attempt, SendRecord } from '../../workflows/contract/contract.js';

/**
 * Rule 3: the number in a key grows only for a reason.
 *
 * @param startOf the beginning of an attempt (epoch, ms), by the clock of the decisions
 */
export function checkNumbers(send: SendRecord, startOf: (attempt: Attempt) => number): void {
  const faults = numberFaults(send, startOf);
  if (faults.length > 0) assert.fail(`rule 3: the number in a key grows for a reason: ${faults.join('; ')}`);
}
