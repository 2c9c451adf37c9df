/** How the workflow waits: for messages, for timers, and for reads that a message may interrupt. */
import { CancellationScope, condition, sleep, workflowInfo } from '@temporalio/workflow';
import { hintDueAt, openSendOf, type EmailJob } from './rules/job.js';
import type { Wait } from './rules/step.js';
import { ANSWER_AWAITED, summary } from './rules/text.js';

/**
 * The time for decisions (epoch, ms): `Date.now()`, or the due time of a timer that fired if that is later. A query on a cold worker
 * can fire timers while `Date.now()` still belongs to the previous workflow task (SDK 1.24). The job would then start a second timer
 * that replay does not. docs/decisions/0010.
 */
export function clock({ timerFiredAt }: EmailJob): number {
  return Math.max(Date.now(), timerFiredAt ?? 0);
}

/**
 * Leaves the present workflow task. A query on a cold worker can be the first to hear that an activity was lost, at the time of an earlier
 * task; replay hears of it at the right time. What depends on the time is decided after this. docs/decisions/0010.
 */
export async function nextTask(): Promise<void> {
  await sleep(1, { summary: 'so that the time is right' });
}

/** Waits for a message that changes what comes next, at most until then. */
export async function change(job: EmailJob, { wake, text, state }: Wait): Promise<void> {
  const { revision } = job;
  const what = state === 'NeedsAttention' ? `${ANSWER_AWAITED}${text}` : text;
  await waitUntil(job, wake, what, () => job.revision !== revision || mustMoveOn(job));
}

/** Reads until the result is there or an interruption comes; by default, when the job must move on. The read is then canceled. */
export async function interruptible(
  job: EmailJob,
  read: () => Promise<void>,
  interruption: () => Promise<unknown> = () => condition(() => mustMoveOn(job)),
): Promise<void> {
  const scope = new CancellationScope();
  try {
    await scope.run(() => Promise.race([read(), interruption()]));
  } finally {
    scope.cancel();
  }
}

/** Makes an attempt. An order takes it back if it has not begun; one that has begun ends with its receipt. */
export async function unlessTakenBack<T>(job: EmailJob, attempt: () => Promise<T>): Promise<T> {
  const attempts = new CancellationScope();
  let hasEnded = false;
  void condition(() => hasEnded || job.held || isClosing(job)).then(() => {
    attempts.cancel();
  });
  try {
    return await attempts.run(attempt);
  } finally {
    hasEnded = true;
  }
}

/** Waits for the time of the next attempt of the open send; a message that asks for a retry makes it now. */
export async function attemptDue(job: EmailJob, at: number): Promise<void> {
  const { revision } = job;
  // A retry from before waits for a release. Without a new message, the job would look up without end, and end its worker.
  const isRetried = (): boolean => job.revision !== revision && openSendOf(job)?.retry != null;
  await waitUntil(job, at, 'the next attempt is due', () => mustMoveOn(job) || isRetried());
}

/** Waits until then, or until it is over before. */
export async function deadline(
  job: EmailJob,
  at: number,
  text: string,
  isOver: () => boolean = () => false,
): Promise<void> {
  await waitUntil(job, at, text, () => mustMoveOn(job) || isOver());
}

/** Waits for a hint that may be followed, one in five seconds, or until the job must move on. */
export async function hint(job: EmailJob): Promise<void> {
  await condition(() => job.hinted || mustMoveOn(job));
  const lookAt = hintDueAt(job);
  if (clock(job) < lookAt) await waitUntil(job, lookAt, 'a hint came; look again in a moment', () => mustMoveOn(job));
}

async function waitUntil(job: EmailJob, until: number, text: string, isOver: () => boolean): Promise<void> {
  if (until === Infinity) await condition(isOver);
  else if (!(await condition(isOver, until - clock(job), { summary: summary(text) }))) job.timerFiredAt = until;
}

/** The job is closing, or its history is so long that it should continue as new. */
export function mustMoveOn(job: EmailJob): boolean {
  return isClosing(job) || workflowInfo().continueAsNewSuggested;
}

function isClosing({ canceled, finish }: EmailJob): boolean {
  return canceled || finish !== null;
}
