#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { createActivities } from '../activities/index.js';
import { connectionSettings } from '../client/connection.js';
import { BillRunEmailsError, EXIT, exitCodeOf } from '../client/errors.js';
import { createZuora } from '../zuora/client.js';
import { ConfigurationError } from '../zuora/configuration.js';
import { workerConfiguration } from './configuration.js';
import { connectWorker } from './connection.js';
import { assertSearchAttributes, SearchAttributesMissing } from './search-attributes.js';
import { createLogger, installTelemetry } from './telemetry.js';
import { createBillRunWorker } from './worker.js';

const WORKFLOW_BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

/** Runs until SIGTERM or SIGINT, then drains: attempts under way end before the process does. */
async function main(): Promise<void> {
  const { zuora: zuoraSettings, multiEntity, polling, logLevel, taskQueue } = workerConfiguration(process.env);
  const settings = connectionSettings();
  const { namespace } = settings;
  const logger = createLogger(logLevel);
  installTelemetry(logger);

  const connection = await connectWorker(settings);
  const zuora = createZuora(zuoraSettings);
  try {
    await assertSearchAttributes(connection, namespace);
    const worker = await createBillRunWorker({
      connection,
      namespace,
      activities: createActivities({ zuora, multiEntity, polling }),
      workflowBundlePath: WORKFLOW_BUNDLE,
      taskQueue,
    });
    logger.info({ namespace, taskQueue, zuora: zuoraSettings.baseUrl.host }, 'worker is ready');
    await worker.run();
    logger.info('worker has drained');
  } finally {
    await zuora.close();
    await connection.close();
  }
}

/** The same as the command line's: 2 for what stands in the environment, 6 for a Temporal that is not reached or not set up. */
function exitCodeFor(error: unknown): number {
  if (error instanceof BillRunEmailsError) return exitCodeOf[error.type];
  if (error instanceof SearchAttributesMissing) return EXIT.temporal;
  return error instanceof ConfigurationError ? EXIT.invalid : EXIT.unexpected;
}

main().catch((error: unknown) => {
  // What an operator can mend is a sentence; anything else needs its stack.
  const code = exitCodeFor(error);
  console.error(code !== EXIT.unexpected && error instanceof Error ? error.message : error);
  // The SDK's runtime may keep the process alive, and nothing is left to wait for.
  process.exit(code);
});
