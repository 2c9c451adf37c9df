/** Import it only if traces go somewhere. Names are those of Temporal's own interceptors; no text of people and no error enters a span. */
import { context, SpanKind, SpanStatusCode, type Context, type Span, type Tracer } from '@opentelemetry/api';
import { WorkflowExecutionAlreadyStartedError, type WorkflowClientInterceptor } from '@temporalio/client';
import type { Headers } from '@temporalio/common';
import { traceHeader } from '../../workflows/contract/trace-header.js';

/**
 * Makes a span for each start and each message, and tells the job of its trace.
 *
 * @param parent of the spans. Default: what the process's own OpenTelemetry is at
 */
export function tracedCalls(tracer: Tracer, parent = (): Context => context.active()): WorkflowClientInterceptor {
  const within = <I extends { readonly headers: Headers }, R>(
    name: string,
    workflowId: string,
    input: I,
    next: (input: I) => Promise<R>,
  ): Promise<R> => {
    const options = { kind: SpanKind.CLIENT, attributes: { temporalWorkflowId: workflowId } };
    const span = tracer.startSpan(name, options, parent());
    const { traceId, spanId, traceFlags } = span.spanContext();
    const header = traceHeader(`00-${traceId}-${spanId}-0${traceFlags}`);
    const isExpected = (error: unknown): boolean => error instanceof WorkflowExecutionAlreadyStartedError;
    return ended(span, next({ ...input, headers: { ...input.headers, ...header } }), isExpected);
  };
  return {
    startWithDetails: (input, next) =>
      within(`StartWorkflow:${input.workflowType}`, input.options.workflowId, input, next),
    signalWithStart: (input, next) =>
      within(`SignalWithStartWorkflow:${input.workflowType}`, input.options.workflowId, input, next),
    signal: (input, next) =>
      within(`SignalWorkflow:${input.signalName}`, input.workflowExecution.workflowId, input, next),
    startUpdate: (input, next) =>
      within(`StartWorkflowUpdate:${input.updateName}`, input.workflowExecution.workflowId, input, next),
  };
}

/** Ends the span with what it is of. An error is named by its class alone: messages can hold anything. */
export async function ended<R>(span: Span, doing: Promise<R>, isExpected: (error: unknown) => boolean): Promise<R> {
  try {
    return await doing;
  } catch (error) {
    if (!isExpected(error)) failed(span, error instanceof Error ? error.name : 'unknown');
    throw error;
  } finally {
    span.end();
  }
}

export function failed(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}
