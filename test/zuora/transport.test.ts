import { createServer, Socket, type AddressInfo, type Server } from 'node:net';
import tls from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openTransport, type Call } from '../../zuora/transport.js';
import {
  bytes,
  inTurn,
  json,
  neverLeft,
  openLoopbackZuora,
  reset,
  stall,
  type Respond,
} from '../support/loopback-zuora.js';

const MIB = 1024 * 1024;
const ACCEPTED = '{"success":true}';

afterEach(() => vi.restoreAllMocks());

/** One client, and how it makes one call after the other. */
function client(baseUrl: URL, { connections = 16 } = {}) {
  const transport = openTransport({ connections });
  onTestFinished(() => {
    void transport.close();
  });
  return (path: string, call: Partial<Call> = {}) =>
    transport.call({
      endpoint: '/emails',
      method: 'POST',
      url: new URL(path, baseUrl),
      headers: { 'content-type': 'application/json' },
      body: '{"resend":false}',
      deadlineMs: 20_000,
      ...call,
    });
}

/** Gives connections to a handler, for answers that are not HTTP. */
async function openSocketServer(connected: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const { server, port } = await openSocketServer(() => undefined);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a call that failed before it could be written never left', () => {
  test('a connection that is refused', async () => {
    const call = client(new URL(`http://127.0.0.1:${await freePort()}/`));
    const failure = await neverLeft(call('emails'));
    expect(failure.code).toBe('ECONNREFUSED');
    expect(failure.message).toMatch(/^the call to 127\.0\.0\.1 did not leave: .*ECONNREFUSED/);
  });

  test('a connection that is refused at every address of a name has words, too', async () => {
    const call = client(new URL(`http://localhost:${await freePort()}/`));
    const failure = await neverLeft(call('emails'));
    expect(failure.code).toBe('ECONNREFUSED');
    expect(failure.message).toMatch(/ECONNREFUSED/);
  });

  test('a name that leads nowhere', async () => {
    const failure = await neverLeft(client(new URL('http://zuora.invalid/'))('emails'));
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(failure.code);
  });

  test('a TLS handshake with a server that speaks none', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    const failure = await neverLeft(client(new URL(`https://${baseUrl.host}/`))('emails'));
    expect(failure.code).toMatch(/SSL|EPROTO|ECONNRESET/);
    expect(calls).toEqual([]);
  });

  test('a TLS handshake that is reset, though its code is that of a reset under way', async () => {
    const { port } = await openSocketServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const failure = await neverLeft(client(new URL(`https://127.0.0.1:${port}/`))('emails'));
    expect(failure.code).toBe('ECONNRESET');
  });

  test('a certificate for another name, and no call waits for what comes of another', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    const call = client(new URL(`https://${baseUrl.host}/`), { connections: 2 });
    const connect = vi.spyOn(tls, 'connect').mockImplementation(() => {
      const mismatch = new Error("Hostname/IP does not match certificate's altnames");
      return new tls.TLSSocket(new Socket()).destroy(Object.assign(mismatch, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }));
    });
    const failures = await Promise.all(['a', 'b', 'c', 'd'].map((path) => neverLeft(call(path))));
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['ERR_TLS_CERT_ALTNAME_INVALID']));

    connect.mockRestore();
    const next = await Promise.all(['e', 'f', 'g'].map((path) => neverLeft(call(path))));
    expect(next.map(({ code }) => code)).not.toContain('TIMEOUT');
    expect(calls).toEqual([]);
  });

  test('a deadline that ends while the connection comes up', async () => {
    const { port } = await openSocketServer(() => undefined);
    const failure = await neverLeft(client(new URL(`https://127.0.0.1:${port}/`))('emails', { deadlineMs: 50 }));
    expect(failure).toMatchObject({
      code: 'TIMEOUT',
      message: 'the call to 127.0.0.1 did not leave: no connection was free within 0.05 s',
    });
  });

  test('a deadline that ends while all connections are taken; the call is not made afterwards either', async () => {
    const release: (() => void)[] = [];
    const { baseUrl, calls, arrived } = await openLoopbackZuora({
      call: inTurn(
        (response, request) =>
          release.push(() => {
            json(200, { success: true })(response, request);
          }),
        json(200, { success: true }),
      ),
    });
    const call = client(baseUrl, { connections: 1 });

    const first = call('first');
    await arrived(1);
    const failure = await neverLeft(call('second', { deadlineMs: 50 }));
    expect(failure.code).toBe('TIMEOUT');

    release[0]?.();
    expect(await first).toMatchObject({ kind: 'reply', status: 200 });
    expect(await call('third')).toMatchObject({ kind: 'reply', status: 200 });
    expect(calls.map(({ path }) => path)).toEqual(['/first', '/third']);
  });

  test.each([
    ['a line break in a header', { headers: { 'zuora-entity-ids': 'a\r\nidempotency-key: b' } }],
    ['a header that is not ASCII', { headers: { 'zuora-entity-ids': 'ü\u2028' } }],
  ])('%s', async (_what, call) => {
    const { baseUrl, calls } = await openLoopbackZuora();
    expect((await neverLeft(client(baseUrl)('emails', call))).code).toBe('UND_ERR_INVALID_ARG');
    expect(calls).toEqual([]);
  });

  test('a client that was closed', async () => {
    const { baseUrl, calls } = await openLoopbackZuora();
    const transport = openTransport({ connections: 1 });
    await transport.close();
    const url = new URL('emails', baseUrl);
    await neverLeft(transport.call({ endpoint: '/emails', method: 'POST', url, headers: {}, deadlineMs: 1000 }));
    expect(calls).toEqual([]);
  });
});

