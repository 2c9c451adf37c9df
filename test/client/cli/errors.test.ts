/** Errors as people and programs get them. */
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { projectRoot } from '../../../scripts/project-root.js';
import { cli, cliGiven, jsonLines, run } from '../../support/command-line.js';

const SOON = '--cool-down must be a duration such as "90s", "12 hours" or "30d", at most 366 days';

test.each([
  ['an unknown command', ['statsu'], "unknown command 'statsu'\n(Did you mean status?)"],
  ['an unknown option', ['setup', '--al'], "unknown option '--al'"],
  ['a missing bill run', ['hold'], 'name a bill run, or a --file with some'],
  ['an invalid option', ['start', 'BR-1', '--cool-down', 'soon'], `invalid input: ${SOON}`],
  ['an empty option', ['release', 'BR-1', '--requested-by', ''], 'invalid input: --requested-by must be'],
  ['an option of another name', ['audit', 'BR-1', '--entity', '../x'], 'invalid input: --entity must be the ID'],
  ['an invalid key', ['audit', '../x'], 'invalid input: <bill-run> must be an ID or number'],
  ['an invalid filter', ['list', '--older-than', 'yesterday'], 'invalid input: --older-than must be a duration'],
])('%s is an error with the words of the command line', async (_, args, words) => {
  const { code, stderr, stdout } = await cli(...args, '--json');
  expect(code).toBe(2);
  expect(stderr).toContain(`Error: ${words}`);
  expect(stderr.match(/error: /gi)).toHaveLength(1);
  const [line] = jsonLines({ code, stderr, stdout }) as readonly { error: { message: string } }[];
  expect(line?.error.message.startsWith(words)).toBe(true);
});

test('TLS that the server does not speak is named, with what turns it off', async () => {
  const env = { TEMPORAL_ADDRESS: inject('temporalAddress'), TEMPORAL_API_KEY: 'hunter2' };
  const { code, stderr } = await cliGiven({ env }, 'list');
  expect(code).toBe(6);
  expect(stderr).toContain('the server does not speak TLS there; use its TLS address, or set TEMPORAL_TLS=false');
  expect(stderr).not.toContain('hunter2');
  expect((await cliGiven({ env: { ...env, TEMPORAL_TLS: 'false' } }, 'list')).code).toBe(0);
});

test.each(['worker', 'callouts'])(
  'the process of %s says what it is, and where its variables are listed',
  async (name) => {
    const { code, stdout, stderr } = await run(process.execPath, [
      join(projectRoot, 'dist', name, 'main.js'),
      '--help',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('docs/configuration.md');
  },
);

test('each of several bill runs has the words of the command line, and a file keeps its own', async () => {
  const { stdout } = await cli('start', 'BR-1', 'BR-2', '--cool-down', 'soon');
  expect(stdout).toBe(`BR-1: invalid input: ${SOON}\nBR-2: invalid input: ${SOON}\n2 bill runs: 2 invalid.\n`);
  const stdin = '{"billRunKey":"BR-1","coolDown":"soon"}';
  const file = await cliGiven({ stdin }, 'start', '--file', '-');
  expect(file.stdout).toMatch(/^BR-1: invalid input: coolDown must be a duration/);
});

test.each([
  ['status', 'Temporal has no job email-bill-run/BR-NONE', 'to start one: bill-run-emails start BR-NONE'],
  ['audit', 'Temporal has no job email-bill-run/BR-NONE', 'to start one: bill-run-emails start BR-NONE'],
  ['finish', 'Temporal has no open job', 'bill-run-emails list --number BR-NONE shows which'],
  ['hold', 'Temporal has no open job', 'bill-run-emails list --number BR-NONE shows which'],
])('%s of a bill run without a job names the next command', async (command, words, next) => {
  const { code, stderr } = await cli(command, 'BR-NONE');
  expect(code).toBe(3);
  expect(stderr.startsWith(`Error: ${words}`)).toBe(true);
  expect(stderr.endsWith(`; ${next}\n`)).toBe(true);
});

test('an error names the option or the variable, as the person gave it', async () => {
  const words = (by: string) => `Error: Temporal has no namespace not-there; ${by} names it\n`;
  const option = await cli('audit', 'BR-1', '--namespace=not-there');
  expect(option).toMatchObject({ code: 6, stderr: words('--namespace') });
  const variable = await cliGiven({ env: { TEMPORAL_NAMESPACE: 'not-there' } }, 'audit', 'BR-1');
  expect(variable).toMatchObject({ code: 6, stderr: words('TEMPORAL_NAMESPACE') });
});
