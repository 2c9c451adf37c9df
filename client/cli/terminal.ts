/** What the command line does only on a terminal. */
import { styleText } from 'node:util';

/** A text in colour on a terminal that has colours; never with NO_COLOR. */
export function coloured(
  colour: 'cyan' | 'green' | 'yellow' | 'red',
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  if (!stream.isTTY || !stream.hasColors() || (process.env['NO_COLOR'] ?? '') !== '') return text;
  // Node 22 would look at stdout, whatever the stream is; Node 20 looks at none.
  return styleText(colour, text, { validateStream: false });
}
