import { ConfigurationError } from '../../zuora/configuration.js';
import { BillRunEmailsError, EXIT, exitCodeOf } from './errors.js';

/**
 * Ends a process that cannot start or go on, as the command line ends: with 2 for what stands in the environment, with 6 for a
 * Temporal that is not reached or not set up.
 */
export function endFor(error: unknown): never {
  const code = exitCodeFor(error);
  // What an operator can mend is a sentence; anything else needs its stack.
  console.error(code !== EXIT.unexpected && error instanceof Error ? error.message : error);
  // The SDK's runtime may keep the process alive, and nothing is left to wait for.
  process.exit(code);
}

function exitCodeFor(error: unknown): number {
  if (error instanceof BillRunEmailsError) return exitCodeOf[error.type];
  return error instanceof ConfigurationError ? EXIT.invalid : EXIT.unexpected;
}
