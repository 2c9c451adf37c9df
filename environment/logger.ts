import { pino, type Logger } from 'pino';
import { z } from 'zod';

/** The environment variable `LOG_LEVEL`. */
export const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info');

/** Names under which a secret might be logged by mistake, at the top of an entry or one below. */
const SECRETS = ['authorization', 'clientSecret', 'client_secret', 'access_token', 'token', 'apiKey'];

/** One JSON line for each entry, on stderr: stdout is for what a command was asked for. */
export function createLogger(level: string): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino({ level, redact: { paths, censor: '[redacted]' } }, pino.destination(2));
}
