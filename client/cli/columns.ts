import Table from 'cli-table3';

/** The time that cli-table3 takes grows with the square of the rows: 28 s for 10,000 in one table. */
const ROWS_PER_TABLE = 200;

const BORDERS = [
  ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
  ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
];

/** Rows of text as columns, for people to read. Each block of 200 rows has its own widths. */
export function columns(rows: readonly (readonly string[])[]): string {
  const blocks: string[] = [];
  for (let from = 0; from < rows.length; from += ROWS_PER_TABLE) {
    const table = new Table({
      chars: { ...Object.fromEntries(BORDERS.map((name) => [name, ''])), middle: '  ' },
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    });
    table.push(...rows.slice(from, from + ROWS_PER_TABLE).map((row) => [...row]));
    blocks.push(table.toString().replaceAll(/ +$/gm, ''));
  }
  return blocks.join('\n');
}
