/** In characters: enough for Zuora's messages, too little for a page of HTML. */
const LONGEST_TEXT = 300;

/** Anything around an `@`, plain or URL-encoded. It matches only at the beginning of a word, so in linear time. */
const EMAIL_ADDRESS = /(?<![^\s<>"(),;:])[^\s<>"(),;:]*(?:@|%40)[^\s<>"(),;:]*/g;

/** Half a character: UTF-8 cannot encode it, and a failure with it ends the worker. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** @param isValue the text may be a whole member, such as a status, and a short secret that equals it is left */
export type Mask = (text: string, isValue?: boolean) => string;

/** In characters. A shorter secret may be part of any word, so it counts where it stands alone. */
const SHORTEST_SECRET = 8;

/**
 * Replaces secrets in what is kept: a server that rejects a secret may repeat it, as it is or as a form or JSON writes it. To be
 * applied before a text is cut.
 */
export function maskOf(secrets: readonly string[]): Mask {
  const forms = secrets.flatMap((secret) => [
    ...[secret, JSON.stringify(secret).slice(1, -1), new URLSearchParams({ s: secret }).toString().slice(2)],
  ]);
  const patterns = [...new Set(forms)]
    .filter((form) => form !== '')
    .sort((one, other) => other.length - one.length)
    .map((form) => {
      const literal = form.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
      return form.length < SHORTEST_SECRET ? String.raw`(?<![\w-])${literal}(?![\w-])` : literal;
    });
  const secret = new RegExp(patterns.join('|') || '(?!)', 'g');
  return (text, isValue = false) =>
    text.replace(secret, (found) => (isValue && found === text && found.length < SHORTEST_SECRET ? found : '[secret]'));
}

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

/** Words with a capital, and short ones among them such as "van". */
const NAME = String.raw`\p{Lu}[\p{L}'’.-]{0,40}(?: (?:\p{Lu}[\p{L}'’.-]{0,40}|\p{Ll}{1,3}(?:[-'’][\p{L}'’.-]{1,40})?)){0,5}`;
/** A name before an address, as mail programs write it. */
const NAMED_ADDRESS = new RegExp(String.raw`(?:"[^"]{0,80}"|${NAME})\s{0,5}<[^<>\s]{0,320}>`, 'gu');

/** As {@link keepable}, for words that may quote a customer's name together with the address. */
export function impersonal(text: string, longest: number): string {
  return keepable(text.slice(0, 2000).replace(NAMED_ADDRESS, '[address]'), longest);
}
