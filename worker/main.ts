#!/usr/bin/env node
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { createZuora } from '../zuora/client.js';
import { ConfigurationError } from '../zuora/configuration.js';
import { workerConfiguration } from './configuration.js';
import { assertSearchAttributes, SearchAttributesMissing } from './search-attributes.js';
import { createLogger, installTelemetry } from './telemetry.js';
import { createBillRunWorker, shippedBundle } from './worker.js';

/** Runs until SIGTERM or SIGINT, then drains: attempts under way end before the process does. */
async function main(): Promise<void> {
  const { zuora: zuoraSettings, multiEntity, polling, logLevel, encryption } = workerConfiguration(process.env);
  const logger = createLogger(logLevel);
  installTelemetry(logger);

  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions).catch((error: unknown) => {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new ConfigurationError(
      `Temporal cannot be reached at ${address}; is it there, and are the TEMPORAL_* variables right?`,
      { cause: error },
    );
  });
  const zuora = createZuora(zuoraSettings);
  try {
    await assertSearchAttributes(connection, namespace);
    const worker = await createBillRunWorker({
      connection,
      namespace,
      activities: createActivities({ zuora, multiEntity, polling }),
      workflowBundlePath: shippedBundle(encryption),
      encryption,
    });
    logger.info(
      { namespace, taskQueue: worker.options.taskQueue, zuora: zuoraSettings.baseUrl.host },
      'worker is ready',
    );
    await worker.run();
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
