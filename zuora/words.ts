/** The longest text of Zuora's that is kept, in characters: enough for its messages, too little for a page of HTML. */
const LONGEST_TEXT = 300;

/** Anything around an `@`, or around one that a URL encodes. Tried only where a word begins, so in linear time. */
const EMAIL_ADDRESS = /(?<![^\s<>"(),;:])[^\s<>"(),;:]*(?:@|%40)[^\s<>"(),;:]*/g;

/** Half a character: a text that ends in one cannot be written as UTF-8, and a failure with it ends the whole worker. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * Zuora's words, fit to be kept in workflow history and logs: one line, of bounded length, well-formed, and without
 * email addresses, because messages may quote a customer's.
 */
export function keepable(text: string, longest = LONGEST_TEXT): string {
  const line = text
    .replace(EMAIL_ADDRESS, '[address]')
    // eslint-disable-next-line no-control-regex -- control characters are what is removed here
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ')
    .trim();
  const short = line.length > longest ? `${line.slice(0, longest)}…` : line;
  return short.replace(LONE_SURROGATE, '\ufffd');
}
