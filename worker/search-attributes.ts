import type { NativeConnection } from '@temporalio/worker';
import { BillRunEmailsError } from '../client/failures/errors.js';
import { reasonOf } from '../client/failures/temporal.js';
import { faultOfSearchAttributes } from '../client/temporal/setup.js';

/**
 * Checks that the search attributes are registered with their types. Without them, every workflow task would fail.
 *
 * @throws BillRunEmailsError `TemporalUnavailable` that says what to do
 */
export async function assertSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const fault = await faultOfSearchAttributes(connection, namespace).catch((error: unknown) => {
    const message = `Temporal does not list the search attributes of namespace ${namespace}: ${reasonOf(error)}`;
    throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  });
  if (fault === undefined) return;
  const message = `namespace ${namespace} is not set up: ${fault.text}. ${fault.todo}`;
  throw new BillRunEmailsError('TemporalUnavailable', message);
}
