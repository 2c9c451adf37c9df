/** The command line at a terminal: what it asks, and what it leaves there. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, expect, test, vi } from 'vitest';
import { answerEach, confirmed } from '../../../client/cli/bill-runs.js';
import { tryEach } from '../../../client/many.js';
import { printError } from '../../../client/cli/command.js';
import { doctorTable } from '../../../client/cli/doctor-table.js';
import { painted } from '../../../client/cli/email-states.js';
import { hanging, timeHere, wrapped } from '../../../client/cli/terminal.js';

const stderr = process.stderr.isTTY;
const stdout = process.stdout.isTTY;
const { columns } = process.stdout;
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  Object.defineProperty(process.stderr, 'isTTY', { value: stderr, configurable: true });
  Object.defineProperty(process.stdout, 'isTTY', { value: stdout, configurable: true });
  Object.assign(process.stdout, { columns });
});

/** For the rest of the test. */
function onTerminal(width: number): void {
  Object.defineProperty(process.stdout, 'isTTY', { value: true, configurable: true });
  Object.assign(process.stdout, { columns: width, hasColors: () => true });
}

const CTRL_C = '\x03';
const CTRL_D = '\x04';

const textOn = (output: PassThrough): string => stripVTControlCharacters(String(output.read()));

test.each([
  ['y\r', true],
  ['Yes\r', true],
  ['n\r', false],
  ['\r', false],
  ['sure\r', false],
  [CTRL_C, false],
  [CTRL_D, false],
])('asked whether to go on, %j is %s', async (typed, yes) => {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const answer = confirmed('Hold 3 bill runs?', { input, output });
  await once(output, 'readable');
  input.write(typed);
  expect(await answer).toBe(yes);
  const text = textOn(output);
  expect(text).toContain('Hold 3 bill runs? (y/N)');
  expect(text).toMatch(/\n$/);
});

test('the end of the input is a no', async () => {
  const input = new PassThrough();
  const answer = confirmed('Hold 3 bill runs?', { input, output: new PassThrough() });
  input.end();
  expect(await answer).toBe(false);
});

test.each([
  [24, false],
  [25, true],
])('for %i bill runs, a terminal shows a progress bar: %s; nothing of it stays there', async (count, hasBar) => {
  Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true });
  Object.defineProperty(process.stdout, 'isTTY', { value: false, configurable: true });
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const items = Array.from({ length: count }, (_, index) => index);
  vi.spyOn(console, 'log').mockReturnValue();
  const ask = () => Promise.resolve({ workflowId: 'email-bill-run/BR-1' });
  await answerEach(items, tryEach(items, ask), { json: undefined, nameOf: String, inWords: () => 'asked' });
  const written = write.mock.calls.map(([text]) => String(text));
  write.mockRestore();
  if (!hasBar) {
    expect(written).toEqual([]);
    return;
  }
  const bars = written.filter((text) => text.includes('of 25'));
  expect(bars[0]).toBe(`[${'-'.repeat(20)}] 0 of 25`);
  expect(bars.at(-1)).toBe(`[${'='.repeat(20)}] 25 of 25`);
  // To the begin of the line, and the line is empty.
  expect(written.slice(-2)).toEqual(['\x1b[1G', '\x1b[2K']);
});

/** What stands in colour, and what is printed on stderr. */
function inColours(): readonly string[] {
  const error = vi.spyOn(console, 'error').mockReturnValue();
  printError('no such file');
  const check = (name: 'temporal' | 'namespace', result: 'ok' | 'warning' | 'error') => ({ name, result, text: 'x' });
  const table = doctorTable({
    ok: false,
    checks: [check('temporal', 'ok'), check('namespace', 'warning'), check('namespace', 'error')],
  });
  const texts = [painted('NeedsAttention'), ...table.split('\n').slice(0, 3), String(error.mock.calls[0]?.[0])];
  error.mockRestore();
  return texts;
}

const PLAIN = [
  'NeedsAttention',
  'ok       temporal   x',
  'warning  namespace  x',
  'error    namespace  x',
  'Error: no such file',
];

