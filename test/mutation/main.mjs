/**
 * Mutation tests: `npm run test:mutation [-- MODULE...] [-- --write] [-- --print]`. Changes the pure modules in one place at a time, by
 * Stryker's instrumenter, and runs their tests against each such mutant. Without a MODULE, all of them. report.mjs explains the flags.
 *
 * All mutants are in the code at once, and a switch makes one active. So each process loads the tests once, not once for each mutant.
 */
import { createInstrumenter } from '@stryker-mutator/instrumenter';
import { commonTokens } from '@stryker-mutator/api/plugin';
import { createInjector } from 'typed-inject';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { modules } from './modules.mjs';
import { report } from './report.mjs';

/** A process that says nothing for so long, in milliseconds, is in a loop that a mutant made endless. */
const STUCK_AFTER_MS = 60_000;
/** For its first word, it loads all tests and runs each twice. */
const BEGINS_WITHIN_MS = 600_000;

const root = join(import.meta.dirname, '..', '..');
const args = process.argv.slice(2);
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = named.filter((name) => !modules.includes(name));
if (unknown.length > 0) {
  console.error(`Error: ${unknown.join(', ')} is not mutated; test/mutation/modules.mjs lists what is`);
  process.exit(2);
}

const sandbox = mkdtempSync(join(root, '.mutants-'));
try {
  const files = await mutated(named.length > 0 ? named : modules);
  report(files, { isWhole: named.length === 0, write: args.includes('--write'), print: args.includes('--print') });
} finally {
  rmSync(sandbox, { recursive: true, force: true, maxRetries: 10 });
}

/** Each file with its source and its mutants, in the form of Stryker's reports. */
async function mutated(names) {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs', '*.json'];
  for (const name of execFileSync('git', list, { cwd: root, encoding: 'utf8' }).trim().split('\n')) {
    mkdirSync(dirname(join(sandbox, name)), { recursive: true });
    cpSync(join(root, name), join(sandbox, name));
  }
  const sources = names.map((name) => ({ name, mutate: true, content: readFileSync(join(root, name), 'utf8') }));
  const { files, mutants } = await instrumenter().instrument(sources, {
    plugins: null,
    excludedMutations: [],
    ignorers: [],
  });
  for (const { name, content } of files) writeFileSync(join(sandbox, name), content);
  const path = join(sandbox, 'mutants.json');
  writeFileSync(path, JSON.stringify(mutants.map(({ id, status }) => ({ id, status }))));
  console.log(`${mutants.length} mutants of ${names.length} modules`);

  const shares = availableParallelism();
  const statuses = await Promise.all(
    Array.from({ length: shares }, (_, share) => run({ mutants: path, share, shares })),
  );
  const statusOf = Object.assign({}, ...statuses);
  return sources.map(({ name, content }) => ({
    file: name,
    source: content,
    mutants: mutants
      .filter(({ fileName }) => fileName === name)
      .map((mutant) => ({ ...mutant, status: statusOf[mutant.id] })),
  }));
}

/** The status of each mutant of a share, by its id. */
async function run({ mutants, share, shares }) {
  const out = join(sandbox, `share-${share}.txt`);
  writeFileSync(out, '');
  const statuses = {};
  for (;;) {
    const settings = JSON.stringify({ mutants, share, shares, out, skip: Object.keys(statuses) });
    const ended = await runTests(settings, out);
    for (const line of readFileSync(out, 'utf8').split('\n')) {
      const [id, status] = line.split(' ');
      // The one that was begun last and has none made its process stop.
      if (id !== '') statuses[id] = status === '' ? 'Timeout' : status;
    }
    if (ended === 'done') return statuses;
    writeFileSync(out, '');
  }
}

async function runTests(settings, out) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = ['run', '--config', 'test/mutation/vitest.config.ts', '--reporter', 'dot'];
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: sandbox,
    // A group of its own, because vitest starts a process for the tests.
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MUTANTS: settings },
  });
  let isStuck = false;
  const look = setInterval(() => {
    const { size, mtimeMs } = statSync(out);
    if (mtimeMs > Date.now() - (size === 0 ? BEGINS_WITHIN_MS : STUCK_AFTER_MS)) return;
    isStuck = true;
    process.kill(-child.pid, 'SIGKILL');
  }, 1_000);
  const [code] = await once(child, 'close');
  clearInterval(look);
  if (isStuck && readFileSync(out, 'utf8') !== '') return 'stuck';
  if (code !== 0) throw new Error('the tests fail or end without a mutant: run them by vitest');
  return 'done';
}

function instrumenter() {
  const silent = () => false;
  const logger = Object.fromEntries(
    ['isDebugEnabled', 'isTraceEnabled', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((name) => [
      name,
      silent,
    ]),
  );
  return createInjector()
    .provideValue(commonTokens.logger, logger)
    .provideValue(commonTokens.options, {})
    .injectFunction(createInstrumenter);
}
