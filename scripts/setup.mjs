/**
 * Prepares a checkout: npm packages, Temporal's command line, build. The npm scripts call it first, so it needs only Node, is
 * quick and silent when nothing is to do, and leaves stdout to the command that follows.
 *
 *     node scripts/setup.mjs [--only=packages,temporal,build] [--rebuild]
 *
 * It may be interrupted at any point, and two may run at once: each step works in its own folder, takes effect by a
 * rename, and is marked as done last.
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
      // Another setup may have done it while we waited for the lock.
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

/** By default a signal ends Node without the `exit` handlers, which end our tools and release the lock. */
function endOnSignals() {
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.once(signal, () => process.exit(128 + number));
  }
}
