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

/** A word, or a whole command up to the end of its part of the sentence: people copy it, so it is not broken. */
const UNBROKEN = /(\s*)((?:bill-run-emails|temporal (?:workflow|activity|operator)) .*?(?:[;.](?=\s|$)|$)|\S+)/g;

/** Narrower columns are harder to read than lines that the terminal breaks. */
const NARROWEST = 30;

/** A text in lines that fit beside what is left of them. Only a terminal has a width. */
export function wrapped(text: string, left: number, stream: NodeJS.WriteStream = process.stdout): readonly string[] {
  const width = stream.isTTY ? stream.columns - left : Infinity;
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
export function hanging(label: string, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const left = stripVTControlCharacters(label).length;
  return `${label}${wrapped(text, left, stream).join(`\n${' '.repeat(left)}`)}`;
}

/** A time (ISO 8601): on a terminal with seconds in its zone, such as `2026-03-02 13:00:00 +01:00`; elsewhere as it is. */
export function timeHere(iso: string): string {
  const at = new Date(iso);
  const ahead = -at.getTimezoneOffset();
  if (!process.stdout.isTTY || Number.isNaN(ahead)) return iso;
  const clock = new Date(at.getTime() + ahead * 60_000).toISOString().slice(0, 19).replace('T', ' ');
  const [hours, minutes] = [Math.trunc(Math.abs(ahead) / 60), Math.abs(ahead) % 60];
  return `${clock} ${ahead < 0 ? '-' : '+'}${twoDigits(hours)}:${twoDigits(minutes)}`;
}

/** The times in a text of a job, which are in UTC, as `timeHere` shows others on a terminal. */
export function timesHere(text: string): string {
  if (!process.stdout.isTTY) return text;
  return text.replace(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g, (_, day: string, clock: string) =>
    timeHere(`${day}T${clock}Z`),
  );
}

function twoDigits(count: number): string {
  return String(count).padStart(2, '0');
}
