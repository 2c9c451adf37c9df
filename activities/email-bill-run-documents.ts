import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, AttemptInput, FinalFailures, Receipt } from '../workflows/contract/activities.js';
import type { Zuora } from '../zuora/client.js';
import { NeverLeft } from '../zuora/transport.js';
import { keepable } from '../zuora/words.js';

/** For token and call together. Zuora cuts requests at 120 s, so its own answer comes first. Start-to-close is 150 s. */
const DEADLINE_MS = 130_000;
/** Shows that the worker is alive. The heartbeat time-out is 30 s. */
const HEARTBEAT_MS = 10_000;

/** Longer waits happen in the workflow, where operators see and end them. */
const LONGEST_RETRY_MS = 60_000;

export function createEmailBillRunDocuments({ zuora }: { zuora: Zuora }): Activities['emailBillRunDocuments'] {
  return async (input) => {
    const why = whyNot(input);
    if (why !== undefined) return { called: false, why, runId: runIdOf() ?? '' };
    const context = Context.current();
    const alive = setInterval(() => {
      context.heartbeat();
    }, HEARTBEAT_MS);
    try {
      return await attempt(zuora, input);
    } catch (error) {
      throw error instanceof NeverLeft ? neverLeft(error) : unexpected(error);
    } finally {
      clearInterval(alive);
    }
  };
}

/** The rule that forbids the call, checked before anything leaves. */
function whyNot({ notAfter, originalRunId }: AttemptInput): 'keyTooOld' | 'afterReset' | undefined {
  if (Date.now() > notAfter) return 'keyTooOld';
  if (originalRunId !== undefined && originalRunId !== runIdOf()) return 'afterReset';
  return undefined;
}

function runIdOf(): string | undefined {
  return activityInfo().workflowExecution?.runId;
}

async function attempt(zuora: Zuora, input: AttemptInput): Promise<Receipt> {
  const { billRunKey, entityId, orgIds, resend, idempotencyKey, trackId } = input;
  const startedAt = new Date();
  // Monotonic: setting the clock must not make a call of negative length.
  const began = performance.now();
  const { verdict, reasons, httpStatus, zuoraRequestId, echoedTrackId, retryAfterMs } =
    await zuora.emailBillRunDocuments(
      billRunKey,
      { resend },
      { idempotencyKey, trackId },
      { entityId, orgIds, deadlineMs: DEADLINE_MS },
    );
  return {
    called: true,
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - began),
    verdict,
    reasons,
    httpStatus: httpStatus ?? null,
    zuoraRequestId: zuoraRequestId ?? null,
    echoedTrackId: echoedTrackId ?? null,
    retryAfterMs: retryAfterMs ?? null,
  };
}

type Failure = FinalFailures['emailBillRunDocuments'];

/** The only failure that the retry policy repeats. */
function neverLeft({ code, message, retryAfterMs }: NeverLeft): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'NeverLeft' satisfies Failure,
    message: `nothing was sent: ${message}`,
    details: [{ code, message }],
    ...(retryAfterMs === undefined ? {} : { nextRetryDelay: Math.min(Math.max(retryAfterMs, 1000), LONGEST_RETRY_MS) }),
  });
}

/** A defect of ours, possibly after the call. Repeating it would be a second call in one activity. */
function unexpected(error: unknown): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `the attempt failed unexpectedly: ${error instanceof Error ? keepable(error.message) : 'unknown'}`,
    'AttemptFailed' satisfies Failure,
  );
}
