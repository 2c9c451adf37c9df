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

test('words and names to avoid are found in code, shell and documentation, with the line and what to write instead', () => {
  const { status, lines } = check({
    'client/start.ts': "// A reason.\nconst text = 'Mend the cause in Zuora';\n",
    'client/names.ts': [
      'const toldAt = 1;',
      'function tellSend(isGuest: boolean, asked: string[]) {',
      '  return Date.seen + other.seen + storyteller + guestbook;',
      '}',
      'const { home } = job;',
    ].join('\n'),
    'client/plain.ts': '// There is no worker. It is no longer open. Retells an amendment.\nconst reported = 1;\n',
    'README.md': 'Whoever reads this\n',
    'run.sh': '# waits for ever\n',
  });

  expect(status).toBe(1);
  expect(lines.map((line) => line.slice(0, line.indexOf('→')).trim())).toEqual([
    'README.md:1  Whoever',
    'client/names.ts:1  toldAt',
    'client/names.ts:2  tellSend',
    'client/names.ts:2  isGuest',
    'client/names.ts:2  asked',
    'client/names.ts:5  home',
    'client/start.ts:2  Mend',
    'run.sh:1  for ever',
  ]);
  expect(lines).toContain('client/start.ts:2  Mend  → "fix"');
});

test('of named folders only these are checked', () => {
  const files = { 'docs/how-it-works.md': 'Nobody was told.\n', 'a.ts': 'const reported = 1;\n' };
  expect(check(files, 'docs').lines).toHaveLength(1);
  expect(check(files, 'client').lines).toEqual([]);
});

test('sentences of more than 25 words are found in README and docs/, but not in tables, code and decisions', () => {
  const words = (count: number): string => Array.from({ length: count }, (_, at) => `w${at}`).join(' ');
  const { lines } = check({
    'README.md': `${words(25)}. ${words(25)}:\n${words(25)}\n\n- ${words(20)}\n- ${words(20)}\n`,
    'docs/deploy.md': `# ${words(30)}\n\n| ${words(30)} |\n\n\`\`\`sh\n${words(30)}\n\`\`\`\n\nA list:\n\n- ${words(10)}\n  ${words(16)}\n`,
    'docs/decisions/0001.md': `${words(30)}\n`,
  });
  expect(lines).toEqual(['docs/deploy.md:11  w0 w1 w2 w3 w4 w5 …  → 26 words: shorter sentences, or a list']);
});

test('sentences of more than 25 words are found in the texts that the product prints, whatever they are made of', () => {
  const words = (count: number): string => Array.from({ length: count }, (_, at) => `w${at}`).join(' ');
  const { lines } = check({
    'client/help.ts': [
      `const one = '${words(26)}';`,
      `const two = \`${words(12)} \${one} ${words(13)}\`;`,
      `const three = '${words(13)} ' + (isLong ? '' : '${words(27)}') +\n  '${words(13)}';`,
      `const help = \`${words(20)}\n  ${words(20)}\n\n${words(25)}. ${words(25)}; ${words(25)}\`;`,
    ].join('\n'),
    'test/help.ts': `const one = '${words(26)}';`,
  });
  expect(lines.map((line) => line.replace('w0 w1 w2 w3 w4 w5 …  → ', ''))).toEqual(
    ['1  26', '2  26', '3  26', '3  27'].map((hit) => `client/help.ts:${hit} words: shorter sentences, or a list`),
  );
});
