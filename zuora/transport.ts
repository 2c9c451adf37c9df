import type { Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Agent, buildConnector, request, type Dispatcher } from 'undici';
import type { Answer } from './outcome.js';
import { keepable } from './words.js';

/** The largest answer that is read, in bytes, before and after decompression. Zuora's are a few kilobytes. */
const LARGEST_ANSWER = 1024 * 1024;

/** For the connection, TLS included. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface Call {
  /** The operation: its path, with the names of parameters in place of keys. */
  readonly endpoint: string;
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole call, from the first byte to the last, in milliseconds. */
  readonly deadlineMs: number;
  /** How long the call may wait for its turn, in milliseconds. Default: half of the deadline. */
  readonly leaveWithinMs?: number;
  readonly lastQuestion?: LastQuestion;
}

/**
 * Asked when the call could leave. It rejects if the call must not leave; else the answer says, just before the first byte, whether
 * it is still good.
 */
export type LastQuestion = () => Promise<() => boolean>;

/** The only way from here to the network. */
export interface Transport {
  /**
   * Makes one call and returns the answer, whatever it is. It never repeats the call and follows no redirect.
   *
   * @throws {@link NeverLeft} if the call failed before a byte of the request was sent: there was no connection in time, or
   *   the request itself cannot be written. The error of its last question passes unchanged.
   */
  call(call: Call): Promise<Answer>;
  close(): Promise<void>;
}

/** The request provably never left this machine: repeating it is safe. */
export class NeverLeft extends Error {
  override readonly name = 'NeverLeft';
  /** A stable code of Node, undici or this project, such as `ECONNREFUSED`. */
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, code: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export function openTransport({ connections }: { connections: number }): Transport {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
  const agent = new Agent({
    connections,
    // Removes the codes of errors: ERR_TLS_CERT_ALTNAME_INVALID makes undici count this connection as busy forever.
    connect(options, callback) {
      connect(options, (error, socket) => {
        if (error === null) callback(null, withoutContinue(socket));
        else callback(new Error(error.message, { cause: error }), null);
      });
    },
    // Servers and load balancers keep idle connections longer, so a request seldom meets a closed one.
    keepAliveTimeout: 4_000,
  });

  /** Undefined: the answer to the last question was too old when the connection was there, and nothing was written. */
  async function callOnce(
    { method, url, headers, body, deadlineMs }: Call,
    mayLeave: () => boolean,
  ): Promise<Answer | undefined> {
    const signal = AbortSignal.timeout(deadlineMs);
    let left = false as boolean;
    let isTooLate = false as boolean;
    try {
      const answer = request(url, {
        dispatcher: beforeWriting(agent, () => {
          left = mayLeave();
          isTooLate = !left;
          return left;
        }),
        method,
        headers: { ...headers, 'accept-encoding': 'gzip' },
        body: body ?? null,
        signal,
        // The deadline above is the only clock.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const response = await unlessAborted(answer, signal);
      const received = { status: response.statusCode, headers: response.headers };
      try {
        return { kind: 'reply', ...received, body: await text(response.body, response.headers['content-encoding']) };
      } catch (error) {
        return { kind: 'unreadable', ...received, ...described(error, signal, deadlineMs) };
      }
    } catch (error) {
      if (isTooLate) return undefined;
      const { code, message } = described(error, signal, deadlineMs);
      if (left) return { kind: 'silence', code, message };
      const why = signal.aborted ? `no connection was free within ${deadlineMs / 1000} s` : keepable(message);
      throw new NeverLeft(`the call to ${url.hostname} did not leave: ${why}`, code);
    }
  }

  return {
    async call(call) {
      for (;;) {
        const mayLeave = (await call.lastQuestion?.()) ?? (() => true);
        const answer = await callOnce(call, mayLeave);
        if (answer !== undefined) return answer;
      }
    },
    close: () => agent.close(),
  };
}

/**
 * undici ends a connection at a `100 Continue` that it did not ask for. Other interim answers do not matter to it, so a 100 at the
 * beginning of a packet becomes a 103.
 */
function withoutContinue<T extends Socket>(socket: T): T {
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk = read(size) as Buffer | null;
    // Bodies, and nearly all heads, are not read twice.
    if (chunk?.toString('latin1', 0, 10) !== 'HTTP/1.1 1') return chunk;
    const interim = /^(HTTP\/1\.1 1\d\d[^]*?(\r\n\r\n|$))+/.exec(chunk.toString('latin1'))?.[0] ?? '';
    chunk.write(interim.replaceAll('HTTP/1.1 100', 'HTTP/1.1 103'), 'latin1');
    return chunk;
  };
  return socket;
}

/**
 * undici starts a request when it has a connection and is about to write the first byte. A call that fails before that has sent
 * nothing. The error code would not prove it: ECONNRESET, for instance, ends connections before and after the first byte.
 *
 * @param mayWrite false ends the request with no byte written, and the connection lives on
 */
function beforeWriting(agent: Agent, mayWrite: () => boolean): Dispatcher {
  return agent.compose((dispatch) => (options, handler) => {
    const start = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (controller, context) => {
      // Throwing ends the request alone; `controller.abort` would end its connection as well.
      if (!mayWrite()) throw new Error('it may no longer leave');
      start?.(controller, context);
    };
    return dispatch(options, handler);
  });
}

/**
 * undici ignores the abort signal until it has a connection, so this rejects by itself. It stops listening when the answer is
 * there: otherwise the timer would keep the answer in memory until the deadline.
 */
function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort);
    const stopListening = (): void => {
      signal.removeEventListener('abort', onAbort);
    };
    answer.finally(stopListening).then(resolve, reject);
  });
}

async function text(body: AsyncIterable<Uint8Array>, encoding: string | string[] | undefined): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the stream and the connection.
    if (size > LARGEST_ANSWER) {
      throw new AnswerError('ANSWER_TOO_LARGE', `the answer is larger than ${LARGEST_ANSWER} bytes`);
    }
    chunks.push(chunk);
  }
  const bytes = decoded(Buffer.concat(chunks), String(encoding ?? ''));
  // It leaves out a byte order mark, which JSON does not have.
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function decoded(bytes: Buffer, encoding: string): Buffer {
  // Servers name an encoding for an empty body too.
  if (bytes.length === 0) return bytes;
  // Servers name character sets and much else here. Bytes in an encoding that is not known are no JSON.
  const compressions = encoding.toLowerCase().match(/\b(x-)?(gzip|compress|deflate|br|zstd)\b/g) ?? [];
  if (compressions.length === 0) return bytes;
  if (compressions.length === 1 && /^(x-)?gzip$/.test(compressions[0])) {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_ANSWER });
  }
  throw new AnswerError('ANSWER_ENCODED', `the answer has the encoding ${encoding}, which was not requested`);
}

class AnswerError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function described(error: unknown, signal: AbortSignal, deadlineMs: number): { code: string; message: string } {
  if (signal.aborted) return { code: 'TIMEOUT', message: `no complete answer within ${deadlineMs / 1000} s` };
  // Node's error has no message if several addresses failed.
  const message = error instanceof Error && error.message !== '' ? error.message : codeOf(error);
  return { code: codeOf(error), message };
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'CONNECTION_FAILED';
  if ('code' in error && typeof error.code === 'string') return error.code;
  // undici's errors about invalid HTTP have a name but no code.
  return error.cause === undefined ? error.name : codeOf(error.cause);
}
