import { TypedSearchAttributes } from '@temporalio/common';
import { isBillRunId, type EmailBillRunInput } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { lacksSearchAttributes } from '../failures/temporal.js';

/**
 * Sets the initial search attributes at the start, so that the job is listed at once and need not upsert them. Falls back to a
 * start without them: for some seconds after `setup`, the namespace does not know them yet.
 */
export async function withStartAttributes<T>(
  { billRunKey }: Pick<EmailBillRunInput, 'billRunKey'>,
  start: (options: { typedSearchAttributes?: TypedSearchAttributes }) => Promise<T>,
): Promise<T> {
  const { billRunNumber, emailState, emailReason, emailStateSince, emailSends } = searchAttributes;
  const typedSearchAttributes = new TypedSearchAttributes([
    { key: emailState, value: 'Waiting' },
    { key: emailReason, value: 'notPosted' },
    { key: emailStateSince, value: new Date() },
    { key: emailSends, value: 0 },
    ...(isBillRunId(billRunKey) ? [] : [{ key: billRunNumber, value: billRunKey }]),
  ]);
  try {
    return await start({ typedSearchAttributes });
  } catch (error) {
    if (!lacksSearchAttributes(error)) throw error;
    return start({});
  }
}
