/** The bundle for workers with encryption keys: the words of failures are encrypted as well. */
export { encodedFailures as failureConverter } from './encoded-failures.js';
export { interceptors, payloadConverter } from './converters.js';