describe('a call that failed after it was written may have arrived: silence, made once', () => {
  const resets = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;

  test('a reset', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(reset, json(200, {})) });
    const call = client(baseUrl);
    expect(await call('first')).toMatchObject({ kind: 'silence', code: expect.stringMatching(resets) as string });
    await call('second');
    expect(calls.map(({ path }) => path)).toEqual(['/first', '/second']);
  });

  test('a reset of a connection that served before', async () => {
    const answer = json(200, {});
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(answer, reset, answer) });
    const call = client(baseUrl, { connections: 1 });
    await call('first');
    expect(await call('second')).toMatchObject({ kind: 'silence', code: expect.stringMatching(resets) as string });
    await call('third');
    expect(calls.map(({ path }) => path)).toEqual(['/first', '/second', '/third']);
    expect(calls[1]?.port).toBe(calls[0]?.port);
  });

  test('a reset before the request was read', async () => {
    let connections = 0;
    const { port } = await openSocketServer((socket) => {
      connections++;
      socket.once('readable', () => socket.resetAndDestroy());
    });
    const answer = await client(new URL(`http://127.0.0.1:${port}/`))('emails');
    expect(answer).toMatchObject({ kind: 'silence', code: expect.stringMatching(resets) as string });
    expect(connections).toBe(1);
  });

  test('a reset fails the one call under way; those that wait behind it are made, once each', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(reset, json(200, {})) });
    const call = client(baseUrl, { connections: 1 });
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((path) => call(path)));
    expect(answers.map(({ kind }) => kind)).toEqual(['silence', 'reply', 'reply', 'reply']);
    expect(calls.map(({ path }) => path)).toEqual(['/a', '/b', '/c', '/d']);
  });

  test('those that wait behind it never left when no further connection comes up', async () => {
    const { baseUrl, calls, stopListening } = await openLoopbackZuora({
      call: (response, request) => {
        stopListening();
        reset(response, request);
      },
    });
    const call = client(baseUrl, { connections: 1 });
    const [first, ...others] = ['a', 'b', 'c'].map((path) => call(path));
    const failures = await Promise.all(others.map(neverLeft));
    expect(await first).toMatchObject({ kind: 'silence' });
    expect(failures.map(({ code }) => code)).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    expect(calls.map(({ path }) => path)).toEqual(['/a']);
  });

  test('a connection that is closed without an answer', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: ({ socket }) => socket?.end() });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'silence', code: 'UND_ERR_SOCKET' });
    expect(calls).toHaveLength(1);
  });

  test('no answer within the deadline', async () => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(stall, json(200, {})) });
    const call = client(baseUrl, { connections: 1 });
    expect(await call('first', { deadlineMs: 100 })).toEqual({
      kind: 'silence',
      code: 'TIMEOUT',
      message: 'no complete answer within 0.1 s',
    });
    await call('second');
    expect(calls.map(({ path }) => path)).toEqual(['/first', '/second']);
  });

  test.each<[string, string, Respond]>([
    ['an answer in another protocol', 'HTTPParserError', bytes('SSH-2.0-OpenSSH_9.6\r\n')],
    ['a status that is not a number', 'HTTPParserError', bytes('HTTP/1.1 OK 200\r\n\r\n')],
    [
      'another protocol from here on',
      'UND_ERR_SOCKET',
      bytes('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    ],
    ['headers that do not end', 'UND_ERR_HEADERS_OVERFLOW', bytes(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(MIB)}\r\n\r\n`)],
  ])('%s', async (_what, code, respond) => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: respond });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'silence', code });
    expect(calls).toHaveLength(1);
  });
});

describe('an answer whose body is not to be had keeps its status', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

  test.each<[string, string | RegExp, Respond]>([
    [
      'half of what its length promises',
      'UND_ERR_SOCKET',
      ({ socket }) => socket?.end(`${head}content-length: 99\r\n\r\n${ACCEPTED}`),
    ],
    [
      'chunks without the last one',
      'UND_ERR_SOCKET',
      ({ socket }) => socket?.end(`${head}transfer-encoding: chunked\r\n\r\n10\r\n${ACCEPTED}\r\n`),
    ],
    [
      'a reset in the middle',
      /^(ECONNRESET|UND_ERR_SOCKET)$/,
      ({ socket }) => socket?.write(`${head}content-length: 99\r\n\r\n${ACCEPTED}`, () => socket.resetAndDestroy()),
    ],
    ['invalid gzip', 'Z_DATA_ERROR', json(200, { success: true }, { 'content-encoding': 'gzip' })],
    ['gzip that was cut off', 'Z_BUF_ERROR', zipped((whole) => whole.subarray(0, -10))],
    ['gzip with a checksum that is wrong', 'Z_DATA_ERROR', zipped((whole) => whole.fill(0, whole.length - 8))],
    ['gzip that grows beyond a mebibyte', 'ERR_BUFFER_TOO_LARGE', zipped((whole) => whole, ' '.repeat(10 * MIB))],
    ['an encoding that was not asked for', 'ANSWER_ENCODED', json(200, {}, { 'content-encoding': 'br' })],
    ['gzip twice', 'ANSWER_ENCODED', json(200, {}, { 'content-encoding': 'gzip, gzip' })],
    ['gzip in a list', 'Z_DATA_ERROR', json(200, { success: true }, { 'content-encoding': 'identity, gzip' })],
    ['gzip after another one', 'ANSWER_ENCODED', json(200, {}, { 'content-encoding': 'br, gzip' })],
    ['a byte that is not UTF-8', 'ERR_ENCODING_INVALID_ENCODED_DATA', raw(`{"success":true,"x":"\xfc"}`)],
    ['half a character at the end', 'ERR_ENCODING_INVALID_ENCODED_DATA', raw(`${ACCEPTED} \xc3`)],
    [
      'UTF-16',
      'ERR_ENCODING_INVALID_ENCODED_DATA',
      (response) => response.end(Buffer.from(`\ufeff${ACCEPTED}`, 'utf16le')),
    ],
    ['more than a mebibyte', 'ANSWER_TOO_LARGE', (response) => response.writeHead(200).end(ACCEPTED + ' '.repeat(MIB))],
  ])('%s', async (_what, code, respond) => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: respond });
    const answer = await client(baseUrl)('emails');
    expect(answer).toMatchObject({ kind: 'unreadable', status: 200 });
    expect(answer).toHaveProperty('code', typeof code === 'string' ? code : (expect.stringMatching(code) as string));
    expect(calls).toHaveLength(1);
  });

  test('a body that stalls, at the deadline', async () => {
    const { baseUrl } = await openLoopbackZuora({ call: bytes(`${head}content-length: 99\r\n\r\n${ACCEPTED}`) });
    expect(await client(baseUrl)('emails', { deadlineMs: 200 })).toMatchObject({
      kind: 'unreadable',
      status: 200,
      code: 'TIMEOUT',
    });
  });

  test('a body without an end: the connection is closed', async () => {
    const closed = new Promise<void>((resolve) => {
      void openLoopbackZuora({
        call: (response) => {
          response.on('close', resolve);
          const more = (): void => {
            while (!response.destroyed && response.write(' '.repeat(65_536)));
          };
          response.on('drain', more);
          more();
        },
      }).then(async ({ baseUrl }) => {
        expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'unreadable', code: 'ANSWER_TOO_LARGE' });
      });
    });
    await closed;
  });

  /** One byte per character. */
  function raw(body: string): Respond {
    return (response) => response.writeHead(200).end(Buffer.from(body, 'latin1'));
  }

  function zipped(change: (whole: Buffer) => Buffer, body = ACCEPTED.padEnd(2000)): Respond {
    return (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(change(gzipSync(body)));
  }
});

describe('an answer is taken as it is', () => {
  test.each(['gzip', 'GZIP', ' x-gzip'])('compressed: %s', async (encoding) => {
    const { baseUrl } = await openLoopbackZuora({
      call: (response) => response.writeHead(200, { 'content-encoding': encoding }).end(gzipSync(ACCEPTED)),
    });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
  });

  test.each([
    'UTF-8',
    'utf8',
    'none',
    '',
    ' ',
    'identity',
    'Identity, UTF-8',
    'us-ascii',
    'binary',
    'application/json',
  ])('plain, whatever else its encoding is said to be: %j', async (encoding) => {
    const { baseUrl } = await openLoopbackZuora({
      call: json(200, { success: true }, { 'content-encoding': encoding }),
    });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
  });

  test.each(['identity, gzip', 'gzip,identity', 'utf-8, GZIP', ', gzip', 'gzip;q=1'])(
    'compressed once, in a list: %j',
    async (encoding) => {
      const { baseUrl } = await openLoopbackZuora({
        call: (response) => response.writeHead(200, { 'content-encoding': encoding }).end(gzipSync(ACCEPTED)),
      });
      expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
    },
  );

  test.each<[string, Respond]>([
    ['plain', (response) => response.end(`\ufeff${ACCEPTED}`)],
    [
      'compressed',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(`\ufeff${ACCEPTED}`)),
    ],
  ])('without its byte order mark, %s', async (_what, respond) => {
    const { baseUrl } = await openLoopbackZuora({ call: respond });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
  });

  const final = `HTTP/1.1 200 OK\r\ncontent-length: ${ACCEPTED.length}\r\n\r\n${ACCEPTED}`;
  const goOn = 'HTTP/1.1 100 Continue\r\n\r\n';
  const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n';
  test.each<[string, readonly string[]]>([
    ['100', [goOn, final]],
    ['100 in the same packet', [goOn + final]],
    ['100 with a header', ['HTTP/1.1 100 Continue\r\nserver: x\r\n\r\n', final]],
    ['100 without words', ['HTTP/1.1 100\r\n\r\n', final]],
    ['100 in two packets', ['HTTP/1.1 100 Cont', 'inue\r\n\r\n', final]],
    ['100 twice', [goOn, goOn, final]],
    ['102', ['HTTP/1.1 102 Processing\r\n\r\n', final]],
    ['103', [hints, final]],
    ['103 and 100 at once', [hints + goOn + final]],
  ])('after an interim answer that nobody asked for, call after call: %s', async (_what, packets) => {
    const { port } = await openSocketServer((socket) => {
      socket.setNoDelay(true);
      socket.on('data', (part) => {
        // The body of the request may come by itself.
        if (!part.toString().endsWith('}')) return;
        void (async () => {
          for (const packet of packets) {
            socket.write(packet);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        })();
      });
    });
    const call = client(new URL(`http://127.0.0.1:${port}/`));
    for (let calls = 0; calls < 2; calls++) {
      expect(await call('emails')).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
    }
  });

  test('empty, though it claims to be compressed', async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: (response) => response.writeHead(403, { 'content-encoding': 'gzip' }).end(),
    });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 403, body: '' });
  });

  test('of exactly a mebibyte', async () => {
    const { baseUrl } = await openLoopbackZuora({ call: (response) => response.end(' '.repeat(MIB)) });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: ' '.repeat(MIB) });
  });

  test.each([301, 302, 303, 307, 308])('a redirect, HTTP %d, is not followed', async (status) => {
    const { baseUrl, calls } = await openLoopbackZuora({ call: json(status, {}, { location: '/elsewhere' }) });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status });
    expect(calls.map(({ path }) => path)).toEqual(['/emails']);
  });

  test('after hints that come early', async () => {
    const { baseUrl } = await openLoopbackZuora({
      call: bytes('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'),
    });
    expect(await client(baseUrl)('emails')).toMatchObject({ kind: 'reply', status: 200, body: '{}' });
  });

  test.each([429, 500, 503])('HTTP %d is not asked again, whatever its Retry-After says', async (status) => {
    const { baseUrl, calls } = await openLoopbackZuora({
      call: inTurn(json(status, {}, { 'retry-after': '0' }), json(200, {})),
    });
    const call = client(baseUrl);
    expect(await call('first')).toMatchObject({ kind: 'reply', status });
    await call('second');
    expect(calls.map(({ path }) => path)).toEqual(['/first', '/second']);
  });
});

