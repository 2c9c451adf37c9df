/**
 * The life of one bill run:
 *
 *     start ─► WaitingForPost ─posted─► Sending ─accepted─► Emailed ─(window ends | finish)─► completed
 *                   │ canceled, in error,     │ refused, unknown        ▲   │ resend
 *                   │ deleted, deadline       ▼                         │   ▼
 *                   ▼                   NeedsAttention ─retry | resend──┘  Sending (resend=true)
 *            failed: NotPosted                │ window ends
 *                                             ▼
 *                                    failed: Unsettled
 *
 * A first send may be `Delayed` (Zuora sent emails a short while ago) or `Skipped` (Zuora emails by itself, or there is
 * nothing to email); `hold` keeps every further attempt back as `Held`. `finish` closes a run as it stands, and so does
 * cancellation; an attempt under way always finishes first. A run whose workflow id is not the bill run's own hands its
 * requests to the one whose is, as `HandedOver`.
 *
 * This file is the Temporal side: activities, timers, messages, and what people see. What happens next is decided in
 * `steps.ts` and `send-step.ts`, and the record of a send is kept in `send.ts`; all of them are pure.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  TimeoutFailure,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import type { Activities, BillRunAddress } from './contract/activities.js';
import { checkInput, type Settings } from './contract/validation.js';
import {
  billRunPostedSignal,
  finishSignal,
  holdSignal,
  releaseSignal,
  requestResendUpdate,
  resendSignal,
  retrySignal,
  sendsQuery,
  statusQuery,
  type EmailBillRunInput,
  type EmailBillRunResult,
  type EmailRequest,
  type FailureType,
  type ResendMessage,
} from './contract/contract.js';
import { detailsOf } from './rules/details.js';
import { SEVERAL_SIGNALS } from './sandbox/converters.js';
import { lostAttempt } from './lost-attempt.js';
import * as messages from './rules/messages.js';
import * as runs from './rules/job.js';
import type { Run } from './rules/job.js';
import { searchAttributes } from './contract/search-attributes.js';
import { emailsSince } from './rules/send-step.js';
import { abandonAttempt, beginAttempt, endAttempt, type Send } from './rules/send.js';
import { noteState, resultOf, sendsOf, statusOf } from './rules/status.js';
import { nextStep, settle, type Step } from './rules/steps.js';
import { tell } from './telemetry.js';
import * as words from './rules/words.js';

const { watchBillRun } = proxyActivities<Activities>({
  // Covers one read, and a token before it. How long to wait between reads is the activity's own word.
  startToCloseTimeout: '90 seconds',
  retry: { initialInterval: '10 seconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  priority: { priorityKey: 5 },
});

const { emailBillRunDocuments } = proxyActivities<Activities>({
  // The activity's own deadline is 130 s, for token and call together.
  startToCloseTimeout: '150 seconds',
  heartbeatTimeout: '30 seconds',
  scheduleToStartTimeout: '5 minutes',
  retry: {
    // What is repeated here provably never left; everything else comes back as a receipt, and the workflow decides.
    maximumAttempts: 5,
    maximumInterval: '30 seconds',
    // A worker that was lost may have made its call.
    nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'],
  },
  priority: { priorityKey: 1 },
});

const { earlierSends, handOver } = proxyActivities<Activities>({
  startToCloseTimeout: '90 seconds',
  retry: { maximumInterval: '1 minute' },
});

const { countEmailedInvoices } = proxyActivities<Activities>({
  startToCloseTimeout: '90 seconds',
  retry: { maximumAttempts: 3 },
  priority: { priorityKey: 5 },
});

/**
 * Waits until a bill run is posted, emails its documents once, and stays open for escalations.
 *
 * @param carried for runs that continue as new: all that their predecessor knew
 * @throws ApplicationFailure `InvalidInput`, `NotPosted` or `Unsettled`
 */
