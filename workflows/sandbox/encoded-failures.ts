/** For those who encrypt: failures whose words are payloads. */
import { DefaultFailureConverter, type FailureConverter } from '@temporalio/common';
import { saysThatItWaitsForKey } from './encrypted.js';

const plain = new DefaultFailureConverter();
const encoded = new DefaultFailureConverter({ encodeCommonAttributes: true });

/** The SDK's with `encodeCommonAttributes`, except that who lacks a key reads which one: it is all that the failure says. */
export const encodedFailures: FailureConverter = {
  errorToFailure(error, ...how) {
    const converter = error instanceof Error && saysThatItWaitsForKey(error.message) ? plain : encoded;
    return converter.errorToFailure(error, ...how);
  },
  failureToError: (...failure) => plain.failureToError(...failure),
};
