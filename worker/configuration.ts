import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { DEFAULT_POLLING, type Polling } from '../activities/watch-bill-run.js';
import { isTaskQueue, TASK_QUEUE_FAULT } from '../client/temporal/task-queue.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { encryptionEnvironment, type EncryptionConfiguration } from '../encryption/keys.js';
import { socketAddress, type SocketAddress } from '../environment/address.js';
import { logLevel } from '../environment/logger.js';
import { readEnvironment, zuoraEnvironment, type ZuoraConfiguration } from '../zuora/configuration.js';

/** What a worker needs to know beside Temporal's own `TEMPORAL_*` variables, which `client/connection.ts` reads. */
export interface WorkerConfiguration extends ZuoraConfiguration, EncryptionConfiguration {
  readonly polling: Polling;
  readonly limits: Limits;
  readonly logLevel: string;
  readonly taskQueue: string;
  /** Where metrics are served for Prometheus, and health; nowhere, where it is absent. */
  readonly metricsAddress?: SocketAddress;
  readonly healthAddress?: SocketAddress;
  /** The worker deployment that this worker is a version of; without one, it is not versioned. */
  readonly deployment?: { readonly name: string; readonly buildId?: string };
}

/** Of Zuora, all of it: every activity makes a call, or a few. */
export interface Limits {
  /**
   * Activities that all workers of the task queue start in a second; absent: any number. Temporal keeps to what it heard last.
   * It then hands out each activity by itself, which takes some 50 ms more than a worker that starts its own.
   */
  readonly activitiesPerSecond?: number;
  /** Activities under way in this worker. */
  readonly activitiesAtOnce: number;
}

const workerEnvironment = z
  .object({
    BILL_RUN_POLL_INTERVAL: z
      .string()
      .transform((text) => ms(text as StringValue))
      .pipe(z.number('is no duration, such as "10s"').min(100).max(3_600_000))
      .optional(),
    BILL_RUN_TASK_QUEUE: z.string().refine(isTaskQueue, TASK_QUEUE_FAULT).default(TASK_QUEUE),
    BILL_RUN_POLLS_PER_MINUTE: z.coerce.number().min(0.1).max(50_000).default(DEFAULT_POLLING.perMinute),
    BILL_RUN_ACTIVITIES_PER_SECOND: z.coerce.number().min(0.1).max(1_000).optional(),
    LOG_LEVEL: logLevel,
    METRICS_ADDRESS: socketAddress.optional(),
    HEALTH_ADDRESS: socketAddress.optional(),
    TEMPORAL_DEPLOYMENT_NAME: z
      .string()
      .regex(/^[\w-]{1,100}$/, 'is no name of letters, digits, - and _')
      .optional(),
    TEMPORAL_WORKER_BUILD_ID: z
      .string()
      .regex(/^[\w.-]{1,200}$/, 'is no name of letters, digits, ., - and _')
      .optional(),
  })
  .transform((env) => {
    const first = env.BILL_RUN_POLL_INTERVAL ?? DEFAULT_POLLING.first;
    const { METRICS_ADDRESS: metricsAddress, HEALTH_ADDRESS: healthAddress } = env;
    const { BILL_RUN_ACTIVITIES_PER_SECOND: activitiesPerSecond } = env;
    const { TEMPORAL_DEPLOYMENT_NAME: name, TEMPORAL_WORKER_BUILD_ID: buildId } = env;
    return {
      polling: {
        first,
        longest: Math.max(first, DEFAULT_POLLING.longest),
        afterAnHour: Math.max(first, DEFAULT_POLLING.afterAnHour),
        perMinute: env.BILL_RUN_POLLS_PER_MINUTE,
      },
      rate: activitiesPerSecond === undefined ? {} : { activitiesPerSecond },
      logLevel: env.LOG_LEVEL,
      taskQueue: env.BILL_RUN_TASK_QUEUE,
      ...(metricsAddress === undefined ? {} : { metricsAddress }),
      ...(healthAddress === undefined ? {} : { healthAddress }),
      ...(name === undefined ? {} : { deployment: { name, ...(buildId === undefined ? {} : { buildId }) } }),
    };
  });

const configuration = zuoraEnvironment
  .and(workerEnvironment)
  .and(encryptionEnvironment)
  .transform(({ rate, ...settings }): WorkerConfiguration => {
    // More at once would only wait for a connection.
    return { ...settings, limits: { ...rate, activitiesAtOnce: settings.zuora.connections } };
  });

/**
 * Reads the environment once, at the start.
 *
 * @throws ConfigurationError that names all faults together; no value of a secret is in it
 */
export function workerConfiguration(env: NodeJS.ProcessEnv): WorkerConfiguration {
  return readEnvironment(configuration, env, "the worker's environment is not as it must be");
}