export async function emailBillRun(input: EmailBillRunInput, carried?: Run): Promise<EmailBillRunResult> {
  const { workflowId, firstExecutionRunId: firstRunId, continuedFromExecutionRunId } = workflowInfo();
  // Our library lists a run as it starts it. With 0.1.0 it did not, and the histories of those runs have more in them.
  const startedListed = workflowInfo().typedSearchAttributes.get(searchAttributes.emailState) !== undefined;
  const run =
    carried !== undefined && continuedFromExecutionRunId !== undefined
      ? carried
      : runs.openRun(settingsOf(input), { workflowId, firstRunId, now: Date.now(), startedListed });

  listen(run);
  CancellationScope.current().cancelRequested.catch(() => {
    run.canceled = true;
  });
  // Cancellation is a message like any other: an attempt under way finishes, and the record is closed.
  return CancellationScope.nonCancellable(async () => {
    void publishMessages(run);
    for (;;) {
      settle(run, clock(run));
      const step = nextStep(run, clock(run));
      if (step.kind !== 'attempt' || !run.startedListed) publish(run);
      // Nothing is under way here; and where nothing is about to end, a new run can go on.
      const ends = step.kind === 'complete' || step.kind === 'cancel' || step.kind === 'fail';
      if (!ends && workflowInfo().continueAsNewSuggested) return continueAsNew<typeof emailBillRun>(input, run);

      switch (step.kind) {
        case 'watch':
          await watch(run, step);
          break;
        case 'look':
          await interruptible(run, () => look(run));
          break;
        case 'recall':
          await recall(run, step.requests);
          break;
        case 'handOver':
          await handTo(run, step.requests, input);
          break;
        case 'attempt':
          await attempt(run, step.send);
          break;
        case 'count':
          await count(run, step);
          break;
        case 'wait':
          await change(run, step.wake, step.waitingFor);
          break;
        case 'complete':
          return resultOf(run, step.state);
        case 'cancel':
          throw new CancelledFailure('canceled; nothing more is sent', [resultOf(run, 'Finished')]);
        case 'fail':
          throw failure(step.type, step.message, resultOf(run, 'Finished'));
      }
    }
  });
}

/**
 * The time by which a run goes on: a timer that fired is a clock as well. A query that is the first to reach a new worker makes
 * the SDK fire timers by the clock of the last workflow task; by that alone, the run would wait again, and no replay would.
 */
function clock({ timerFiredAt }: Run): number {
  return Math.max(Date.now(), timerFiredAt ?? 0);
}

/** Waits, at most until then, which may be never; tells whether it came to that. */
async function waitUntil(run: Run, until: number, summary: string, isOver: () => boolean): Promise<boolean> {
  if (until === Infinity) await condition(isOver);
  else if (!(await condition(isOver, until - clock(run), { summary }))) {
    run.timerFiredAt = until;
    return true;
  }
  return false;
}

function settingsOf(input: unknown): Settings {
  const { value, faults } = checkInput(input);
  if (faults === undefined) return value;
  throw failure('InvalidInput', `invalid input: ${faults.join('; ')}`, { faults });
}

function failure(type: FailureType, message: string, details: object): ApplicationFailure {
  return ApplicationFailure.nonRetryable(words.wellFormed(message), type, details);
}

/** Every signal: what it does to the run, and what Temporal UI says about it, with an input to copy. */
const signals = [
  [
    resendSignal,
    messages.receiveResend,
    `Email all documents, also those emailed before. Input: ${words.inputs.resend}, or nothing`,
  ],
  [
    retrySignal,
    messages.receiveRetry,
    `Answer the open question: try again. Input: ${words.inputs.retry}, or nothing; ` +
      `where it needs "sendAnyway":true, the question says so`,
  ],
  [
    holdSignal,
    messages.receiveHold,
    `Start no further attempt until released. Input: ${words.inputs.note}, or nothing`,
  ],
  [releaseSignal, messages.receiveRelease, `Let attempts go on after a hold. Input: ${words.inputs.note}, or nothing`],
  [finishSignal, messages.receiveFinish, `Close now; nothing more is sent. Input: ${words.inputs.note}, or nothing`],
  [billRunPostedSignal, messages.receiveHint, 'A hint that the bill run may have posted: look at it now. No input'],
] as const;

/**
 * Takes messages from the first moment on. None may be lost, and none may fail or block the run, whatever its argument.
 * All handlers are synchronous, so none is ever unfinished when a run closes.
 */
function listen(run: Run): void {
  const receive = (name: string, argument: unknown): void => {
    const [, known] = signals.find(([signal]) => signal.name === name) ?? [];
    if (known === undefined) messages.receiveUnknown(run, name, clock(run));
    else known(run, argument, clock(run));
  };
  // First, for it takes what came before a worker did, in the order in which it came; a handler by name takes all of its name.
  setDefaultSignalHandler((name, ...args) => {
    if (name !== SEVERAL_SIGNALS) receive(name, args[0]);
    else for (let at = 0; at < args.length; at += 2) receive(args[at] as string, args[at + 1]);
  });
  for (const [signal, , description] of signals) {
    setHandler(
      signal,
      (argument?: unknown) => {
        receive(signal.name, argument);
      },
      { description },
    );
  }
  setHandler(
    requestResendUpdate,
    (argument?: ResendMessage) => messages.requestResend(run, argument ?? {}, clock(run)),
    {
      description:
        `Email all documents, as the signal resend does, and answer with the request id and the ordinal of its send, ` +
        `or say why not. Input: ${words.inputs.resend}, or nothing`,
      validator: (argument?: ResendMessage) => {
        const faults = messages.faultsOfResend(run, argument);
        if (faults.length > 0) throw failure('InvalidInput', faults.join('; '), { faults });
      },
    },
  );
  setHandler(statusQuery, () => statusOf(run, clock(run)), {
    description: 'What the run is doing, what it waits for, and what it asks',
  });
  setHandler(sendsQuery, () => sendsOf(run), {
    description: 'Every send so far, with its attempts and decisions',
  });
}

