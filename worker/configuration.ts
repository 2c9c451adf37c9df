import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { DEFAULT_POLLING, type Polling } from '../activities/watch-bill-run.js';
import { encryptionEnvironment, type EncryptionConfiguration } from '../encryption/keys.js';
import { readEnvironment, zuoraEnvironment, type ZuoraConfiguration } from '../zuora/configuration.js';

/** What a worker needs to know beside Temporal's own `TEMPORAL_*` variables, which the SDK's envconfig reads. */
export interface WorkerConfiguration extends ZuoraConfiguration, EncryptionConfiguration {
  readonly polling: Polling;
  readonly logLevel: string;
}

const workerEnvironment = z
  .object({
    BILL_RUN_POLL_INTERVAL: z
      .string()
      .transform((text) => ms(text as StringValue))
      .pipe(z.number('is no duration, such as "10s"').min(100).max(3_600_000))
      .optional(),
    LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  })
  .transform((env) => {
    const first = env.BILL_RUN_POLL_INTERVAL ?? DEFAULT_POLLING.first;
    return {
      polling: {
        first,
        longest: Math.max(first, DEFAULT_POLLING.longest),
        afterAnHour: Math.max(first, DEFAULT_POLLING.afterAnHour),
      },
      logLevel: env.LOG_LEVEL,
    };
  });

/**
 * Reads the environment once, at the start.
 *
 * @throws ConfigurationError that names all faults together; no value of a secret is in it
 */
export function workerConfiguration(env: NodeJS.ProcessEnv): WorkerConfiguration {
  const environment = zuoraEnvironment.and(workerEnvironment).and(encryptionEnvironment);
  return readEnvironment(environment, env, "the worker's environment is not as it must be");
}
