/** The command line at a terminal: what it asks, and what it leaves there. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, expect, test, vi } from 'vitest';
import { answerEach, confirmed } from '../../../client/cli/bill-runs.js';

const stderr = process.stderr.isTTY;
const stdout = process.stdout.isTTY;
afterEach(() => {
  vi.restoreAllMocks();
  Object.defineProperty(process.stderr, 'isTTY', { value: stderr, configurable: true });
  Object.defineProperty(process.stdout, 'isTTY', { value: stdout, configurable: true });
});

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
  await answerEach(items, ask, { json: undefined, nameOf: String, inWords: () => 'asked' });
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
