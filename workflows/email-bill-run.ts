/**
 * The life of an email job:
 *
 *     start ─► Waiting ──posted──► Sending ──accepted──► Delivering ──all sent──► Emailed ──(openFor | finish)──► completed
 *                 │    refused or   │  ▲                   ▲    │                    │
 *                 │    unknown      ▼  │ retry             │    └─────────┬──────────┘
 *                 │            NeedsAttention              │              │ resend; retry of what was not sent
 *                 └── autoEmail, emailed by others ────────┘              ▼
 *                                                                      Sending
 *
 * - A bill run that never posts fails as NotPosted. A question that nobody answers fails as Unsettled.
 * - A bill run without documents completes as Skipped.
 * - `hold` keeps every further attempt back as Held. `finish` and cancellation close the job; an attempt under way ends first.
 * - A job that was started under another workflow id, such as by the bill run's ID, hands its requests to the job of the bill run's
 *   number, as HandedOver.
 *
 * The rules in `rules/` decide every step; this file does what they say. `handlers.ts` takes messages, `view.ts` shows the job,
 * `waits.ts` waits, and `activities.ts` has the options of the activities: the server repeats only an attempt that never left.
 */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import {
  addressOf,
  earlierSends,
  emailBillRunDocuments,
  handOver,
  watchBillRun,
  watchDelivery,
  watchHoldAll,
  WATCH_AGAIN,
} from './activities.js';
import type { FinalFailures, WatchInput } from './contract/activities.js';
import {
  activityEnd,
  attemptResult,
  isBillRun,
  isCannotRead,
  isDeliveryCheck,
  isEarlier,
  lostAttempt,
} from './contract/activity-failures.js';
import type { EmailBillRunInput, EmailBillRunResult, FailureType } from './contract/contract.js';
import { checkInput as checkStart, type Settings } from './contract/validation.js';
import { listen } from './handlers.js';
import { attemptSummary } from './rules/details.js';
import { recordCheck, recordUncheckable } from './rules/documents.js';
import { isEnding } from './rules/ending.js';
import { checkInput, plannedChecks, wantedCheck } from './rules/following.js';
import * as jobs from './rules/job.js';
import type { EmailJob } from './rules/job.js';
import { nextStep, settle } from './rules/next-step.js';
import { beginAttempt, type Send } from './rules/send.js';
import { lookRules } from './rules/sending.js';
import { resultOf } from './rules/status.js';
import type { Ending, HandOver, LookUp, Step, Watch, WatchHoldAll } from './rules/step.js';
import { summary, wellFormed } from './rules/text.js';
import { handedOn, publish, publishMessages } from './view.js';
import {
  attemptDue,
  change,
  clock,
  deadline,
  hint,
  interruptible,
  mustMoveOn,
  nextTask,
  unlessTakenBack,
} from './waits.js';

/**
 * Waits until a bill run is posted, emails its documents once, and stays open for retries and resends.
 *
 * @param carried the record of the job, if it continues as new
 * @throws ApplicationFailure `InvalidInput`, `NotPosted` or `Unsettled`, with the result so far as its details
 */
export async function emailBillRun(input: EmailBillRunInput, carried?: EmailJob): Promise<EmailBillRunResult> {
  const job = openJob(input, carried);
  listen(job);
  // Cancellation is a message like any other: an attempt under way ends, and the record is closed.
  CancellationScope.current().cancelRequested.catch(() => {
    job.canceled = true;
  });
  return CancellationScope.nonCancellable(async () => {
    void publishMessages(job);
    const checks = new CancellationScope();
    checks.run(() => followDocuments(job)).catch(() => undefined);
    // Between two steps only checks and notices are under way.
    for (;;) {
      settle(job, clock(job));
      publish(job);
      const step = nextStep(job, clock(job));
      if (isEnding(step)) {
        // Temporal begins no notice of a job that has closed. It takes a moment, and needs no receiver.
        if (job.notifying === 0) {
          // Only this ends them.
          checks.cancel();
          return close(job, step);
        }
        await condition(() => job.notifying === 0);
      } else if (workflowInfo().continueAsNewSuggested) await goOnAsNew(job, input);
      else await take(job, step, input);
    }
  });
}

