/**
 * Why Temporal was not reached. The SDK's client says only that its time was over, whatever happened; so what it does is done once
 * more by hand, and the first thing that goes wrong is the reason.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSConfig } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { ConnectionSettings } from './connection.js';
import { firstLineOf } from '../failures/errors.js';

const LIMIT_MS = 2_000;
/** How HTTP/2 begins, so that a server which expects something else answers that it does. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

/** In words, or undefined where nothing is wrong with network and TLS as far as this can tell. */
export function connectionFault({ address, options: { tls } }: ConnectionSettings): Promise<string | undefined> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const to = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port === '' ? 7233 : port) };
  return new Promise((resolve) => {
    const socket = tls ? openTls(to, tls === true ? {} : tls) : connectTcp(to);
    const tell = (fault?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(fault);
    };
    const closed = (): void => {
      tell(tls ? 'the server closes the connection; does it take this client certificate?' : WANTS_TLS);
    };
    const timer = setTimeout(() => {
      tell(
        socket.connecting
          ? `the address does not answer; ${IS_IT_THERE}`
          : `something takes the connection there, and says nothing; ${IS_IT_THERE}`,
      );
    }, LIMIT_MS);
    socket.once(tls ? 'secureConnect' : 'connect', () => socket.write(PREFACE));
    socket.once('error', (error) => {
      tell(inWords(error));
    });
    socket.once('end', closed);
    socket.once('close', closed);
    socket.once('data', (answer) => {
      tell(!tls && answer[0] === TLS_ALERT ? WANTS_TLS : undefined);
    });
  });
}

const IS_IT_THERE = 'is the server there, and is TEMPORAL_ADDRESS right?';
const WANTS_TLS = 'the server closes the connection; does it want TLS (TEMPORAL_TLS=true)?';
/** The type of the record by which a server says that this is no TLS. */
const TLS_ALERT = 0x15;

function openTls(to: { host: string; port: number }, settings: TLSConfig): Socket {
  const { serverRootCACertificate: ca, clientCertPair: pair, serverNameOverride: name } = settings;
  return connectTls({
    ...to,
    ALPNProtocols: ['h2'],
    ...(ca == null ? {} : { ca: Buffer.from(ca) }),
    ...(pair == null ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
    // Of an address there is no name to send.
    ...(name == null ? (isIP(to.host) ? {} : { servername: to.host }) : { servername: name }),
  });
}

/** What each kind of failure means, by Node's code for it. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    'the server wants a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH, …_KEY_PATH)',
  ],
  [/ALERT/, 'the server does not take the client certificate, or what TLS offers'],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/,
    'the server does not speak TLS, and TEMPORAL_TLS, or an API key, asks for it',
  ],
  [/CERT_HAS_EXPIRED/, "the server's certificate has expired"],
  [/ALTNAME/, "the server's certificate is for another name; TEMPORAL_TLS_SERVER_NAME says which one to accept"],
  [
    /UNABLE_TO_|SELF_SIGNED/,
    "the server's certificate is of an authority that is not known here; TEMPORAL_TLS_SERVER_CA_CERT_PATH names the one to trust",
  ],
];

function inWords(error: NodeJS.ErrnoException): string {
  const { code = '' } = error;
  const [, meaning] = MEANINGS.find(([pattern]) => pattern.test(code)) ?? [];
  // Where several addresses were tried in vain, Node's error has no message.
  const said = error.message === '' ? code : firstLineOf(error);
  return meaning === undefined ? `${said}; ${IS_IT_THERE}` : `${meaning} (${code})`;
}
