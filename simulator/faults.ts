/**
 * Faults of requests, set by `POST /simulator/faults`.
 *
 * `before` an operation took effect:
 * - `reset` cuts the connection; nothing happened, and nothing is kept under the request's Idempotency-Key.
 * - `stall` is the application at work: the key is in progress (others with it get a 409). With `afterMs` the effect and
 *   the normal answer follow then, even if the client has gone by then; without, the request is dropped when it goes.
 * - `respond` answers in place of the application.
 *
 * `after` it took effect:
 * - `reset` cuts the connection. The reply that was lost is kept under the key.
 * - `stall` holds the reply back; the key is in progress until it is delivered, or its client has gone.
 * - `respond` answers something else, as a gateway that lost patience. The real reply is kept under the key.
 *
 * Whether a reply of `respond` is itself kept under the key is its `stored`. Zuora keeps failures of the application, and it is not
 * documented which replies come from the application and which from the gateways before it. Without `stored` the
 * settings decide (storeUnauthorized, storeTooManyRequests, storeInjected), and by default say no: the next request
 * with the key is then a fresh one. What the simulator itself refuses (not posted, notification not active, no such
 * bill run, a bad body) is always kept.
 *
 * With `afterMs`, `reset` and `respond` wait too. All waiting is on the simulator's clock.
 */
import { z } from 'zod';
import type { Random } from './random.js';
import type { Settings } from './settings.js';
import type { Reply } from './wire.js';

const headerText = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be fit for a header');
const headerValue = z.union([headerText, z.number().transform(String), z.array(headerText)]);

export const faultSchema = z
  .strictObject({
    method: z.string().regex(/^([A-Za-z]+|\*)$/, 'must be an HTTP method, or * for any'),
    path: z
      .string()
      .startsWith('/', 'must start with /')
      .refine((path) => !path.includes('?'), 'is matched without a query string')
      .refine((path) => !/^\/simulator(\/|$)/.test(path), 'must not be of the control interface'),
    when: z.enum(['before', 'after']),
    fault: z.enum(['reset', 'stall', 'respond']),
    times: z.number().int().positive().default(1),
    chance: z.number().min(0).max(1).default(1),
    status: z.number().int().min(200).max(599).optional(),
    headers: z
      .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header name'), headerValue)
      .optional(),
    /** A string goes out as it is, anything else as JSON. */
    body: z.unknown().optional(),
    afterMs: z.number().int().nonnegative().optional(),
    stored: z.boolean().optional(),
  })
  .superRefine((fault, context) => {
    if (fault.fault === 'respond') return;
    for (const field of ['status', 'headers', 'body', 'stored'] as const) {
      if (fault[field] !== undefined) {
        context.addIssue({ code: 'custom', path: [field], message: `belongs to "respond", not to "${fault.fault}"` });
      }
    }
  });

type FaultRule = Readonly<z.infer<typeof faultSchema>>;

export interface Fault extends FaultRule {
  readonly id: number;
  /** How often it can still strike. */
  readonly left: number;
}

export class Faults {
  readonly #random: Random;
  #faults: readonly Fault[] = [];
  #added = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get all(): readonly Fault[] {
    return this.#faults;
  }

  add(rule: FaultRule): Fault {
    const fault: Fault = { ...rule, id: ++this.#added, left: rule.times };
    this.#faults = [...this.#faults, fault];
    return fault;
  }

  /** @returns how many it removed */
  remove(id: number): number {
    const { length } = this.#faults;
    this.#faults = this.#faults.filter((fault) => fault.id !== id);
    return length - this.#faults.length;
  }

  clear(): number {
    const { length } = this.#faults;
    this.#faults = [];
    return length;
  }

  /** The first that matches and, by its chance, strikes. Faults set for the same path strike one after the other. */
  draw(when: Fault['when'], method: string, path: string): Fault | undefined {
    const struck = this.#faults.find(
      (fault) =>
        fault.when === when &&
        (fault.method === '*' || fault.method.toUpperCase() === method) &&
        matches(fault.path, path) &&
        (fault.chance === 1 || this.#random() < fault.chance),
    );
    if (struck === undefined) return undefined;
    this.#faults = this.#faults
      .map((fault) => (fault === struck ? { ...fault, left: fault.left - 1 } : fault))
      .filter((fault) => fault.left > 0);
    return struck;
  }
}

export function injectedReply(fault: Fault): Reply {
  const { status = 500, headers = {}, body } = fault;
  if (body === undefined) return { status, headers: lowerCased(headers), body: '' };
  if (typeof body === 'string') return { status, headers: lowerCased(headers), body };
  const json = { 'content-type': 'application/json;charset=UTF-8' };
  return { status, headers: { ...json, ...lowerCased(headers) }, body: JSON.stringify(body) };
}

export function isStored(fault: Fault, settings: Settings): boolean {
  if (fault.stored !== undefined) return fault.stored;
  switch (fault.status) {
    case 401:
      return settings.storeUnauthorized;
    case 429:
      return settings.storeTooManyRequests;
    default:
      return settings.storeInjected;
  }
}

function lowerCased(headers: NonNullable<FaultRule['headers']>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/').map(readable);
  const given = path.split('/').map(readable);
  return (
    wanted.length === given.length && wanted.every((segment, index) => segment === '*' || segment === given[index])
  );
}

function readable(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