function openJob(input: EmailBillRunInput, carried: EmailJob | undefined): EmailJob {
  const { workflowId, firstExecutionRunId: firstRunId, continuedFromExecutionRunId } = workflowInfo();
  if (carried !== undefined && continuedFromExecutionRunId !== undefined) return carried;
  return jobs.openJob(settingsOf(input), { workflowId, firstRunId, now: Date.now(), ...handedOn() });
}

function settingsOf(input: unknown): Settings {
  const { value, faults } = checkStart(input);
  if (faults === undefined) return value;
  throw failure('InvalidInput', `invalid input: ${faults.join('; ')}`, { faults });
}

/** Once nothing is under way. A message that comes meanwhile may change what comes next, so the loop goes on instead. */
async function goOnAsNew(job: EmailJob, input: EmailBillRunInput): Promise<void> {
  if (job.checks === 0 && job.notifying === 0) await continueAsNew<typeof emailBillRun>(input, job);
  await condition(() => job.checks === 0 && job.notifying === 0);
}

/**
 * Before an attempt: earlier jobs are looked up, the last look is at most a minute old, the cool-down is over, and there is no hold. A
 * `wait` is for a message, the next attempt, the end of the cool-down, or the end of the job.
 */
function take(job: EmailJob, step: Exclude<Step, Ending>, input: EmailBillRunInput): Promise<void> {
  switch (step.kind) {
    case 'watch':
      return watch(job, step);
    case 'handOver':
      return handTo(job, step, input);
    case 'look':
      return interruptible(job, () => inTime(job, 'look', (timeLeft) => look(job, afterFailure(job), timeLeft)));
    case 'lookUp':
      return lookUp(job, step);
    case 'attempt':
      return attempt(job, step.send);
    case 'watchHoldAll':
      return waitForRelease(job, step);
    case 'wait':
      return change(job, step);
  }
}

/**
 * Checks what became of the documents, beside everything else: by a plan, and when a person asks. A message starts no check of the plan,
 * and a new send starts its own.
 */
async function followDocuments(job: EmailJob): Promise<void> {
  await Promise.all([
    whileDue(job, plannedChecks, () => checkDocuments(job, { isWanted: false })),
    whileDue(job, wantedCheck, () => checkDocuments(job, { isWanted: true })),
  ]);
}

async function whileDue(
  job: EmailJob,
  nameOf: (job: EmailJob) => string | null,
  check: () => Promise<void>,
): Promise<never> {
  for (;;) {
    await condition(() => nameOf(job) !== null && !mustMoveOn(job));
    const name = nameOf(job);
    job.checks += 1;
    try {
      await interruptible(job, check, () => condition(() => nameOf(job) !== name || mustMoveOn(job)));
    } finally {
      job.checks -= 1;
    }
  }
}

async function checkDocuments(job: EmailJob, which: { readonly isWanted: boolean }): Promise<void> {
  const input = { ...addressOf(job), ...checkInput(job, which) };
  const what =
    input.cannotRead === undefined ? 'check what became of the documents' : 'wait until the documents can be read';
  try {
    const result: unknown = await watchDelivery.executeWithOptions({ summary: summary(what) }, [input]);
    // Otherwise a person completed the check by hand, and it is repeated.
    if (isDeliveryCheck(result)) recordCheck(job, result, clock(job));
    else if (isCannotRead(result)) recordUncheckable(job, result);
  } catch (error) {
    const end = activityEnd('watchDelivery', error);
    if (end.kind === 'other') recordUncheckable(job, { cannotRead: end.message, since: clock(job) });
  }
}

function close(job: EmailJob, ending: Ending): EmailBillRunResult {
  switch (ending.kind) {
    case 'complete':
      return resultOf(job, ending);
    case 'cancel':
      throw new CancelledFailure(ending.text);
    case 'fail':
      throw failure(ending.type, ending.text, resultOf(job, ending));
  }
}

