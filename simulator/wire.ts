/** Bytes in and out: what a request carried, and how a reply is put on the socket. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from './refusal.js';

export interface ApiRequest {
  readonly method: string;
  /** As it stood in the request line, with the query string. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** How a request ended when it was not with a reply. */
export type Cut = 'reset' | 'midBody' | 'clientGaveUp';

/** docs/guides/request-and-response-compression: smaller replies are never compressed. */
const COMPRESSED_OVER_BYTES = 1000;

/** More than any documented request; guards the process, not a limit of Zuora. */
const LARGEST_BODY_BYTES = 16 * 1024 * 1024;

export function readRequest(request: FastifyRequest): ApiRequest {
  const url = request.raw.url ?? '/';
  const [path = '/', query = ''] = url.split('?', 2);
  return {
    method: request.method,
    url,
    path,
    query: new URLSearchParams(query),
    // Params of the not-found route hold the wildcard only; nothing reads them there.
    params: request.params as Record<string, string>,
    headers: request.headers,
    rawBody: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
  };
}

export function header(request: ApiRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The body after decompression; a refusal if it is not what Content-Encoding says. */
export function decodedBody(request: ApiRequest): Buffer {
  const encoding = (header(request, 'content-encoding') ?? 'identity').toLowerCase();
  if (encoding === 'identity') return request.rawBody;
  if (encoding !== 'gzip') throw new Refusal(45, `Content-Encoding ${encoding} is not supported.`, 415);
  try {
    return gunzipSync(request.rawBody, { maxOutputLength: LARGEST_BODY_BYTES });
  } catch {
    throw new Refusal(90, 'The request body is not valid gzip.');
  }
}

/** A JSON object, as every operation of /v1 with a payload wants it. Without one, live tenants answer 415. */
export function jsonBody(request: ApiRequest): Readonly<Record<string, unknown>> {
  const contentType = header(request, 'content-type') ?? '';
  if (!/^application\/json\b/i.test(contentType)) {
    throw new Refusal(45, `Content-Type '${contentType}' is not supported: send application/json.`, 415);
  }
  const text = decodedBody(request).toString('utf8');
  if (text.trim() === '') throw new Refusal(90, 'The request body is missing: send at least {}.');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal(90, 'The request body is not valid JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Refusal(90, 'The request body must be a JSON object.');
  }
  return parsed as Record<string, unknown>;
}

export function jsonReply(status: number, body: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json;charset=UTF-8' }, body: JSON.stringify(body) };
}

/** Resolves when the client closed its end before it had the whole reply. */
export function clientGone(reply: FastifyReply): Promise<void> {
  return new Promise((resolve) => {
    if (reply.raw.closed) resolve();
    reply.raw.once('close', resolve);
  });
}

export function cutConnection(reply: FastifyReply): void {
  reply.hijack();
  // A TCP reset, not an orderly end: ECONNRESET is what a client sees when a balancer drops it.
  reply.raw.socket?.resetAndDestroy();
}

/** Puts a reply on the socket as it is; compresses only what the simulator itself said. */
export async function deliver(
  request: ApiRequest,
  reply: FastifyReply,
  answer: Reply,
  injected: boolean,
): Promise<Cut | undefined> {
  reply.hijack();
  const { raw } = reply;
  if (raw.destroyed || raw.socket === null || raw.socket.destroyed) return 'clientGaveUp';

  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  let body = Buffer.from(answer.body);
  if (!injected && body.length > COMPRESSED_OVER_BYTES && takesGzip(request)) {
    body = gzipSync(body);
    headers['content-encoding'] = 'gzip';
  }
  const promised = Number(headers['content-length'] ?? body.length);
  if (headers['transfer-encoding'] === undefined) headers['content-length'] ??= String(body.length);
  raw.writeHead(answer.status, capitalised(headers));
  return promised > body.length ? breakOff(raw, body) : finish(raw, body);
}

function finish(raw: ServerResponse, body: Buffer): Promise<Cut | undefined> {
  return new Promise((resolve) => {
    raw.once('finish', () => {
      resolve(undefined);
    });
    raw.once('close', () => {
      resolve('clientGaveUp');
    });
    raw.end(body);
  });
}

/** A reply that promises more bytes than it has: the connection ends in the middle of the body. */
function breakOff(raw: ServerResponse, body: Buffer): Promise<Cut> {
  return new Promise((resolve) => {
    raw.once('close', () => {
      resolve('midBody');
    });
    raw.write(body, () => {
      raw.socket?.end();
      raw.socket?.destroySoon();
    });
  });
}

/** `Zuora-Request-Id`: Zuora's Python client hands headers on as they came, and its users ask for them by this name. */
function capitalised(headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()),
      value,
    ]),
  );
}

function takesGzip(request: ApiRequest): boolean {
  return /\bgzip\b/i.test(header(request, 'accept-encoding') ?? '');
}
