/** The same for many: so many at once, answered in their order. */
import { failureIn, type Failure } from './failures/errors.js';

/** How many bill runs are started, asked or told at once, unless somebody says otherwise. */
export const AT_ONCE = 10;
export const STARTS_AT_ONCE = 25;

export type Tried<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Failure };

/**
 * Does the same for each. A failure of one does not keep the others from it, but a Temporal that is away does: each would take
 * as long as a call may take.
 */
export async function* tryEach<T, R>(
  items: Iterable<T>,
  ask: (item: T) => Promise<R>,
  atOnce = AT_ONCE,
): AsyncGenerator<{ readonly item: T; readonly tried: Tried<R> }, void, undefined> {
  let awayInARow = 0;
  const notTried: Failure = {
    type: 'TemporalUnavailable',
    message: `not tried, for Temporal did not answer for the ${atOnce} before`,
  };
  const attempt = async (item: T): Promise<{ item: T; tried: Tried<R> }> => {
    if (awayInARow >= atOnce) return { item, tried: { ok: false, error: notTried } };
    try {
      return { item, tried: { ok: true, value: await ask(item) } };
    } catch (error) {
      return { item, tried: { ok: false, error: failureIn(error) } };
    }
  };
  for await (const done of inOrder(items, atOnce, attempt)) {
    const { tried } = done;
    awayInARow = !tried.ok && tried.error.type === 'TemporalUnavailable' ? awayInARow + 1 : 0;
    yield done;
  }
}

/**
 * Asks about two of the same key one after the other, in their order, so that it is the later one that joins.
 *
 * @param keyOf null: one of its own
 */
export function inTurns<T, R>(
  ask: (item: T) => Promise<R>,
  keyOf: (item: T) => string | null,
): (item: T) => Promise<R> {
  const underWay = new Map<string, Promise<unknown>>();
  return async (item) => {
    const key = keyOf(item);
    if (key === null) return ask(item);
    const before = underWay.get(key);
    const answer = before === undefined ? ask(item) : before.then(() => ask(item));
    const settled = answer.then(
      () => undefined,
      () => undefined,
    );
    underWay.set(key, settled);
    try {
      return await answer;
    } finally {
      if (underWay.get(key) === settled) underWay.delete(key);
    }
  };
}

/** `ask` must not throw. */
async function* inOrder<T, R>(
  items: Iterable<T>,
  atOnce: number,
  ask: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = [];
  for (const item of items) {
    underWay.push(ask(item));
    const [first] = underWay;
    if (underWay.length < atOnce || first === undefined) continue;
    yield await first;
    void underWay.shift();
  }
  for (const answer of underWay) yield await answer;
}
