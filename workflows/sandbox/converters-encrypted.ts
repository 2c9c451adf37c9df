/** The intake of the bundle for workers with encryption keys: what failures say is encrypted as well. */
import { encodedFailures } from './encoded-failures.js';
import { tolerant } from './converters.js';

export { interceptors, payloadConverter } from './converters.js';

export const failureConverter = tolerant(encodedFailures);
