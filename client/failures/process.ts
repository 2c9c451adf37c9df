import { EXIT, exitCodeOfFailure, failureIn } from './errors.js';

/**
 * Ends a process that cannot start or go on, with the exit codes of the command line: 2 for its configuration, 6 if Temporal is
 * not reached or not set up.
 */
export function endFor(error: unknown): never {
  const failure = failureIn(error);
  const code = exitCodeOfFailure(failure);
  // An operator can act on a sentence; an unexpected error needs its stack.
  console.error(code === EXIT.unexpected ? error : failure.message);
  // The SDK's runtime would keep the process alive.
  process.exit(code);
}
