#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { SIMULATOR_CREDENTIALS, startSimulator, type Simulator } from './index.js';
import { defaultSettings } from './settings.js';

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly seed: number;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenLifetimeSeconds: number;
  readonly emailDelayMs: number;
  readonly postingMs: number;
  readonly entities: readonly string[];
}

const program = new Command('simulator')
  .description('A Zuora stand-in with faults, on one port, in memory. Its control interface is under /simulator.')
  .option('--port <number>', 'port to listen on, 0 for a free one', wholeNumber, 9700)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--seed <number>', 'fixes IDs and random faults', wholeNumber, 1)
  .option('--client-id <id>', 'OAuth client ID that is accepted', SIMULATOR_CREDENTIALS.clientId)
  .option('--client-secret <secret>', 'and its secret', SIMULATOR_CREDENTIALS.clientSecret)
  .option('--token-lifetime-seconds <n>', 'life of a token', wholeNumber, defaultSettings.tokenLifetimeSeconds)
  .option('--email-delay-ms <n>', 'from the answer to the emails', wholeNumber, defaultSettings.emailDelayMs)
  .option('--posting-ms <n>', 'from PostInProgress to Posted', wholeNumber, defaultSettings.postingMs)
  .option('--entities <ids>', 'entity IDs separated by commas: switches Multi-entity on', commaSeparated, [])
  .action(run);

await program.parseAsync();

async function run(flags: Flags): Promise<void> {
  const simulator = await startSimulator(flags).catch((error: unknown) => stopWith(flags, error));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close(simulator));
  console.log(
    `Zuora simulator: ${simulator.url} (client ID ${flags.clientId}, secret ${flags.clientSecret}; control: ${simulator.url}/simulator)`,
  );
}

async function close(simulator: Simulator): Promise<void> {
  await simulator.close();
  process.exit(0);
}

function stopWith({ host, port }: Flags, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    console.error(`Port ${port} on ${host} is in use: stop what listens there, or choose another with --port.`);
  } else {
    console.error(
      `The simulator cannot listen on ${host}, port ${port}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  process.exit(1);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  }
  return Number(text);
}

function commaSeparated(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
