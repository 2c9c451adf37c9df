import { stringify } from 'csv-stringify/sync';

/** Spreadsheets take a file without it for the encoding of their country. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * RFC 4180, with a header and one line for each row. Rows hold texts that anyone typed, and spreadsheets run text that begins
 * like a formula, so such text gets an apostrophe in front.
 */
export function csvOf<Row extends object>(rows: readonly Row[], fields: readonly (keyof Row & string)[]): string {
  const csv = stringify([...rows], {
    header: true,
    columns: [...fields],
    record_delimiter: 'windows',
    eof: false,
    // By default the library quotes CR LF, but not a CR or LF alone.
    quoted_match: /[\r\n]/,
    cast: { string: (text) => (isLikeFormula(text) ? `'${text}` : text) },
  });
  return `${BYTE_ORDER_MARK}${csv}`;
}

/** NFKC makes full-width and small signs plain ones. Some spreadsheets leave out what stands before a sign and shows nothing. */
function isLikeFormula(text: string): boolean {
  return /^(?:[\t\r]|[\s\p{C}]*[=+\-@])/u.test(text.normalize('NFKC'));
}
