/** In characters: enough for Zuora's messages, too little for a page of HTML. */
const LONGEST_TEXT = 300;

/** Anything around an `@`, plain or URL-encoded. It matches only at the beginning of a word, so in linear time. */
const EMAIL_ADDRESS = /(?<![^\s<>"(),;:])[^\s<>"(),;:]*(?:@|%40)[^\s<>"(),;:]*/g;

/** Half a character: UTF-8 cannot encode it, and a failure with it ends the worker. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * Makes a text of Zuora's fit for workflow history and logs: one line, of bounded length, well-formed, and without email
 * addresses, because messages may quote a customer's.
 */
export function keepable(text: string, longest = LONGEST_TEXT): string {
  const line = text
    .replace(EMAIL_ADDRESS, '[address]')
    // eslint-disable-next-line no-control-regex -- it removes control characters
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ')
    .trim();
  const short = line.length > longest ? `${line.slice(0, longest)}…` : line;
  return short.replace(LONE_SURROGATE, '\ufffd');
}
