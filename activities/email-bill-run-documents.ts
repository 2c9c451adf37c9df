import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, AttemptInput, BillRun, FinalFailures, Receipt } from '../workflows/contract/activities.js';
import { LOOK_IS_FRESH_MS, obstaclesIn } from '../workflows/rules/send-step.js';
import { ZuoraFailure, type Scope, type Zuora } from '../zuora/client.js';
import { NeverLeft } from '../zuora/transport.js';
import { keepable } from '../zuora/words.js';
import { whileAlive } from './alive.js';
import type { ReadBillRun } from './look.js';
import { openQuestioner, Withheld, type Questioner } from './last-question.js';

/** For token and call together. Zuora cuts requests at 120 s, so its own answer comes first. Start-to-close is 150 s. */
const DEADLINE_MS = 130_000;
/** What has not left by then steps back, and is tried again. */
const LEAVE_WITHIN_MS = 15_000;

/** The retry policy repeats what never left for so long. Longer waits happen in the workflow, where operators see and end them. */
const RETRIES_FOR_MS = 2 * 60_000;
const LONGEST_RETRY_MS = 60_000;

export function createEmailBillRunDocuments({
  zuora,
  readBillRun,
  question = openQuestioner,
}: {
  zuora: Zuora;
  readBillRun: ReadBillRun;
  question?: typeof openQuestioner;
}): Activities['emailBillRunDocuments'] {
  return async (input) => {
    const runId = activityInfo().workflowExecution?.runId ?? '';
    if (input.originalRunId !== undefined && input.originalRunId !== runId) {
      return { called: false, why: 'afterReset', runId };
    }
    try {
      return await whileAlive(async () => {
        const questioner = await question();
        const looked = await lookAgain(readBillRun, input, questioner);
        return looked ?? (await attempt(zuora, input, questioner));
      });
    } catch (error) {
      // Never a CancelledFailure or an AbortError: Temporal would record that the attempt was never begun.
      if (error instanceof Withheld) return { called: false, why: error.why };
      if (!(error instanceof NeverLeft)) throw unexpected(error);
      const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = activityInfo();
      if (currentAttemptScheduledTimestampMs - scheduledTimestampMs < RETRIES_FOR_MS) throw neverLeft(error);
      const { code, message } = error;
      return { called: false, why: 'neverLeft', reason: { code, message } };
    }
  };
}

/** The look at the bill run, repeated if it has grown old meanwhile; undefined if nothing forbids the send. */
async function lookAgain(
  readBillRun: ReadBillRun,
  { billRunKey, entityId, orgIds, look }: AttemptInput,
  { now }: Questioner,
): Promise<Receipt | undefined> {
  if (look === undefined || now() - look.at <= LOOK_IS_FRESH_MS) return undefined;
  const billRun = await read(readBillRun, billRunKey, { entityId, orgIds });
  const isPosted = billRun.status === 'Posted';
  const isClear = isPosted && obstaclesIn({ billRun, at: now() }, look, now()).length === 0;
  return isClear ? undefined : { called: false, why: 'looked', billRun };
}

async function read(readBillRun: ReadBillRun, key: string, scope: Scope): Promise<BillRun> {
  try {
    return await readBillRun(key, scope);
  } catch (error) {
    if (!(error instanceof ZuoraFailure)) throw error;
    throw new NeverLeft(
      `the bill run cannot be read before the call: ${error.message}`,
      'UNREADABLE',
      error.retryAfterMs,
    );
  }
}

async function attempt(zuora: Zuora, input: AttemptInput, { now, lastQuestion }: Questioner): Promise<Receipt> {
  const { billRunKey, entityId, orgIds, resend, idempotencyKey, trackId, notAfter } = input;
  const startedAt = new Date(now());
  // Monotonic: setting the clock must not make a call of negative length.
  const began = performance.now();
  const { verdict, reasons, httpStatus, zuoraRequestId, echoedTrackId, retryAfterMs } =
    await zuora.emailBillRunDocuments(
      billRunKey,
      { resend },
      { idempotencyKey, trackId },
      {
        ...{ entityId, orgIds, deadlineMs: DEADLINE_MS, leaveWithinMs: LEAVE_WITHIN_MS },
        lastQuestion: lastQuestion(notAfter, LEAVE_WITHIN_MS),
      },
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
