import type { NativeConnection } from '@temporalio/worker';
import { BillRunEmailsError } from '../client/failures/errors.js';
import { reasonOf } from '../client/failures/temporal.js';
import { missingSearchAttributes } from '../workflows/contract/search-attributes.js';

/**
 * Checks that the search attributes are registered. Without them, every workflow task would fail.
 *
 * @throws BillRunEmailsError `TemporalUnavailable` that says how to register them
 */
export async function assertSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService
    .listSearchAttributes({ namespace })
    .catch((error: unknown) => {
      const message = `Temporal does not list the search attributes of namespace ${namespace}: ${reasonOf(error)}`;
      throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
    });
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length === 0) return;
  const message =
    `namespace ${namespace} lacks the search attributes ${missing.join(', ')}; ` +
    `register them with: bill-run-emails setup (from a checkout: npm run cli -- setup)`;
  throw new BillRunEmailsError('TemporalUnavailable', message);
}
