import type { Headers } from '@temporalio/common';
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { traceHeader, traceparentIn } from '../contract/trace-header.js';

interface WithHeaders {
  readonly headers: Headers;
}

/**
 * What a job does belongs to the trace of its start, and after a message to that of the message. It makes no spans itself: with the
 * SDK's OpenTelemetry for workflows, the bundle would grow by 62 % (SDK 1.24).
 */
export function handsTraceOn(): Required<Pick<WorkflowInterceptors, 'inbound' | 'outbound'>> {
  let header: Headers = {};
  const note = <I extends WithHeaders, R>(input: I, next: (input: I) => R): R => {
    const traceparent = traceparentIn(input.headers);
    if (traceparent !== undefined) header = traceHeader(traceparent);
    return next(input);
  };
  const handOn = <I extends WithHeaders, R>(input: I, next: (input: I) => R): R =>
    next({ ...input, headers: { ...header, ...input.headers } });
  return {
    inbound: [{ execute: note, handleSignal: note, handleUpdate: note }],
    outbound: [{ scheduleActivity: handOn, startChildWorkflowExecution: handOn, continueAsNew: handOn }],
  };
}
