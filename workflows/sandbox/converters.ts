/**
 * Protects the SDK against malformed input. An error before workflow code runs fails the workflow task forever, so a payload that
 * cannot be decoded becomes a marker, which the validation of inputs and messages reports. The bundle holds this file as payload
 * converter, failure converter and interceptors.
 */
import {
  DefaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
  type Payload,
  type PayloadConverter,
} from '@temporalio/common';
import type { ActivateInput, WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { undecodableMark } from '../contract/undecodable.js';
import { billRunInLogs } from './log-attributes.js';
import { handsTraceOn } from './trace.js';

/** The SDK's converter, which throws for a payload that it cannot decode. */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's interface has it
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch (error) {
      return undecodableMark(error instanceof Error ? error.name : 'unknown reason') as T;
    }
  },
};

// eslint-disable-next-line no-restricted-syntax -- it keeps nothing about a job
const sdkFailures = new DefaultFailureConverter();

/** A start can bring a failure that lacks what its kind requires; the SDK's converter throws for it. */
export const failureConverter: FailureConverter = {
  errorToFailure: (...error) => sdkFailures.errorToFailure(...error),
  failureToError(failure, ...how) {
    try {
      return sdkFailures.failureToError(failure, ...how);
    } catch {
      return sdkFailures.failureToError({ message: 'a failure that cannot be read' }, ...how);
    }
  },
};

export const interceptors: WorkflowInterceptorsFactory = () => {
  const { inbound, outbound } = handsTraceOn();
  return {
    internals: [
      {
        activate(input, next) {
          for (const job of input.activation.jobs ?? []) limit(job);
          next(input);
        },
      },
    ],
    inbound,
    outbound: [billRunInLogs, ...outbound],
  };
};

type ActivationJob = NonNullable<ActivateInput['activation']['jobs']>[number];

/** Bytes. The longest valid argument, a start with every character of its texts escaped, takes 20 kB. */
export const LONGEST_ARGUMENT = 32 * 1024;

/** Cuts what is never read: decoding megabytes takes a second, and a workflow task has five. */
function limit({
  initializeWorkflow: start,
  signalWorkflow: signal,
  doUpdate: update,
  queryWorkflow: query,
}: ActivationJob): void {
  // A job that continues as new brings its record, which may be long.
  if (start != null && !start.continuedFromExecutionRunId) start.arguments = shortArgument(start.arguments);
  if (update != null) update.input = shortArgument(update.input);
  if (query != null) query.arguments = [];
  if (signal != null) signal.input = shortArgument(signal.input);
}

function shortArgument(payloads: readonly Payload[] | null | undefined): Payload[] {
  return (payloads ?? []).slice(0, 1).map((payload) => {
    const isShort = (payload.data?.length ?? 0) <= LONGEST_ARGUMENT;
    return isShort ? payload : payloadConverter.toPayload(undecodableMark(`it has over ${LONGEST_ARGUMENT} bytes`));
  });
}
