import { ActivityFailure, ApplicationFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import type { LostAttempt } from './contract/activities.js';
import type { Reason } from './contract/contract.js';
import { PAYLOAD_UNDECODABLE } from './contract/undecodable.js';
import * as words from './rules/words.js';

/** What is known of an attempt whose activity gave no receipt; `neverTaken` where no worker began it. */
export function lostAttempt(error: unknown): LostAttempt | 'neverTaken' {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) {
    return cause.timeoutType === TimeoutType.SCHEDULE_TO_START
      ? 'neverTaken'
      : { verdict: 'unknown', reasons: [words.workerLost()] };
  }
  if (cause instanceof ApplicationFailure && cause.type === 'NeverLeft') {
    const [reason] = (cause.details ?? []) as Reason[];
    return { verdict: 'notExecuted', reasons: reason === undefined ? [] : [reason] };
  }
  if (cause instanceof ApplicationFailure && cause.type === PAYLOAD_UNDECODABLE) {
    return { verdict: 'notExecuted', reasons: [{ code: 'PAYLOAD_UNDECODABLE', message: cause.message }] };
  }
  return { verdict: 'unknown', reasons: [{ code: 'ATTEMPT_FAILED', message: 'the attempt failed without a receipt' }] };
}
