/** The longest text of Zuora's that is kept, in characters: enough for its messages, too little for a page of HTML. */
const LONGEST_TEXT = 300;

const EMAIL_ADDRESS = /[^\s@<>"'(),;:]+@[^\s@<>"'(),;:]+/g;

/**
 * Zuora's words, fit to be kept in workflow history and logs: one line, of bounded length, and without email
 * addresses, because messages may quote a customer's.
 */
export function keepable(text: string): string {
  const line = text
    .replace(EMAIL_ADDRESS, '[address]')
    // eslint-disable-next-line no-control-regex -- control characters are what is removed here
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ')
    .trim();
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
