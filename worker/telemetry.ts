import { pino, type Logger } from 'pino';
import { Runtime, type Logger as TemporalLogger, type LogLevel } from '@temporalio/worker';

/** Names under which a secret might be logged by mistake, at the top of an entry or one below. */
const SECRETS = ['authorization', 'clientSecret', 'client_secret', 'access_token', 'token', 'apiKey'];

/** One JSON line for each entry, on stderr: stdout is for what a command was asked for. */
export function createLogger(level: string): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino({ level, redact: { paths, censor: '[redacted]' } }, pino.destination(2));
}

/** Makes the SDK log through ours. Once for each process, before any connection. */
export function installTelemetry(logger: Logger): void {
  Runtime.install({
    logger: temporalLogger(logger),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'WARN' }, forward: {} } },
  });
}

function temporalLogger(logger: Logger): TemporalLogger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta?: object): void => {
      logger[level]({ ...meta }, message);
    };
  const levels = { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const byName: Record<LogLevel, (message: string, meta?: object) => void> = {
    TRACE: levels.trace,
    DEBUG: levels.debug,
    INFO: levels.info,
    WARN: levels.warn,
    ERROR: levels.error,
  };
  return {
    ...levels,
    log: (level, message, meta) => {
      byName[level](message, meta);
    },
  };
}
