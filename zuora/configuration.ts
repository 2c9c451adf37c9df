import { z } from 'zod';
import type { ZuoraSettings } from './client.js';
import { faultsOf, neededSecret, readSecret, type Secret } from '../environment/secret.js';
import { credentialsFrom } from './credentials.js';
import { zuoraBaseUrl } from './host.js';

/** Where Zuora is and how it is spoken to: what the worker and the command line know of it. */
export interface ZuoraConfiguration {
  readonly zuora: ZuoraSettings & Required<Pick<ZuoraSettings, 'connections'>>;
  /** The tenant has Zuora Multi-entity: every call then says which entity it is about. */
  readonly multiEntity: boolean;
}

/** The environment is not as it must be; the message names every fault. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export const yesOrNo = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');

const address = z
  .object({
    ZUORA_BASE_URL: z.string(),
    ZUORA_ALLOWED_HOSTS: z.string().default(''),
  })
  .transform((env, context) => {
    const hosts = env.ZUORA_ALLOWED_HOSTS.toLowerCase().split(/[\s,]+/);
    try {
      return { baseUrl: zuoraBaseUrl(env.ZUORA_BASE_URL, hosts) };
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['ZUORA_BASE_URL'], message: (error as Error).message });
      return z.NEVER;
    }
  });

/** Each half is given as it is, or by the path of a file that holds it. */
const credentials = z.record(z.string(), z.string()).transform((env, context) => {
  const fault = faultsOf(context);
  const half = (name: string): Secret => {
    const secret = neededSecret(env, name, fault);
    // It is read anew for each token. One that cannot be read at all is told at the start.
    readSecret(secret, name, fault);
    return secret;
  };
  return { credentials: credentialsFrom(half('ZUORA_CLIENT_ID'), half('ZUORA_CLIENT_SECRET')) };
});

const settings = z.object({
  ZUORA_MULTI_ENTITY: yesOrNo.default(false),
  ZUORA_VERSION: z
    .string()
    .regex(/^[\w.-]{1,20}$/, 'is no version of the Zuora API, such as 2025-08-12')
    .optional(),
  ZUORA_GZIP_REQUESTS: yesOrNo.default(false),
  ZUORA_CONNECTIONS: z.coerce.number().int().min(1).max(200).default(16),
});

/** The `ZUORA_*` variables. */
export const zuoraEnvironment = address
  .and(credentials)
  .and(settings)
  .transform(({ baseUrl, credentials, ...env }): ZuoraConfiguration => {
    return {
      zuora: {
        baseUrl,
        credentials,
        connections: env.ZUORA_CONNECTIONS,
        gzipRequests: env.ZUORA_GZIP_REQUESTS,
        ...(env.ZUORA_VERSION === undefined ? {} : { version: env.ZUORA_VERSION }),
      },
      multiEntity: env.ZUORA_MULTI_ENTITY,
    };
  });

/**
 * @throws {@link ConfigurationError} that names all faults together; no value of a secret is in it
 */
export function zuoraConfiguration(env: NodeJS.ProcessEnv): ZuoraConfiguration {
  return readEnvironment(zuoraEnvironment, env, 'the environment is not as it must be to reach Zuora');
}

/**
 * What a schema makes of environment variables.
 *
 * @param complaint how the message of the failure begins
 * @throws {@link ConfigurationError} that names all faults together; no value of a secret is in it
 */
export function readEnvironment<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv, complaint: string): T {
  // An empty variable is how shells and manifests say that one is not there.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message, code }) => {
    const name = path.join('.');
    return `  ${name} ${code === 'invalid_type' && given[name] === undefined ? 'is missing' : message}`;
  });
  throw new ConfigurationError(`${complaint}:\n${faults.join('\n')}`);
}
