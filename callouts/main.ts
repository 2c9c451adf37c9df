#!/usr/bin/env node
import { BillRunEmails } from '../client/bill-run-emails.js';
import { BillRunEmailsError, EXIT, exitCodeOf } from '../client/errors.js';
import { createLogger } from '../services/logger.js';
import { ConfigurationError } from '../zuora/configuration.js';
import { calloutConfiguration } from './configuration.js';
import { startCalloutServer } from './server.js';

/** Runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const { taskQueue, logLevel, ...settings } = calloutConfiguration(process.env);
  const logger = createLogger(logLevel);
  const emails = await BillRunEmails.connect({ taskQueue });
  const { host, port } = settings.address;
  const server = await startCalloutServer(settings, emails, logger).catch((error: unknown) => {
    throw new ConfigurationError(`CALLOUT_ADDRESS: cannot listen on ${host}:${port} (${(error as Error).message})`);
  });
  logger.info({ url: server.url, taskQueue, starts: settings.starts }, 'callout service is ready');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.close().then(() => emails.close()));
  }
}

main().catch((error: unknown) => {
  const code =
    error instanceof BillRunEmailsError
      ? exitCodeOf[error.type]
      : error instanceof ConfigurationError
        ? EXIT.invalid
        : EXIT.unexpected;
  // What an operator can mend is a sentence; anything else needs its stack.
  console.error(code !== EXIT.unexpected && error instanceof Error ? error.message : error);
  process.exit(code);
});
