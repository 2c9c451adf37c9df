import { exitCodeOfFailure, failureIn } from './errors.js';
import { failureInWords } from './plain-text.js';

/** A process that runs until it is stopped takes no options. */
export function explainTo(args: readonly string[], what: string): void {
  if (!args.includes('--help') && !args.includes('-h')) return;
  console.log(`${what} It takes no options: environment variables configure it, which docs/configuration.md lists.`);
  process.exit(0);
}

/**
 * Ends a process that cannot start or go on, with the exit codes of the command line: 2 for its configuration, 6 if Temporal is
 * not reached or not set up.
 */
export function endFor(error: unknown): never {
  console.error(`Error: ${failureInWords(error).replace(/^Error: /, '')}`);
  // The SDK's runtime would keep the process alive.
  process.exit(exitCodeOfFailure(failureIn(error)));
}
