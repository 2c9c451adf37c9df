import type { EmailState } from '../../workflows/contract/contract.js';
import { EXIT } from '../failures/errors.js';
import { coloured } from './terminal.js';

/** What a state means to a person who looks at many bill runs. A new state does not compile until it has a meaning. */
const meaningOf: Readonly<Record<EmailState, 'inProgress' | 'done' | 'needsPerson' | 'notEmailed'>> = {
  Waiting: 'inProgress',
  Sending: 'inProgress',
  Held: 'needsPerson',
  NeedsAttention: 'needsPerson',
  Delivering: 'done',
  Emailed: 'done',
  HandedOver: 'done',
  Skipped: 'notEmailed',
  Stopped: 'notEmailed',
  NotPosted: 'notEmailed',
  Unsettled: 'notEmailed',
};

/** The states, without the contract: it loads Temporal, and help needs none of it. */
export const STATES = Object.keys(meaningOf);

const colourOf = { inProgress: 'cyan', done: 'green', needsPerson: 'yellow', notEmailed: 'red' } as const;

/** The name of a state, in colour. */
export function painted(state: EmailState): string {
  return coloured(colourOf[meaningOf[state]], state);
}

/**
 * A job that Temporal ended before it was done has not emailed, whatever its last state. A paused one, and documents that were not
 * sent, wait for a person.
 */
export function exitCodeOfState(
  state: EmailState,
  { isEnded, isPaused, notSent }: { readonly isEnded: boolean; readonly isPaused: boolean; readonly notSent: number },
): number {
  const meaning = meaningOf[state];
  if (meaning === 'notEmailed' || (isEnded && meaning !== 'done')) return EXIT.notEmailed;
  const waits = meaning === 'needsPerson' || (isPaused && meaning !== 'done') || notSent > 0;
  return waits ? EXIT.needsPerson : EXIT.done;
}
