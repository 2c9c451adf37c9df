import { isGrpcServiceError } from '@temporalio/client';

/** Status codes of gRPC that Temporal's services answer with. */
const CODES: Readonly<Record<'notFound' | 'alreadyExists', number>> = { notFound: 5, alreadyExists: 6 };

/** Whether a call to one of Temporal's services failed so. */
export function failedAs(error: unknown, how: keyof typeof CODES): boolean {
  return isGrpcServiceError(error) && [CODES[how]].includes(error.code);
}
