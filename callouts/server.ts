/**
 * Takes Zuora's callout about a bill run that has posted, and has its run look at once. Zuora may send a callout again, in any
 * order, or not at all: it is a hint, and each run goes on asking Zuora by itself.
 */
import type { AddressInfo } from 'node:net';
import formBody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyError, type FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { BillRunEmails, BillRunToStart, StartResult } from '../client/bill-run-emails.js';
import { BillRunEmailsError } from '../client/failures/errors.js';
import { urlOf } from '../environment/address.js';
import { signedIn } from '../environment/sign-in.js';
import { checkInput } from '../workflows/contract/validation.js';
import type { CalloutConfiguration } from './configuration.js';

/** Where callouts are taken. */
const PATH = '/bill-run-posted';

/** A callout has a few fields. */
const LARGEST_BODY = 16 * 1024;

/** For a callout to arrive; some kilobytes take no second. */
const ARRIVES_WITHIN_MS = 10_000;

/** For what is being taken when the service stops. Then connections are cut on which nobody says anything, or too slowly. */
const ENDS_WITHIN_MS = 10_000;

/** Zuora repeats a callout that failed up to five times, a day apart at most. */
const REMEMBERED = { max: 10_000, ttl: 5 * 24 * 3_600_000 };

/** The names under which a callout may tell which bill run it is about. */
const KEYS = ['billRunKey', 'billRunId', 'billRunNumber'];

const NOT_TAKEN = 'The callout was not taken. It is safe to send it again.';

/** What came of a callout; `nobodyToTell` where no run is at work, and none may be started. */
type Told = StartResult['result'] | 'nobodyToTell';

export interface CalloutServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Takes nothing more, and resolves when what was taken is done. */
  readonly close: () => Promise<void>;
}

/** Rejects with the error of the socket (EADDRINUSE, EACCES, …) if it cannot listen. */
export async function startCalloutServer(
  { address, user, password, starts, perMinute }: Omit<CalloutConfiguration, 'taskQueue' | 'logLevel'>,
  emails: Pick<BillRunEmails, 'billRunPosted'>,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<CalloutServer> {
  // Without the logger: at its lowest level, the framework writes whole packets, with the password in them.
  const server = fastify({ bodyLimit: LARGEST_BODY, requestTimeout: ARRIVES_WITHIN_MS });
  server.removeContentTypeParser('text/plain');
  await server.register(formBody);
  await server.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: '1 minute',
    keyGenerator: () => 'all',
  });

  // Anybody can be refused: each kind is told once a minute, so that nobody fills the log.
  const refusals = new LRUCache<number, true>({ max: 100, ttl: 60_000 });
  server.addHook('onResponse', ({ headers }, { statusCode: status }, done) => {
    // Zuora comes without credentials first, and waits for the challenge.
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
  // Else a connection that has its last answer would be kept for the next callout, and the process with it.
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
  server.setErrorHandler(({ statusCode = 503, message }: FastifyError, _, reply) =>
    statusCode < 500 ? reply.code(statusCode).send({ message }) : reply.code(503).send({ message: NOT_TAKEN }),
  );
  server.setNotFoundHandler(({ url }, reply) => {
    const message = `Callouts are taken by POST ${PATH}, and by nothing else.`;
    return /^[^?]*/.exec(url)?.[0] === PATH
      ? reply.code(405).header('allow', 'POST').send({ message })
      : reply.code(404).send({ message });
  });
  // Whether the process lives. Without Temporal it does, too: callouts are then answered by 503, and Zuora repeats them.
  server.get('/healthz', () => ({ ok: true }));

  const tell = async (billRun: BillRunToStart): Promise<Told> => {
    try {
      return (await emails.billRunPosted(billRun, { start: starts })).result;
    } catch (error) {
      if (!starts && error instanceof BillRunEmailsError && error.type === 'NotFound') return 'nobodyToTell';
      throw error;
    }
  };
  const taken = new LRUCache<string, Promise<Told>>(REMEMBERED);
  const message = 'Sign in with CALLOUT_USERNAME and CALLOUT_PASSWORD, by Basic authentication.';
  const signIn = signedIn({ realm: 'callouts of bill-run-emails', user, secret: password, message });
  // Only callouts of Zuora's count: whoever guesses passwords cannot have them refused. See SECURITY.md.
  server.post(PATH, { onRequest: [signIn, server.rateLimit()] }, async (request, reply) => {
    const billRun = billRunIn(request);
    if (billRun === undefined) {
      const message = `Name one bill run by its ID or number, in ${KEYS.join(' or ')}; with Multi-entity, its entityId as well.`;
      return reply.code(400).send({ message });
    }
    const notification = notificationIn(request);
    const known = notification && JSON.stringify([notification, billRun]);
    const before = known === undefined ? undefined : taken.get(known);
    const told = before ?? tell(billRun);
    if (known !== undefined && before === undefined) {
      taken.set(known, told);
      // What failed may be tried again.
      told.catch(() => taken.delete(known));
    }
    const about = { billRun: billRun.billRunKey, entityId: billRun.entityId, notification };
    try {
      const result = await told;
      logger.info({ ...about, result, repeated: before !== undefined }, 'callout taken');
      return await reply.code(200).send({ result });
    } catch (error) {
      logger.warn({ ...about, reason: (error as Error).message }, 'callout not taken');
      // Such as a run of another installation: it would be the same the next time.
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
      }, ENDS_WITHIN_MS);
      await server.close();
      clearTimeout(cut);
    },
  };
}

/** Of what a callout says, only the name of the bill run is taken, in the body or in the query of its URL. Zuora is asked for the rest. */
function billRunIn({ body, query }: FastifyRequest): BillRunToStart | undefined {
  const said = [body, query].filter(
    (each): each is Record<string, unknown> => typeof each === 'object' && each !== null,
  );
  const saidAs = (names: readonly string[]): unknown => {
    const values = new Set(said.flatMap((fields) => names.map((name) => fields[name] ?? undefined)));
    values.delete(undefined);
    // Several are a list, and no name.
    return values.size > 1 ? [...values] : [...values][0];
  };
  const { value } = checkInput({ billRunKey: saidAs(KEYS), entityId: saidAs(['entityId']) });
  return value && { billRunKey: value.billRunKey, ...(value.entityId && { entityId: value.entityId }) };
}

/** The same for all attempts at a callout. What is no id is no reason to refuse it. */
function notificationIn({ headers: { 'zuora-notification-id': id } }: FastifyRequest): string | undefined {
  return typeof id === 'string' && /^[\w.:-]{1,100}$/.test(id) ? id : undefined;
}
