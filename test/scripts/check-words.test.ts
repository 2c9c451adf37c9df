import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

/** Runs the check in a new repository with these files. */
function check(files: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'words-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  spawnSync('git', ['init', '-q'], { cwd: folder });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const script = join(projectRoot, 'scripts', 'check-words.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' });
  return { status, lines: stdout.split('\n').filter((line) => line.includes('→')) };
}

test('a word to avoid is found in comments, messages, shell and documentation, with its line and what to write instead', () => {
  const { status, lines } = check({
    'client/start.ts': "// A reason.\nconst text = 'Mend the cause in Zuora';\n",
    'README.md': 'Whoever reads this\n',
    'run.sh': '# waits for ever\n',
  });

  expect(status).toBe(1);
  expect(lines).toEqual([
    'README.md:1  Whoever  → "anyone who", "the person who"',
    'client/start.ts:2  Mend  → "fix"',
    'run.sh:1  for ever  → "forever"',
  ]);
});

test('a name is found by its words, where it is declared', () => {
  const { lines } = check({
    'a.ts': [
      'const toldAt = 1;',
      'function tellSend(isAlias: boolean, asked: string[]) {',
      '  return Date.seen + other.seen + storyteller + guestbook;',
      '}',
      'const { home } = job;',
    ].join('\n'),
  });

  expect(lines.map((line) => line.split('  ')[1])).toEqual(['toldAt', 'tellSend', 'isAlias', 'asked', 'home']);
});

test('plain English passes', () => {
  const { status, lines } = check({
    'a.ts': '// There is no worker. It is no longer open. Retells; amendment.\nconst reported = 1;\n',
  });

  expect(lines).toEqual([]);
  expect(status).toBe(0);
});

test('docs/ is checked where it is named', () => {
  const files = { 'docs/sending.md': 'Nobody was told.\n' };

  expect(check(files).status).toBe(0);
  expect(check(files, 'docs').lines).toHaveLength(1);
});
