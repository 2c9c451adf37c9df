import { isGrpcServiceError } from '@temporalio/client';

/** Status codes of gRPC that Temporal's services answer with. */
const CODES = {
  notFound: [5],
  /** Temporal, or a proxy before it, refuses the caller or the call. */
  refused: [7, 16],
  /** The workflow closed before it could take the call. */
  aborted: [10],
  /**
   * Temporal is not there, does not take us, or has no worker to ask. Cancelled (1) is a deadline, too, where the server ends
   * the call a moment before we do: nobody here cancels one.
   */
  unavailable: [1, 4, 7, 9, 14, 16],
} as const satisfies Record<string, readonly number[]>;

/** What may be wrong where a call is refused. */
export const CREDENTIALS = 'the API key (TEMPORAL_API_KEY) or the client certificate';

/** Whether a call to one of Temporal's services failed so. */
export function failedAs(error: unknown, how: keyof typeof CODES): boolean {
  const codes: readonly number[] = CODES[how];
  return isGrpcServiceError(error) && codes.includes(error.code);
}
