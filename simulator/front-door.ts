/**
 * What every request passes, in this order: a fault before it, the token, the headers, the Idempotency-Key, the
 * operation, a fault after it, and the way back to the client.
 *
 * Replies that the token or the headers bring about are not kept under a key: such a request never claimed it
 * (storeUnauthorized changes that for a 401).
 */
import { createHash, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SimulatorClock } from './clock.js';
import { injectedReply, isStored, type Fault, type Faults } from './faults.js';
import type { Claim, IdempotencyKeys } from './idempotency.js';
import { Refusal, renderRefusal, type Family } from './refusal.js';
import type { RequestLog } from './request-log.js';
import type { SettingsInForce } from './settings.js';
import type { Tenant } from './tenant.js';
import type { Tokens } from './tokens.js';
import { clientGone, cutConnection, deliver, header, jsonReply, readRequest } from './wire.js';
import type { ApiRequest, Cut, Reply } from './wire.js';

export interface Simulation {
  readonly clock: SimulatorClock;
  readonly settings: SettingsInForce;
  readonly tenant: Tenant;
  readonly tokens: Tokens;
  readonly keys: IdempotencyKeys;
  readonly faults: Faults;
  readonly log: RequestLog;
}

/** A request that passed; `entityId` is undefined without Multi-entity. */
export interface Operation {
  readonly request: ApiRequest;
  readonly entityId: string | undefined;
  readonly idempotencyKey: string | undefined;
}

export interface Route {
  readonly family: Family;
  /** Answers 200 with what it returns, or throws a Refusal. */
  readonly run: (operation: Operation) => unknown;
}

/** How a request ends: a reply on its way, or no reply at all. */
type Ending =
  | { readonly kind: 'reply'; readonly reply: Reply; readonly injected: boolean; readonly repeated: boolean }
  | { readonly kind: 'cut' }
  | { readonly kind: 'dropped' };

/**
 * Headers that every reply of /v1 and Object Query carries (docs/guides/rate-limits), with the limits of production.
 * Replies to requests for a token carry those of the gateway, with the limit of an IP address.
 */
const LIMIT_HEADERS: Readonly<Record<Family, Readonly<Record<string, string>>>> = {
  oauth: { 'x-ratelimit-limit-minute': '100', 'x-ratelimit-remaining-minute': '99' },
  v1: { ...rateLimits(), 'concurrency-limit-type': 'Default', ...concurrencyLimits(40) },
  objectQuery: { ...rateLimits(), 'concurrency-limit-type': 'Object-Query', ...concurrencyLimits(80) },
};

export function frontDoor(simulation: Simulation, route: Route) {
  return async (incoming: FastifyRequest, outgoing: FastifyReply): Promise<void> => {
    simulation.clock.runDue();
    const request = readRequest(incoming);
    const visit = new Visit(simulation, route, request, clientGone(outgoing));
    const close = simulation.log.open(request, billRunNamedBy(simulation.tenant, request));

    const ending = await visit.ending();
    const { status, cut } = await send(request, outgoing, ending);
    const requestId = ending.kind === 'reply' ? ending.reply.headers['zuora-request-id'] : undefined;
    close({
      status,
      cut,
      requestId: typeof requestId === 'string' ? requestId : null,
      repeated: ending.kind === 'reply' && ending.repeated,
      faults: visit.struckBy,
    });
  };
}

async function send(
  request: ApiRequest,
  outgoing: FastifyReply,
  ending: Ending,
): Promise<{ status: number | null; cut: Cut | null }> {
  switch (ending.kind) {
    case 'reply': {
      const cut = await deliver(request, outgoing, ending.reply, ending.injected);
      return { status: cut === 'clientGaveUp' ? null : ending.reply.status, cut: cut ?? null };
    }
    case 'cut':
      cutConnection(outgoing);
      return { status: null, cut: 'reset' };
    case 'dropped':
      outgoing.hijack();
      return { status: null, cut: 'clientGaveUp' };
  }
}

/** One request on its way through. */
class Visit {
  readonly #simulation: Simulation;
  readonly #route: Route;
  readonly #request: ApiRequest;
  readonly #clientGone: Promise<void>;
  readonly #requestId = randomUUID();
  readonly #struckBy: number[] = [];

  constructor(simulation: Simulation, route: Route, request: ApiRequest, gone: Promise<void>) {
    this.#simulation = simulation;
    this.#route = route;
    this.#request = request;
    this.#clientGone = gone;
  }

  get struckBy(): readonly number[] {
    return this.#struckBy;
  }

