import { ConfigurationError } from './configuration-error.js';
import { webUrlOf } from './web-url.js';

/**
 * Whether traces go anywhere. Without that, nothing of OpenTelemetry is loaded.
 *
 * @throws ConfigurationError
 */
export function hasTraceEndpoint(env: NodeJS.ProcessEnv): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = env;
  const given = Object.entries({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT })
    // Shells and manifests write an absent variable as an empty one.
    .filter(([, url = '']) => url !== '');
  // OpenTelemetry would take its default for it, and say nothing.
  const wrong = given.find(([, url = '']) => webUrlOf(url) === undefined);
  if (wrong !== undefined) throw new ConfigurationError(`${wrong[0]} must be an http or https URL`);
  return given.length > 0;
}