test('closing waits for the calls under way', async () => {
  const release: (() => void)[] = [];
  const { baseUrl, arrived } = await openLoopbackZuora({
    call: (response, request) =>
      release.push(() => {
        json(200, { success: true })(response, request);
      }),
  });
  const transport = openTransport({ connections: 1 });
  const url = new URL('emails', baseUrl);
  const answer = transport.call({ endpoint: '/emails', method: 'POST', url, headers: {}, deadlineMs: 20_000 });
  await arrived(1);
  const closed = transport.close();
  release[0]?.();
  expect(await answer).toMatchObject({ kind: 'reply', status: 200, body: ACCEPTED });
  await closed;
});

test('of a call that is over nothing stays in memory until its deadline', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { baseUrl } = await openLoopbackZuora({ call: json(200, { success: true }) });
  const call = client(baseUrl);
  const headersOf = async (answer: ReturnType<typeof call>) => {
    const answered = await answer;
    if (answered.kind !== 'reply') throw new Error(`no reply: ${answered.kind}`);
    return new WeakRef(answered.headers);
  };
  const headers = await headersOf(call('emails', { deadlineMs: 3_600_000 }));
  // The next call on the connection takes the place of whatever the parser of HTTP remembers of this one.
  await call('emails');
  await vi.waitUntil(() => {
    collectGarbage();
    return headers.deref() === undefined;
  }, 10_000);
});
