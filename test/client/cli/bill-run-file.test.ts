/** What files of bill runs may look like. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { linesOf } from '../../../client/cli/bill-run-file.js';
import { contentsOf } from '../../../client/cli/bill-runs.js';
import { cli } from '../../support/command-line.js';

const inputs = (contents: string): unknown[] => linesOf(contents).map(({ input, fault }) => input ?? fault);

test('a key on each line, with comments', () => {
  expect(linesOf('# month end\nBR-1\r\n\n  BR-2   # the large one\n')).toEqual([
    { line: 2, input: { billRunKey: 'BR-1' } },
    { line: 4, input: { billRunKey: 'BR-2' } },
  ]);
});

test.each([
  ['BR-1  # late, see X\nBR-2\n', ['BR-1', 'BR-2']],
  ['  # October; the large ones\nBR-1\t# late;\nBR-2 #\t\n', ['BR-1', 'BR-2']],
  ['\uFEFFBR-1 # "billRunKey"\r\n', ['BR-1']],
  ['BR-1 # {"billRunKey":"BR-2"}\n', ['BR-1']],
])('a comment does not make a list of keys CSV: %j', (contents, keys) => {
  expect(inputs(contents)).toEqual(keys.map((billRunKey) => ({ billRunKey })));
});

test('comments may stand before and between other formats', () => {
  expect(inputs('# a, b\n{"billRunKey":"BR-1","reason":"# 1"}\n # c\n{"billRunKey":"BR-2"}\n')).toEqual([
    { billRunKey: 'BR-1', reason: '# 1' },
    { billRunKey: 'BR-2' },
  ]);
  expect(inputs('  # of October\nbillRunKey;reason\nBR-1;a # b\n')).toEqual([{ billRunKey: 'BR-1', reason: 'a # b' }]);
});

test('CSV names its columns in any order, has texts in quotes, and leaves out what is empty', () => {
  const csv = 'reason,billRunKey,resend,orgIds\n"late, as ever",BR-1,TRUE,o-1 o-2\n,BR-2,,\n"two\nlines",BR-3,false,\n';
  expect(linesOf(csv)).toEqual([
    { line: 2, input: { reason: 'late, as ever', billRunKey: 'BR-1', resend: true, orgIds: ['o-1', 'o-2'] } },
    { line: 3, input: { billRunKey: 'BR-2' } },
    { line: 5, input: { reason: 'two\nlines', billRunKey: 'BR-3', resend: false } },
  ]);
});

test.each([
  ['one column', 'billRunKey\nBR-1\n'],
  ['one column in quotes, with the mark that Excel writes', '\uFEFF"billRunKey"\r\n"BR-1"\r\n'],
  ['semicolons', 'billRunKey;reason\nBR-1;\n'],
  ['tabs', 'billRunKey\treason\nBR-1\t\n'],
  ['a comment before', '# of October\nbillRunKey,reason\nBR-1,\n'],
  ['a row without its last cells', 'billRunKey,reason,requestedBy\nBR-1\n'],
])('CSV may have %s', (_, csv) => {
  expect(inputs(csv)).toEqual([{ billRunKey: 'BR-1' }]);
});

test('a row with more cells than columns has a fault, and the others go on', () => {
  expect(linesOf('billRunKey,reason\nBR-1,a,b\nBR-2,c\n')).toEqual([
    { line: 2, fault: 'it has 3 cells for 2 columns' },
    { line: 3, input: { billRunKey: 'BR-2', reason: 'c' } },
  ]);
});

test('CSV without a column of keys, or with a quote that never ends, is refused as a whole', () => {
  expect(() => linesOf('bill run,reason\nBR-1,a\n')).toThrow(
    /one is billRunKey; the columns are: "bill run","reason"; nothing was started$/,
  );
  expect(() => linesOf('billRunKey,reason\nBR-1,"a\nBR-2,b\n')).toThrow(/^the file is not valid CSV: Quote Not Closed/);
});

test.each([
  [
    'of no start',
    'billRunKey,note,requestId,x\nBR-1,a,b,c\n',
    /unknown columns: "note","x"; the fields are billRunKey, resend, .*openFor; /,
  ],
  [
    'that is there twice',
    'billRunKey,reason,reason\nBR-1,a,b\n',
    /^the file has columns twice: "reason"; nothing was started$/,
  ],
  [
    'alone under a wrong name',
    'Bill Run Number\nBR-1\n',
    /^the first line, "Bill Run Number", is neither a bill run nor/,
  ],
])('a column %s is refused with its file', (_, csv, words) => {
  expect(() => linesOf(csv)).toThrow(words);
});

test('rows of nothing but commas, as spreadsheets leave them, are none, and lines are counted all the same', () => {
  expect(linesOf('billRunKey,reason\r\nBR-1,a\r\n,\r\n\r\nBR-2,b\r\n,\r\n')).toEqual([
    { line: 2, input: { billRunKey: 'BR-1', reason: 'a' } },
    { line: 5, input: { billRunKey: 'BR-2', reason: 'b' } },
  ]);
});

test('a JSON list is refused in words', () => {
  expect(() => linesOf('[{"billRunKey":"BR-1"}]')).toThrow(/^the file is one JSON list; write JSON lines instead/);
});

test('JSON lines are objects, and any other line has a fault', () => {
  const fault = 'it is not a JSON object, such as {"billRunKey":"BR-00000001"}';
  const lines = '{"billRunKey":"BR-1","orgIds":["o-1"]}\n\n[]\nBR-2\n{"billRunKey":7}\n';
  expect(linesOf(lines)).toEqual([
    { line: 1, input: { billRunKey: 'BR-1', orgIds: ['o-1'] } },
    { line: 3, fault },
    { line: 4, fault },
    { line: 5, input: { billRunKey: 7 } },
  ]);
});

test('an empty file names none', () => {
  expect(linesOf('')).toEqual([]);
  expect(linesOf('# nothing today\n')).toEqual([]);
});

const folder = await mkdtemp(join(tmpdir(), 'bill-run-emails-files-'));
afterAll(() => rm(folder, { recursive: true }));

async function file(bytes: Buffer): Promise<string> {
  const path = join(folder, randomUUID());
  await writeFile(path, bytes);
  return path;
}

test.each([
  ['Windows-1252', Buffer.from('billRunKey,reason\nBR-1,Geb\xfchr\n', 'latin1'), 2],
  ['a text that is cut in a character', Buffer.from('# month end\n\nBR-1 # 100 €').subarray(0, -1), 3],
  ['UTF-16 with its mark', Buffer.from('\uFEFFBR-1\nBR-2\n', 'utf16le'), 1],
  ['UTF-16 without it', Buffer.from('BR-1\nBR-2\n', 'utf16le'), 1],
  ['half of a surrogate pair', Buffer.from([0x42, 0x0a, 0xed, 0xa0, 0xbd]), 2],
  ['ISO 8859-15', Buffer.from([0x7b, 0x7d, 0x0a, 0x0a, 0x0a, 0xa4]), 4],
])('a file that is not in UTF-8 is refused, with the line: %s', async (_, bytes, line) => {
  const path = await file(bytes);
  const refused = `Error: ${path} is not in UTF-8: line ${line} has other bytes; save it as UTF-8; nothing was done\n`;
  for (const command of ['start', 'hold']) {
    expect(await cli(command, '--file', path)).toEqual({ code: 2, stdout: '', stderr: refused });
  }
});

test('a file in UTF-8 is read as it is, without its mark, also where it has U+FFFD', async () => {
  const text = 'billRunKey,reason\nBR-1,Gebühr 🙂 \uFFFD\n';
  expect(await contentsOf(await file(Buffer.from(`\uFEFF${text}`)))).toBe(text);
});
