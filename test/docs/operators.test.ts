/** The runbook against the code: it has all that can happen, and what it tells people to do can be done. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { EXIT, exitCodeOf } from '../../client/failures/errors.js';
import { projectRoot } from '../../scripts/project-root.js';
import { checkInput, checkNote, checkResend, checkRetry } from '../../workflows/contract/validation.js';
import { EMAIL_STATES, FAILURE_TYPES, QUESTION_KINDS } from '../../workflows/contract/contract.js';

const runbook = readFileSync(join(projectRoot, 'docs', 'operators.md'), 'utf8');
const headings = [...runbook.matchAll(/^#{2,} (.+)$/gm)].map(([, heading = '']) => heading);
/** The cells of each row of each table. */
const rows = [...runbook.matchAll(/^\|(.+)\|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()));

describe('the runbook has a section, or a row, for', () => {
  test.each(EMAIL_STATES)('the state %s', (state) => {
    expect(headings).toContain(`State: ${state}`);
  });

  test.each(QUESTION_KINDS)('the question %s', (kind) => {
    expect(headings).toContain(`Question: ${kind}`);
  });

  test.each(FAILURE_TYPES)('the failure %s', (type) => {
    expect(headings).toContain(`Failure: ${type}`);
  });

  test.each(Object.values(EXIT))('the exit code %i', (code) => {
    expect(rows.map(([first]) => first)).toContain(String(code));
  });

  test('the errors, each with its exit code, and no other', () => {
    const errors = rows.filter(([first = '', code = '']) => /^`\w+`$/.test(first) && /^\d$/.test(code));
    expect(Object.fromEntries(errors.map(([type, code]) => [type, code]))).toEqual(
      Object.fromEntries(Object.entries(exitCodeOf).map(([type, code]) => [`\`${type}\``, String(code)])),
    );
  });

  test('nothing that the code does not have', () => {
    const known = [
      ...EMAIL_STATES.map((state) => `State: ${state}`),
      ...QUESTION_KINDS.map((kind) => `Question: ${kind}`),
      ...FAILURE_TYPES.map((type) => `Failure: ${type}`),
    ];
    expect(headings.filter((heading) => /^(State|Question|Failure):/.test(heading))).toEqual(known);
  });
});

describe('links', () => {
  const anchors = headings.map(anchorOf);
  const links = [...runbook.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = '']) => anchor);

  test('every heading has an anchor of its own', () => {
    expect(new Set(anchors).size).toBe(anchors.length);
  });

  test('every link within the runbook leads to a heading', () => {
    expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  });

  test('the contents name every section', () => {
    const contents = runbook.slice(0, runbook.indexOf('\n## '));
    const listed = [...contents.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
    const groups = ['Procedures', 'States', 'Questions', 'Failures'].map(anchorOf);
    expect(listed).toEqual(anchors.filter((anchor) => !groups.includes(anchor)));
  });
});

describe('JSON', () => {
  const checks = {
    resend: checkResend,
    retry: checkRetry,
    hold: checkNote,
    release: checkNote,
    finish: checkNote,
  };
  type Signal = keyof typeof checks;
  const signals = [
    ...runbook.matchAll(/signal\s+\*\*(\w+)\*\*\s+with\s+`(\{[^`]*\})`/gi),
    ...runbook.matchAll(/--name (\w+) --input '(\{.*?\})'/g),
  ].map(([, signal = '', json = '']) => [signal, json] as const);
  const codes = [...runbook.matchAll(/`(\{[^`]*\})`|'(\{.*?\})'/g)].map(([, code, quoted]) => code ?? quoted ?? '');
  const inputs = codes.filter((code) => code.includes('"billRunKey"'));

  test('all of it is for a signal or a start', () => {
    expect(codes.length).toBeGreaterThan(0);
    expect(signals.length + inputs.length).toBe(codes.length);
    expect(signals.map(([name]) => name).filter((name) => !Object.hasOwn(checks, name))).toEqual([]);
  });

  /** A person replaces the placeholders; one that is left is a fault. */
  const placeholder = /"<[\w -]+>"/g;
  const filled = (json: string): unknown => JSON.parse(json.replaceAll(placeholder, '"a text"'));
  const faultsWith = (check: (argument: unknown) => { readonly faults?: readonly string[] }, json: string): void => {
    expect(check(filled(json)).faults).toBeUndefined();
    const left = json.match(placeholder) ?? [];
    expect(check(JSON.parse(json)).faults ?? []).toHaveLength(left.length);
  };

  test.each(signals)('the signal %s takes %s', (name, json) => {
    faultsWith(checks[name as Signal], json);
  });

  test.each([...new Set(inputs)])('a start takes %s', (json) => {
    faultsWith(checkInput, json);
  });
});

describe('commands', () => {
  /** What `--help` of each command tells. */
  let helpOf: ReadonlyMap<string, string>;
  beforeAll(async () => {
    const names = [...(await help()).matchAll(/^ {2}(?!help)([a-z]+) {2}/gm)].map(([, name = '']) => name);
    helpOf = new Map(await Promise.all(names.map(async (name) => [name, await help(name)] as const)));
  });

  const commands = [
    ...new Set([...runbook.matchAll(/\bbill-run-emails ([a-z][^`\n]*)/g)].map(([, line = '']) => line)),
  ];

  test('the command line has commands, and the runbook names some', () => {
    expect(helpOf.size).toBeGreaterThan(0);
    expect(commands.length).toBeGreaterThan(0);
  });

  test.each(commands)('bill-run-emails %s', (line) => {
    const [name = '', ...words] = line.replaceAll(/"[^"]*"/g, 'text').split(' ');
    expect([...helpOf.keys()]).toContain(name);
    const text = helpOf.get(name) ?? '';
    expect(words.filter((word) => word.startsWith('--') && !optionsIn(text).includes(word))).toEqual([]);
    const [usage = ''] = text.split('\n');
    const billRuns = words.filter((word) => word.startsWith('BR-')).length;
    if (billRuns > 0) expect(usage).toMatch(/[<[]bill-run/);
    if (billRuns > 1) expect(usage).toContain('...');
  });

  test('a state that a command names is one of them', () => {
    const named = commands.flatMap((line) => /--state (\S+)/.exec(line)?.[1] ?? []);
    expect(named.filter((state) => !EMAIL_STATES.some((each) => each === state))).toEqual([]);
  });
});

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
    .replaceAll(' ', '-');
}

async function help(...command: readonly string[]): Promise<string> {
  const cli = join(projectRoot, 'dist', 'client', 'cli', 'main.js');
  return (await promisify(execFile)(process.execPath, [cli, ...command, '--help'])).stdout;
}

/** The long options that a help text lists. */
function optionsIn(text: string): readonly string[] {
  const [, after = ''] = text.split('\nOptions:\n');
  const [list = ''] = after.split('\n\n');
  return [...list.matchAll(/^ {2}(?:-\w, )?(\S+)/gm)].map(([, name = '']) => name);
}