  async ending(): Promise<Ending> {
    const before = this.#draw('before');
    if (before?.fault === 'reset') {
      await this.#wait(before.afterMs ?? 0);
      return { kind: 'cut' };
    }
    if (before?.fault === 'respond' && !isStored(before, this.#simulation.settings.current)) {
      await this.#wait(before.afterMs ?? 0);
      return this.#injected(before);
    }

    let operation: Operation;
    try {
      operation = this.#admit();
    } catch (refusal) {
      return this.#own(this.#refused(refusal));
    }
    const claim = this.#claim(operation);
    if (before?.fault === 'stall' && before.afterMs === undefined) {
      await this.#clientGone;
      if (claim?.kind === 'first') claim.giveUp();
      return { kind: 'dropped' };
    }
    await this.#wait(before?.afterMs ?? 0);

    switch (claim?.kind) {
      case 'inProgress':
        return this.#own(this.#conflict(409, 'A request with this Idempotency-Key is still in progress.'));
      case 'mismatch':
        return this.#own(this.#conflict(422, `This Idempotency-Key was used with another ${claim.of}.`));
      case 'repeated':
        return this.#departure({ kind: 'reply', reply: claim.reply, injected: false, repeated: true }, undefined);
      case 'first':
      case undefined:
        return this.#departure(
          before?.fault === 'respond' ? this.#injected(before) : this.#own(this.#operate(operation)),
          claim,
        );
    }
  }

