/** Texts for people, who read them on a terminal. Anyone may have typed what they quote. */
import { inspect } from 'node:util';
import { failureIn, type Failure } from './errors.js';

/** Control, format (also of direction and of no width) and line characters, and halves of surrogate pairs. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Shows invisible characters as JSON writes them, such as `\n` or `\u001b`: no text moves the cursor, hides, or begins a line.
 * JSON without white space stays the same JSON.
 */
export function escaped(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const inJson = JSON.stringify(character).slice(1, -1);
    // JSON itself escapes only some of them.
    return inJson === character ? character.replace(/[^]/g, unitInJson) : inJson;
  });
}

function unitInJson(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A text of a job, which Temporal UI shows as Markdown: what it quotes as code stands in quotes. */
export function withoutMarkdown(text: string): string {
  return text.replace(/`([^`]*)`/g, '"$1"');
}

/**
 * A failure as stderr shows it.
 *
 * @param failure what is known of the error, perhaps in other words
 */
export function failureInWords(error: unknown, { type, message }: Failure = failureIn(error)): string {
  const lines = (text: string): string[] => text.split('\n').map(escaped);
  // An operator can act on a sentence; an unexpected error needs its stack. It is indented: none of its lines passes for ours.
  if (type === 'Unexpected') return lines(inspect(error)).join('\n    ');
  // It names each fault on a line.
  return type === 'InvalidConfiguration' ? lines(message).join('\n') : escaped(message);
}
