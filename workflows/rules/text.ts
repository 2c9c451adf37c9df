/** Formats for texts that people read in Temporal UI, on the command line and in failures. */
import type { Attempt, DocumentOutcome, SendRecord } from '../contract/contract.js';

/** After those that were sent, those that need a person come first. */
export const OUTCOMES_IN_WORDS: Readonly<Record<DocumentOutcome, string>> = Object.freeze({
  ...{ sent: 'sent', notSent: 'not sent', unknown: 'unknown', waiting: 'waiting', leftOut: 'left out' },
});

export const OUTCOMES = Object.freeze(Object.keys(OUTCOMES_IN_WORDS) as DocumentOutcome[]);

/** A time (epoch, ms) such as `2026-03-02 12:00:00 UTC`. */
export function time(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

export function kindOf(resend: boolean): string {
  return resend ? 'resend' : 'first send';
}

export function kindOfSend({ resend, requests }: Pick<SendRecord, 'resend' | 'requests'>): string {
  const isOfMissing = !resend && requests.some(({ missing }) => missing === true);
  return isOfMissing ? 'retry of what was not sent' : kindOf(resend);
}

/** A state with its reason, such as `Waiting (notPosted)`. */
export function stateInWords(state: string, reason: string | null | undefined): string {
  return reason == null || reason === '' ? state : `${state} (${reason})`;
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function notSentInWords(count: number): string {
  return `${counted(count, 'document')} ${count === 1 ? 'was' : 'were'} not sent`;
}

/** A caller's text as markdown code on one line, at most 120 characters. Control and format characters are removed. */
export function quoted(text: string): string {
  return quotedUpTo(120, text);
}

export function quotedUpTo(longest: number, text: string): string {
  const line = text.replace(/[\p{Control}\p{Format}\p{Surrogate}`\s]+/gu, ' ').trim();
  const short = line.length > longest ? wellFormed(`${line.slice(0, longest)}…`) : line;
  // Two backticks with nothing between them would turn the text that follows into code.
  return `\`${short === '' ? ' ' : short}\``;
}

/** What Zuora answered to an attempt, for use inside a sentence. */
export function answerOf({ httpStatus, reasons }: Attempt): string {
  const words = reasons
    .filter(({ code }) => code !== `HTTP ${httpStatus ?? ''}`)
    .map(({ code, message }) =>
      quotedUpTo(400, message === '' ? `${code}, which Zuora does not explain` : `${code}: ${message}`),
    )
    .join('; ');
  const answer = httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`;
  return words === '' ? answer : `${answer}, ${words}`;
}

/** Replaces halves of surrogate pairs: in the message of a failure, one ends the worker (SDK 1.24). */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Begins the summary of a timer that waits for the answer to a question. The audit finds questions by it. */
export const ANSWER_AWAITED = 'answer awaited: ';

/** Bytes. The server takes 400 in the summary of an activity or timer, and fails the workflow task over more. */
const LONGEST_SUMMARY = 200;

/** The summary of an activity or timer. Temporal UI shows it as plain text or as markdown, so markdown characters go. */
export function summary(text: string): string {
  // Cut roughly first: a text of thousands of request ids would keep a workflow task busy for seconds.
  let cut = text
    .slice(0, 5 * LONGEST_SUMMARY)
    .replaceAll('`', '')
    .replace(/[\p{Control}\p{Format}\p{Surrogate}[\]<>\s]+/gu, ' ')
    .trim();
  if (bytesOf(cut) <= LONGEST_SUMMARY) return cut;
  while (bytesOf(cut) > LONGEST_SUMMARY - bytesOf('…')) cut = cut.slice(0, -1);
  return `${cut.replace(/\p{Surrogate}$/u, '')}…`;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
