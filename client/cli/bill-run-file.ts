/** Files of bill runs to start: CSV, JSON lines, or a key on each line. */
import { parse } from 'csv-parse/sync';
import { inputFields } from '../../workflows/contract/validation.js';
import { counted } from '../../workflows/rules/text.js';
import { BillRunEmailsError } from '../failures/errors.js';

/** One line of a file. `input` is not checked yet; a line that cannot be read has a `fault` instead. */
export interface FileLine {
  /** Counted from 1; the last line of a CSV record over several lines. */
  readonly line: number;
  readonly input?: object;
  readonly fault?: string;
}

/** The types of CSV cells that are not texts. */
const fieldOf: Readonly<Record<string, (cell: string) => unknown>> = {
  resend: flag,
  hold: flag,
  again: flag,
  missing: flag,
  orgIds: (cell) => cell.split(/[\s;,]+/),
};

function flag(cell: string): unknown {
  return { true: true, false: false }[cell.toLowerCase()] ?? cell;
}

/**
 * The bill runs of a file, each with the input fields that the file gives. The first line decides the format: a JSON object, the
 * names of CSV columns with `billRunKey` among them, or a key.
 *
 * @throws BillRunEmailsError `InvalidInput` if the whole file cannot be read
 */
export function linesOf(contents: string): readonly FileLine[] {
  const text = contents.replace(/^\uFEFF/, '');
  const [first = ''] = text
    .split('\n')
    .map(withoutComment)
    .filter((line) => line !== '');
  if (first.startsWith('{')) return jsonLines(text);
  if (first.startsWith('['))
    throw refused('the file is one JSON list; write JSON lines instead, an object on each line');
  const delimiter = /[,;\t]/.exec(first)?.[0];
  if (delimiter !== undefined || /^"?billRunKey"?$/.test(first)) return csvLines(text, delimiter);
  if (/\s/.test(first))
    throw refused(`the first line, "${first}", is neither a bill run nor the column name billRunKey`);
  return keyLines(text);
}

/** The bill runs of a file with one key per line; `#` begins a comment. */
export function keyLines(text: string): readonly (FileLine & { readonly input: { readonly billRunKey: string } })[] {
  return text
    .split('\n')
    .map((line, index) => ({ line: index + 1, input: { billRunKey: withoutComment(line) } }))
    .filter(({ input }) => input.billRunKey !== '');
}

function withoutComment(line: string): string {
  return line.replace(/#.*/, '').trim();
}

function jsonLines(text: string): readonly FileLine[] {
  return text
    .split('\n')
    .map((json, index) => ({ line: index + 1, json: json.trim() }))
    .filter(({ json }) => json !== '' && !json.startsWith('#'))
    .map(({ line, json }) => {
      try {
        const input: unknown = JSON.parse(json);
        if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { line, input };
      } catch {
        // It is not JSON at all.
      }
      return { line, fault: 'it is not a JSON object, such as {"billRunKey":"BR-00000001"}' };
    });
}

/** A wrong column is wrong in every line, so the file is refused. */
function faultOfColumns(columns: readonly string[]): string | undefined {
  const known = inputFields();
  const named = (names: readonly string[]): string =>
    JSON.stringify(names.slice(0, 20)).slice(1, 400).replace(/]$/, '');
  if (!columns.includes('billRunKey')) {
    return `the first line of a CSV file names its columns, and one is billRunKey; the columns are: ${named(columns)}`;
  }
  const unknown = columns.filter((name) => !known.includes(name));
  if (unknown.length > 0) return `the file has unknown columns: ${named(unknown)}; the fields are ${known.join(', ')}`;
  const twice = columns.filter((name, index) => columns.indexOf(name) < index);
  return twice.length > 0 ? `the file has columns twice: ${named(twice)}` : undefined;
}

function refused(message: string, options?: ErrorOptions): BillRunEmailsError {
  return new BillRunEmailsError('InvalidInput', `${message}; nothing was started`, options);
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function csvLines(text: string, delimiter = ','): readonly FileLine[] {
  const [header, ...records] = csvRecords(text, delimiter);
  const columns = header?.record ?? [];
  const fault = faultOfColumns(columns);
  if (fault !== undefined) throw refused(fault);
  return records.map(({ record, info: { lines: line } }) => {
    if (record.length > columns.length)
      return { line, fault: `it has ${counted(record.length, 'cell')} for ${counted(columns.length, 'column')}` };
    // CSV writes an absent field as an empty cell.
    const fields = columns.map((name, index) => [name, record[index] ?? ''] as const).filter(([, cell]) => cell !== '');
    return { line, input: Object.fromEntries(fields.map(([name, cell]) => [name, fieldOf[name]?.(cell) ?? cell])) };
  });
}

function csvRecords(text: string, delimiter: string): readonly CsvRecord[] {
  try {
    const options = {
      delimiter,
      info: true,
      trim: true,
      skip_empty_lines: true,
      // Spreadsheets leave rows of nothing but commas.
      skip_records_with_empty_values: true,
      relax_column_count: true,
      comment: '#',
    };
    return parse(text, { ...options, comment_no_infix: true }) as unknown as readonly CsvRecord[];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refused(`the file is not valid CSV: ${reason}`, { cause: error });
  }
}
