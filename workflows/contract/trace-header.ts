import { defaultPayloadConverter, type Headers } from '@temporalio/common';

/** The header and its content are those of Temporal's own interceptors for OpenTelemetry, in all its SDKs. */
const TRACE_HEADER = '_tracer-data';

/** Trace, span and flags, as W3C Trace Context writes them. */
export const TRACEPARENT = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

/** In bytes. A caller can send any header, and each activity would get it. */
const LONGEST_HEADER = 2_048;

export function traceHeader(traceparent: string): Headers {
  return { [TRACE_HEADER]: defaultPayloadConverter.toPayload({ traceparent }) };
}

/** Undefined if it is absent or unreadable. */
export function traceparentIn({ [TRACE_HEADER]: payload }: Headers): string | undefined {
  if ((payload?.data?.length ?? Infinity) > LONGEST_HEADER) return undefined;
  try {
    const { traceparent } = defaultPayloadConverter.fromPayload<{ traceparent?: unknown }>(payload ?? {});
    return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined;
  } catch {
    return undefined;
  }
}