function failure(type: FailureType, message: string, details: object): ApplicationFailure {
  return ApplicationFailure.nonRetryable(wellFormed(message), type, details);
}

/** Waits for the status of the bill run to change. A hint makes a look of its own, and leaves the watch alone. */
async function watch(job: EmailJob, { lastSeenStatus, until }: Watch): Promise<void> {
  const isFirst = lastSeenStatus === undefined;
  // The first read ends at the deadline by itself, without a timer beside it, and comes at once, without a hint.
  if (isFirst) jobs.followHint(job, clock(job));
  const input = { ...(isFirst ? {} : { lastSeenStatus }), ...afterFailure(job) };
  const timeLeft = isFirst && until !== Infinity ? until - clock(job) : undefined;
  await interruptible(
    job,
    () => watched(job, input, timeLeft),
    () =>
      isFirst ? lookAfterHints(job) : Promise.race([deadline(job, until, 'deadline for posting'), lookAfterHints(job)]),
  );
}

/** Until a look shows something new, or the job must move on. */
async function lookAfterHints(job: EmailJob): Promise<void> {
  const { billRun, unreadable, failedLook } = job;
  const isNew = (): boolean =>
    job.billRun?.status !== billRun?.status || job.unreadable !== unreadable || job.failedLook !== failedLook;
  while (!isNew()) {
    await hint(job);
    if (mustMoveOn(job)) return;
    jobs.followHint(job, clock(job));
    await watched(job, {});
  }
}

/** After a time-out or an interruption, the rules ask for the next look. */
async function watched(job: EmailJob, input: Reading, timeLeft?: number): Promise<void> {
  try {
    await look(job, input, timeLeft);
  } catch (error) {
    const end = activityEnd('watchBillRun', error);
    if (end.kind === 'failed') jobs.recordFailedLook(job, FAILURES[end.type], end.message);
    if (end.kind === 'other') jobs.recordFailedLook(job, 'NotPosted', end.message);
  }
}

type Reading = Pick<WatchInput, 'lastSeenStatus' | 'cannotRead'>;

function afterFailure({ unreadable }: EmailJob): Reading {
  return unreadable === null ? {} : { cannotRead: unreadable.cannotRead };
}

/** Reads the bill run: at once, or when its status has changed, or when it can be read again. */
async function look(job: EmailJob, input: Reading, timeLeft?: number): Promise<void> {
  const { lastSeenStatus, cannotRead } = input;
  const what = lastSeenStatus === undefined ? 'look at the bill run' : `wait while it is ${lastSeenStatus}`;
  const options = {
    summary: summary(cannotRead === undefined ? what : 'wait until the bill run can be read'),
    ...(timeLeft === undefined ? {} : { scheduleToCloseTimeout: timeLeft }),
    ...(lastSeenStatus === undefined ? {} : { retry: WATCH_AGAIN }),
  };
  const result: unknown = await watchBillRun.executeWithOptions(options, [{ ...addressOf(job), ...input }]);
  // Otherwise a person completed the look by hand, and it is repeated.
  if (isBillRun(result)) jobs.recordLook(job, result, clock(job));
  else if (isCannotRead(result)) jobs.recordCannotRead(job, result);
}

/** Reads what must be known before anything is sent. If that does not work in time, a person is asked. */
async function inTime(job: EmailJob, what: jobs.Read, read: (timeLeft: number) => Promise<void>): Promise<void> {
  try {
    await read(jobs.beginRead(job, what, clock(job)));
  } catch (error) {
    const end = activityEnd(ACTIVITIES[what], error);
    switch (end.kind) {
      case 'canceled':
        return;
      case 'failed':
        jobs.recordFailedLook(job, FAILURES[end.type], end.message);
        return;
      case 'timedOut':
      case 'other':
        jobs.recordUnread(job, end.message, clock(job));
        return;
    }
  }
}

const ACTIVITIES = Object.freeze({ look: 'watchBillRun', lookUp: 'earlierSends', handOver: 'handOver' });