test.each([
  ['a terminal', true, '', true],
  ['a terminal with NO_COLOR', true, '1', false],
  ['something else, also with FORCE_COLOR', false, '', false],
])('on %s, colours: %s', (_, isTerminal, noColor, hasColours) => {
  vi.stubEnv('NO_COLOR', noColor);
  vi.stubEnv('FORCE_COLOR', isTerminal ? '' : '1');
  for (const stream of [process.stdout, process.stderr]) {
    Object.defineProperty(stream, 'isTTY', { value: isTerminal, configurable: true });
    Object.assign(stream, { hasColors: () => true });
  }
  const texts = inColours();
  expect(texts.map(stripVTControlCharacters)).toEqual(PLAIN);
  const [state, ok, warning, error, message] = texts;
  if (!hasColours) {
    expect(texts).toEqual(PLAIN);
    return;
  }
  expect(state).toBe('\x1b[33mNeedsAttention\x1b[39m');
  expect(ok?.startsWith('\x1b[32mok\x1b[39m ')).toBe(true);
  expect(warning?.startsWith('\x1b[33mwarning\x1b[39m ')).toBe(true);
  expect(error?.startsWith('\x1b[31merror\x1b[39m ')).toBe(true);
  expect(message).toBe('\x1b[31mError:\x1b[39m no such file');
});

const WORDS = 'one two three four five six seven eight nine ten eleven twelve';

test('a long value hangs below its begin on a terminal, and stays one line elsewhere', () => {
  Object.defineProperty(process.stdout, 'isTTY', { value: false, configurable: true });
  expect(hanging('now  ', WORDS)).toBe(`now  ${WORDS}`);
  onTerminal(40);
  expect(hanging('now  ', WORDS).split('\n')).toEqual([
    'now  one two three four five six seven',
    '     eight nine ten eleven twelve',
  ]);
  expect(hanging('now  ', 'short')).toBe('now  short');
  // Beside a long label, the terminal breaks the lines.
  expect(wrapped(WORDS, 20)).toEqual([WORDS]);
});

test('colours take no width, spaces between fields stay, and what is longer than a line is not broken', () => {
  onTerminal(40);
  const held = `\x1b[33mHeld\x1b[39m ${WORDS.slice(0, 33)}`;
  expect(wrapped(`${held} nine`, 0)).toEqual([held, 'nine']);
  const key = `bill-run-email/${'x'.repeat(40)}`;
  expect(wrapped(`accepted  HTTP 200  key ${key}  end`, 0)).toEqual(['accepted  HTTP 200  key', key, 'end']);
});

test('a command is not broken, so that it can be copied', () => {
  onTerminal(60);
  const unpause = 'temporal workflow unpause --workflow-id email-bill-run/BR-00000001';
  const retry = 'bill-run-emails retry BR-00000001 --requested-by "<who>" --reason "<why>"';
  expect(wrapped(`→ To go on: ${unpause}; ${unpause}.`, 0)).toEqual(['→ To go on:', `${unpause};`, `${unpause}.`]);
  expect(hanging('answer with   ', retry)).toBe(`answer with   ${retry}`);
});

test('the texts of doctor hang in their column', () => {
  vi.stubEnv('NO_COLOR', '1');
  onTerminal(60);
  const check = { name: 'namespace', result: 'warning', text: WORDS, todo: WORDS } as const;
  expect(doctorTable({ ok: true, checks: [check] }).split('\n')).toEqual([
    'warning  namespace  one two three four five six seven eight',
    '                    nine ten eleven twelve',
    '                    → one two three four five six seven',
    '                    eight nine ten eleven twelve',
    '',
    'Errors: 0. Warnings: 1.',
  ]);
});

test.each([
  ['Europe/Berlin', '2026-03-02T12:00:00.999Z', '2026-03-02 13:00:00 +01:00'],
  ['Europe/Berlin', '2026-07-02T22:30:00.000Z', '2026-07-03 00:30:00 +02:00'],
  ['America/St_Johns', '2026-03-02T02:00:00.000Z', '2026-03-01 22:30:00 -03:30'],
  ['UTC', '2026-03-02T12:00:00.000Z', '2026-03-02 12:00:00 +00:00'],
])('a terminal in %s shows %s as %s', (zone, iso, here) => {
  vi.stubEnv('TZ', zone);
  Object.defineProperty(process.stdout, 'isTTY', { value: false, configurable: true });
  expect(timeHere(iso)).toBe(iso);
  onTerminal(80);
  expect(timeHere(iso)).toBe(here);
  expect(timeHere('soon')).toBe('soon');
});

test('a command in a sentence is not broken, and what follows it is', () => {
  onTerminal(60);
  const text =
    'Look at the history of some invoices. Then: bill-run-emails retry BR-00000001 --ordinal 1. Until 12:00 the key protects it; ' +
    'later, run bill-run-emails documents BR-00000001; and so on';
  expect(wrapped(text, 0)).toEqual([
    'Look at the history of some invoices. Then:',
    'bill-run-emails retry BR-00000001 --ordinal 1. Until 12:00',
    'the key protects it; later, run',
    'bill-run-emails documents BR-00000001; and so on',
  ]);
});
