/** Time that Temporal's server skips, job by job. Experimental in server 1.32: our tests and figures use it, never the product. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { failedAs } from '../client/failures/grpc.js';
import { causeOf } from '../client/failures/temporal.js';

/** Dynamic configuration of a server whose jobs can skip time. A jump waits for the timers' queue, which sleeps for a second by default. */
export const skipsTime = {
  'frontend.WorkflowTimeSkippingEnabled': true,
  'history.timerProcessorMaxTimeShift': '10ms',
} as const;

/** More than any job makes. By default a job skips no more after 200. */
const MOST_JUMPS = 100_000;
const POLL_LIMIT_MS = 30_000;
const { FastForwardPollingResult } = proto.temporal.api.enums.v1;
const POLL_AGAIN = { fastForwardPollingResult: FastForwardPollingResult.FAST_FORWARD_POLLING_RESULT_POLL_TIMEOUT };

type Job = Pick<WorkflowHandle, 'workflowId'>;

/** A job skips no time by itself while a workflow task, an activity that has begun, or a child is under way. */
export function timeSkipping(client: Client) {
  const { workflowService } = client;
  const { namespace } = client.options;

  /** False if the job has closed. */
  async function configure({ workflowId }: Job, fastForward: object): Promise<boolean> {
    try {
      await workflowService.updateWorkflowExecutionOptions({
        namespace,
        workflowExecution: { workflowId },
        workflowExecutionOptions: {
          timeSkippingConfig: { enabled: true, maxSessionSkipCount: MOST_JUMPS, ...fastForward },
        },
        updateMask: { paths: ['time_skipping_config'] },
      });
      return true;
    } catch (error) {
      if (failedAs(causeOf(error), 'notFound')) return false;
      throw error;
    }
  }

  return {
    /** From now on, nobody waits: until the job closes, or `forward` ends. */
    async freely(job: Job): Promise<void> {
      await configure(job, {});
    },

    /** Skips so much of the job's time, in milliseconds, or up to its end. */
    async forward(job: Job, ms: number): Promise<void> {
      const fastForwardId = randomUUID();
      const workflowExecution = { workflowId: job.workflowId };
      const isOpen = await configure(job, { fastForwardConfig: { id: fastForwardId, duration: msToTs(ms) } });
      let isOver = !isOpen;
      while (!isOver) {
        const { fastForwardPollingResult } = await client
          .withDeadline(Date.now() + POLL_LIMIT_MS, () =>
            workflowService.pollWorkflowExecutionTimeSkipping({ namespace, workflowExecution, fastForwardId }),
          )
          .catch((error: unknown) => {
            if (failedAs(causeOf(error), 'unavailable')) return POLL_AGAIN;
            throw error;
          });
        isOver = fastForwardPollingResult !== POLL_AGAIN.fastForwardPollingResult;
      }
    },

    /** The job's time (epoch, ms). A job begins with real time. */
    async now(job: Job): Promise<number> {
      const { raw } = await client.workflow.getHandle(job.workflowId).describe();
      const { currentTime } = raw.workflowExtendedInfo?.timeSkippingInfo ?? {};
      return currentTime == null ? Date.now() : tsToMs(currentTime);
    },
  };
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** The events of a history without those of time skipping, which production does not have. */
export function withoutJumps({ events }: History): NonNullable<History['events']> {
  return (events ?? []).filter(
    ({
      workflowExecutionTimeSkippingTransitionedEventAttributes: jump,
      workflowExecutionOptionsUpdatedEventAttributes,
    }) => jump == null && workflowExecutionOptionsUpdatedEventAttributes == null,
  );
}
