import { isGrpcServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { BillRunEmailsError, firstLineOf } from '../client/failures/errors.js';
import { missingSearchAttributes } from '../workflows/contract/search-attributes.js';

/**
 * Where the namespace lacks search attributes, workflows would fail their tasks over and over, and nobody would see why.
 *
 * @throws BillRunEmailsError `TemporalUnavailable`, which says how to register them
 */
export async function assertSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService
    .listSearchAttributes({ namespace })
    .catch((error: unknown) => {
      const said = isGrpcServiceError(error) ? error.details : firstLineOf(error);
      const message = `Temporal does not tell the search attributes of namespace ${namespace}: ${said}`;
      throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
    });
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length === 0) return;
  const message =
    `namespace ${namespace} lacks the search attributes ${missing.join(', ')}; ` +
    `register them with: bill-run-emails setup (from a checkout: npm run cli -- setup)`;
  throw new BillRunEmailsError('TemporalUnavailable', message);
}
