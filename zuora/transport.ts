import { gunzipSync, gzipSync } from 'node:zlib';
import { Agent, buildConnector, request } from 'undici';
import type { Answer } from './outcome.js';

/** The largest answer that is read, in bytes, before and after decompression. Zuora's are a few kilobytes. */
const LARGEST_ANSWER = 1024 * 1024;

/** How long a connection may take to come up, TLS included. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends the body compressed. */
  readonly gzip?: boolean;
  /** The whole call, from the first byte to the last, in milliseconds. */
  readonly deadlineMs: number;
}

/** The one way from here to the network. */
export interface Transport {
  /**
   * Makes one call and tells what came back, whatever it is. It never repeats the call and follows no redirect.
   *
   * @throws {@link NeverLeft} when no connection came up, so that not a byte of the request was sent.
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
    // Errors of the connector are marked where they arise: what fails here has sent nothing. The code alone would not
    // prove it, because ECONNRESET and its like also end connections that already carry a request.
    connect(options, callback) {
      connect(options, (error, socket) => {
        if (error === null) callback(null, socket);
        else callback(new NeverLeft(`no connection to ${options.hostname}: ${error.message}`, codeOf(error)), null);
      });
    },
    // Shorter than servers and load balancers keep an idle connection, so that a request seldom meets a closed one.
    keepAliveTimeout: 4_000,
  });

  return {
    async call({ method, url, headers, body, gzip = false, deadlineMs }) {
      const signal = AbortSignal.timeout(deadlineMs);
      let status: number | undefined;
      try {
        const response = await request(url, {
          dispatcher: agent,
          method,
          headers: { ...headers, 'accept-encoding': 'gzip', ...(gzip ? { 'content-encoding': 'gzip' } : {}) },
          body: body === undefined ? null : gzip ? gzipSync(body) : body,
          signal,
          // The deadline above is the only clock.
          headersTimeout: 0,
          bodyTimeout: 0,
        });
        status = response.statusCode;
        const received = { status, headers: response.headers };
        try {
          return { kind: 'reply', ...received, body: await text(response.body, response.headers['content-encoding']) };
        } catch (error) {
          return { kind: 'unreadable', ...received, ...described(error, signal, deadlineMs) };
        }
      } catch (error) {
        if (error instanceof NeverLeft) throw error;
        return { kind: 'silence', ...described(error, signal, deadlineMs) };
      }
    },
    close: () => agent.close(),
  };
}

async function text(body: AsyncIterable<Uint8Array>, encoding: string | string[] | undefined): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > LARGEST_ANSWER) throw new TooLarge();
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  return (encoding === 'gzip' ? gunzipSync(bytes, { maxOutputLength: LARGEST_ANSWER }) : bytes).toString('utf8');
}

class TooLarge extends Error {
  readonly code = 'ANSWER_TOO_LARGE';

  constructor() {
    super(`the answer is larger than ${LARGEST_ANSWER} bytes`);
  }
}

function described(error: unknown, signal: AbortSignal, deadlineMs: number): { code: string; message: string } {
  if (signal.aborted) return { code: 'TIMEOUT', message: `no complete answer within ${deadlineMs / 1000} s` };
  return { code: codeOf(error), message: error instanceof Error ? error.message : 'the connection failed' };
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'CONNECTION_FAILED';
}
