/**
 * The codec server: Temporal UI and the `temporal` command have it decrypt what they show, and encrypt what they send. It
 * keeps nothing, and logs nothing of what it is asked.
 */
import type { AddressInfo } from 'node:net';
import type { Payload } from '@temporalio/common';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { encryptionCodec } from './codec.js';
import type { CodecServerConfiguration } from './configuration.js';
import { urlOf } from '../environment/address.js';
import { signedIn } from '../environment/sign-in.js';
import { NOT_AUTHENTIC } from '../workflows/sandbox/encrypted.js';

export interface CodecServer {
  /** Without a slash at its end. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** Temporal UI asks for a page of events at once, each with payloads of up to 2 MB, but rarely more than some kilobytes. */
const LARGEST_BODY = 32 * 1024 * 1024;

const PAGE = `<!doctype html>
<title>Codec server of bill-run-emails</title>
<p>This is the codec server of bill-run-emails, and you are signed in. Temporal UI can now show what it decrypts: set its address
in the data encoder settings of Temporal UI, with "Include cross-origin credentials".</p>
`;

/** Payloads in the JSON of protobuf, where bytes are base64. */
const base64 = z.base64().default('');
const payloads = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64 })).default([]),
});
type PayloadsInJson = z.infer<typeof payloads>;

/** Rejects with the error of the socket (EADDRINUSE, EACCES, …) if it cannot listen. */
export async function startCodecServer(configuration: CodecServerConfiguration): Promise<CodecServer> {
  const { encryption, host, port } = configuration;
  const codec = encryptionCodec(encryption);
  const server = fastify({ bodyLimit: LARGEST_BODY });
  server.addHook('onRequest', crossOrigin(configuration.origins));
  const realm = 'codec server of bill-run-emails';
  const message = 'Sign in with the token of this codec server, as Bearer or as the password of Basic.';
  server.addHook('onRequest', signedIn({ realm, secret: configuration.token, message }));

  server.get('/', (_, reply) => reply.type('text/html; charset=utf-8').header('cache-control', 'no-store').send(PAGE));
  for (const what of ['encode', 'decode'] as const) {
    server.post(`/${what}`, async ({ body }, reply) => {
      const asked = payloads.safeParse(body);
      if (!asked.success)
        return reply.code(400).send({ message: 'The body must be Payloads, in the JSON of protobuf.' });
      return reply.header('cache-control', 'no-store').send(toJson(await codec[what](fromJson(asked.data))));
    });
  }
  await server.listen({ host, port });
  const { port: listening } = server.server.address() as AddressInfo;
  return {
    url: urlOf({ host, port: listening }),
    close: () => server.close(),
  };
}

/** Browsers let a page of another origin read answers only as told here; others are turned away before anything is done. */
function crossOrigin(origins: readonly string[]) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { origin } = request.headers;
    reply.header('vary', 'Origin');
    if (origin === undefined) return;
    if (!origins.includes(origin)) {
      await reply.code(403).send({ message: 'CODEC_SERVER_ORIGINS does not name the origin of this page.' });
      return;
    }
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' });
    // A browser asks beforehand, and without credentials.
    if (request.method !== 'OPTIONS') return;
    await reply
      .code(204)
      .headers({
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization, content-type, x-namespace',
        'access-control-max-age': '600',
      })
      .send();
  };
}

function fromJson({ payloads }: PayloadsInJson): Payload[] {
  return payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    data: Buffer.from(data, 'base64'),
  }));
}

function toJson(payloads: readonly Payload[]): PayloadsInJson {
  return {
    payloads: payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(
        Object.entries(metadata ?? {})
          // Only our own processes speak of that.
          .filter(([name]) => name !== NOT_AUTHENTIC)
          .map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      ),
      data: Buffer.from(data ?? []).toString('base64'),
    })),
  };
}
