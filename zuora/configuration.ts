import { z } from 'zod';
import type { ZuoraSettings } from './client.js';
import { readEnvironment, yesOrNo } from '../environment/environment.js';
import { secretOf } from '../environment/secret.js';
import { credentialsFrom } from './credentials.js';
import { zuoraBaseUrl } from './host.js';

/** The address, credentials and settings of Zuora, for the worker and the command line. */
export interface ZuoraConfiguration {
  readonly zuora: ZuoraSettings & Required<Pick<ZuoraSettings, 'connections'>>;
  /** The tenant has Zuora Multi-entity, so every call names its entity. */
  readonly multiEntity: boolean;
}

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

/** A file is read again for each token. One that cannot be read at all is reported at the start. */
const credentials = z.record(z.string(), z.string()).transform((env, context) => ({
  credentials: credentialsFrom(
    secretOf(env, 'ZUORA_CLIENT_ID', context),
    secretOf(env, 'ZUORA_CLIENT_SECRET', context),
  ),
}));

const CONNECTIONS_FAULT = 'must be a whole number from 1 to 200';

const settings = z.object({
  ZUORA_MULTI_ENTITY: yesOrNo.default(false),
  ZUORA_CONNECTIONS: z.coerce
    .number(CONNECTIONS_FAULT)
    .int(CONNECTIONS_FAULT)
    .min(1, CONNECTIONS_FAULT)
    .max(200, CONNECTIONS_FAULT)
    .default(16),
});

/** The `ZUORA_*` variables. */
export const zuoraEnvironment = address
  .and(credentials)
  .and(settings)
  .transform(({ baseUrl, credentials, ...env }): ZuoraConfiguration => {
    return {
      zuora: { baseUrl, credentials, connections: env.ZUORA_CONNECTIONS },
      multiEntity: env.ZUORA_MULTI_ENTITY,
    };
  });

/**
 * @throws ConfigurationError that names all faults together, without any value of a secret
 */
export function zuoraConfiguration(env: NodeJS.ProcessEnv): ZuoraConfiguration {
  return readEnvironment(zuoraEnvironment, env, 'invalid Zuora configuration');
}
