/** What stands in texts cannot forge a line, move the cursor or hide, wherever a command shows it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BillRunEmailsError } from '../../../client/index.js';
import { escaped, failureInWords } from '../../../client/failures/plain-text.js';
import { forPeople, jsonLine } from '../../../client/cli/command.js';
import { ConfigurationError } from '../../../environment/configuration-error.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { cli, cliGiven } from '../../support/command-line.js';

const HIDDEN: readonly [string, string][] = [
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\0', '\\u0000'],
  ['\x07', '\\u0007'],
  ['\x08', '\\b'],
  ['\x1b', '\\u001b'],
  ['\x7f', '\\u007f'],
  ['\x85', '\\u0085'],
  ['\x9b', '\\u009b'],
  ['\u00ad', '\\u00ad'],
  ['\u061c', '\\u061c'],
  ['\u200b', '\\u200b'],
  ['\u200e', '\\u200e'],
  ['\u200f', '\\u200f'],
  ['\u2028', '\\u2028'],
  ['\u2029', '\\u2029'],
  ['\u202e', '\\u202e'],
  ['\u2066', '\\u2066'],
  ['\u2069', '\\u2069'],
  ['\ufeff', '\\ufeff'],
  ['\ud83d', '\\ud83d'],
  ['\u{e0041}', '\\udb40\\udc41'],
];

describe.each(HIDDEN)('%j', (character, escape) => {
  test('is shown escaped in texts for people, at any depth', () => {
    expect(escaped(`a${character}b`)).toBe(`a${escape}b`);
    const found = { workflowId: 'w', list: [{ text: `${character}${character}`, at: null, count: 7 }] };
    expect(forPeople(found)).toEqual({ workflowId: 'w', list: [{ text: `${escape}${escape}`, at: null, count: 7 }] });
  });

  test('is in JSON as it is, and never raw', () => {
    const line = jsonLine({ [`a${character}`]: `b${character}` });
    expect(escaped(line)).toBe(line);
    expect(JSON.parse(line)).toEqual({ [`a${character}`]: `b${character}` });
  });

  test('is shown escaped in errors', () => {
    expect(failureInWords(new BillRunEmailsError('NotFound', `a${character}b`))).toBe(`a${escape}b`);
  });
});

test.each(['Gebühr 100 €', '月末の請求', '🙂', 'مرحبا', 'a\\nb', '"=1+1"', 'a b'])('%s stays as it is', (text) => {
  expect(escaped(text)).toBe(text);
});

test('only errors that name several faults have lines, and those of a stack are indented', () => {
  expect(failureInWords(new ConfigurationError('invalid:\n  A is missing\n  B\x1b[2K'))).toBe(
    'invalid:\n  A is missing\n  B\\u001b[2K',
  );
  const lines = failureInWords(new TypeError('a\nAll jobs are released.\x1b[1A')).split('\n');
  expect(lines[0]).toBe('TypeError: a');
  expect(lines[1]).toBe('    All jobs are released.\\u001b[1A');
  expect(lines.slice(1).filter((line) => !line.startsWith('    '))).toEqual([]);
});

test.each([
  ['an unknown option', ['list', '--x\x1b[2K\nAll is well.']],
  ['an unknown command', ['pr\u202eint\nAll is well.']],
  ['an invalid number', ['list', '--limit', '1\nAll is well.']],
  ['an unknown state', ['list', '--state', 'Held\x9b2K']],
  ['an invalid key', ['status', 'BR-1\nAll is well.', '\u202e1-RB\x7f']],
  ['a file that is not there', ['start', '--file', 'not\nthere\x1b']],
  ['an invalid filter', ['list', '--number', "BR\x85'"]],
])('a mistake is one line, whatever it quotes: %s', async (_, args) => {
  const { code, stderr, stdout } = await cli(...args, '--json');
  expect({ code, stderr, stdout }).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^[^\p{Cc}\p{Cf}\u2028\u2029]+\n$/u) as string,
    stdout: expect.stringMatching(/^[^\p{Cc}\p{Cf}\u2028\u2029]+\n$/u) as string,
  });
});

test('a suggestion has its line', async () => {
  expect((await cli('lits')).stderr).toBe("Error: unknown command 'lits'\n(Did you mean list?)\n");
});

test('a line for each bill run of a file is one line, whatever stands in the file', async () => {
  const stdin = '{"billRunKey":"BR-1\\nBR-2: started\\u001b[1A"}\n{"billRunKey":"\\u202eBR","reason":7}\n';
  const { stdout } = await cliGiven({ stdin }, 'start', '--file', '-');
  expect(stdout.split('\n').slice(0, -2)).toEqual([
    expect.stringMatching(/^BR-1\\nBR-2: started\\u001b\[1A: invalid input: /) as string,
    expect.stringMatching(/^\\u202eBR: invalid input: /) as string,
  ]);
});

test.each(['callouts', 'client/cli'])('a configuration that is wrong is shown so, too: %s', (room) => {
  const env = {
    ...process.env,
    ...{ CALLOUT_USERNAME: 'zuora', CALLOUT_PASSWORD_FILE: '/not/there\x1b[2K', TEMPORAL_PROFILE: 'not\u202ethere' },
  };
  const main = join(projectRoot, 'dist', room, 'main.js');
  const { stderr } = spawnSync(process.execPath, [main, 'status', 'BR-1'], { env, encoding: 'utf8' });
  expect(stderr).toMatch(/\\u001b|\\u202e/);
  expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
