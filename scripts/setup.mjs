/**
 * Brings a checkout to the point where everything runs: npm packages, Temporal binaries, build. The npm scripts call it
 * first, so it needs nothing but Node, is quick and silent when there is nothing to do, and leaves stdout to the command
 * behind it.
 *
 *     node scripts/setup.mjs [--only=packages,temporal,build] [--rebuild]
 *
 * Interrupt it anywhere, run two of them at once: each step works in a folder of its own, takes effect by a rename and
 * is stamped as done last.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './setup/build.mjs';
import { SetupFailure } from './setup/failure.mjs';
import { removeLeftovers } from './setup/folders.mjs';
import { takeLock } from './setup/lock.mjs';
import { packages } from './setup/packages.mjs';
import { temporal } from './setup/temporal.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const steps = { packages, temporal, build };

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

try {
  await setUp(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function setUp(args) {
  const { names, rebuild } = parse(args);
  checkNode();
  const open = names.filter((name) => (rebuild && name === 'build') || !steps[name].isCurrent(root));
  if (open.length === 0) return;

  endOnSignals();
  await takeLock(root, say);
  removeLeftovers(root);
  try {
    for (const name of open) {
      // Somebody else may have done it while we waited for the lock.
      if ((rebuild && name === 'build') || !steps[name].isCurrent(root)) await steps[name].bring(root, say);
    }
  } finally {
    removeLeftovers(root);
  }
}

function parse(args) {
  let names = Object.keys(steps);
  let rebuild = false;
  for (const arg of args) {
    const only = /^--only=(.+)$/.exec(arg)?.[1].split(',');
    if (arg === '--rebuild') rebuild = true;
    else if (only?.every((name) => name in steps)) names = names.filter((name) => only.includes(name));
    else throw new SetupFailure(`unknown argument ${arg}; there are --only=${names.join(',')} and --rebuild`);
  }
  return { names, rebuild };
}

function checkNode() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node;
  const [major, minor] = /\d+\.\d+/.exec(wanted)[0].split('.').map(Number);
  const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number);
  if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return;
  throw new SetupFailure(`this is Node ${process.versions.node}, but Node ${wanted} is needed`);
}

/** Node's own way to end on a signal skips the `exit` handlers that end our tools and give the lock back. */
function endOnSignals() {
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.once(signal, () => process.exit(128 + number));
  }
}
