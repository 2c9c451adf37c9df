/** What a send's record must look like, whoever made it: shared by the models of lives with and without a server. */
import { expect } from 'vitest';
import { numberFaults } from '../../proof/chaos/send-rules.js';
import type { Attempt, SendRecord } from '../../workflows/contract/contract.js';

/**
 * Rule 3: where the number grew, there was a reason to.
 *
 * @param startOf when an attempt began (epoch, ms), by the clock that decisions are dated by
 */
export function checkNumbers(send: SendRecord, startOf: (attempt: Attempt) => number): void {
  expect(numberFaults(send, startOf), 'rule 3: the number in a key grows for a reason').toEqual([]);
}
