/** Where traces go: a receiver of OTLP, by HTTP and JSON. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent or empty at the first of a trace. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}

interface Export {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

export async function openOtlpReceiver() {
  const exported: Export[] = [];
  const server = createServer((incoming, response) => {
    void json(incoming).then((body) => {
      if (incoming.url === '/v1/traces') exported.push(body as Export);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    /** As it came. */
    exported,
    env: tracesTo((server.address() as AddressInfo).port),
    spans: (): readonly Span[] =>
      exported.flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      ),
    close: () => {
      server.close().closeAllConnections();
    },
  };
}

/** The variables for a process. Its spans leave at once, instead of after five seconds. */
export function tracesTo(port: number) {
  return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '50' };
}
