import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import type { TLSConfig } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { loadClientConfigProfile, toClientOptions, type ClientConnectConfig } from '@temporalio/envconfig';
import { clientDataConverter } from '../../encryption/data-converter.js';
import { BillRunEmailsError, firstLineOf } from '../failures/errors.js';
import { CREDENTIALS, failedAs } from '../failures/grpc.js';

/** Where Temporal is, and how it is spoken to. */
export interface ConnectionSettings {
  readonly address: string;
  readonly namespace: string;
  /** For `Connection` and `NativeConnection` alike. */
  readonly options: ClientConnectConfig['connectionOptions'] & { readonly address: string };
}

/** What Temporal's `Client` is made of. */
export interface Connected {
  readonly connection: Connection;
  readonly namespace: string;
  readonly dataConverter: LoadedDataConverter;
}

/** For network, TLS and the first question. The SDK bounds none of them for a worker. */
export const CONNECT_LIMIT_MS = 5_000;

/** Connects as the `TEMPORAL_*` variables and the profiles of the SDK's envconfig say, with the keys of payload encryption. */
export async function connect(): Promise<Connected> {
  const settings = connectionSettings();
  const { namespace, options } = settings;
  const dataConverter = await clientDataConverter(process.env).catch((error: unknown) => {
    const said = error instanceof Error ? error.message : String(error);
    throw new BillRunEmailsError('InvalidConfiguration', said, { cause: error });
  });
  try {
    const connection = await Connection.connect({ connectTimeout: CONNECT_LIMIT_MS, ...options });
    return { connection, namespace, dataConverter };
  } catch (error) {
    throw await notReached(settings, error);
  }
}

/**
 * Reads the `TEMPORAL_*` variables, and the profile that they name. What the SDK's envconfig passes over in silence, such as a file
 * that is not there or half of a key pair, is refused: it would end in a connection that nobody asked for.
 *
 * @throws BillRunEmailsError `InvalidConfiguration`; no value of a secret is in it
 */
export function connectionSettings(env: NodeJS.ProcessEnv = process.env): ConnectionSettings {
  try {
    return settingsIn(presentIn(env));
  } catch (error) {
    // Without a cause, and of the message only the first line: the parser of profiles goes on with the lines around a fault.
    const message = `the TEMPORAL_* variables, or the profile that they name, cannot be followed: ${firstLineOf(error)}`;
    throw new BillRunEmailsError('InvalidConfiguration', message);
  }
}

/** The error that says why a connection did not come up, whichever part of the SDK has tried. */
export async function notReached(settings: ConnectionSettings, error: unknown): Promise<BillRunEmailsError> {
  const { connectionFault } = await import('./connection-faults.js');
  const reason = (await connectionFault(settings)) ?? refusalIn(error);
  const message = `Temporal cannot be reached at ${settings.address}: ${reason}`;
  return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
}

/** An empty variable is how shells and manifests say that one is not there; for metadata it means something of its own. */
function presentIn(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter(([name, value]) => value !== '' || name.startsWith('TEMPORAL_GRPC_META_'));
  return Object.fromEntries(entries) as Record<string, string>;
}

function settingsIn(env: Record<string, string>): ConnectionSettings {
  const { TEMPORAL_TLS: tls, TEMPORAL_CONFIG_FILE: file } = env;
  // Whatever else it says, such as "True" or "yes", envconfig takes for: without TLS.
  if (tls !== undefined && !['true', 'false', '1', '0'].includes(tls)) {
    throw new Error('TEMPORAL_TLS must be true, false, 1 or 0');
  }
  if (file !== undefined && !existsSync(file))
    throw new Error(`TEMPORAL_CONFIG_FILE names ${file}, which is not there`);
  const profile = profileIn(env);
  if ((profile.tls?.clientCert === undefined) !== (profile.tls?.clientKey === undefined)) {
    throw new Error('TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH go together, and one is missing');
  }
  const { connectionOptions, namespace = 'default' } = toClientOptions(profile);
  const { address = 'localhost:7233', apiKey, tls: secured } = connectionOptions;
  if (!isAddress(address)) throw new Error('the address of Temporal must be host:port, such as temporal.example:7233');
  // A line end, of a file that it was read from, say. gRPC would print the key with its complaint.
  if (apiKey !== undefined && !/^[!-~]+$/.test(apiKey)) {
    throw new Error('the API key holds spaces, line ends or other characters that no key has');
  }
  if (typeof secured === 'object' && secured !== null) checkCertificates(secured);
  return { address, namespace, options: { ...connectionOptions, address } };
}

function profileIn(env: Record<string, string>): ReturnType<typeof loadClientConfigProfile> {
  try {
    return loadClientConfigProfile({ overrideEnvVars: env });
  } catch (error) {
    // envconfig stumbles over a file without any table of a profile.
    if (error instanceof TypeError)
      throw new Error('the file of profiles has no table such as [profile.default]', { cause: error });
    throw error;
  }
}

function isAddress(address: string): boolean {
  return !address.includes('/') && URL.canParse(`tcp://${address}`);
}

function checkCertificates({ serverRootCACertificate: authority, clientCertPair: pair }: TLSConfig): void {
  try {
    if (authority != null) new X509Certificate(authority);
  } catch (cause) {
    const message = 'the certificate of the authority (TEMPORAL_TLS_SERVER_CA_CERT_PATH) is no certificate in PEM';
    throw new Error(message, { cause });
  }
  try {
    if (pair != null) createSecureContext({ cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) });
  } catch (error) {
    const message = `the client certificate and its key (TEMPORAL_TLS_CLIENT_…) are no pair in PEM: ${firstLineOf(error)}`;
    throw new Error(message, { cause: error });
  }
}

/** How the SDK's worker words an answer: what the gRPC code means, and what the server said. */
const ANSWER = /^Failed to call GetSystemInfo: code: '(.*?)', message: "(.*)"/;

/** What Temporal answered to the first question. */
function refusalIn(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const [, code = '', words] = ANSWER.exec(firstLineOf(cause)) ?? [];
  const refused = failedAs(cause, 'refused') || /credentials|permission/.test(code);
  const said = isGrpcServiceError(cause) ? cause.details : (words ?? firstLineOf(cause));
  return refused ? `${said}; is ${CREDENTIALS} right?` : said;
}