  /** The effect has taken place; what is left is the reply, the key, and a fault on the way back. */
  async #departure(ending: Ending & { kind: 'reply' }, claim: FirstClaim | undefined): Promise<Ending> {
    const after = this.#draw('after');
    if (after === undefined) {
      claim?.store(ending.reply);
      return ending;
    }
    switch (after.fault) {
      case 'reset':
        await this.#wait(after.afterMs ?? 0);
        claim?.store(ending.reply);
        return { kind: 'cut' };
      case 'stall':
        await (after.afterMs === undefined ? this.#clientGone : this.#wait(after.afterMs));
        claim?.store(ending.reply);
        return after.afterMs === undefined ? { kind: 'dropped' } : ending;
      case 'respond': {
        await this.#wait(after.afterMs ?? 0);
        const injected = this.#injected(after);
        claim?.store(isStored(after, this.#simulation.settings.current) ? injected.reply : ending.reply);
        return injected;
      }
    }
  }

  #admit(): Operation {
    const { settings, tokens } = this.#simulation;
    const request = this.#request;
    if (this.#route.family !== 'oauth' && !tokens.accepts(header(request, 'authorization'))) throw new Unauthorized();

    const trackId = header(request, 'zuora-track-id');
    if (trackId !== undefined && !isTrackId(trackId)) {
      throw new Refusal(20, 'Zuora-Track-Id must have at most 64 US-ASCII characters, none of them : ; " or \'.');
    }
    const entityId = this.#admitEntity();
    const refused = settings.current.orgs.length === 0 && settings.current.unneededHeaders === 'refuse';
    const orgs = header(request, 'zuora-org-ids');
    if (orgs !== undefined && refused)
      throw new Refusal(20, 'Zuora-Org-Ids must not be set: Multi-Org is not enabled.');
    if (orgs !== undefined && settings.current.orgs.length > 0) {
      const unknown = orgs.split(',').find((org) => !settings.current.orgs.includes(org.trim()));
      if (unknown !== undefined) throw new Refusal(10, `You do not have access to the org ${unknown.trim()}.`);
    }
    return { request, entityId, idempotencyKey: this.#admitKey() };
  }

  #admitEntity(): string | undefined {
    const { entities, unneededHeaders } = this.#simulation.settings.current;
    const entityId = header(this.#request, 'zuora-entity-ids');
    if (this.#route.family === 'oauth') return undefined;
    if (entities.length === 0) {
      if (entityId === undefined || unneededHeaders === 'ignore') return undefined;
      throw new Refusal(20, 'Zuora-Entity-Ids must not be set: Multi-entity is not enabled.');
    }
    if (entityId === undefined) {
      if (entities.length === 1) return entities[0];
      throw new Refusal(23, 'Zuora-Entity-Ids is required: the token is valid for more than one entity.');
    }
    if (!entities.includes(entityId)) throw new Refusal(10, `The token is not valid for the entity ${entityId}.`);
    return entityId;
  }

  /** docs/guides/idempotent-requests: POST and PATCH only. A PUT with a key is refused by live tenants; the rest ignore it. */
  #admitKey(): string | undefined {
    const key = header(this.#request, 'idempotency-key');
    if (key === undefined || this.#route.family === 'oauth') return undefined;
    const { method } = this.#request;
    if (method === 'PUT') {
      throw new Refusal(45, "Request method 'PUT' not supported with Idempotency-Key header", 400);
    }
    if (method !== 'POST' && method !== 'PATCH') return undefined;
    const longest = this.#simulation.settings.current.idempotencyKeyMaxLength;
    if (key.length === 0 || key.length > longest || !/^[\x20-\x7e]+$/.test(key)) {
      throw new Refusal(20, `Idempotency-Key must have 1 to ${longest} printable US-ASCII characters.`);
    }
    return key;
  }

  #claim(operation: { readonly idempotencyKey: string | undefined }): Claim | undefined {
    const { keys, settings } = this.#simulation;
    const { idempotencyKey: key } = operation;
    if (key === undefined) return undefined;
    const { method, url, rawBody } = this.#request;
    const scope = settings.current.keyScope === 'tenant' ? '' : (header(this.#request, 'zuora-entity-ids') ?? '');
    const bodyDigest = createHash('sha256').update(rawBody).digest('hex');
    return keys.claim({ key, scope, method, url, bodyDigest }, settings.current.sameKeyOtherBody === 'refuse');
  }

  #operate(operation: Operation): Reply {
    try {
      return this.#sealed(jsonReply(200, this.#route.run(operation)));
    } catch (refusal) {
      return this.#refused(refusal);
    }
  }

  #refused(refusal: unknown): Reply {
    if (refusal instanceof Unauthorized) {
      const reply = this.#sealed(jsonReply(401, { message: 'Authentication error' }));
      this.#keepUnauthorized(reply);
      return reply;
    }
    if (!(refusal instanceof Refusal)) throw refusal;
    const { status, body } = renderRefusal(refusal, {
      family: this.#route.family,
      version: header(this.#request, 'zuora-version'),
      requestId: this.#requestId,
      codesAs: this.#simulation.settings.current.errorCodesAs,
    });
    return this.#sealed(jsonReply(status, body));
  }

  #keepUnauthorized(reply: Reply): void {
    if (!this.#simulation.settings.current.storeUnauthorized) return;
    const claim = this.#claim({ idempotencyKey: this.#admitKey() });
    if (claim?.kind === 'first') claim.store(reply);
  }

  /** The guide names the two statuses but not their body; this is the one that gateways before the API use. */
  #conflict(status: 409 | 422, message: string): Reply {
    return this.#sealed(jsonReply(status, { message }));
  }

  #own(reply: Reply): Ending & { kind: 'reply' } {
    return { kind: 'reply', reply, injected: false, repeated: false };
  }

  #injected(fault: Fault): Ending & { kind: 'reply' } {
    const injected = injectedReply(fault);
    const reply = { ...injected, headers: { ...this.#identity(), ...injected.headers } };
    return { kind: 'reply', reply, injected: true, repeated: false };
  }

  #sealed(reply: Reply): Reply {
    const challenge = reply.status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    const limits = LIMIT_HEADERS[this.#route.family];
    return { ...reply, headers: { ...reply.headers, ...challenge, ...limits, ...this.#identity() } };
  }

  #identity(): Record<string, string> {
    const trackId = header(this.#request, 'zuora-track-id');
    const echo = trackId !== undefined && isTrackId(trackId) ? { 'zuora-track-id': trackId } : {};
    return { 'zuora-request-id': this.#requestId, ...echo };
  }

  #draw(when: Fault['when']): Fault | undefined {
    const fault = this.#simulation.faults.draw(when, this.#request.method, this.#request.path);
    if (fault !== undefined) this.#struckBy.push(fault.id);
    return fault;
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await this.#simulation.clock.sleep(ms);
  }
}

type FirstClaim = Claim & { readonly kind: 'first' };

/** Answered with `{message}` and nothing else (models/proxy_unauthorized_response.py of zuora-sdk 3.21.0). */
class Unauthorized extends Error {}

function isTrackId(value: string): boolean {
  return value.length <= 64 && /^[\x20-\x7e]*$/.test(value) && !/[:;"']/.test(value);
}

function billRunNamedBy(tenant: Tenant, request: ApiRequest): string | null {
  const key = request.params['key'];
  if (key === undefined) return null;
  return tenant.find(key, header(request, 'zuora-entity-ids'))?.record.billingRunNumber ?? key;
}

function rateLimits(): Record<string, string> {
  return {
    'ratelimit-limit': '2250000, 50000;w=60, 2250000;w=3600, 27000000;w=86400',
    'ratelimit-remaining': '49999',
    'ratelimit-reset': '60',
  };
}

function concurrencyLimits(limit: number): Record<string, string> {
  return { 'concurrency-limit-limit': String(limit), 'concurrency-limit-remaining': String(limit - 1) };
}
