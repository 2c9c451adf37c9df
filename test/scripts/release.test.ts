/** What `npm run release` refuses, what it writes, and the package for those who only start bill runs. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { notesOf, released } from '../../scripts/release/changelog.mjs';
import { packClient } from '../../scripts/release/client-package.mjs';
import { environmentFor } from '../../scripts/temporal-server.js';
import { openParts } from '../support/parts.js';
import { newFolder } from './script-process.js';

const execute = promisify(execFile);

describe('A release is refused, with what to do', () => {
  test.each([
    ['without a version', [], () => undefined, /^Error: name one version: npm run release -- 1\.0\.0-rc\.1/],
    ['for two versions', ['1.0.0', '1.0.1'], () => undefined, /^Error: name one version/],
    ['for no version', ['latest'], () => undefined, /^Error: latest is not a version such as 1\.2\.3/],
    [
      'with changes',
      ['9.0.0'],
      (folder: string) => {
        writeFileSync(join(folder, 'new.txt'), '');
      },
      /has changes; commit them first/,
    ],
    [
      'on another branch',
      ['9.0.0'],
      (folder: string) => git(folder, 'switch', '-qc', 'other'),
      /releases are made on main/,
    ],
    [
      'for a version that exists',
      ['9.0.0'],
      (folder: string) => git(folder, 'tag', 'v9.0.0'),
      /v9\.0\.0 exists; choose another version/,
    ],
    ['without news', ['9.0.0'], withoutNews, /CHANGELOG\.md has nothing under "Unreleased"/],
  ])('%s', async (_, args, prepare, message) => {
    const folder = newFolder();
    git(projectRoot, 'clone', '-q', projectRoot, folder);
    git(folder, 'switch', '-qC', 'main');
    for (const name of ['main.mjs', 'changelog.mjs']) {
      const path = join('scripts', 'release', name);
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), readFileSync(join(projectRoot, path)));
    }
    commit(folder);
    prepare(folder);
    const before = git(folder, 'log', '-1', '--format=%H', '--all');

    const { code, stderr } = await execute(process.execPath, ['scripts/release/main.mjs', ...args], {
      cwd: folder,
    }).then(
      () => ({ code: 0, stderr: '' }),
      (error: unknown) => error as { code: number; stderr: string },
    );

    expect({ code, lines: stderr.trim().split('\n') }).toEqual({ code: 2, lines: [expect.stringMatching(message)] });
    expect(git(folder, 'log', '-1', '--format=%H', '--all')).toBe(before);
  });
});

test('the news become the notes of the version', () => {
  const before =
    '# Changelog\n\n## Unreleased\n\n- A new command.\n\n### Smaller things\n\n- A fix.\n\n## 0.1.0\n\nThe first.\n';

  const after = released(before, '1.0.0-rc.1', '2026-11-30');

  expect(after).toContain('## Unreleased\n\n## 1.0.0-rc.1, 2026-11-30\n\n- A new command.');
  expect(notesOf(after, 'Unreleased')).toBe('');
  expect(notesOf(after, '1.0.0-rc.1')).toBe('- A new command.\n\n### Smaller things\n\n- A fix.');
  expect(notesOf(after, '0.1.0')).toBe('The first.');
  expect(notesOf(after, '1.0.0')).toBeUndefined();
});

test('the client package runs with its own dependencies alone, and none of them is native', async () => {
  const folder = newFolder();
  const installed = join(folder, 'node_modules', 'bill-run-emails');
  mkdirSync(installed, { recursive: true });
  const tarball = packClient(projectRoot, folder);
  await execute('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys(dependencies ?? {})) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(packageFolder(name), link);
  }

  const parts = await openParts();
  onTestFinished(() => parts.close());
  const env = { ...process.env, ...environmentFor(parts.temporal) };
  const run = async (...args: string[]): Promise<string> =>
    (await execute(process.execPath, args, { cwd: folder, env })).stdout;
  const cli = join(installed, 'dist', 'client', 'cli', 'main.js');
  const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Completed' });
  expect(JSON.parse(await run(cli, 'start', number, '--json'))).toMatchObject({ result: 'started' });
  expect(await run(cli, 'audit', number)).toContain(number);
  const program = "import { BillRunEmails } from 'bill-run-emails/client'; console.log(typeof BillRunEmails.connect)";
  expect(await run('--input-type=module', '--eval', program)).toBe('function\n');

  expect([...withAllBelow(Object.keys(dependencies ?? {}))].filter((name) => NATIVE.test(name))).toEqual([]);
});

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

const NATIVE = /@temporalio\/(core-bridge|worker|testing)$|\/@swc\//;

/** Folders of packages, and of all that they need. */
function withAllBelow(names: readonly string[]): ReadonlySet<string> {
  const all = new Set(names.map((name) => packageFolder(name)));
  // A set also visits what is added meanwhile.
  for (const folder of all) {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const name of Object.keys(dependencies)) all.add(packageFolder(name, folder));
  }
  return all;
}

/** As Node finds it from a folder: npm keeps a second version of a package below the one that needs it. */
function packageFolder(name: string, from = projectRoot): string {
  const folder = join(from, 'node_modules', name);
  return existsSync(join(folder, 'package.json')) ? folder : packageFolder(name, dirname(from));
}

function withoutNews(folder: string): void {
  writeFileSync(join(folder, 'CHANGELOG.md'), '# Changelog\n\n## Unreleased\n\n## 0.1.0\n');
  commit(folder);
}

function commit(folder: string): void {
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  git(folder, 'add', '--all');
  git(folder, ...author, 'commit', '-qm', 'test', '--allow-empty');
}

function git(folder: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
}
