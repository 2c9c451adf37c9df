/**
 * Makes a release, all of it in a new clone: this checkout stays as it is until everything has passed.
 *
 *     npm run release -- 1.0.0-rc.1            checks by .ci/run (25 minutes), then the commit, the tag and the packages
 *     npm run release -- 1.0.0-rc.1 --dry-run  with `npm run check` and the tests of replay alone, and nothing is kept but the packages
 *
 * The version goes into package.json and the Kubernetes manifest, "Unreleased" of CHANGELOG.md into the notes. Histories of each kind
 * of life are recorded for replay, and those of versions without a tag go. Nothing is pushed: the last line says how.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notesOf, released } from './changelog.mjs';

/** Of semver, without build metadata. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[a-z]+\.(0|[1-9]\d*))?$/;
const BRANCH = 'main';
const REPLAY_TESTS = ['vitest', 'run', 'test/workflows/replay.test.ts'];

const root = join(import.meta.dirname, '..', '..');
const args = process.argv.slice(2);
const isDryRun = args.includes('--dry-run');
const [version, ...others] = args.filter((arg) => arg !== '--dry-run');
const tag = `v${version}`;

const fault = faultOfRequest() ?? faultOfCheckout();
if (fault !== undefined) {
  console.error(`Error: ${fault}`);
  process.exitCode = 2;
} else {
  try {
    release();
  } catch (error) {
    console.error(`Error: ${error.message}; nothing is released`);
    process.exitCode = 1;
  }
}

function faultOfRequest() {
  if (version === undefined || others.length > 0) return 'name one version: npm run release -- 1.0.0-rc.1 [--dry-run]';
  if (!VERSION.test(version)) return `${version} is not a version such as 1.2.3 or 1.2.3-rc.1`;
  return undefined;
}

function faultOfCheckout() {
  if (git('status', '--porcelain') !== '') return 'the checkout has changes; commit them first';
  if (git('branch', '--show-current') !== BRANCH) return `releases are made on ${BRANCH}`;
  if (tags().includes(tag)) return `${tag} exists; choose another version`;
  const notes = notesOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), 'Unreleased');
  if (notes === undefined || notes === '') return 'CHANGELOG.md has nothing under "Unreleased"';
  return undefined;
}

function release() {
  const clone = mkdtempSync(join(tmpdir(), 'bill-run-emails-release-'));
  try {
    step(`A new clone of ${git('rev-parse', '--short', 'HEAD')}`);
    execFileSync('git', ['clone', '--quiet', root, clone], { stdio: 'inherit' });
    const notes = writeVersion(clone);
    runIn(clone, 'npm', 'run', 'setup');

    step('Histories for replay');
    recordHistories(clone);

    step(isDryRun ? 'Checks, without .ci/run' : 'Checks');
    if (isDryRun) {
      runIn(clone, 'npm', 'run', 'check');
      runIn(clone, 'npx', ...REPLAY_TESTS);
    } else runIn(clone, 'bash', '.ci/run');

    step('Commit, tag and packages');
    gitIn(clone, 'add', '--all');
    gitIn(clone, 'commit', '--quiet', '--message', `Release ${version}`);
    // Headings of the notes begin with the sign of git's comments.
    gitIn(clone, 'tag', '--annotate', '--cleanup=verbatim', '--message', `${version}\n\n${notes}\n`, tag);
    runIn(clone, 'npm', 'run', '--silent', 'pack', '--', join(root, 'release'));
    if (!isDryRun) takeOver(clone);
    console.log(
      [
        '',
        `${isDryRun ? 'It would be released' : 'Released'}: ${version}, ${notes.split('\n').length} lines of notes. release/ has the packages.`,
        isDryRun ? 'Nothing else is kept.' : `To publish it: git push --atomic origin ${BRANCH} ${tag}`,
      ].join('\n'),
    );
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
}

/** Returns the notes. */
function writeVersion(clone) {
  const before = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')).version;
  runIn(clone, 'npm', 'version', version, '--no-git-tag-version', '--allow-same-version', '--ignore-scripts');
  const image = (of) => `bill-run-emails:${of}`;
  change(clone, 'deploy/kubernetes.yaml', (text) => text.replace(image(before), image(version)));
  let notes = '';
  change(clone, 'CHANGELOG.md', (text) => {
    notes = notesOf(text, 'Unreleased');
    return released(text, version, new Date().toISOString().slice(0, 10));
  });
  return notes;
}

function change(clone, name, changed) {
  const path = join(clone, name);
  writeFileSync(path, changed(readFileSync(path, 'utf8')));
}

function recordHistories(clone) {
  const folder = join(clone, 'test', 'histories');
  const kept = new Set(tags().map((name) => name.slice(1)));
  for (const name of readdirSync(folder)) if (!kept.has(name)) rmSync(join(folder, name), { recursive: true });
  execFileSync('npx', REPLAY_TESTS, {
    cwd: clone,
    stdio: 'inherit',
    env: { ...process.env, RECORD_HISTORIES: '1' },
  });
  if (!existsSync(join(folder, version))) throw new Error(`no histories of ${version} were recorded`);
}

function takeOver(clone) {
  git('fetch', '--quiet', clone, `refs/tags/${tag}:refs/tags/${tag}`);
  git('merge', '--quiet', '--ff-only', tag);
}

function tags() {
  return git('tag', '--list', 'v*').split('\n');
}

function step(text) {
  console.log(`\n== ${text}`);
}

function runIn(folder, command, ...words) {
  execFileSync(command, words, { cwd: folder, stdio: 'inherit' });
}

function git(...words) {
  return gitIn(root, ...words);
}

function gitIn(folder, ...words) {
  return execFileSync('git', words, { cwd: folder, encoding: 'utf8' }).trim();
}
