/** What keeps an order that Temporal took from being carried out. */
import type { Client } from '@temporalio/client';
import { isHoldAllOpen } from './temporal/hold-all.js';
import { faultOfSearchAttributes } from './temporal/setup.js';
import { workersFound } from './temporal/workers.js';

/** With a last retry of the SDK, which may begin before and end after, two seconds. */
const ANSWERS_WITHIN_MS = 1_500;

/**
 * Each with what to do. A question without an answer in two seconds warns of nothing, and it never throws. When it returns, no call
 * is left: the SDK would end the process for one that it retries once the connection is closed (1.24).
 */
export async function startWarnings(client: Client, taskQueue: string): Promise<readonly string[]> {
  const workers = async (): Promise<string | undefined> => {
    const { workflowService, options } = client;
    const found = await workersFound({ workflowService, namespace: options.namespace, taskQueue, kind: 'workflow' });
    return found.result === 'ok' ? undefined : `${found.text}. ${found.todo}`;
  };
  const attributes = async (): Promise<string | undefined> => {
    const fault = await faultOfSearchAttributes(client.connection, client.options.namespace);
    return fault && `${fault.text}. ${fault.todo}`;
  };
  const hold = async (): Promise<string | undefined> =>
    (await isHoldAllOpen(client))
      ? 'all jobs are on hold, so nothing is sent until: bill-run-emails release --all'
      : undefined;
  const answers = [workers, attributes, hold].map(async (ask) => {
    try {
      return await client.withDeadline(Date.now() + ANSWERS_WITHIN_MS, ask);
    } catch {
      // The order is taken all the same, and doctor says why something cannot be asked.
      return undefined;
    }
  });
  return (await Promise.all(answers)).filter((warning) => warning !== undefined);
}
