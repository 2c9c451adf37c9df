import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { DEFAULT_POLLING, type Polling } from '../activities/budget.js';
import { DEFAULT_DELIVERY_INTERVAL_MS } from '../activities/watch-delivery.js';
import type { Receiver } from '../activities/notify.js';
import { isTaskQueue, TASK_QUEUE_FAULT } from '../client/temporal/task-queue.js';
import { UI_URL_FAULT, uiRootOf } from '../client/temporal/ui-link.js';
import { TASK_QUEUE } from '../workflows/contract/contract.js';
import { socketAddress, type SocketAddress } from '../environment/address.js';
import { webUrlOf } from '../environment/web-url.js';
import { readEnvironment } from '../environment/environment.js';
import { optionalSecretOf, readSecret } from '../environment/secret.js';
import { logLevel } from '../environment/logger.js';
import { zuoraEnvironment, type ZuoraConfiguration } from '../zuora/configuration.js';

/** The configuration of a worker, without the `TEMPORAL_*` variables, which `client/temporal/connection.ts` reads. */
export interface WorkerConfiguration extends ZuoraConfiguration {
  readonly polling: Polling;
  /** From an acceptance to the first check of the documents. */
  readonly deliveryIntervalMs: number;
  /** Activities at the same time, in this worker: nearly each makes one or more calls to Zuora. */
  readonly activitiesAtOnce: number;
  readonly logLevel: string;
  readonly taskQueue: string;
  /** Who is notified of what needs a person. Absent: nobody. */
  readonly receiver?: Receiver;
  /** For Prometheus. Absent: no metrics are served. */
  readonly metricsAddress?: SocketAddress;
  /** For `/healthz` and `/readyz`. Absent: they are not served. */
  readonly healthAddress?: SocketAddress;
  /** The worker deployment and version of this worker. Absent: it is unversioned. */
  readonly deployment?: { readonly name: string; readonly buildId?: string };
}

/** In milliseconds, from a text such as `10s`. */
function duration(least: number, most: number) {
  return z
    .string()
    .transform((text) => ms(text as StringValue))
    .pipe(z.number('is not a duration, such as "10s"').min(least).max(most));
}

const workerEnvironment = z
  .object({
    BILL_RUN_POLL_INTERVAL: duration(100, 3_600_000).optional(),
    BILL_RUN_DELIVERY_INTERVAL: duration(100, 8 * 3_600_000).default(DEFAULT_DELIVERY_INTERVAL_MS),
    BILL_RUN_TASK_QUEUE: z.string().refine(isTaskQueue, TASK_QUEUE_FAULT).default(TASK_QUEUE),
    BILL_RUN_POLLS_PER_MINUTE: z.coerce.number().min(0.1).max(50_000).default(DEFAULT_POLLING.perMinute),
    LOG_LEVEL: logLevel,
    METRICS_ADDRESS: socketAddress.optional(),
    HEALTH_ADDRESS: socketAddress.optional(),
    TEMPORAL_DEPLOYMENT_NAME: z
      .string()
      .regex(/^[\w-]{1,100}$/, 'is not a name of letters, digits, - and _')
      .optional(),
    TEMPORAL_WORKER_BUILD_ID: z
      .string()
      .regex(/^[\w.-]{1,200}$/, 'is not a name of letters, digits, ., - and _')
      .optional(),
  })
  .transform((env) => {
    const first = env.BILL_RUN_POLL_INTERVAL ?? DEFAULT_POLLING.first;
    const { METRICS_ADDRESS: metricsAddress, HEALTH_ADDRESS: healthAddress } = env;
    const { TEMPORAL_DEPLOYMENT_NAME: name, TEMPORAL_WORKER_BUILD_ID: buildId } = env;
    return {
      polling: {
        first,
        longest: Math.max(first, DEFAULT_POLLING.longest),
        afterAnHour: Math.max(first, DEFAULT_POLLING.afterAnHour),
        perMinute: env.BILL_RUN_POLLS_PER_MINUTE,
      },
      deliveryIntervalMs: env.BILL_RUN_DELIVERY_INTERVAL,
      logLevel: env.LOG_LEVEL,
      taskQueue: env.BILL_RUN_TASK_QUEUE,
      ...(metricsAddress === undefined ? {} : { metricsAddress }),
      ...(healthAddress === undefined ? {} : { healthAddress }),
      ...(name === undefined ? {} : { deployment: { name, ...(buildId === undefined ? {} : { buildId }) } }),
    };
  });

/** A file is read again for each notice. */
const receiver = z.record(z.string(), z.string()).transform((env, context): Pick<WorkerConfiguration, 'receiver'> => {
  const { TEMPORAL_UI_URL = '' } = env;
  const uiUrl = uiRootOf(TEMPORAL_UI_URL);
  const fault = (name: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [name], message });
  };
  if (TEMPORAL_UI_URL !== '' && uiUrl === undefined) fault('TEMPORAL_UI_URL', UI_URL_FAULT);
  const secret = optionalSecretOf(env, 'NOTIFY_URL', context);
  if (secret === undefined || context.issues.length > 0) return {};
  if (webUrlOf(readSecret(secret))?.username !== '')
    fault('NOTIFY_URL', 'must be an http or https URL, without a user');
  return { receiver: { url: () => readSecret(secret), ...(uiUrl === undefined ? {} : { uiUrl }) } };
});

const configuration = zuoraEnvironment
  .and(workerEnvironment)
  .and(receiver)
  .transform((settings): WorkerConfiguration => {
    // More activities would only wait for a connection.
    return { ...settings, activitiesAtOnce: settings.zuora.connections };
  });

/** @throws ConfigurationError that names all faults together, without any value of a secret */
export function workerConfiguration(env: NodeJS.ProcessEnv): WorkerConfiguration {
  return readEnvironment(configuration, env, 'invalid worker configuration');
}
