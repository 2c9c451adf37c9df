/** The same call for many items: several at once, answered in the order of the items. */
import { failureIn, type Failure } from './failures/errors.js';

/** How many calls run at once. */
export const AT_ONCE = 25;

export type Tried<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Failure };

/**
 * Calls `ask` for each item. One failure does not stop the rest. After 25 failures of the connection in a row the remaining
 * items are reported as not tried, because each of them would run into its full deadline.
 */
export async function* tryEach<T, R>(
  items: Iterable<T>,
  ask: (item: T) => Promise<R>,
): AsyncGenerator<{ readonly item: T; readonly tried: Tried<R> }, void, undefined> {
  const { pMapIterable } = await import('p-map');
  const notTried: Failure = {
    type: 'TemporalUnavailable',
    message: `not tried, because Temporal did not answer for the ${AT_ONCE} before`,
  };
  let connectionFailures = 0;
  const attempt = async (item: T): Promise<{ item: T; tried: Tried<R> }> => {
    if (connectionFailures >= AT_ONCE) return { item, tried: { ok: false, error: notTried } };
    try {
      return { item, tried: { ok: true, value: await ask(item) } };
    } catch (error) {
      return { item, tried: { ok: false, error: failureIn(error) } };
    }
  };
  for await (const done of pMapIterable(items, attempt, { concurrency: AT_ONCE })) {
    const { tried } = done;
    connectionFailures = !tried.ok && tried.error.type === 'TemporalUnavailable' ? connectionFailures + 1 : 0;
    yield done;
  }
}
