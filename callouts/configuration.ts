import { z } from 'zod';
import { isTaskQueue, TASK_QUEUE_FAULT } from '../client/temporal/task-queue.js';
import { socketAddress, type SocketAddress } from '../environment/address.js';
import { readEnvironment, yesOrNo } from '../environment/environment.js';
import { logLevel } from '../environment/logger.js';
import { readSecret, secretOf } from '../environment/secret.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';

export interface CalloutConfiguration {
  readonly address: SocketAddress;
  readonly user: string;
  readonly password: string;
  /** Whether a callout starts a job for a bill run without one; otherwise it reaches open jobs only. */
  readonly starts: boolean;
  readonly taskQueue: string;
  readonly logLevel: string;
}

/** In characters. The password is all that protects the service, and Zuora's form takes a long one. */
const MIN_PASSWORD_LENGTH = 16;

const password = z.record(z.string(), z.string()).transform((env, context) => ({
  password: readSecret(secretOf(env, 'CALLOUT_PASSWORD', context, MIN_PASSWORD_LENGTH)),
}));

const environment = z
  .object({
    CALLOUT_ADDRESS: socketAddress.default({ host: '127.0.0.1', port: 8090 }),
    CALLOUT_USERNAME: z.string().regex(/^[^:]{1,100}$/, 'is not a name of 1 to 100 characters without a colon'),
    CALLOUT_STARTS: yesOrNo.default(true),
    BILL_RUN_TASK_QUEUE: z.string().refine(isTaskQueue, TASK_QUEUE_FAULT).default(TASK_QUEUE),
    LOG_LEVEL: logLevel,
  })
  .and(password)
  .transform(({ password, ...env }): CalloutConfiguration => ({
    address: env.CALLOUT_ADDRESS,
    user: env.CALLOUT_USERNAME,
    password,
    starts: env.CALLOUT_STARTS,
    taskQueue: env.BILL_RUN_TASK_QUEUE,
    logLevel: env.LOG_LEVEL,
  }));

/** @throws ConfigurationError that names all faults together, without the password */
export function calloutConfiguration(env: NodeJS.ProcessEnv): CalloutConfiguration {
  return readEnvironment(environment, env, 'invalid configuration of the callout service');
}
