/**
 * What an attempt asks Temporal just before its call may leave: is everything on hold, and does its own job still want it? Cancelling
 * the attempt is not enough: after workers were stopped and started again, many attempts of held jobs left all the same.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { activityInfo, Context } from '@temporalio/activity';
import { tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { firstLineOf } from '../client/failures/errors.js';
import { isHoldAllOpen } from '../client/temporal/hold-all.js';
import { NeverLeft, type LastQuestion } from '../zuora/transport.js';

const { PendingActivityState, WorkflowExecutionStatus } = proto.temporal.api.enums.v1;

/** For each question, in milliseconds. */
const DEADLINE_MS = 5_000;
/** How long an answer lets the call leave. An order that Temporal took so long before the first byte is obeyed. */
const GOOD_FOR_MS = 2_000;
/** How long to wait for a workflow task that is pending: it may bring an order. */
const TASK_WITHIN_MS = 5_000;
const ASK_AGAIN_MS = 100;

/** Why an attempt makes no call. The activity returns it, and the workflow decides what comes next. */
export class Withheld extends Error {
  override readonly name = 'Withheld';
  readonly why: 'heldByAll' | 'takenBack' | 'keyTooOld';

  constructor(why: Withheld['why']) {
    super(why);
    this.why = why;
  }
}

export interface Questioner {
  /** The time by Temporal's clock (epoch, ms): workers' clocks may be wrong. */
  readonly now: () => number;
  /**
   * The last question. It rejects with {@link Withheld} or {@link NeverLeft} if the call must not leave.
   *
   * @param notAfter when the key is too old for a call (epoch, ms)
   * @param leaveWithinMs from now on; then the attempt steps back
   */
  readonly lastQuestion: (notAfter: number, leaveWithinMs: number) => LastQuestion;
}

/** @throws {@link Withheld}, {@link NeverLeft} */
export async function openQuestioner(): Promise<Questioner> {
  const began = performance.now();
  const { startedAt } = await ownAttempt();
  const now = (): number => startedAt + (performance.now() - began);
  return {
    now,
    lastQuestion: (notAfter, leaveWithinMs) => {
      const leaveBy = performance.now() + leaveWithinMs;
      return async () => {
        const asking = performance.now();
        for (;;) {
          const askedAt = performance.now();
          if (now() > notAfter) throw new Withheld('keyTooOld');
          if (askedAt > leaveBy) throw steppedBack('it had no turn in time', 'NO_TURN');
          const [isHeld, { isTaskPending }] = await Promise.all([
            answered(() => isHoldAllOpen(client())),
            ownAttempt(),
          ]);
          if (isHeld) throw new Withheld('heldByAll');
          if (!isTaskPending) return () => performance.now() - askedAt < GOOD_FOR_MS;
          if (performance.now() - asking > TASK_WITHIN_MS)
            throw steppedBack('an order may be on its way', 'ORDER_PENDING');
          await delay(ASK_AGAIN_MS);
        }
      };
    },
  };
}

/** How Temporal shows this attempt and its job. */
async function ownAttempt(): Promise<{ startedAt: number; isTaskPending: boolean }> {
  const { workflowExecution: execution, activityId } = activityInfo();
  const { namespace } = client().options;
  const job = await answered(() =>
    client().workflowService.describeWorkflowExecution({ namespace, execution: execution ?? null }),
  );
  const attempt = job.pendingActivities.find((each) => each.activityId === activityId);
  switch (job.workflowExecutionInfo?.status) {
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
      break;
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED:
      throw steppedBack('its workflow is paused', 'PAUSED');
    default:
      throw new Withheld('takenBack');
  }
  switch (attempt?.state) {
    case PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
      break;
    case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
    case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
      throw steppedBack('it is paused', 'PAUSED');
    default:
      throw new Withheld('takenBack');
  }
  return { startedAt: tsToMs(attempt.lastStartedTime), isTaskPending: job.pendingWorkflowTask != null };
}

function client() {
  return Context.current().client;
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await client().withDeadline(Date.now() + DEADLINE_MS, ask);
  } catch (error) {
    throw steppedBack(`Temporal does not say whether it may leave: ${firstLineOf(error)}`, 'TEMPORAL_UNREADABLE');
  }
}

function steppedBack(why: string, code: string): NeverLeft {
  return new NeverLeft(`the call did not leave: ${why}`, code);
}
