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
  /** Default: a free one. */
  readonly port?: number;
  /** Default: a free one. */
  readonly uiPort?: number;
  /** No UI. */
  readonly headless?: boolean;
  /** SQLite file that keeps workflows beyond the server's life. Default: in memory. */
  readonly dbFilename?: string;
  readonly searchAttributes?: Readonly<Record<string, SearchAttributeFlag>>;
  /** Created beside `default`, which is always there. */
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
  /** Resolves when the server is gone, asked to or not. */
  readonly ended: Promise<unknown>;
  stop(): Promise<void>;
  /** As a crash ends it: what is not in the file is gone. */
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
/** A cold start takes under a second; a busy machine gets time. */
const START_LIMIT_MS = 30_000;
/** Between finding a free port and taking it somebody else may: then it is another one's turn. */
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

export interface TemporalBinaries {
  readonly temporal: string;
  /** The time-skipping server, for tests. */
  readonly testServer: string;
}

/** The binaries that `npm run setup` chose; environment variables go first. */
export function temporalBinaries(): TemporalBinaries {
  return {
    temporal: binary('temporal', 'TEMPORAL_CLI_PATH'),
    testServer: binary('testServer', 'TEMPORAL_TEST_SERVER_PATH'),
  };
}

/** What the workflows upsert, in the words of the development server's flag. */
export const billRunSearchAttributes: Readonly<Record<string, SearchAttributeFlag>> = Object.fromEntries(
  Object.values(searchAttributes).map(({ name, type }) => [name, FLAGS[type]]),
);

/**
 * The environment of a process that is to use this server and nothing else: whatever the shell or a configuration file
 * says of another Temporal (an API key, TLS, a profile) is taken away.
 */
export function environmentFor(
  server: Pick<TemporalServer, 'address' | 'namespace'>,
): Record<string, string | undefined> {
  const others = Object.keys(process.env).filter((name) => name.startsWith('TEMPORAL_'));
  return {
    ...Object.fromEntries(others.map((name) => [name, undefined])),
    TEMPORAL_ADDRESS: server.address,
    TEMPORAL_NAMESPACE: server.namespace,
    // Not that of whoever runs this.
    TEMPORAL_CONFIG_FILE: join(projectRoot, 'scripts', 'temporal.toml'),
  };
}

/** A TCP port of the loopback interface that nobody listens on right now. */
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

/** @throws PortTakenError when somebody listens on the port */
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
  // Before the start: if another Temporal listens there, it would answer in the place of ours.
  for (const chosen of [port, uiPort]) if (chosen !== undefined) await assertPortIsFree(chosen);
  if (options.dbFilename !== undefined) mkdirSync(dirname(options.dbFilename), { recursive: true });

  const child = await startChild({
    name: 'Temporal',
    command: temporalBinaries().temporal,
    args: ['server', 'start-dev', ...startDevFlags(options, { port, uiPort, namespace })],
    ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
  });
  const connection = Connection.lazy({
    address,
    connectTimeout: START_LIMIT_MS,
    // The default waits a second after the first refusal; the server is there after half of one.
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
      // What is in memory only is gone anyway: no need to wait a second for an orderly end.
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
    // The first would ask the vendor's site for news of releases.
    ...Object.entries({ 'frontend.enableServerVersionCheck': false, ...options.dynamicConfig }).flatMap(
      ([name, value]) => ['--dynamic-config-value', `${name}=${JSON.stringify(value)}`],
    ),
    // With a file, these two make it 2.5 times faster. A crash of the machine may cost the last transactions, no more.
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

function binary(key: keyof TemporalBinaries, variable: string): string {
  const named = process.env[variable];
  const path = named === undefined || named === '' ? chosenBySetup()[key] : named;
  if (path !== undefined && isExecutable(path)) return path;
  throw new Error(
    path === undefined
      ? 'The Temporal binaries are not set up. Run: npm run setup'
      : `${path} is not an executable file. Run: npm run setup (or set ${variable})`,
  );
}

function chosenBySetup(): Partial<TemporalBinaries> {
  try {
    return JSON.parse(
      readFileSync(join(projectRoot, '.temporal', 'binaries.json'), 'utf8'),
    ) as Partial<TemporalBinaries>;
  } catch {
    return {};
  }
}
