/** The published JSON Schema. What commands print is compared with it wherever a test runs one: `cliGiven`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { EMAIL_REASONS, EMAIL_STATES } from '../../workflows/contract/contract.js';
import { expectPublished } from '../support/command-line.js';

const { $defs } = JSON.parse(readFileSync(join(projectRoot, 'docs', 'output.schema.json'), 'utf8')) as {
  $defs: Record<string, { enum?: readonly unknown[] }>;
};

test('the schema has the states and reasons of the contract, and a definition for each command', () => {
  expect($defs['state']?.enum).toEqual(EMAIL_STATES);
  expect($defs['reason']?.enum).toEqual([...EMAIL_REASONS, null]);
  const cli = readFileSync(join(projectRoot, 'docs', 'cli.md'), 'utf8');
  const commands = [...cli.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((name) => !((name ?? '') in $defs))).toEqual([]);
});

test('the comparison fails for another shape', () => {
  const line = { billRunKey: 'BR-1', workflowId: 'email-bill-run/BR-1', ok: true, via: 'signal' };
  expectPublished(['hold', 'BR-1'], JSON.stringify(line));
  expect(() => {
    expectPublished(['hold', 'BR-1'], JSON.stringify({ ...line, via: 'pigeon' }));
  }).toThrow('hold --json printed');
  expect(() => {
    expectPublished(['hold', 'BR-1'], JSON.stringify({ ...line, ok: false }));
  }).toThrow('hold --json printed');
});
