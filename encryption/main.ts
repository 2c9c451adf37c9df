#!/usr/bin/env node
import { ConfigurationError } from '../zuora/configuration.js';
import { codecServerConfiguration } from './configuration.js';
import { startCodecServer } from './server.js';

/** Runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const configuration = codecServerConfiguration(process.env);
  const { host, port, origins, encryption } = configuration;
  const server = await startCodecServer(configuration).catch((error: unknown) => {
    throw new ConfigurationError(
      `CODEC_SERVER_ADDRESS: cannot listen on ${host}:${port} (${(error as Error).message})`,
    );
  });
  const pages = origins.length === 0 ? 'no page (CODEC_SERVER_ORIGINS is empty)' : origins.join(', ');
  console.log(`Codec server: ${server.url}, open to ${pages}; encrypts with key ${encryption.current}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
}

main().catch((error: unknown) => {
  // What an operator can mend is a sentence; anything else needs its stack.
  console.error(error instanceof ConfigurationError ? error.message : error);
  process.exitCode = error instanceof ConfigurationError ? 2 : 1;
});
