/**
 * A front door with TLS before a Temporal server, as Temporal Cloud has one and a proxy of one's own is. It speaks HTTP/2, so that
 * it sees what its callers send along, and can ask for client certificates and an API key.
 */
import { once } from 'node:events';
import {
  connect,
  createSecureServer,
  type ClientHttp2Session,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** An authority that signs certificates for this test, and is known to nobody else. */
export async function createAuthority(name = 'An authority of this test') {
  const own = await identity(name, {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    cert: own.cert,
    /** @param until when it expires */
    server: (serverName: string, until = new Date(Date.now() + 86_400_000)): Promise<Identity> =>
      identity(serverName, {
        ca: own,
        notBeforeDate: new Date(until.getTime() - 2 * 86_400_000),
        notAfterDate: until,
        extensions: [
          { name: 'extKeyUsage', serverAuth: true },
          {
            name: 'subjectAltName',
            altNames: [{ type: 2, value: serverName }],
          },
        ],
      }),
    client: (name: string): Promise<Identity> =>
      identity(name, { ca: own, extensions: [{ name: 'extKeyUsage', clientAuth: true }] }),
  };
}

async function identity(name: string, options: Parameters<typeof generate>[1]): Promise<Identity> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...options,
  });
  return { cert: made.cert, key: made.private };
}

export interface DoorOptions {
  readonly identity: Identity;
  /** Callers must show a certificate of this authority. */
  readonly clientAuthority?: string;
  /** Callers must show this API key. */
  readonly apiKey?: string;
}

interface SeenCall {
  readonly path: string;
  readonly authorization: string | undefined;
  /** The name in the certificate that the caller showed. */
  readonly caller: string | undefined;
}

export type Door = Awaited<ReturnType<typeof openDoor>>;

/** @param target `host:port` of a Temporal server without TLS */
export async function openDoor(target: string, { identity, clientAuthority, apiKey }: DoorOptions) {
  let expectedKey = apiKey;
  const calls: SeenCall[] = [];
  let ill: { readonly methods: readonly string[]; readonly how: 'refused' | 'away' | 'unanswered' } | undefined;
  const inside = new Map<Http2Session, ClientHttp2Session>();
  const server = createSecureServer({
    ...identity,
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority, requestCert: true, rejectUnauthorized: true }),
  });
  server.on('session', (session) => {
    const own = connect(`http://${target}`);
    inside.set(session, own);
    own.on('error', () => {
      session.destroy();
    });
    session.on('error', () => undefined);
    session.on('close', () => {
      inside.delete(session);
      own.destroy();
    });
  });
  server.on('stream', (stream, headers) => {
    const { session } = stream;
    const own = session === undefined ? undefined : inside.get(session);
    if (session === undefined || own === undefined) return;
    const { ':path': path = '', authorization } = headers;
    calls.push({ path, authorization, caller: callerOf(session) });
    if (expectedKey !== undefined && authorization !== `Bearer ${expectedKey}`) {
      refuse(stream);
      return;
    }
    if (ill?.methods.some((method) => path.endsWith(`/${method}`)) !== true) pass(stream, headers, own);
    else if (ill.how !== 'unanswered') refuse(stream, ill.how === 'away' ? 14 : 16);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    // By its name: for an address, gRPC's client warns of Node's deprecations on stderr.
    address: `localhost:${(server.address() as AddressInfo).port}`,
    calls,
    /** From now on calls of these methods are so; those of the ones before are well again. */
    setIll(how: 'refused' | 'away' | 'unanswered', ...methods: readonly string[]): void {
      ill = { methods, how };
    },
    /** From now on only this API key opens, for those who were inside as well. */
    setApiKey(key: string): void {
      expectedKey = key;
      for (const session of inside.keys()) session.destroy();
    },
    close: (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const session of inside.keys()) session.destroy();
      }),
  };
}

function callerOf(session: Http2Session): string | undefined {
  // Empty where none was asked for.
  const certificate: Partial<PeerCertificate> = (session.socket as TLSSocket).getPeerCertificate();
  const name = certificate.subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}

/** As gRPC says it where it answers nothing else: 16 is UNAUTHENTICATED, 14 UNAVAILABLE, which the SDK repeats. */
function refuse(stream: ServerHttp2Stream, status: 14 | 16 = 16): void {
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(status),
      'grpc-message': 'Request unauthorized.',
    },
    { endStream: true },
  );
}

function pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, own: ClientHttp2Session): void {
  const { ':scheme': _scheme, ':authority': _authority, authorization: _authorization, ...passed } = headers;
  const request = own.request(passed);
  // Without its trailers an answer counts as none. Of a call that breaks off there are none.
  const trailers = new Promise<IncomingHttpHeaders>((resolve) => {
    request.on('trailers', resolve).on('close', () => {
      resolve({});
    });
  });
  request.on('response', (answered, flags) => {
    if (stream.destroyed) return;
    const endStream = (flags & END_STREAM) !== 0;
    stream.respond(answered, endStream ? { endStream } : { waitForTrailers: true });
    if (!endStream) request.pipe(stream);
  });
  stream.on('wantTrailers', () => {
    void trailers.then((received) => {
      if (!stream.destroyed) stream.sendTrailers(received);
    });
  });
  stream.pipe(request);
  // A call that one side gives up is given up on the other as well.
  for (const [side, other] of [
    [stream, request],
    [request, stream],
  ] as const) {
    side.on('error', () => undefined);
    side.on('aborted', () => {
      other.close(CANCEL);
    });
  }
}

/** Of HTTP/2: the flag of a frame after which nothing comes, and the code of a call that nobody wants any more. */
const END_STREAM = 1;
const CANCEL = 8;
