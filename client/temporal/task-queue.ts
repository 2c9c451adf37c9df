import { TASK_QUEUE } from '../../workflows/contract/contract.js';
import { ConfigurationError } from '../../environment/configuration-error.js';

/** Printable ASCII without spaces. */
const NAME = /^[!-~]{1,200}$/;

export const TASK_QUEUE_FAULT = 'must be 1 to 200 printable ASCII characters without spaces';

export function isTaskQueue(name: string): boolean {
  return NAME.test(name);
}

/**
 * The task queue of our jobs: `BILL_RUN_TASK_QUEUE`, or `bill-run-emails`.
 *
 * @throws ConfigurationError
 */
export function taskQueueIn({ BILL_RUN_TASK_QUEUE: named = '' }: NodeJS.ProcessEnv): string {
  if (named === '') return TASK_QUEUE;
  if (isTaskQueue(named)) return named;
  throw new ConfigurationError(`BILL_RUN_TASK_QUEUE ${TASK_QUEUE_FAULT}`);
}
