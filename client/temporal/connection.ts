import { Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { ConfigurationError } from '../../environment/configuration-error.js';
import { BillRunEmailsError, firstLineOf } from '../failures/errors.js';
import { reasonOf } from '../failures/temporal.js';
import { clientDataConverter } from './data-converter.js';
import { identityOf, userHere } from './identity.js';

/** The address of Temporal, and the options of its connection. */
export interface ConnectionSettings {
  readonly address: string;
  /** No variable and no profile names an address. */
  readonly isDefaultAddress: boolean;
  readonly namespace: string;
  /** For `Connection` and `NativeConnection` alike. */
  readonly options: ClientConnectConfig['connectionOptions'] & { readonly address: string };
}

/** The options of Temporal's `Client`. */
export interface Connected {
  readonly connection: Connection;
  readonly namespace: string;
  readonly identity: string;
  readonly dataConverter: LoadedDataConverter;
}

/** For network, TLS and the first call. The SDK has no limit for a worker. */
export const CONNECT_LIMIT_MS = 5_000;

/** In bytes, for a page of a history with long texts: gRPC takes 4 MB. It is the SDK's own aim; its option lacks the prefix (1.24). */
const LONGEST_MESSAGE = 128 * 1024 * 1024;

/**
 * Connects by the `TEMPORAL_*` variables and profiles of the SDK's envconfig, with the codecs of `BILL_RUN_DATA_CONVERTER`.
 *
 * @throws ConfigurationError
 * @throws BillRunEmailsError `TemporalUnavailable`
 */
export async function connect(): Promise<Connected> {
  const settings = connectionSettings();
  const { namespace, options } = settings;
  const via = proxyInUse();
  const dataConverter = await clientDataConverter(process.env);
  let connection: Connection | undefined;
  try {
    let isConnected = false;
    const { delayFunction, retryableDecider } = defaultGrpcRetryOptions();
    const repeats: typeof retryableDecider = (attempt, status) =>
      (isConnected || !NOT_CONNECTED.test(status.details)) && retryableDecider(attempt, status);
    const opened = (connection = Connection.lazy({
      ...options,
      channelArgs: { 'grpc.max_receive_message_length': LONGEST_MESSAGE },
      interceptors: [makeGrpcRetryInterceptor({ delayFunction, retryableDecider: repeats })],
    }));
    // The SDK's own connect waits for its whole limit where a server refuses at once, and does not tell why.
    await opened.withDeadline(Date.now() + CONNECT_LIMIT_MS, () => opened.workflowService.getSystemInfo({}));
    isConnected = true;
    return { connection: opened, namespace, identity: identityOf(userHere()), dataConverter };
  } catch (error) {
    await connection?.close();
    throw notReached(settings, error, via);
  }
}

/** What gRPC says of a call without a connection: nobody listens, no host of the name, or TLS fails. */
const NOT_CONNECTED = /^(No connection established|Name resolution failed)/;

/**
 * Reads the `TEMPORAL_*` variables, and the profile that they name.
 *
 * @throws ConfigurationError without any value of a secret
 */
export function connectionSettings(env: NodeJS.ProcessEnv = process.env): ConnectionSettings {
  try {
    checkWhatExposesKeys(env);
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({
      overrideEnvVars: temporalEnvironment(env),
    });
    const { address = 'localhost:7233', apiKey } = connectionOptions;
    const isDefaultAddress = connectionOptions.address === undefined;
    // gRPC would print a key that does not fit into a header, such as one with a line end.
    if (apiKey !== undefined && !/^[!-~]+$/.test(apiKey)) {
      throw new Error('the API key holds spaces, line ends or other invalid characters');
    }
    return { address, isDefaultAddress, namespace, options: { ...connectionOptions, address } };
  } catch (error) {
    // Only the first line, and no cause: the parser of profiles appends the lines around a fault, which may hold a key.
    throw new ConfigurationError(`invalid TEMPORAL_* variables, or profile: ${firstLineOf(error)}`);
  }
}

const NO_TLS = 'the server does not speak TLS there';

/** The error of a failed connection, for clients and workers. `doctor` says more of what to check. */
export function notReached(settings: ConnectionSettings, error: unknown, via = ''): BillRunEmailsError {
  const because = notReachedBecause(settings, error, via);
  const todo = because.endsWith(NO_TLS)
    ? 'use its TLS address, or set TEMPORAL_TLS=false'
    : 'start Temporal there (to try it out: npm run dev), or set TEMPORAL_ADDRESS';
  const message = `${because}; ${todo}; bill-run-emails doctor checks the connection`;
  return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
}

/** One sentence, by what the SDK says. */
export function notReachedBecause({ address, isDefaultAddress }: ConnectionSettings, error: unknown, via = ''): string {
  const origin = isDefaultAddress ? ' (the default, TEMPORAL_ADDRESS is not set)' : '';
  const [reason = ''] = reasonOf(error)
    // A proxy that is not there leaves no reason.
    .replace(/^No connection established\. Last error: (?!undefined)(?:Error: )?/, '')
    .replace('. Last error: undefined', '')
    .replace(/\.? Resolution note:.*/s, '')
    // As OpenSSL and rustls say it.
    .replace(/.*(?:wrong version number|InvalidContentType).*/s, NO_TLS)
    .split('\n');
  return `Temporal cannot be reached at ${address}${origin}${via}: ${reason}`;
}

/** The variable by which the SDK's client, but not a worker, goes through a proxy, in words. Its value may hold a password. */
export function proxyInUse(): string {
  const variable = ['grpc_proxy', 'https_proxy', 'http_proxy'].find((name) => (process.env[name] ?? '') !== '');
  return variable === undefined ? '' : ` through the proxy of ${variable} (no_proxy excepts hosts)`;
}

/** envconfig takes any other word, such as "True", for false: the API key would then leave without TLS. */
function checkWhatExposesKeys({ TEMPORAL_TLS: tls = '' }: NodeJS.ProcessEnv): void {
  if (!['', 'true', 'false', '1', '0'].includes(tls)) throw new Error('TEMPORAL_TLS must be true, false, 1 or 0');
}

/** Shells and manifests write an absent variable as an empty one; for metadata, empty means: remove. */
export function temporalEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter(([name, value]) => value !== '' || name.startsWith('TEMPORAL_GRPC_META_'));
  return Object.fromEntries(entries) as Record<string, string>;
}
