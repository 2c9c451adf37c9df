/**
 * Explains why Temporal was not reached. The SDK's client reports only that its time was over. So this repeats the connection step
 * by step with Node's sockets, and the first step that fails is the reason.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSConfig } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { firstLineOf } from '../failures/errors.js';
import type { ConnectionSettings } from '../temporal/connection.js';

const LIMIT_MS = 2_000;
/** The beginning of HTTP/2: a server that expects something else answers it with an error. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

const IS_IT_THERE = 'is the server there, and is TEMPORAL_ADDRESS right?';
const WANTS_TLS = 'the server closes the connection; does it want TLS (TEMPORAL_TLS=true)?';
/** The record type of a TLS alert, by which a TLS server refuses plain text. */
const TLS_ALERT = 0x15;

/** @returns undefined if network and TLS work, as far as this can tell */
export async function connectionFault({ address, options: { tls } }: ConnectionSettings): Promise<string | undefined> {
  if (address.includes('/') || !URL.canParse(`tcp://${address}`)) {
    return 'the address must be host:port, such as temporal.example:7233';
  }
  const { hostname, port } = new URL(`tcp://${address}`);
  const to = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port === '' ? 7233 : port) };
  let socket: Socket;
  try {
    socket = tls ? openTls(to, tls === true ? {} : tls) : connectTcp(to);
  } catch (error) {
    return `the certificates (TEMPORAL_TLS_…) cannot be used: ${firstLineOf(error)}`;
  }
  return new Promise((resolve) => {
    const end = (fault?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(fault);
    };
    const closed = (): void => {
      end(tls ? 'the server closes the connection; does it take this client certificate?' : WANTS_TLS);
    };
    const timer = setTimeout(() => {
      end(
        socket.connecting
          ? `the address does not answer; ${IS_IT_THERE}`
          : `the server accepts the connection and says nothing; ${IS_IT_THERE}`,
      );
    }, LIMIT_MS);
    socket.once(tls ? 'secureConnect' : 'connect', () => socket.write(PREFACE));
    socket.once('error', (error) => {
      end(meaningOf(error));
    });
    socket.once('end', closed);
    socket.once('close', closed);
    socket.once('data', (answer) => {
      end(!tls && answer[0] === TLS_ALERT ? WANTS_TLS : undefined);
    });
  });
}

function openTls(to: { host: string; port: number }, settings: TLSConfig): Socket {
  const { serverRootCACertificate: ca, clientCertPair: pair, serverNameOverride: name } = settings;
  return connectTls({
    ...to,
    ALPNProtocols: ['h2'],
    ...(ca == null ? {} : { ca: Buffer.from(ca) }),
    ...(pair == null ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
    // TLS allows no IP address as a server name.
    ...(name == null ? (isIP(to.host) ? {} : { servername: to.host }) : { servername: name }),
  });
}

/** Meanings of failures, by Node's error code. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    'the server wants a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH, …_KEY_PATH)',
  ],
  [/ALERT/, 'the server does not take the client certificate, or the offered TLS version or ciphers'],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/,
    'the server does not speak TLS, but TEMPORAL_TLS, or an API key, asks for it',
  ],
  [/CERT_HAS_EXPIRED/, "the server's certificate has expired"],
  [/ALTNAME/, "the server's certificate is for another name; TEMPORAL_TLS_SERVER_NAME names the one to accept"],
  [
    /UNABLE_TO_|SELF_SIGNED/,
    "the authority of the server's certificate is unknown here; TEMPORAL_TLS_SERVER_CA_CERT_PATH names the one to trust",
  ],
];

function meaningOf(error: NodeJS.ErrnoException): string {
  const { code = '' } = error;
  const [, meaning] = MEANINGS.find(([pattern]) => pattern.test(code)) ?? [];
  if (meaning !== undefined) return `${meaning} (${code})`;
  // Node's error has no message if it has tried several addresses.
  return `${error.message === '' ? code : firstLineOf(error)}; ${IS_IT_THERE}`;
}
