import { styleText } from 'node:util';
import type { EmailState } from '../../workflows/contract/contract.js';
import { meaningOf } from './email-states.js';

const colourOf = { underWay: 'cyan', done: 'green', asks: 'yellow', ended: 'red' } as const;

/** The name of a state, in colour where a person reads it on a terminal that has colours; never with NO_COLOR. */
export function painted(state: EmailState): string {
  if (!process.stdout.isTTY || !process.stdout.hasColors() || (process.env['NO_COLOR'] ?? '') !== '') return state;
  return styleText(colourOf[meaningOf[state]], state, { validateStream: false });
}
