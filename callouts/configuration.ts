import { z } from 'zod';
import { isTaskQueue, TASK_QUEUE_FAULT } from '../client/temporal/task-queue.js';
import { socketAddress, type SocketAddress } from '../environment/address.js';
import { logLevel } from '../environment/logger.js';
import { shownSecret } from '../environment/secret.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { readEnvironment, yesOrNo } from '../zuora/configuration.js';

export interface CalloutConfiguration {
  readonly address: SocketAddress;
  readonly user: string;
  readonly password: string;
  /** Whether a bill run without a run gets one; otherwise only runs at work are told. */
  readonly starts: boolean;
  /** Callouts that are taken in a minute. */
  readonly perMinute: number;
  readonly taskQueue: string;
  readonly logLevel: string;
}

const environment = z
  .object({
    CALLOUT_ADDRESS: socketAddress.default({ host: '127.0.0.1', port: 8090 }),
    CALLOUT_USERNAME: z.string().regex(/^[^:]{1,100}$/, 'is no name of 1 to 100 characters without a colon'),
    CALLOUT_STARTS: yesOrNo.default(true),
    CALLOUTS_PER_MINUTE: z.coerce.number().int().min(1).max(100_000).default(600),
    BILL_RUN_TASK_QUEUE: z.string().refine(isTaskQueue, TASK_QUEUE_FAULT).default(TASK_QUEUE),
    LOG_LEVEL: logLevel,
  })
  .and(shownSecret('CALLOUT_PASSWORD'))
  .transform(({ secret: password, ...env }): CalloutConfiguration => {
    return {
      address: env.CALLOUT_ADDRESS,
      user: env.CALLOUT_USERNAME,
      password,
      starts: env.CALLOUT_STARTS,
      perMinute: env.CALLOUTS_PER_MINUTE,
      taskQueue: env.BILL_RUN_TASK_QUEUE,
      logLevel: env.LOG_LEVEL,
    };
  });

/** @throws ConfigurationError that names all faults together; the password is not in it */
export function calloutConfiguration(env: NodeJS.ProcessEnv): CalloutConfiguration {
  return readEnvironment(environment, env, "the callout service's environment is not as it must be");
}
