/**
 * Receives Zuora's callouts about posted bill runs, and has their jobs read Zuora at once. Zuora may repeat, reorder or lose
 * callouts: each is a hint only, and every job also reads Zuora by itself.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import basicAuth from '@fastify/basic-auth';
import formBody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyError, type FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { BillRunEmails, BillRunToStart } from '../client/bill-run-emails.js';
import type { StartResult } from '../client/starting.js';
import { BillRunEmailsError } from '../client/failures/errors.js';
import { urlOf } from '../environment/address.js';
import { checkInput } from '../workflows/contract/validation.js';
import type { CalloutConfiguration } from './configuration.js';

const PATH = '/bill-run-posted';

/** In bytes. A callout has a few fields. */
const MAX_BODY = 16 * 1024;

/** For a callout to arrive completely. */
const ARRIVES_WITHIN_MS = 10_000;

/** For callouts in progress when the service stops. Idle and slow connections are cut then. */
const STOPS_WITHIN_MS = 10_000;

/** The fields that may name the bill run. */
const KEYS = ['billRunKey', 'billRunId', 'billRunNumber'];

/** Callouts with the right login. Zuora sends a few for each bill run; this protects Temporal from a stolen password. */
const PER_MINUTE = 600;

const NOT_TAKEN = 'The callout was not taken. It is safe to send it again.';

/** `noOpenJob`: the bill run has no open job, and the service may not start one. */
type CalloutResult = StartResult['result'] | 'noOpenJob';

export interface CalloutServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Refuses new callouts, and resolves when those in progress are answered. */
  readonly close: () => Promise<void>;
}

/** @throws the error of the socket (EADDRINUSE, EACCES, …) if it cannot listen */
export async function startCalloutServer(
  { address, user, password, starts }: Omit<CalloutConfiguration, 'taskQueue' | 'logLevel'>,
  emails: Pick<BillRunEmails, 'billRunPosted'>,
  logger: Pick<Logger, 'info' | 'warn'>,
  perMinute = PER_MINUTE,
): Promise<CalloutServer> {
  // Without the logger: at its lowest level, the framework logs whole packets, with the password in them.
  const server = fastify({ bodyLimit: MAX_BODY, requestTimeout: ARRIVES_WITHIN_MS });
  server.removeContentTypeParser('text/plain');
  const parsedJson = server.getDefaultJsonParser('error', 'error');
  // An empty body counts as none: the query may name the bill run.
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.trim() === '') done(null);
    else void parsedJson(request, body, done);
  });
  await server.register(formBody);
  await server.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: '1 minute',
    keyGenerator: () => 'all',
  });
  const credentials = digest(`${user}:${password}`);
  await server.register(basicAuth, {
    authenticate: { realm: 'callouts of bill-run-emails' },
    validate(username, given, _request, _reply, done) {
      // Digests have equal lengths, so the comparison takes constant time.
      const valid = timingSafeEqual(digest(`${username}:${given}`), credentials);
      done(valid ? undefined : new Error('The login needs CALLOUT_USERNAME and CALLOUT_PASSWORD.'));
    },
  });

  // At most one log line a minute for each status: strangers can be refused too, and must not fill the log.
  const refusals = new LRUCache<number, true>({ max: 100, ttl: 60_000 });
  server.addHook('onResponse', ({ headers }, { statusCode: status }, done) => {
    // Zuora's first try has no credentials: it waits for the challenge.
    const usual = status < 400 || (status === 401 && headers.authorization === undefined);
    if (!usual && status !== 503 && !refusals.has(status)) {
      refusals.set(status, true);
      logger.warn({ status }, 'callout refused');
    }
    done();
  });
  let closing = false;
  server.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  // A kept connection would keep the process alive after its last answer.
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
  server.setErrorHandler(({ statusCode = 503, message }: FastifyError, _, reply) =>
    statusCode < 500 ? reply.code(statusCode).send({ message }) : reply.code(503).send({ message: NOT_TAKEN }),
  );
  server.setNotFoundHandler(({ url }, reply) => {
    const message = `This service takes callouts by POST ${PATH} only.`;
    return /^[^?]*/.exec(url)?.[0] === PATH
      ? reply.code(405).header('allow', 'POST').send({ message })
      : reply.code(404).send({ message });
  });
  // Healthy without Temporal too: callouts are then answered by 503, and Zuora repeats them.
  server.get('/healthz', () => ({ ok: true }));

  const report = async (billRun: BillRunToStart): Promise<CalloutResult> => {
    try {
      return (await emails.billRunPosted(billRun, { start: starts })).result;
    } catch (error) {
      if (!starts && error instanceof BillRunEmailsError && error.type === 'NotFound') return 'noOpenJob';
      throw error;
    }
  };
  // The limit comes after the login: guessing passwords must not use up Zuora's callouts. See SECURITY.md.
  server.post(PATH, { onRequest: [server.basicAuth, server.rateLimit()] }, async (request, reply) => {
    const billRun = billRunIn(request);
    if (billRun === undefined) {
      const message = `A callout must name one bill run by its ID or number, in ${KEYS.join(' or ')}; with Multi-entity, its entityId as well.`;
      return reply.code(400).send({ message });
    }
    const about = { billRun: billRun.billRunKey, entityId: billRun.entityId, notification: notificationIn(request) };
    try {
      const result = await report(billRun);
      logger.info({ ...about, result }, 'callout taken');
      return await reply.code(200).send({ result });
    } catch (error) {
      logger.warn({ ...about, reason: (error as Error).message }, 'callout not taken');
      // Such as a job on another task queue: a repetition would fail in the same way.
      const invalid = error instanceof BillRunEmailsError && error.type === 'InvalidInput';
      return reply.code(invalid ? 400 : 503).send({ message: invalid ? error.message : NOT_TAKEN });
    }
  });
  await server.listen(address);
  const { port } = server.server.address() as AddressInfo;
  return {
    url: urlOf({ host: address.host, port }),
    close: async () => {
      const cut = setTimeout(() => {
        server.server.closeAllConnections();
      }, STOPS_WITHIN_MS);
      await server.close();
      clearTimeout(cut);
    },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Takes only the name of the bill run, from the body or the query of the URL. The job reads the rest from Zuora. */
function billRunIn({ body, query }: FastifyRequest): BillRunToStart | undefined {
  const sources = [body, query].filter(
    (each): each is Record<string, unknown> => typeof each === 'object' && each !== null,
  );
  const valueOf = (names: readonly string[]): unknown => {
    const given = sources.flatMap((fields) => names.flatMap((name) => fields[name] ?? []));
    // Zuora writes a merge field without a value as an empty text.
    const values = new Set(given.filter((value) => typeof value !== 'string' || value.trim() !== ''));
    // A list, which the validation refuses, if they differ.
    return values.size > 1 ? [...values] : [...values][0];
  };
  const { value } = checkInput({ billRunKey: valueOf(KEYS), entityId: valueOf(['entityId']) });
  return value && { billRunKey: value.billRunKey, ...(value.entityId && { entityId: value.entityId }) };
}

/** The same for all attempts at a callout, for the log. A malformed id is left out. */
function notificationIn({ headers: { 'zuora-notification-id': id } }: FastifyRequest): string | undefined {
  return typeof id === 'string' && /^[\w.:-]{1,100}$/.test(id) ? id : undefined;
}
