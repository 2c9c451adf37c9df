import { NativeConnection } from '@temporalio/worker';
import { CONNECT_LIMIT_MS, notReached, type ConnectionSettings } from '../client/temporal/connection.js';
import { within } from '../client/failures/deadline.js';

/** @throws BillRunEmailsError `TemporalUnavailable`, which says why */
export async function connectWorker(settings: ConnectionSettings): Promise<NativeConnection> {
  try {
    // The SDK waits for ever for a server that takes a connection and says nothing.
    return await within(CONNECT_LIMIT_MS, () => NativeConnection.connect(settings.options));
  } catch (error) {
    throw await notReached(settings, error);
  }
}
