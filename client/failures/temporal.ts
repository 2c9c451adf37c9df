import {
  isGrpcServiceError,
  NamespaceNotFoundError,
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { ConfigurationError } from '../../environment/configuration-error.js';
import { billRunIn } from '../../workflows/contract/contract.js';
import { BillRunEmailsError, firstLineOf } from './errors.js';
import { CREDENTIALS, failedAs } from './grpc.js';

/** Of Temporal's API: WORKFLOW_EXECUTION_STATUS_PAUSED. */
const PAUSED = 8;

const DOCTOR = 'To check: bill-run-emails doctor';

/** Temporal has no job of the id, neither open nor closed. */
export function noJob(workflowId: string): BillRunEmailsError {
  const key = keyIn(workflowId);
  const start = key === undefined ? '' : `; to start one: bill-run-emails start ${key}`;
  return new BillRunEmailsError('NotFound', `Temporal has no job ${workflowId} in this namespace${start}`);
}

/** The bill run of a canonical workflow id, as commands name it. */
function keyIn(workflowId: string): string | undefined {
  const { billRunKey = '' } = billRunIn(workflowId) ?? {};
  return /^\w[\w.-]*$/.test(billRunKey) ? billRunKey : undefined;
}

/** Turns an error of Temporal's client into one for the caller. An unexpected error stays as it is. */
export function temporalFailure(error: unknown, workflowId: string): unknown {
  if (error instanceof BillRunEmailsError) return error;
  if (error instanceof ConfigurationError) {
    return new ConfigurationError(`${workflowId}: ${error.message}`, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) {
    const key = keyIn(workflowId);
    const list = `bill-run-emails list${key === undefined ? '' : ` --number ${key}`}`;
    const message =
      `Temporal has no open job ${workflowId}: none was started in this namespace, or the last one has closed; ` +
      `${list} shows which`;
    return new BillRunEmailsError('NotFound', message, { cause: error });
  }
  if (error instanceof QueryRejectedError && (error.status as number) === PAUSED) {
    const message = `${workflowId} is paused in Temporal and answers no question until somebody unpauses it; its status says who paused it`;
    return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
  if (error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError) {
    const message = `${workflowId} cannot be asked: it failed before it could answer; its audit says why`;
    return new BillRunEmailsError('NotFound', message, { cause: error });
  }
  if (error instanceof NamespaceNotFoundError) {
    const message = `Temporal has no namespace ${error.namespace}; TEMPORAL_NAMESPACE names it`;
    return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
  const cause = causeOf(error);
  if (isGrpcServiceError(cause) && reasonOf(cause).includes('invalid search attribute')) {
    const message = `Temporal cannot be asked for ${workflowId}: ${reasonOf(cause)}. Run: bill-run-emails setup`;
    return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
  if (isGrpcServiceError(cause) && failedAs(cause, 'refused')) {
    const message = `Temporal refuses what was asked for ${workflowId}: ${reasonOf(cause)}. Is ${CREDENTIALS} right, and may it do that? ${DOCTOR}`;
    return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
  if (isGrpcServiceError(cause) && failedAs(cause, 'unavailable')) {
    const message = `Temporal does not answer for ${workflowId}: ${reasonOf(cause)}. Is it there, and does a worker run? ${DOCTOR}`;
    return new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
  return error;
}

/**
 * Whether Temporal may be back later. A namespace that does not exist, a refused caller and a search attribute that is missing stay as
 * they are.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof BillRunEmailsError) || error.type !== 'TemporalUnavailable') return false;
  // Without a cause, it is our own: no answer, or no worker.
  if (error.cause === undefined) return true;
  const cause = causeOf(error.cause);
  return failedAs(cause, 'unavailable') && !failedAs(cause, 'refused');
}

/** Whether a call was refused for the search attributes of the namespace. */
export function lacksSearchAttributes(error: unknown): boolean {
  const cause = causeOf(error);
  return isGrpcServiceError(cause) && /search attribute/i.test(reasonOf(cause));
}

/** The SDK's reason. On a worker's connection it is in the message alone. */
export function reasonOf(error: unknown): string {
  const cause = causeOf(error);
  return (isGrpcServiceError(cause) && cause.details) || firstLineOf(cause);
}

/** The error of Temporal's service, which its client may have wrapped. */
export function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
