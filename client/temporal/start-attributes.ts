import { TypedSearchAttributes } from '@temporalio/common';
import { isBillRunId, type EmailBillRunInput } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { lacksSearchAttributes } from '../failures/temporal.js';

/**
 * Starts a run with what it would say of itself at first: so it need not, and is found before a worker takes it. Where the namespace
 * does not know these search attributes, which it may not for seconds after they were registered, the run says it by itself.
 */
export async function showing<T>(
  { billRunKey }: EmailBillRunInput,
  start: (shown: { typedSearchAttributes?: TypedSearchAttributes }) => Promise<T>,
): Promise<T> {
  const { billRunNumber, emailState, emailSends } = searchAttributes;
  const typedSearchAttributes = new TypedSearchAttributes([
    { key: emailState, value: 'Waiting' },
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
