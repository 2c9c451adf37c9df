import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import { CONNECT_LIMIT_MS, notReached, type ConnectionSettings } from '../client/connection.js';

/** @throws BillRunEmailsError `TemporalUnavailable`, which says why */
export async function connectWorker(settings: ConnectionSettings): Promise<NativeConnection> {
  const connecting = NativeConnection.connect(settings.options);
  const over = new AbortController();
  try {
    return await Promise.race([connecting, limit(over.signal)]);
  } catch (error) {
    throw await notReached(settings, error);
  } finally {
    over.abort();
  }
}

/** The SDK waits for ever for a server that takes a connection and says nothing. */
async function limit(signal: AbortSignal): Promise<never> {
  await delay(CONNECT_LIMIT_MS, undefined, { signal });
  throw new Error(`no answer within ${CONNECT_LIMIT_MS / 1000} s`);
}
