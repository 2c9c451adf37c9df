#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createActivities } from '../activities/index.js';
import { connectionSettings } from '../client/temporal/connection.js';
import { payloadCodecs } from '../client/temporal/data-converter.js';
import { endFor, explainTo } from '../client/failures/process.js';
import { createLogger } from '../environment/logger.js';
import { hasTraceEndpoint } from '../environment/otlp.js';
import { createZuora } from '../zuora/client.js';
import type { OnCall } from '../zuora/observed.js';
import { workerConfiguration } from './configuration.js';
import { connectWorker } from './connection.js';
import { countOpenJobs, zuoraMetrics } from './metrics.js';
import { assertSearchAttributes } from './search-attributes.js';
import { installTelemetry } from './telemetry.js';
import { createBillRunWorker, SHIPPED_BUNDLE } from './worker.js';

/** Identifies the sources of the build. */
const BUILD_ID = fileURLToPath(new URL('../build-id', import.meta.url));

/**
 * How long a draining worker still takes tasks, if the server does not end its polls. A poll that is cut while a task is on its way
 * loses the task until its time-out. The SDK's core reads this variable; the SDK has no option for it.
 */
const LAST_TASKS_MS = '1000';

/** Runs until SIGTERM or SIGINT, then drains: attempts under way end before the process does. */
async function main(): Promise<void> {
  explainTo(process.argv, 'Runs the workflows and activities of bill-run-emails until SIGTERM or Ctrl-C.');
  const {
    zuora: zuoraSettings,
    multiEntity,
    polling,
    deliveryIntervalMs,
    activitiesAtOnce,
    receiver,
    ...rest
  } = workerConfiguration(process.env);
  const { taskQueue, logLevel, metricsAddress, healthAddress, deployment } = rest;
  const settings = connectionSettings();
  const { namespace } = settings;
  const codecs = await payloadCodecs(process.env);
  process.env['TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS'] ??= LAST_TASKS_MS;
  const logger = createLogger(logLevel);
  installTelemetry(logger, metricsAddress);

  // Loaded only if needed, as health below: OpenTelemetry takes time and memory.
  const traces = hasTraceEndpoint(process.env)
    ? (await import('./traces.js')).openWorkerTraces(logger, zuoraSettings.baseUrl.hostname)
    : undefined;

  const connection = await connectWorker(settings);
  const count = zuoraMetrics();
  const onCall: OnCall = (call) => {
    count(call);
    traces?.onCall(call);
  };
  const zuora = createZuora({ ...zuoraSettings, onCall });
  const buildId = deployment?.buildId ?? readFileSync(BUILD_ID, 'utf8').trim();
  await assertSearchAttributes(connection, namespace);
  const worker = await createBillRunWorker({
    connection,
    namespace,
    activities: createActivities({
      ...{ zuora, multiEntity, polling, deliveryIntervalMs },
      checksAtOnce: Math.ceil(activitiesAtOnce / 4),
      ...(receiver === undefined ? {} : { receiver }),
    }),
    workflowBundlePath: SHIPPED_BUNDLE,
    payloadCodecs: codecs,
    taskQueue,
    activitiesAtOnce,
    traces,
    ...(deployment === undefined ? {} : { version: { deploymentName: deployment.name, buildId } }),
  });
  // Loaded only if needed, because a framework for HTTP takes time to load.
  const health =
    healthAddress &&
    (await (await import('./health.js')).serveHealth(healthAddress, { worker, connection, namespace, zuora }));
  const stopCounting = metricsAddress && countOpenJobs(connection, namespace, logger);
  const about = { namespace, taskQueue, deployment: deployment?.name, buildId, zuora: zuoraSettings.baseUrl.host };
  logger.info(about, 'worker is ready');
  await worker.run();
  stopCounting?.();
  await health?.close();
  await zuora.close();
  await connection.close();
  await traces?.close();
  logger.info('worker has drained');
}

main().catch(endFor);
