/**
 * Takes Zuora's callout about a bill run that has posted, and has its run look at once. Zuora may send a callout again, in any
 * order, or not at all: it is a hint, and each run goes on asking Zuora by itself.
 */
import type { AddressInfo } from 'node:net';
import formBody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyBaseLogger, type FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { BillRunEmails, StartResult } from '../client/bill-run-emails.js';
import { BillRunEmailsError } from '../client/errors.js';
import { urlOf } from '../services/address.js';
import { signedIn } from '../services/sign-in.js';
import { isIdentifier } from '../workflows/checks.js';
import type { CalloutConfiguration } from './configuration.js';

/** A callout has a few fields. */
const LARGEST_BODY = 16 * 1024;

/** Zuora repeats a callout that failed up to five times, a day apart at most. */
const REMEMBERED = { max: 10_000, ttl: 5 * 24 * 3_600_000 };

/** The names under which a callout may tell which bill run it is about. */
const FIELDS = ['billRunKey', 'billRunId', 'billRunNumber'];

/** What came of a callout; `nobodyToTell` where no run is at work, and none may be started. */
type Told = StartResult['result'] | 'nobodyToTell';

export interface CalloutServer {
  /** Without a slash at its end. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** Rejects with the error of the socket (EADDRINUSE, EACCES, …) if it cannot listen. */
export async function startCalloutServer(
  { address, user, password, starts, perMinute }: Omit<CalloutConfiguration, 'taskQueue' | 'logLevel'>,
  emails: Pick<BillRunEmails, 'billRunPosted'>,
  logger: FastifyBaseLogger,
): Promise<CalloutServer> {
  const server = fastify({ loggerInstance: logger, disableRequestLogging: true, bodyLimit: LARGEST_BODY });
  await server.register(formBody);
  await server.register(rateLimit, {
    global: true,
    max: perMinute,
    timeWindow: '1 minute',
    hook: 'preHandler',
    keyGenerator: () => 'all',
  });
  const taken = new LRUCache<string, Promise<Told>>(REMEMBERED);
  const tell = async (billRunKey: string): Promise<Told> => {
    try {
      return (await emails.billRunPosted({ billRunKey }, { start: starts })).result;
    } catch (error) {
      if (!starts && error instanceof BillRunEmailsError && error.type === 'NotFound') return 'nobodyToTell';
      throw error;
    }
  };

  const message = 'Sign in with CALLOUT_USERNAME and CALLOUT_PASSWORD, by Basic authentication.';
  const onRequest = signedIn({ realm: 'callouts of bill-run-emails', user, secret: password, message });
  server.post('/bill-run-posted', { onRequest }, async (request, reply) => {
    const billRunKey = billRunKeyIn(request);
    if (billRunKey === undefined) {
      return reply
        .code(400)
        .send({ message: `Name the bill run by its ID or number, in one of ${FIELDS.join(', ')}.` });
    }
    const { 'zuora-notification-id': notification } = request.headers;
    const known = typeof notification === 'string' ? `${notification} ${billRunKey}` : undefined;
    const before = known === undefined ? undefined : taken.get(known);
    const told = before ?? tell(billRunKey);
    if (known !== undefined && before === undefined) {
      taken.set(known, told);
      // What failed may be tried again.
      told.catch(() => taken.delete(known));
    }
    try {
      const result = await told;
      request.log.info({ billRun: billRunKey, notification, result, repeated: before !== undefined }, 'callout taken');
      return await reply.code(200).send({ result });
    } catch (error) {
      request.log.warn({ billRun: billRunKey, notification, reason: (error as Error).message }, 'callout not taken');
      return reply.code(error instanceof BillRunEmailsError && error.type === 'InvalidInput' ? 400 : 503).send({
        message: 'The callout was not taken. It is safe to send it again.',
      });
    }
  });
  await server.listen(address);
  const { port } = server.server.address() as AddressInfo;
  return {
    url: urlOf({ host: address.host, port }),
    close: () => server.close(),
  };
}

/** Of what a callout says, only the key is taken, in the body or in the query of its URL. Zuora is asked for the rest. */
function billRunKeyIn({ body, query }: FastifyRequest): string | undefined {
  const said = [body, query].filter(
    (each): each is Record<string, unknown> => typeof each === 'object' && each !== null,
  );
  const named = said.flatMap((fields) => FIELDS.map((name) => fields[name])).filter((value) => value !== undefined);
  const [key] = named;
  return named.every((each) => each === key) && isIdentifier(key) ? key : undefined;
}
