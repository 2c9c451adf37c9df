/** What is known of an attempt whose activity ended without a receipt. */
import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { lostAttempt } from '../../workflows/lost-attempt.js';

/** As a workflow catches it, and as history holds it. */
function bothWays(cause: Error): readonly unknown[] {
  const caught = new ActivityFailure(
    'failed',
    'emailBillRunDocuments',
    '1',
    RetryState.NON_RETRYABLE_FAILURE,
    'w',
    cause,
  );
  return [caught, cause].map(lostAttempt);
}

function timeout(type: TimeoutType): Error {
  return new TimeoutFailure('activity timeout', undefined, type);
}

describe('An attempt without a receipt', () => {
  test('that no worker took was none', () => {
    expect(bothWays(timeout(TimeoutType.SCHEDULE_TO_START))).toEqual(['neverTaken', 'neverTaken']);
  });

  test.each([TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT, TimeoutType.SCHEDULE_TO_CLOSE])(
    'that ran into its %s is unknown, for the worker may have sent it',
    (type) => {
      const lost = {
        verdict: 'unknown',
        reasons: [{ code: 'WORKER_LOST', message: 'the worker was lost while its request may have been under way' }],
      };
      expect(bothWays(timeout(type))).toEqual([lost, lost]);
    },
  );

  test('that provably never left was not executed, for the reason that the activity gives', () => {
    const reason = { code: 'ECONNREFUSED', message: 'nothing was sent' };
    const lost = { verdict: 'notExecuted', reasons: [reason] };
    expect(bothWays(ApplicationFailure.retryable('no', 'NeverLeft', reason))).toEqual([lost, lost]);
    const silent = { verdict: 'notExecuted', reasons: [] };
    expect(bothWays(ApplicationFailure.retryable('no', 'NeverLeft'))).toEqual([silent, silent]);
    expect(lostAttempt(new ApplicationFailure('no', 'NeverLeft', false, null))).toEqual(silent);
  });

  test.each([
    ApplicationFailure.nonRetryable('a bug', 'TypeError', { code: 'X', message: 'x' }),
    Object.assign(new Error('not of ours'), { type: 'NeverLeft' }),
  ])('that ended otherwise is unknown: %s', (cause) => {
    const lost = {
      verdict: 'unknown',
      reasons: [{ code: 'ATTEMPT_FAILED', message: 'the attempt failed without a receipt' }],
    };
    expect(bothWays(cause)).toEqual([lost, lost]);
  });
});
