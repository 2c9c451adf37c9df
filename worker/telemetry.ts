import type { Logger } from 'pino';
import {
  DefaultLogger,
  Runtime,
  type ActivityInterceptorsFactory,
  type Logger as TemporalLogger,
} from '@temporalio/worker';
import { ConfigurationError } from '../environment/configuration-error.js';
import { hostAndPort, type SocketAddress } from '../environment/address.js';
import { HISTOGRAM_BUCKETS } from './metrics.js';

/**
 * Has the SDK log through our logger, and serve metrics to Prometheus if there is an address. Call it once per process, before any
 * connection.
 *
 * @throws ConfigurationError if it cannot listen on the address
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
    const [reason] = /(?<=: )[^:]*$/.exec((error as Error).message) ?? [String(error)];
    const message = `cannot listen on METRICS_ADDRESS ${hostAndPort(metricsAddress)}: ${reason}; choose another port`;
    throw new ConfigurationError(message, { cause: error });
  }
}

/** Names and units by the conventions of Prometheus, as Temporal's own dashboards expect them. */
function prometheusAt(address: SocketAddress) {
  return {
    bindAddress: hostAndPort(address),
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: HISTOGRAM_BUCKETS,
  };
}

/** Adds the bill run to every line that an activity logs. */
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
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return new DefaultLogger('TRACE', ({ level, message, meta }) => {
    logger[levels[level]]({ ...meta }, message);
  });
}
