/**
 * A codec server: Temporal UI and the `temporal` command have it decrypt what they show, and encrypt what they send. It listens on
 * loopback; put a proxy with TLS before it. It stores and logs nothing.
 */
import { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import basicAuth from '@fastify/basic-auth';
import bearerAuth from '@fastify/bearer-auth';
import cors from '@fastify/cors';
import proto from '@temporalio/proto';
import fastify from 'fastify';
import codecs from './codec.mjs';

const { Payload } = proto.temporal.api.common.v1;
const [codec] = codecs;

const {
  CODEC_SERVER_TOKEN: token = '',
  CODEC_SERVER_ORIGINS: origins = '',
  CODEC_SERVER_PORT: port = '8888',
} = process.env;
if (token.length < 16) throw new Error('CODEC_SERVER_TOKEN must have 16 characters or more: openssl rand -hex 32');

// Temporal UI sends a page of events at once.
const server = fastify({
  bodyLimit: 32 * 1024 * 1024,
  // `--codec-endpoint` with a slash at its end.
  routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true },
});

// Before the login: a browser sends its first request without credentials.
await server.register(cors, {
  origin: origins.split(/[\s,]+/).filter((origin) => origin !== ''),
  credentials: true,
  methods: ['POST'],
  allowedHeaders: ['authorization', 'content-type', 'x-namespace'],
});

// The `temporal` command sends Bearer. A browser can sign in by Basic only, with any name and the token as password.
await server.register(bearerAuth, { keys: new Set([token]), addHook: false });
await server.register(basicAuth, {
  authenticate: { realm: 'codec server' },
  validate(_name, password, _request, _reply, done) {
    done(timingSafeEqual(digest(password), digest(token)) ? undefined : new Error('wrong token'));
  },
});
server.addHook('onRequest', (request, reply, done) => {
  const isBearer = /^bearer /i.test(request.headers.authorization ?? '');
  (isBearer ? server.verifyBearerAuth : server.basicAuth).call(server, request, reply, done);
});
server.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'));

server.get('/', (_request, reply) =>
  reply.type('text/html').send('<!doctype html><title>Codec server</title><p>You are signed in.</p>'),
);
const schema = {
  body: { type: 'object', properties: { payloads: { type: 'array', items: { type: ['object', 'null'] } } } },
};
// Some clients put the namespace before the path.
for (const prefix of ['', '/:namespace']) {
  server.post(`${prefix}/encode`, { schema }, ({ body }) => answered(body, (payload) => codec.encode([payload])));
  // A payload that cannot be decrypted stays as it is, so that the others are shown.
  server.post(`${prefix}/decode`, { schema }, ({ body }) =>
    answered(body, (payload) => codec.decode([payload]).catch(() => [payload])),
  );
}

await server.listen({ host: '127.0.0.1', port: Number(port) });
console.log(`Codec server: http://127.0.0.1:${server.server.address().port}`);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());

/** Nulls stay where they are. */
async function answered({ payloads = [] }, change) {
  return { payloads: await Promise.all(payloads.map((payload) => payload && changed(payload, change))) };
}

async function changed(payload, change) {
  const [result] = await change(Payload.fromObject(payload));
  return Payload.toObject(Payload.fromObject(result), { bytes: String });
}

function digest(text) {
  return createHash('sha256').update(Buffer.from(text)).digest();
}
