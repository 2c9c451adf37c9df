/** The same call for many items: several at once, answered in the order of the items. */
import type { LimitFunction } from 'p-limit';
import { failureIn, type Failure } from './failures/errors.js';

/** How many calls run at once by default. */
const AT_ONCE = 10;
export const STARTS_AT_ONCE = 25;

export type Tried<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Failure };

export interface ManyOptions<T> {
  /** Default: 10. */
  readonly atOnce?: number;
  /** Items of the same key are called for one after the other, in their order. Default, and null: no such limit. */
  readonly keyOf?: (item: T) => string | null;
}

/**
 * Calls `ask` for each item. One failure does not stop the rest. After `atOnce` failures of the connection in a row the remaining
 * items are reported as not tried, because each of them would run into its full deadline.
 */
export async function* tryEach<T, R>(
  items: Iterable<T>,
  ask: (item: T) => Promise<R>,
  { atOnce = AT_ONCE, keyOf }: ManyOptions<T> = {},
): AsyncGenerator<{ readonly item: T; readonly tried: Tried<R> }, void, undefined> {
  const { pMapIterable } = await import('p-map');
  const askInTurn = keyOf === undefined ? ask : await inTurns(ask, keyOf);
  const notTried: Failure = {
    type: 'TemporalUnavailable',
    message: `not tried, because Temporal did not answer for the ${atOnce} before`,
  };
  let connectionFailures = 0;
  const attempt = async (item: T): Promise<{ item: T; tried: Tried<R> }> => {
    if (connectionFailures >= atOnce) return { item, tried: { ok: false, error: notTried } };
    try {
      return { item, tried: { ok: true, value: await askInTurn(item) } };
    } catch (error) {
      return { item, tried: { ok: false, error: failureIn(error) } };
    }
  };
  for await (const done of pMapIterable(items, attempt, { concurrency: atOnce })) {
    const { tried } = done;
    connectionFailures = !tried.ok && tried.error.type === 'TemporalUnavailable' ? connectionFailures + 1 : 0;
    yield done;
  }
}

/** Two starts of the same bill run go in their order, so that the second one joins the first. */
async function inTurns<T, R>(
  ask: (item: T) => Promise<R>,
  keyOf: (item: T) => string | null,
): Promise<(item: T) => Promise<R>> {
  const { default: pLimit } = await import('p-limit');
  const limits = new Map<string, LimitFunction>();
  return (item) => {
    const key = keyOf(item);
    if (key === null) return ask(item);
    const limit = limits.get(key) ?? pLimit(1);
    limits.set(key, limit);
    return limit(ask, item);
  };
}
