/** OpenTelemetry for a process of ours: import it only if an endpoint is set. It leaves the process's own OpenTelemetry alone. */
import type { Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';

const SERVICE = 'bill-run-emails';

/** For the end of a process, which waits for its last spans. */
const EXPORT_WITHIN_MS = 2_000;

export interface Traces {
  readonly tracer: Tracer;
  /** Exports what is left. It never fails. */
  readonly close: () => Promise<void>;
}

/**
 * Reads the `OTEL_*` variables.
 *
 * @param onFailure gets the reason of the first export that fails, and of the first after one that worked
 */
export function openTraces(onFailure: (reason: string) => void = () => undefined): Traces {
  const otlp = new OTLPTraceExporter({
    timeoutMillis: EXPORT_WITHIN_MS,
    // The limit above begins when there is a connection.
    httpAgentOptions: { keepAlive: true, timeout: EXPORT_WITHIN_MS },
  });
  let works = true;
  const exporter: SpanExporter = {
    export(spans, done) {
      otlp.export(spans, (result) => {
        if (works && result.error !== undefined) onFailure(result.error.message);
        works = result.error === undefined;
        done(result);
      });
    },
    shutdown: () => otlp.shutdown(),
  };
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': SERVICE }).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  return {
    tracer: provider.getTracer(SERVICE),
    close: () => provider.shutdown().catch(() => undefined),
  };
}