/**
 * Shows what messages changed, however long the present step takes. Once for each workflow task: thousands of messages
 * may come in one, and a task that takes five seconds of computing ends the worker.
 */
async function publishMessages(run: Run): Promise<never> {
  for (;;) {
    const { revision, ignored } = run;
    const { count } = ignored;
    await condition(() => run.revision !== revision || run.ignored.count !== count);
    publish(run);
  }
}

/** Shows the run: search attributes, where they changed, the text in Temporal UI, and what machines are told. */
function publish(run: Run): void {
  const now = clock(run);
  const state = noteState(run, now);
  const { billRun } = run;
  const pairs: (SearchAttributePair | undefined)[] = [
    billRun === null ? undefined : { key: searchAttributes.billRunNumber, value: billRun.number },
    billRun === null ? undefined : { key: searchAttributes.billRunId, value: billRun.id },
    billRun === null ? undefined : { key: searchAttributes.billRunStatus, value: billRun.status },
    { key: searchAttributes.emailState, value: state },
    { key: searchAttributes.emailSends, value: runs.acceptedSends(run) },
  ];
  const { typedSearchAttributes: indexed } = workflowInfo();
  const changed = pairs.filter((pair) => pair !== undefined).filter(({ key, value }) => indexed.get(key) !== value);
  if (changed.length > 0) upsertSearchAttributes(changed);
  setCurrentDetails(detailsOf(run, now));
  tell(run, state);
}

function addressOf({ settings }: Run): BillRunAddress {
  const { billRunKey, entityId, orgIds } = settings;
  return {
    billRunKey,
    ...(entityId === undefined ? {} : { entityId }),
    ...(orgIds === undefined ? {} : { orgIds }),
  };
}

/** No more waiting: the run is closing, or its history is so long that a new run should take over. */
function mustMoveOn({ canceled, finish }: Run): boolean {
  return canceled || finish !== null || workflowInfo().continueAsNewSuggested;
}

/** Watches the bill run until its status changes. A hint looks at once; a closing run stops. Both do no harm to a read. */
async function watch(run: Run, { lastSeenStatus, until }: Extract<Step, { kind: 'watch' }>): Promise<void> {
  runs.followHint(run, clock(run));
  const endsItself = lastSeenStatus === undefined && run.startedListed === true;
  await interruptible(
    run,
    () => look(run, lastSeenStatus, endsItself ? until : undefined),
    () => interruption(run, endsItself ? Infinity : until),
  );
}

/** Reads until it is done or interrupted, which does no harm to a read: by default, when the run must move on. */
async function interruptible(
  run: Run,
  read: () => Promise<void>,
  interruption: () => Promise<unknown> = () => condition(() => mustMoveOn(run)),
): Promise<void> {
  const scope = new CancellationScope();
  try {
    await scope.run(() => Promise.race([read(), interruption()]));
  } finally {
    scope.cancel();
  }
}

async function interruption(run: Run, until: number): Promise<void> {
  await waitUntil(run, until, 'deadline for posting', () => run.hinted || mustMoveOn(run));
  const lookAt = runs.hintDueAt(run);
  if (run.hinted && clock(run) < lookAt) {
    await waitUntil(run, lookAt, 'a hint came; look again in a moment', () => mustMoveOn(run));
  }
}

/**
 * Reads the bill run: at once, or, where a status was seen before, when it is another one.
 *
 * @param until when a read that does not succeed is given up (epoch, ms)
 */
