/** Import it only if traces go somewhere. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanKind, trace, type Context } from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';
import { ended, failed, tracedCalls } from '../client/temporal/traces.js';
import { openTraces } from '../environment/traces.js';
import { TRACEPARENT, traceparentIn } from '../workflows/contract/trace-header.js';
import type { OnCall } from '../zuora/observed.js';

export interface WorkerTraces {
  /** A span for each activity, in the trace that its job handed on. */
  readonly activity: ActivityInterceptorsFactory;
  /** A span for each job that an activity starts, and for each message. */
  readonly calls: WorkflowClientInterceptor;
  /** A span for each call to Zuora. */
  readonly onCall: OnCall;
  readonly close: () => Promise<void>;
}

/** @param zuora the host of the calls */
export function openWorkerTraces(logger: Logger, zuora: string): WorkerTraces {
  const { tracer, close } = openTraces((reason) => {
    logger.warn({ reason }, 'traces are not exported; the work goes on without them');
  });
  const current = new AsyncLocalStorage<Context>();
  const parent = (): Context => current.getStore() ?? ROOT_CONTEXT;
  return {
    activity: ({ info: { activityType, activityId, workflowExecution } }) => ({
      inbound: {
        execute(input, next) {
          const { workflowId = '', runId = '' } = workflowExecution ?? {};
          const attributes = { temporalWorkflowId: workflowId, run_id: runId, temporalActivityId: activityId };
          const span = tracer.startSpan(
            `RunActivity:${activityType}`,
            { attributes },
            contextOf(traceparentIn(input.headers)),
          );
          return current.run(trace.setSpan(ROOT_CONTEXT, span), () => ended(span, next(input), isExpected));
        },
      },
    }),
    calls: tracedCalls(tracer, parent),
    onCall({ method, endpoint, status, durationMs }) {
      // The endpoint has no key, no query, and no name of a customer.
      const attributes = { 'http.request.method': method, 'url.template': endpoint, 'server.address': zuora };
      const startTime = Date.now() - durationMs;
      const span = tracer.startSpan(
        `${method} ${endpoint}`,
        { kind: SpanKind.CLIENT, startTime, attributes },
        parent(),
      );
      const code = Number(status);
      if (code > 0) span.setAttribute('http.response.status_code', code);
      if (!(code < 400)) failed(span, status);
      span.end();
    },
    close,
  };
}

function contextOf(traceparent = ''): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number(`0x${flags}`), isRemote: true });
}

/** A poll that saw no change, and a call that is no longer wanted. */
function isExpected(error: unknown): boolean {
  const isBenign = error instanceof ApplicationFailure && error.category === ApplicationFailureCategory.BENIGN;
  return isBenign || error instanceof CancelledFailure;
}
