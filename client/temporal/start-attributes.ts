import { TypedSearchAttributes } from '@temporalio/common';
import { isBillRunId } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { lacksSearchAttributes } from '../failures/temporal.js';

/**
 * Sets the initial search attributes at the start, so that the job is listed at once and need not upsert them. Falls back to a
 * start without them: for some seconds after `setup`, the namespace does not know them yet.
 */
export async function withStartAttributes<T>(
  { billRunKey, hold }: { readonly billRunKey: string; readonly hold?: boolean | undefined },
  { sends, notSent }: { readonly sends: number; readonly notSent: number | null },
  start: (options: { typedSearchAttributes?: TypedSearchAttributes }) => Promise<T>,
): Promise<T> {
  const { billRunNumber, emailState, emailReason, emailStateSince, emailSends, documentsNotSent } = searchAttributes;
  const typedSearchAttributes = new TypedSearchAttributes([
    { key: emailState, value: hold === true ? 'Held' : 'Waiting' },
    { key: emailReason, value: hold === true ? 'job' : 'notPosted' },
    { key: emailStateSince, value: new Date() },
    { key: emailSends, value: sends },
    ...(notSent === null ? [] : [{ key: documentsNotSent, value: notSent }]),
    ...(isBillRunId(billRunKey) ? [] : [{ key: billRunNumber, value: billRunKey }]),
  ]);
  try {
    return await start({ typedSearchAttributes });
  } catch (error) {
    if (!lacksSearchAttributes(error)) throw error;
    return start({});
  }
}
