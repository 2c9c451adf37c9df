import type { Logger } from 'pino';
import {
  Runtime,
  type ActivityInterceptorsFactory,
  type Logger as TemporalLogger,
  type LogLevel,
} from '@temporalio/worker';
import { ConfigurationError } from '../zuora/configuration.js';
import { hostAndPort, type SocketAddress } from '../environment/address.js';
import { HISTOGRAM_BUCKETS } from './metrics.js';

/**
 * Makes the SDK log through ours, and serve metrics to Prometheus where it is told to. Once for each process, before any
 * connection.
 *
 * @throws ConfigurationError where the address for metrics cannot be had
 */
export function installTelemetry(logger: Logger, metricsAddress?: SocketAddress): void {
  const options = {
    logger: temporalLogger(logger),
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'WARN' }, forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: prometheusAt(metricsAddress) } }),
    },
  } as const;
  try {
    Runtime.install(options);
  } catch (error) {
    if (metricsAddress === undefined) throw error;
    throw new ConfigurationError(`METRICS_ADDRESS cannot be had: ${String(error)}`, { cause: error });
  }
}

/** Names and units as Prometheus wants them, and as Temporal's own dashboards expect them. */
function prometheusAt(address: SocketAddress) {
  return {
    bindAddress: hostAndPort(address),
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: HISTOGRAM_BUCKETS,
  };
}

/** Names the bill run in every line that is logged while an activity runs. */
export const billRunInLogs: ActivityInterceptorsFactory = () => {
  let billRun: unknown;
  return {
    inbound: {
      execute(input, next) {
        const [address] = input.args as [{ billRunKey?: string; input?: { billRunKey?: string } }?];
        billRun = address?.billRunKey ?? address?.input?.billRunKey;
        return next(input);
      },
    },
    outbound: {
      getLogAttributes: (input, next) => ({ ...next(input), billRun }),
    },
  };
};

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