async function look(run: Run, lastSeenStatus?: string, until?: number): Promise<void> {
  const summary = words.summary(
    lastSeenStatus === undefined ? 'look at the bill run' : `wait while it is ${lastSeenStatus}`,
  );
  const input = { ...addressOf(run), ...(lastSeenStatus === undefined ? {} : { lastSeenStatus }) };
  try {
    const options = { summary, ...(until === undefined ? {} : { scheduleToCloseTimeout: until - clock(run) }) };
    runs.recordLook(run, await watchBillRun.executeWithOptions(options, [input]), clock(run));
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : error;
    // An interruption or a time-out of a read means no more than: look again.
    if (isCancellation(error) || cause instanceof TimeoutFailure) return;
    const type = cause instanceof ApplicationFailure && cause.type === 'InvalidInput' ? 'InvalidInput' : 'NotPosted';
    runs.recordFailedLook(run, type, cause instanceof Error ? cause.message : 'the bill run cannot be read');
  }
}

/** Finds out what earlier runs did for requests. */
async function recall(run: Run, requests: readonly EmailRequest[]): Promise<void> {
  const asked = [...requests];
  const requestIds = asked.map(({ requestId }) => requestId);
  const summary = words.summary(`look at earlier runs for ${requestIds.join(', ')}`);
  await interruptible(run, async () => {
    runs.recordEarlier(run, asked, await earlierSends.executeWithOptions({ summary }, [{ requestIds }]));
  });
}

/** Hands requests to the run which emails the bill run. What an interruption leaves open is named as unsettled. */
async function handTo(run: Run, requests: readonly EmailRequest[], input: EmailBillRunInput): Promise<void> {
  const home = runs.homeOf(run);
  if (run.billRun === null || home === null) return;
  const asked = [...requests];
  const { number: billRunKey } = run.billRun;
  const summary = words.summary(`hand over to ${home}`);
  const handOverInput = { input: { ...input, billRunKey }, requests: asked };
  await interruptible(run, async () => {
    try {
      runs.recordHandover(run, asked, await handOver.executeWithOptions({ summary }, [handOverInput]));
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : error;
      const message = cause instanceof Error ? cause.message : 'the handover failed';
      throw failure('InvalidInput', message, resultOf(run, 'Finished'));
    }
  });
}

/** Counts the invoices that Zuora shows as emailed, unless something else is to be done. */
async function count(run: Run, { send, until }: Extract<Step, { kind: 'count' }>): Promise<void> {
  const summary = words.summary(`see what Zuora shows about send ${send.ordinal}`);
  const input = { ...addressOf(run), billRunKey: run.billRun?.number ?? '', since: emailsSince(send) };
  const ask = async (): Promise<void> => {
    try {
      const shown = await countEmailedInvoices.executeWithOptions({ summary }, [input]);
      send.shown = { at: clock(run), count: shown };
    } catch (error) {
      if (!isCancellation(error)) send.shown = { at: clock(run), count: null };
    }
  };
  await interruptible(run, ask, () => change(run, until, 'next attempt'));
}

/** One attempt, one activity. It is never canceled, and what comes of it is recorded, whatever it is. */
async function attempt(run: Run, send: Send): Promise<void> {
  if (run.billRun === null) return;
  const startedAt = clock(run);
  const plan = beginAttempt(send, {
    originalRunId: workflowInfo().originalExecutionRunId,
    unique: uuid4(),
    now: startedAt,
  });
  if (plan === undefined) return;
  if (!run.startedListed) publish(run);

  const summary = words.sendSummary(send.ordinal, send.resend, send.attempts.length + 1, send.requests);
  // Always by number, however the run was started: Zuora refuses a key that comes with another URL.
  const answer = emailBillRunDocuments
    .executeWithOptions({ summary }, [{ ...addressOf(run), billRunKey: run.billRun.number, ...plan }])
    .catch(lostAttempt);
  const came = await (run.startedListed ? shownIfSlow(run, answer) : answer);
  if (came === 'neverTaken') abandonAttempt(send, clock(run));
  else endAttempt(send, plan, came, { startedAt, now: clock(run), jitter: Math.random() });
}

/**
 * Most attempts are answered at once. That one is under way is shown where it takes longer: a change of search attributes costs Temporal
 * many times what a timer does. docs/decisions/0017.
 */
const SLOW_MS = 1_500;

async function shownIfSlow<T>(run: Run, answer: Promise<T>): Promise<T> {
  let answered = false as boolean;
  const settled = answer.finally(() => (answered = true));
  const summary = 'show an attempt that takes long';
  if (await waitUntil(run, clock(run) + SLOW_MS, summary, () => answered)) publish(run);
  return settled;
}

/** Waits for a message that changes what comes next, at most until then. */
async function change(run: Run, until: number, waitingFor: string): Promise<void> {
  const { revision } = run;
  const changed = (): boolean => run.revision !== revision || mustMoveOn(run);
  await waitUntil(run, until, words.summary(waitingFor), changed);
}
