import { log } from '@temporalio/activity';
import { LRUCache } from 'lru-cache';
import type { BillRun } from '../workflows/contract/activities.js';
import type { Scope, Zuora } from '../zuora/client.js';
import { keepable } from '../zuora/words.js';

/** How long the tenant's notifications are known, so that many bill runs that post together make few calls. */
const KNOWN_FOR_MS = 5 * 60_000;
const UNREADABLE_FOR_MS = 60_000;
/** The record of a look stays in history. */
const MOST_NAMES = 5;

/** Reads a bill run. If it is posted, the result names the notifications by which Zuora emails at the post. */
export type ReadBillRun = (key: string, scope: Scope) => Promise<BillRun>;

/** For all activities of a worker. */
export function billRunReader(zuora: Zuora): ReadBillRun {
  const known = new LRUCache<string, Promise<readonly string[]>>({
    max: 100,
    ttl: KNOWN_FOR_MS,
    perf: Date,
    ttlResolution: 0,
  });

  function postedNotifications(scope: Scope): Promise<readonly string[]> {
    const key = JSON.stringify([scope.entityId, scope.orgIds]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const names = zuora.postedNotifications(scope).catch((error: unknown) => {
      const message = error instanceof Error ? keepable(error.message) : 'unknown';
      log.warn("Zuora's notifications cannot be read, so first sends do not wait for emails that a post brings about", {
        error: message,
      });
      known.set(key, names, { ttl: UNREADABLE_FOR_MS });
      return [];
    });
    known.set(key, names);
    return names;
  }

  return async (key, scope) => {
    const billRun = await zuora.getBillRun(key, scope);
    if (billRun.status !== 'Posted') return billRun;
    const names = (await postedNotifications(scope)).slice(0, MOST_NAMES);
    return names.length === 0 ? billRun : { ...billRun, postedNotifications: names };
  };
}
