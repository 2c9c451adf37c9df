#!/usr/bin/env node
import { BillRunEmails } from '../client/bill-run-emails.js';
import { endFor, explainTo } from '../client/failures/process.js';
import { hostAndPort } from '../environment/address.js';
import { ConfigurationError } from '../environment/configuration-error.js';
import { createLogger } from '../environment/logger.js';
import { calloutConfiguration } from './configuration.js';
import { startCalloutServer } from './server.js';

/** For each call to Temporal; a callout needs four at most. Zuora does not document how long it waits. */
const DEADLINE_MS = 5_000;

/** Runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  explainTo(process.argv, "Receives Zuora's callouts and starts or hints jobs, until SIGTERM or Ctrl-C.");
  const { taskQueue, logLevel, ...settings } = calloutConfiguration(process.env);
  const logger = createLogger(logLevel);
  const emails = await BillRunEmails.connect({ taskQueue, deadlineMs: DEADLINE_MS, warns: false });
  // Fails where Temporal does not know the namespace, or refuses us in it.
  await emails.holdAllRequests();
  const server = await startCalloutServer(settings, emails, logger).catch((error: unknown) => {
    const address = hostAndPort(settings.address);
    throw new ConfigurationError(`cannot listen on CALLOUT_ADDRESS ${address}: ${(error as Error).message}`);
  });
  const stop = async (): Promise<void> => {
    await server.close();
    await emails.close();
    logger.info('callout service has stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().catch(endFor));
  // Only now: who reads it may send a signal at once.
  logger.info({ url: server.url, taskQueue, starts: settings.starts }, 'callout service is ready');
}

main().catch(endFor);
