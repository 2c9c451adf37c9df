import { isGrpcServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { BillRunEmailsError, firstLineOf } from '../client/errors.js';
import { missingSearchAttributes } from '../workflows/search-attributes.js';

/** The namespace lacks search attributes: the workflows would fail their tasks over and over, and nobody would see why. */
export class SearchAttributesMissing extends Error {
  override readonly name = 'SearchAttributesMissing';

  constructor(namespace: string, names: readonly string[]) {
    super(
      `namespace ${namespace} lacks the search attributes ${names.join(', ')}; ` +
        `register them with: bill-run-emails setup (from a checkout: npm run cli -- setup)`,
    );
  }
}

export async function assertSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService
    .listSearchAttributes({ namespace })
    .catch((error: unknown) => {
      const said = isGrpcServiceError(error) ? error.details : firstLineOf(error);
      const message = `Temporal does not tell the search attributes of namespace ${namespace}: ${said}`;
      throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
    });
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length > 0) throw new SearchAttributesMissing(namespace, missing);
}
