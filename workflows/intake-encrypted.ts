/** The intake of the bundle for workers with encryption keys: what failures say is encrypted as well. */
import { encodedFailures } from './encoded-failures.js';
import { tolerant } from './intake.js';

export { interceptors, payloadConverter } from './intake.js';

export const failureConverter = tolerant(encodedFailures);
