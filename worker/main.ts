#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { createZuora } from '../zuora/client.js';
import { ConfigurationError } from '../zuora/configuration.js';
import { workerConfiguration } from './configuration.js';
import { serveHealth } from './health.js';
import { countOpenRuns, zuoraMetrics } from './metrics.js';
import { assertSearchAttributes, SearchAttributesMissing } from './search-attributes.js';
import { createLogger, installTelemetry } from './telemetry.js';
import { createBillRunWorker } from './worker.js';

const WORKFLOW_BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
/** What the build was made of: another build has another one. */
const BUILD_ID = fileURLToPath(new URL('../build-id', import.meta.url));

/** Runs until SIGTERM or SIGINT, then drains: attempts under way end before the process does. */
async function main(): Promise<void> {
  const { zuora: zuoraSettings, multiEntity, polling, ...settings } = workerConfiguration(process.env);
  const { limits, deployment, metricsAddress, healthAddress } = settings;
  const logger = createLogger(settings.logLevel);
  installTelemetry(logger, metricsAddress);

  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions).catch((error: unknown) => {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new ConfigurationError(
      `Temporal cannot be reached at ${address}; is it there, and are the TEMPORAL_* variables right?`,
      { cause: error },
    );
  });
  const zuora = createZuora({ ...zuoraSettings, onCall: zuoraMetrics() });
  const buildId = deployment?.buildId ?? readFileSync(BUILD_ID, 'utf8').trim();
  const version = deployment === undefined ? {} : { version: { deploymentName: deployment.name, buildId } };
  try {
    await assertSearchAttributes(connection, namespace);
    const worker = await createBillRunWorker({
      connection,
      namespace,
      activities: createActivities({ zuora, multiEntity, polling }),
      workflowBundlePath: WORKFLOW_BUNDLE,
      limits,
      ...version,
    });
    const health =
      healthAddress === undefined
        ? undefined
        : await serveHealth(healthAddress, { worker, connection, namespace, zuora });
    const stopCounting = metricsAddress === undefined ? undefined : countOpenRuns(connection, namespace, logger);
    logger.info(
      { namespace, taskQueue: worker.options.taskQueue, buildId, ...version, zuora: zuoraSettings.baseUrl.host },
      'worker is ready',
    );
    await worker.run();
    stopCounting?.();
    await health?.close();
    logger.info('worker has drained');
  } finally {
    await zuora.close();
    await connection.close();
  }
}

main().catch((error: unknown) => {
  // What an operator can mend is a sentence; anything else needs its stack.
  const mendable = error instanceof ConfigurationError || error instanceof SearchAttributesMissing;
  console.error(mendable ? error.message : error);
  // The SDK's runtime may keep the process alive, and nothing is left to wait for.
  process.exit(mendable ? 2 : 1);
});
