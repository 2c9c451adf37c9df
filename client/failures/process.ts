import { exitCodeOfFailure, failureIn } from './errors.js';
import { failureInWords } from './plain-text.js';

/**
 * Ends a process that cannot start or go on, with the exit codes of the command line: 2 for its configuration, 6 if Temporal is
 * not reached or not set up.
 */
export function endFor(error: unknown): never {
  console.error(failureInWords(error));
  // The SDK's runtime would keep the process alive.
  process.exit(exitCodeOfFailure(failureIn(error)));
}
