#!/usr/bin/env node
import { BillRunEmails } from '../client/bill-run-emails.js';
import { endFor } from '../client/failures/process.js';
import { hostAndPort } from '../environment/address.js';
import { createLogger } from '../environment/logger.js';
import { ConfigurationError } from '../zuora/configuration.js';
import { calloutConfiguration } from './configuration.js';
import { startCalloutServer } from './server.js';

/** Of each call to Temporal, of which a callout makes four at most. Nobody says for how long Zuora waits. */
const DEADLINE_MS = 5_000;

/** Runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const { taskQueue, logLevel, ...settings } = calloutConfiguration(process.env);
  const logger = createLogger(logLevel);
  const emails = await BillRunEmails.connect({ taskQueue, deadlineMs: DEADLINE_MS });
  const server = await startCalloutServer(settings, emails, logger).catch((error: unknown) => {
    const where = hostAndPort(settings.address);
    throw new ConfigurationError(`CALLOUT_ADDRESS: cannot listen on ${where} (${(error as Error).message})`);
  });
  logger.info({ url: server.url, taskQueue, starts: settings.starts }, 'callout service is ready');
  const stop = async (): Promise<void> => {
    await server.close();
    await emails.close();
    logger.info('callout service has stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().catch(endFor));
}

main().catch(endFor);
