import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';

export const yesOrNo = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');

/**
 * Parses environment variables.
 *
 * @param complaint the beginning of the error message
 * @throws {@link ConfigurationError} that names all faults together
 */
export function readEnvironment<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv, complaint: string): T {
  // Shells and manifests write an absent variable as an empty one.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message, code }) => {
    const name = path.join('.');
    return `  ${name} ${code === 'invalid_type' && given[name] === undefined ? 'is missing' : message}`;
  });
  throw new ConfigurationError(`${complaint}:\n${faults.join('\n')}`);
}
