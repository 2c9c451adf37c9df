import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { DEFAULT_POLLING, type Polling } from '../activities/watch-bill-run.js';
import type { ZuoraSettings } from '../zuora/client.js';
import { zuoraBaseUrl } from '../zuora/host.js';

/** What a worker needs to know beside Temporal's own `TEMPORAL_*` variables, which the SDK's envconfig reads. */
export interface WorkerConfiguration {
  readonly zuora: ZuoraSettings;
  readonly multiEntity: boolean;
  readonly polling: Polling;
  readonly logLevel: string;
}

/** The environment is not as it must be; the message names every fault. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

const yesOrNo = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');

const environment = z
  .object({
    ZUORA_BASE_URL: z.string(),
    ZUORA_ALLOWED_HOSTS: z.string().default(''),
    ZUORA_CLIENT_ID: z.string(),
    ZUORA_CLIENT_SECRET: z.string(),
    ZUORA_MULTI_ENTITY: yesOrNo.default(false),
    ZUORA_VERSION: z
      .string()
      .regex(/^[\w.-]{1,20}$/, 'is no version of the Zuora API, such as 2025-08-12')
      .optional(),
    ZUORA_GZIP_REQUESTS: yesOrNo.default(false),
    ZUORA_CONNECTIONS: z.coerce.number().int().min(1).max(200).default(16),
    BILL_RUN_POLL_INTERVAL: z
      .string()
      .transform((text) => ms(text as StringValue))
      .pipe(z.number('is no duration, such as "10s"').min(100).max(3_600_000))
      .optional(),
    LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  })
  .transform((env, context) => {
    const hosts = env.ZUORA_ALLOWED_HOSTS.toLowerCase().split(/[\s,]+/);
    try {
      return { ...env, baseUrl: zuoraBaseUrl(env.ZUORA_BASE_URL, hosts) };
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['ZUORA_BASE_URL'], message: (error as Error).message });
      return z.NEVER;
    }
  });

/**
 * Reads the environment once, at the start.
 *
 * @throws {@link ConfigurationError} that names all faults together; no value of a secret is in it
 */
export function workerConfiguration(env: NodeJS.ProcessEnv): WorkerConfiguration {
  // An empty variable is how shells and manifests say that one is not there.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message, code }) => {
      const name = path.join('.');
      return `  ${name} ${code === 'invalid_type' && given[name] === undefined ? 'is missing' : message}`;
    });
    throw new ConfigurationError(`the worker's environment is not as it must be:\n${faults.join('\n')}`);
  }
  const { baseUrl, ...read } = parsed.data;
  const first = read.BILL_RUN_POLL_INTERVAL ?? DEFAULT_POLLING.first;
  return {
    zuora: {
      baseUrl,
      credentials: { clientId: read.ZUORA_CLIENT_ID, clientSecret: read.ZUORA_CLIENT_SECRET },
      connections: read.ZUORA_CONNECTIONS,
      gzipRequests: read.ZUORA_GZIP_REQUESTS,
      ...(read.ZUORA_VERSION === undefined ? {} : { version: read.ZUORA_VERSION }),
    },
    multiEntity: read.ZUORA_MULTI_ENTITY,
    polling: {
      first,
      longest: Math.max(first, DEFAULT_POLLING.longest),
      afterAnHour: Math.max(first, DEFAULT_POLLING.afterAnHour),
    },
    logLevel: read.LOG_LEVEL,
  };
}
