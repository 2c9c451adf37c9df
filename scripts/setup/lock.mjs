import { linkSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './folders.mjs';

const LOOK_EVERY_MS = 200;
const SIGN_OF_LIFE_EVERY_MS = 5_000;
/** After a restart of the machine, the recorded process id may belong to another program. */
const DEAD_AFTER_MS = 60_000;

/**
 * Waits until no other setup works in this checkout, and holds the lock until this process ends.
 *
 * The lock saves work; correctness does not depend on it. If two setups ever hold it, both work in their own folders, and
 * the last rename wins.
 */
export async function takeLock(root, say) {
  const lock = join(root, '.setup-lock');
  let reported = false;
  while (!tryToTake(lock)) {
    const holder = liveHolder(lock);
    if (holder === undefined) {
      rmSync(lock, { force: true });
    } else {
      if (!reported) say(`waiting for another set-up in this folder (process ${holder})`);
      reported = true;
      await delay(LOOK_EVERY_MS);
    }
  }

  process.on('exit', () => {
    if (readHolder(lock) === process.pid) rmSync(lock, { force: true });
  });
  setInterval(() => {
    if (readHolder(lock) !== process.pid) return;
    const now = new Date();
    utimesSync(lock, now, now);
  }, SIGN_OF_LIFE_EVERY_MS).unref();
}

function tryToTake(lock) {
  // A link appears with its content; a new file would be empty for a moment.
  const ours = `${lock}.${process.pid}`;
  writeFileSync(ours, String(process.pid));
  try {
    linkSync(ours, lock);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(ours);
  }
}

function liveHolder(lock) {
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const holder = readHolder(lock);
  return age < DEAD_AFTER_MS && isAlive(holder) ? holder : undefined;
}

function readHolder(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return undefined;
  }
}
