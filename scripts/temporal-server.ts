import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import type { SearchAttributeType } from '@temporalio/common';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { projectRoot } from './project-root.js';
import { isExecutable, startChild, type Child } from './processes.js';

export type SearchAttributeFlag = 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList';

export interface TemporalServerOptions {
  /** Default: a free port. */
  readonly port?: number;
  /** Default: a free port. */
  readonly uiPort?: number;
  /** No UI. */
  readonly headless?: boolean;
  /** SQLite file that keeps workflows when the server ends. Default: in memory. */
  readonly dbFilename?: string;
  readonly searchAttributes?: Readonly<Record<string, SearchAttributeFlag>>;
  /** Created in addition to `default`, which always exists. */
  readonly namespace?: string;
  /** Values in JSON. */
  readonly dynamicConfig?: Readonly<Record<string, unknown>>;
  readonly logFile?: string;
}

export interface TemporalServer {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl?: string;
  readonly pid: number;
  /** Resolves when the server has ended, for any reason. */
  readonly ended: Promise<unknown>;
  stop(): Promise<void>;
  /** Ends it like a crash. */
  kill(): Promise<void>;
}

export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
  readonly port: number;

  constructor(port: number) {
    super(`Port ${port} is in use.`);
    this.port = port;
  }
}

const FLAGS: Readonly<Record<SearchAttributeType, SearchAttributeFlag>> = {
  TEXT: 'Text',
  KEYWORD: 'Keyword',
  INT: 'Int',
  DOUBLE: 'Double',
  BOOL: 'Bool',
  DATETIME: 'Datetime',
  KEYWORD_LIST: 'KeywordList',
};
const HOST = '127.0.0.1';
/** A cold start takes under a second on an idle machine. */
const START_LIMIT_MS = 30_000;
/** Another process may take a free port before we do; then we choose another one. */
const TRIES_WITH_FREE_PORTS = 5;

/**
 * Starts Temporal's development server and waits until it answers.
 *
 * @throws PortTakenError when a port that was asked for is in use
 */
export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await start(options);
    } catch (error) {
      const chosenByUs = error instanceof PortTakenError && ![options.port, options.uiPort].includes(error.port);
      if (!chosenByUs || tries === TRIES_WITH_FREE_PORTS) throw error;
    }
  }
}

/** Temporal's command line, as `npm run setup` chose it; `TEMPORAL_CLI_PATH` overrides it. */
export function temporalCli(): string {
  const named = process.env['TEMPORAL_CLI_PATH'];
  const path = named === undefined || named === '' ? chosenBySetup().temporal : named;
  if (path !== undefined && isExecutable(path)) return path;
  throw new Error(
    path === undefined
      ? "Temporal's command line is not set up. Run: npm run setup"
      : `${path} is not an executable file. Run: npm run setup (or set TEMPORAL_CLI_PATH)`,
  );
}

/** Our search attributes, with the type names of the development server's flag. */
export const billRunSearchAttributes: Readonly<Record<string, SearchAttributeFlag>> = Object.fromEntries(
  Object.values(searchAttributes).map(({ name, type }) => [name, FLAGS[type]]),
);

/**
 * The environment of a process that must use this server only. It removes settings of another Temporal (an API key, TLS,
 * a profile) that come from the shell or a configuration file.
 */
export function environmentFor(
  server: Pick<TemporalServer, 'address' | 'namespace'>,
): Record<string, string | undefined> {
  const others = Object.keys(process.env).filter((name) => name.startsWith('TEMPORAL_'));
  return {
    ...Object.fromEntries(others.map((name) => [name, undefined])),
    TEMPORAL_ADDRESS: server.address,
    TEMPORAL_NAMESPACE: server.namespace,
    // Not the configuration file of the current user.
    TEMPORAL_CONFIG_FILE: join(projectRoot, 'scripts', 'temporal.toml'),
  };
}

/** A free TCP port of the loopback interface. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('A TCP server without a port'));
        else resolve(address.port);
      });
    });
  });
}

/** @throws PortTakenError when the port is in use */
export async function assertPortIsFree(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new PortTakenError(port) : error);
    });
    server.listen(port, HOST, () => {
      server.close(() => {
        resolve();
      });
    });
  });
}

async function start(options: TemporalServerOptions): Promise<TemporalServer> {
  const port = options.port ?? (await freePort());
  const uiPort = options.headless ? undefined : (options.uiPort ?? (await freePort()));
  const namespace = options.namespace ?? 'default';
  const address = `${HOST}:${port}`;
  // Before the start: another Temporal on this port would answer instead of ours.
  for (const chosen of [port, uiPort]) if (chosen !== undefined) await assertPortIsFree(chosen);
  if (options.dbFilename !== undefined) mkdirSync(dirname(options.dbFilename), { recursive: true });

  const child = await startChild({
    name: 'Temporal',
    command: temporalCli(),
    args: ['server', 'start-dev', ...startDevFlags(options, { port, uiPort, namespace })],
    ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
  });
  const connection = Connection.lazy({
    address,
    connectTimeout: START_LIMIT_MS,
    // The default waits 1 s after the first refusal; the server needs about 0.5 s.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200 },
  });
  try {
    await Promise.race([connection.ensureConnected(), failIfItEnds(child)]);
  } catch (error) {
    await child.stop(0);
    throw error;
  } finally {
    await connection.close();
  }
  return {
    address,
    namespace,
    ...(uiPort === undefined ? {} : { uiUrl: `http://${HOST}:${uiPort}` }),
    pid: child.pid,
    ended: child.ended,
    async stop() {
      // An in-memory server has nothing to save, so skip the second that an orderly end takes.
      await child.stop(options.dbFilename === undefined ? 0 : undefined);
    },
    async kill() {
      await child.stop(0);
    },
  };
}

function startDevFlags(
  options: TemporalServerOptions,
  chosen: { readonly port: number; readonly uiPort: number | undefined; readonly namespace: string },
): string[] {
  return [
    ...['--ip', HOST, '--port', String(chosen.port), '--namespace', chosen.namespace],
    ...(chosen.uiPort === undefined ? ['--headless'] : ['--ui-port', String(chosen.uiPort)]),
    ...['--log-level', 'warn'],
    // The server would ask the vendor's site for new releases.
    ...Object.entries({ 'frontend.enableServerVersionCheck': false, ...options.dynamicConfig }).flatMap(
      ([name, value]) => ['--dynamic-config-value', `${name}=${JSON.stringify(value)}`],
    ),
    // With a file, these two make it 2.5 times faster. A crash of the machine may lose the last transactions.
    ...(options.dbFilename === undefined
      ? []
      : [
          '--db-filename',
          options.dbFilename,
          '--sqlite-pragma',
          'journal_mode=WAL',
          '--sqlite-pragma',
          'synchronous=1',
        ]),
    ...Object.entries(options.searchAttributes ?? {}).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
  ];
}

async function failIfItEnds(child: Child): Promise<never> {
  const { code, signal } = await child.ended;
  const output = child.lastLines.join('\n');
  const taken = /:(\d+): bind: address already in use/.exec(output)?.[1];
  if (taken !== undefined) throw new PortTakenError(Number(taken));
  throw new Error(`Temporal ended (${signal ?? `exit code ${code ?? 'unknown'}`}) before it answered:\n${output}`);
}

function chosenBySetup(): { readonly temporal?: string } {
  try {
    return JSON.parse(readFileSync(join(projectRoot, '.temporal', 'binaries.json'), 'utf8')) as { temporal?: string };
  } catch {
    return {};
  }
}
