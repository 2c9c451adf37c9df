/** What the command line does only on a terminal. */
import { stripVTControlCharacters, styleText } from 'node:util';

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

/** A word, or a whole command: people copy it, so it is not broken. */
const UNBROKEN = /(\s*)((?:bill-run-emails|temporal (?:workflow|activity|operator)) [^;]*[^;\s];?|\S+)/g;

/** Narrower columns are harder to read than lines that the terminal breaks. */
const NARROWEST = 30;

/** A text in lines that fit beside what is left of them. Only a terminal has a width. */
export function wrapped(text: string, left: number): readonly string[] {
  const width = process.stdout.isTTY ? process.stdout.columns - left : Infinity;
  if (width < NARROWEST || stripVTControlCharacters(text).length <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const [, space = '', word = ''] of text.matchAll(UNBROKEN)) {
    if (line !== '' && stripVTControlCharacters(line + space + word).length > width) {
      lines.push(line);
      line = word;
    } else {
      line += space + word;
    }
  }
  return [...lines, line];
}

/** A text behind its label. Further lines begin below its first word. */
export function hanging(label: string, text: string): string {
  return `${label}${wrapped(text, label.length).join(`\n${' '.repeat(label.length)}`)}`;
}
