/** An earlier job of a bill run whose history nobody here can decode, as a retired data converter leaves it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { TASK_QUEUE, WORKFLOW_TYPE } from '../../workflows/contract/contract.js';

/** Marks its runs in their memo. */
const MARK = 'anotherDataConverter';

export function isUnreadable({ memo }: Pick<WorkflowExecutionDescription, 'memo'>): boolean {
  return memo?.[MARK] === true;
}

const { CommandType } = proto.temporal.api.enums.v1;
const payloads = [{ metadata: { encoding: Buffer.from('binary/retired') }, data: Buffer.from('?') }];

/**
 * A job with an attempt that only the other converter can decode. It continues on our task queue, where its input is invalid, so that it
 * fails and does not look like the job of another tenant.
 */
export async function leaveUnreadable(client: Client, workflowId: string, ownTaskQueue = TASK_QUEUE): Promise<void> {
  // No worker polls it.
  const taskQueue = { name: `another-data-converter-${randomUUID()}` };
  const { workflowService, options } = client;
  const { namespace } = options;
  for (;;) {
    try {
      await client.withDeadline(Date.now() + 10_000, async () => {
        await client.workflow.start(WORKFLOW_TYPE, {
          ...{ workflowId, taskQueue: taskQueue.name, args: [], memo: { [MARK]: true } },
          ...{ workflowIdConflictPolicy: 'USE_EXISTING', workflowTaskTimeout: '2 seconds' },
        });
        const { taskToken } = await workflowService.pollWorkflowTaskQueue({ namespace, taskQueue });
        if (taskToken.length === 0) throw new Error('no workflow task yet');
        await workflowService.respondWorkflowTaskCompleted({
          namespace,
          taskToken,
          commands: commands(taskQueue, ownTaskQueue),
        });
      });
      break;
    } catch {
      // Temporal may be down, or restarting.
      await delay(500);
    }
  }
  const handle = client.workflow.getHandle(workflowId);
  while ((await handle.describe().catch(() => undefined))?.status.name !== 'FAILED') await delay(500);
}

function commands(
  taskQueue: { readonly name: string },
  ownTaskQueue: string,
): proto.temporal.api.command.v1.ICommand[] {
  return [
    {
      commandType: CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
      scheduleActivityTaskCommandAttributes: {
        ...{ activityId: '1', activityType: { name: 'emailBillRunDocuments' }, taskQueue, input: { payloads } },
        startToCloseTimeout: msToTs('1 minute'),
      },
    },
    {
      commandType: CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
      continueAsNewWorkflowExecutionCommandAttributes: {
        ...{ workflowType: { name: WORKFLOW_TYPE }, taskQueue: { name: ownTaskQueue } },
        input: { payloads: [defaultPayloadConverter.toPayload({ billRunKey: '' })] },
        memo: { fields: { [MARK]: defaultPayloadConverter.toPayload(true) } },
      },
    },
  ];
}
