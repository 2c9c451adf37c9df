import { NativeConnection } from '@temporalio/worker';
import pTimeout from 'p-timeout';
import { CONNECT_LIMIT_MS, notReached, type ConnectionSettings } from '../client/temporal/connection.js';

/** @throws BillRunEmailsError `TemporalUnavailable` */
export async function connectWorker(settings: ConnectionSettings): Promise<NativeConnection> {
  try {
    // The SDK waits forever for a server that accepts the connection and never answers.
    return await pTimeout(NativeConnection.connect(settings.options), {
      milliseconds: CONNECT_LIMIT_MS,
      message: `no answer within ${CONNECT_LIMIT_MS / 1000} s`,
    });
  } catch (error) {
    throw notReached(settings, error);
  }
}
