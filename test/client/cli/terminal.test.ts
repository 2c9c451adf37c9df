/** The command line at a terminal: what it asks, and what it leaves there. */
import { PassThrough } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { confirmed, forEach } from '../../../client/cli/bill-runs.js';

const { isTTY } = process.stderr;
afterEach(() => {
  vi.restoreAllMocks();
  Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true });
});

const CTRL_C = '\x03';
const CTRL_D = '\x04';

test.each([
  ['y\r', true],
  ['Yes\r', true],
  ['n\r', false],
  ['\r', false],
  ['yup\r', false],
  [CTRL_C, false],
  [CTRL_D, false],
])('asked whether to go on, %j is %s', async (typed, yes) => {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const answer = confirmed('Hold 3 bill runs?', { input, output });
  input.write(typed);
  expect(await answer).toBe(yes);
  const shown = String(output.read());
  expect(shown).toContain('Hold 3 bill runs? [y/N] ');
  expect(shown).toMatch(/\n$/);
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
])('of %i bill runs, a terminal shows how far it is: %s; and nothing of it stays there', async (count, shown) => {
  Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true });
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const items = Array.from({ length: count }, (_, index) => index);
  await forEach(
    items,
    () => Promise.resolve(),
    () => undefined,
    'asked',
    { silent: true },
  );
  const lines = write.mock.calls.map(([line]) => String(line));
  write.mockRestore();
  if (!shown) {
    expect(lines).toEqual([]);
    return;
  }
  expect(lines[0]).toBe(`\r\x1b[K[${'-'.repeat(20)}] asked 0 of 25`);
  expect(lines[13]).toBe(`\r\x1b[K[${'#'.repeat(10)}${'-'.repeat(10)}] asked 13 of 25`);
  expect(lines.at(-2)).toBe(`\r\x1b[K[${'#'.repeat(20)}] asked 25 of 25`);
  expect(lines.at(-1)).toBe('\r\x1b[K');
});
