import { pino, type Logger } from 'pino';
import { z } from 'zod';

/** The environment variable `LOG_LEVEL`. */
export const logLevel = z
  .enum(['trace', 'debug', 'info', 'warn', 'error'], 'must be trace, debug, info, warn or error')
  .default('info');

/** Fields that could hold a secret by mistake, at the top of a log entry or one level below. */
const SECRETS = ['authorization', 'clientSecret', 'client_secret', 'access_token', 'token', 'apiKey'];

/** Writes one JSON line per entry to stderr; stdout is for the output of commands. */
export function createLogger(level: string): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino(
    {
      level,
      redact: { paths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination(2),
  );
}