const FAILURES: Readonly<Record<FinalFailures['watchBillRun' | 'handOver'], FailureType>> = Object.freeze({
  BillRunNotFound: 'NotPosted',
  InvalidInput: 'InvalidInput',
});

/** Looks up what earlier jobs did. An attempt that is due comes first. */
async function lookUp(job: EmailJob, { requests, wake }: LookUp): Promise<void> {
  const inQuestion = [...requests];
  const requestIds = inQuestion.filter(({ resend }) => resend).map(({ requestId }) => requestId);
  const missing = inQuestion.filter((request) => request.missing === true).map(({ requestId }) => requestId);
  const input = {
    requestIds,
    first: inQuestion.some(({ resend }) => !resend),
    ...(missing.length === 0 ? {} : { missing }),
    ...(job.earlierRun === null ? {} : { earlierRun: job.earlierRun }),
  };
  const read = async (scheduleToCloseTimeout: number): Promise<void> => {
    const options = { summary: summary(`look up earlier jobs ${requestIds.join(', ')}`), scheduleToCloseTimeout };
    const earlier: unknown = await earlierSends.executeWithOptions(options, [input]);
    // Otherwise a person completed the look-up by hand, and it is repeated.
    if (isEarlier(earlier)) jobs.recordEarlier(job, inQuestion, earlier);
  };
  await interruptible(
    job,
    () => inTime(job, 'lookUp', read),
    () => attemptDue(job, wake),
  );
}

/** Hands requests to the canonical job. If that is interrupted, they are named as unsettled. */
async function handTo(job: EmailJob, { to, requests }: HandOver, input: EmailBillRunInput): Promise<void> {
  const billRunKey = job.billRun?.number ?? '';
  const read = async (scheduleToCloseTimeout: number): Promise<void> => {
    const options = { summary: summary(`hand over to ${to}`), scheduleToCloseTimeout };
    const handedOver: unknown = await handOver.executeWithOptions(options, [
      { input: { ...input, billRunKey }, requests },
    ]);
    // Otherwise a person completed it by hand, and it is repeated.
    if (Array.isArray(handedOver)) jobs.recordHandover(job, requests, handedOver);
  };
  await interruptible(job, () => inTime(job, 'handOver', read));
}

/**
 * Waits for the end of the hold on all. A hint may mean that it has ended: the attempt then asks for it once more, before its call.
 */
async function waitForRelease(job: EmailJob, { wake }: WatchHoldAll): Promise<void> {
  const { revision } = job;
  const hasChanged = (): boolean => job.revision !== revision;
  const release = (): void => {
    jobs.recordHold(job, { heldByAll: false }, clock(job));
  };
  jobs.followHint(job, clock(job));
  await interruptible(
    job,
    () => watchHoldAll().then(release),
    () => Promise.race([deadline(job, wake, 'a question changes', hasChanged), hint(job)]),
  );
  if (job.hinted && !hasChanged()) release();
}

/**
 * One attempt: one activity, and at most one HTTP call that may have reached Zuora. A lost answer is a result, too: the rules plan the
 * next attempt under the same key. An order takes back an attempt that no worker has begun.
 */
async function attempt(job: EmailJob, send: Send): Promise<void> {
  if (job.billRun === null) return;
  const startedAt = clock(job);
  const plan = beginAttempt(send, {
    originalRunId: workflowInfo().originalExecutionRunId,
    unique: uuid4(),
    now: startedAt,
    look: { at: job.lookedAt, ...lookRules(job, send) },
  });
  if (plan === undefined) return;
  // Always the number: Zuora refuses a key that comes with another URL.
  const input = { ...addressOf(job), billRunKey: job.billRun.number, ...plan };
  const result = await unlessTakenBack(job, () =>
    emailBillRunDocuments
      .executeWithOptions({ summary: attemptSummary(send) }, [input])
      .then(attemptResult, lostAttempt),
  );
  if (result !== 'neverTaken' && !('called' in result)) await nextTask();
  jobs.recordAttempt(job, send, plan, result, { startedAt, now: clock(job), jitter: Math.random() });
}
